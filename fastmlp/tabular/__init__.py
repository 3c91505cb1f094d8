"""scikit-learn estimators for tables as they are: `TabularClassifier` and `TabularRegressor`.

They take frames with words, dates and holes, and train by the recipe of `fastmlp/tables/recipe.py`. docs/tables.md.

Imports scikit-learn 1.6 or newer: `pip install "fastmlp[sklearn]"`.
"""

from fastmlp.checks.messages import install

try:
    from sklearn.utils import validation

    validation.validate_data  # noqa: B018, of 1.6
except (ImportError, AttributeError) as error:
    raise ImportError(
        f"the estimators need scikit-learn 1.6 or newer: {install('sklearn')}; or use fastmlp.TableModel"
    ) from error

from fastmlp.tabular.classifier import TabularClassifier
from fastmlp.tabular.regressor import TabularRegressor

__all__ = ["TabularClassifier", "TabularRegressor"]
