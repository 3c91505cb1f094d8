"""Which exceptions of other code mean that the input is wrong, and which must pass."""

from __future__ import annotations

# What Python raises for bad values and damaged files; and libraries whose exceptions do not derive from these.
_FAULTS = (
    ArithmeticError, AssertionError, AttributeError, BufferError, EOFError, ImportError, LookupError, MemoryError,
    NameError, OSError, RuntimeError, SyntaxError, TypeError, ValueError,
)  # fmt: skip
_LIBRARIES = {
    "_lzma", "binascii", "bz2", "lzma", "numpy", "pandas", "polars", "pyarrow", "sklearn", "struct", "tokenize",
    "zipfile", "zlib",
}  # fmt: skip


def only_faults(error: Exception) -> None:
    """Raises the exception again unless it means that the input is wrong.

    An exception of a signal handler, for example of a deadline, has to reach the caller, and must not be turned into an
    error of a file or an array.
    """
    if not isinstance(error, _FAULTS) and type(error).__module__.partition(".")[0] not in _LIBRARIES:
        raise error
