"""Which exceptions of foreign code are faults of what was given, and which must pass."""

from __future__ import annotations

# What bad values and damaged files make Python raise, and libraries whose exceptions are no kind of these.
_FAULTS = (
    ArithmeticError, AssertionError, AttributeError, BufferError, EOFError, ImportError, LookupError, MemoryError,
    NameError, OSError, RuntimeError, SyntaxError, TypeError, ValueError,
)  # fmt: skip
_LIBRARIES = {
    "_lzma", "binascii", "bz2", "lzma", "numpy", "pandas", "polars", "pyarrow", "sklearn", "struct", "tokenize",
    "zipfile", "zlib",
}  # fmt: skip


def only_faults(error: Exception) -> None:
    """Raises an exception that is no fault of what was given: one of a signal's handler, as of a deadline, is to reach
    whoever waits for it, and to be made no error of a file or an array."""
    if not isinstance(error, _FAULTS) and type(error).__module__.partition(".")[0] not in _LIBRARIES:
        raise error
