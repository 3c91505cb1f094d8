"""Cross-validation: all folds are trained at once, each bit for bit as it would be alone."""

from fastmlp.cross_validation.result import CrossValidation
from fastmlp.cross_validation.validate import cross_validate

__all__ = ["CrossValidation", "cross_validate"]
