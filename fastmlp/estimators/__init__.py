"""scikit-learn's `MLPClassifier` and `MLPRegressor` on fastmlp's kernels.

The parameters, attributes and errors are scikit-learn's, and so is the arithmetic by default, except for rounding: the
same `random_state` gives the same initial weights, batches and learning curve. Training takes less time, and its bits
depend neither on the machine nor on the number of threads. Additional parameters come after scikit-learn's.
docs/estimators.md has the details.

Imports scikit-learn 1.6 or newer: `pip install "fastmlp[sklearn]"`.
"""

from fastmlp.checks.messages import install

try:
    from sklearn.utils import validation

    validation.validate_data  # noqa: B018, of 1.6
except (ImportError, AttributeError) as error:
    raise ImportError(
        f"the estimators need scikit-learn 1.6 or newer: {install('sklearn')}; or use fastmlp.Model"
    ) from error

from fastmlp.estimators.classifier import MLPClassifier
from fastmlp.estimators.regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
