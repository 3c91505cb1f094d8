"""fastmlp's own exception and warning. Bad arguments raise ValueError or TypeError, as usual in Python."""


class DivergenceError(ArithmeticError):
    """A training's loss or parameters are no longer finite; the model has the parameters of the last finite record."""


class DivergenceWarning(UserWarning):
    """A training ended with finite numbers, but with a loss far above the one that it began with."""


class ScaleWarning(UserWarning):
    """Columns of X are far from standardised, so that training is slow or ends badly."""
