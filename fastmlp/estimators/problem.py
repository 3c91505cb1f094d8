"""What an estimator hands to the engine: a network, and rows in its dtype. Imports no scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp.checks.arrays import by_column, compact
from fastmlp.checks.integers import most_exact
from fastmlp.estimators.sparse_rows import SparseRows
from fastmlp.losses import CrossEntropy
from fastmlp.spec import HIDDEN, Spec
from fastmlp.training import Objective

ACTIVATIONS = {"logistic": "sigmoid"}  # scikit-learn's names of ours; the others are the same
KNOWN = (*HIDDEN, *ACTIVATIONS)
DIVERGED = (  # the beginning of an error, as scikit-learn's
    "Solver produced non-finite parameter weights. The input data may contain large values and need to be preprocessed."
)


AT_ONCE = 1 << 24  # bytes up to which sparse rows are made dense as a whole, which saves a tenth of an epoch
LARGE = 10.0  # absolute values of standardised columns stay below it, but for outliers


def hidden_names(activation: Any, count: int) -> tuple[str, ...]:
    """Our names of the hidden layers' activations: one name, or one for each. Raises ValueError."""
    names = (activation,) * count if isinstance(activation, str) else tuple(activation)
    if len(names) != count:
        raise ValueError(f"activation has {len(names)} names for {count} hidden layers: give one for each, or one name")
    for name in names:
        if name not in KNOWN:
            raise ValueError(f"activation has {name!r}: use one of {', '.join(KNOWN)}")
    return tuple(ACTIVATIONS.get(name, str(name)) for name in names)


def initial_parameters(spec: Spec, activation: Any, random_state: np.random.RandomState, dtype: np.dtype) -> np.ndarray:
    """scikit-learn's: uniform up to sqrt(6 / (K + J)), or of logistic layers sqrt(2 / (K + J)), biases like weights.

    A layer's weights are drawn before its biases, and rounded to `dtype`. The last layer has the bound of the one
    before it; or, where it is alone, of the activation's one name.
    """
    parameters = np.empty(spec.parameters, dtype)
    last = spec.hidden[-1] if spec.hidden else ACTIVATIONS.get(activation) if isinstance(activation, str) else None
    for (w, b), name in zip(spec.views(parameters), (*spec.hidden, last), strict=True):
        bound = np.sqrt((2.0 if name == "sigmoid" else 6.0) / sum(w.shape))
        w[:] = random_state.uniform(-bound, bound, w.shape)
        b[:] = random_state.uniform(-bound, bound, b.shape)
    return parameters.astype(spec.dtype, copy=False)


def objective(spec: Spec) -> Objective:
    """scikit-learn's losses: the mean over rows of the sum over outputs; squared errors', half the mean over both."""
    if spec.loss == "squared_error":
        return Objective(share=0.5 / spec.outputs)
    if spec.is_classifier and spec.loss_parameter is None:
        return Objective(bound=float(np.finfo(spec.dtype).eps))  # to which scikit-learn clips probabilities
    return Objective()


@dataclass(frozen=True)
class Rows:
    """Features (N, K), targets as the engine wants them, and weights (N,) or None: C-contiguous, in one dtype."""

    x: np.ndarray | SparseRows
    y: np.ndarray
    weights: np.ndarray | None

    @classmethod
    def of(
        cls, spec: Spec, X: Any, y: np.ndarray, weights: np.ndarray | None, smoothing: float = 0.0, whole: bool = False
    ) -> Rows:
        """y (N, J): numbers, or booleans of which softmax takes the place.

        whole: whether a sparse X becomes dense, however large it is.
        smoothing: the fraction of a sigmoid's target that goes to 1/2, as label smoothing of two classes.
        """
        x = dense(X, spec.dtype) if whole else features(X, spec.dtype)
        if spec.output == "softmax":
            if y.shape[1] > most_exact(np.dtype(spec.dtype)) + 1:
                raise ValueError(f"y has {y.shape[1]} classes, more than {spec.dtype} tells apart: give X as float64")
            targets = y.argmax(axis=1).astype(spec.dtype)
        else:
            targets = compact(y, np.dtype(spec.dtype), "y")
            if smoothing:
                targets = targets * targets.dtype.type(1 - smoothing) + targets.dtype.type(smoothing / 2)
        return cls(x, targets, None if weights is None else narrowed_weights(weights, spec.dtype))

    def constants(self, spec: Spec) -> np.ndarray | None:
        """What scikit-learn's loss of each row (N,) has beside ours, in float64; None but for Poisson's.

        That is half the deviance, which has y log(y) - y beside the mean and -y log(mean).
        """
        if spec.loss != "poisson":
            return None
        y = self.y.astype(np.float64)
        return (y * np.log(np.where(y > 0, y, 1)) - y).sum(axis=1)


def advice(spec: Spec, rows: Rows) -> str:
    """What to scale where training diverges, behind DIVERGED: X, or y, or both, by the largest value of each."""
    parts = {"X": rows.x} if spec.is_classifier else {"X": rows.x, "y": rows.y}
    sizes = {name: float(max(part.max(), -part.min())) for name, part in parts.items()}
    large = [f"{name}, whose values go up to {size:.3g}" for name, size in sizes.items() if size > LARGE]
    return f"Scale {', and '.join(large) or ' and '.join(parts)}, as StandardScaler does"


def features(X: Any, dtype: str) -> np.ndarray | SparseRows:
    """X (N, K) as `dense` has it, or a large sparse matrix as rows of which some at a time are made dense."""
    large = hasattr(X, "toarray") and X.shape[0] * X.shape[1] * np.dtype(dtype).itemsize > AT_ONCE
    return SparseRows(X, np.dtype(dtype)) if large and X.dtype.kind in "biuf" else dense(X, dtype)


def dense(X: Any, dtype: str) -> np.ndarray:
    """X (N, K), an array or a sparse matrix, C-contiguous in this dtype; X itself where it is that.

    Raises ValueError for a number that is too large for the dtype, and TypeError for what are no numbers.
    """
    if X.dtype.kind not in "biufO":
        raise TypeError(f"X has the dtype {X.dtype}, and takes numbers")
    try:
        x = compact(X.toarray() if hasattr(X, "toarray") else X, np.dtype(dtype), "X")
    except ArithmeticError as error:  # of an object: an int too large for a float, a signalling Decimal
        raise ValueError(f"X holds what is no float: {error}") from None
    if x.dtype != X.dtype and np.isinf(x).any():
        raise ValueError(f"X has a value too large for {dtype}, which the network is trained in: scale X")
    return x


def narrowed_weights(weights: np.ndarray, dtype: str) -> np.ndarray:
    """Weights of rows in this dtype. Raises ValueError where that leaves none, or an infinite one."""
    with np.errstate(over="ignore"):
        narrow = np.ascontiguousarray(weights, dtype)
    if not narrow.any() or np.isinf(narrow).any():
        raise ValueError(f"the largest weight of a row is {weights.max():g}, which {dtype} does not hold: scale them")
    return narrow


def smoothing_of(loss: Any) -> float:
    """The label smoothing of a classifier's loss."""
    return loss.label_smoothing if isinstance(loss, CrossEntropy) else 0.0


def as_array(X: Any, names: np.ndarray | None) -> np.ndarray:
    """A list of rows, or a table with the columns that it should have, as an array. Raises ValueError for all else."""
    if names is None and type(X) is list:
        return np.asarray(X)
    if names is not None and hasattr(X, "columns") and list(X.columns) == list(names):
        mixed = by_column(X)
        return X.to_numpy() if mixed is None else mixed
    raise ValueError
