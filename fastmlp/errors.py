"""The exception and the warning of fastmlp's own. Bad arguments raise ValueError or TypeError, as everywhere."""

# What Python and its libraries raise of bad values and damaged files. Where anything may be wrong with what is given,
# these are made an error in words: not every Exception, as one that a signal's handler raises, as of a deadline, is to
# reach whoever waits for it.
FAULTS = (
    ArithmeticError, AssertionError, AttributeError, BufferError, EOFError, ImportError, LookupError, MemoryError,
    NameError, OSError, RuntimeError, SyntaxError, TypeError, ValueError,
)  # fmt: skip


class DivergenceError(ArithmeticError):
    """Training left the finite numbers; the model holds its last finite recorded state."""


class DivergenceWarning(UserWarning):
    """Training ended with finite numbers, but with a loss far above the one that it began with."""
