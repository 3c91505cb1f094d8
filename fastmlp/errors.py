"""The one exception of fastmlp's own. Bad arguments raise ValueError or TypeError, as everywhere."""


class DivergenceError(ArithmeticError):
    """Training left the finite numbers; the model holds its last finite recorded state."""
