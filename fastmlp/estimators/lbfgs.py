"""Training by "lbfgs": scipy's L-BFGS-B with the engine's loss and gradient, in float64."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import scipy.optimize
from sklearn.utils.optimize import _check_optimize_result

from fastmlp.engine import numba_backend
from fastmlp.estimators import problem
from fastmlp.estimators.problem import Rows
from fastmlp.spec import Spec
from fastmlp.training import Training


def minimize(estimator: Any, spec: Spec, parameters: np.ndarray, rows: Rows) -> None:
    """Replaces the parameters by those of the least loss that was found; sets n_iter_ and loss_.

    Warns as scikit-learn does where it did not converge.
    """
    training = Training(
        1, 1.0, len(rows.x), record_every=1, l2=float(estimator.alpha), objective=problem.objective(spec)
    )
    assert isinstance(rows.x, np.ndarray)
    function = numba_backend.objective(spec, rows.x, rows.y, training, rows.weights)
    constants = rows.constants(spec)
    constant = 0.0 if constants is None else float(np.average(constants, weights=rows.weights))
    count = 0

    def say(at: np.ndarray) -> None:
        nonlocal count
        count += 1
        print(f"Iteration {count}, loss = {function(at)[0] + constant:.8f}")

    with np.errstate(all="ignore"):
        found = scipy.optimize.minimize(
            function,
            parameters,
            method="L-BFGS-B",
            jac=True,
            callback=say if estimator.verbose else None,
            options={"maxfun": estimator.max_fun, "maxiter": estimator.max_iter, "gtol": estimator.tol},
        )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator.n_iter_ = _check_optimize_result("lbfgs", found, estimator.max_iter)
    for warning in caught:
        warnings.warn(warning.message, warning.category, stacklevel=7)  # at the call of fit
    estimator.loss_ = float(found.fun) + constant
    parameters[:] = found.x
    if not np.isfinite(parameters).all():
        raise ValueError(f"{problem.DIVERGED} {problem.advice(spec, rows)}")
