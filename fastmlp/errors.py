"""The exception and the warning of fastmlp's own. Bad arguments raise ValueError or TypeError, as everywhere."""


class DivergenceError(ArithmeticError):
    """Training left the finite numbers; the model holds its last finite recorded state."""


class DivergenceWarning(UserWarning):
    """Training ended with finite numbers, but with a loss far above the one that it began with."""
