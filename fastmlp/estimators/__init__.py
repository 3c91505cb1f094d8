"""scikit-learn's `MLPClassifier` and `MLPRegressor` on fastmlp's kernels.

The same parameters, attributes and errors, and by default the same arithmetic but for rounding: the same `random_state`
gives the same initial weights, batches and learning curve, and on fewer microseconds; and the same bits whatever the
machine and the number of threads. What is new comes behind scikit-learn's parameters. docs/estimators.md has all of it.

Imports scikit-learn, 1.6 or newer: `pip install "fastmlp[sklearn]"`.
"""

try:
    from sklearn.utils import validation

    validation.validate_data  # noqa: B018, of 1.6
except (ImportError, AttributeError) as error:
    raise ImportError(
        'the estimators need scikit-learn 1.6 or newer: pip install "fastmlp[sklearn]", or use fastmlp.Model'
    ) from error

from fastmlp.estimators.classifier import MLPClassifier
from fastmlp.estimators.regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
