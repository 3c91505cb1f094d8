"""Values in error messages, whatever they are. Imports the checks of exceptions only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastmlp.checks.faults import only_faults


def shown(value: object, most: int = 60) -> str:
    """Returns repr(value), cut off after `most` characters; the type's name if there is no repr.

    An int of more than 4300 digits has none (ValueError), nor has a list that is nested 1000 deep (RecursionError).
    """
    try:
        text = repr(value)
    except Exception as error:
        only_faults(error)
        bits = f" of {value.bit_length()} bits" if isinstance(value, int) else ""
        text = f"<{type(value).__name__}{bits}>"
    return text if len(text) <= most else f"{text[: most - 3]}..."


def in_digits(number: Any) -> str:
    """Returns a whole number (int or float) with all of its digits, unless these are very many."""
    value = number.item() if hasattr(number, "item") else number  # NumPy would cast 2**64 to its dtype
    return str(int(value)) if -(2**64) < value < 2**64 else repr(float(value))


def plain(text: str) -> str:
    """Returns the text as one line of printable characters.

    A name in a file may hold line breaks or a terminal's commands.
    """
    line = " ".join(text.split())
    return line if line.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)


def cut(text: str, most: int = 60) -> str:
    """Returns the text, cut off after `most` characters. A name in a file may have any length."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def either(names: Sequence[str]) -> str:
    """Returns the names as '"a", "b" or "c"'."""
    quoted = [f'"{name}"' for name in names]
    return quoted[0] if len(quoted) == 1 else ", ".join(quoted[:-1]) + " or " + quoted[-1]


def install(extra: str) -> str:
    """Returns the command that installs an extra of fastmlp, for those who installed it and for those with a clone.

    Where fastmlp is installed, pip takes it for what "fastmlp[plot]" names, and adds what is missing.
    """
    return f'pip install "fastmlp[{extra}]", or in a clone pip install ".[{extra}]"'


def lacks(what: str, name: str, extra: str | None = None, package: str | None = None) -> str:
    """Returns what an ImportError says: `what`, such as "plots need", the missing module, and what installs it.

    That is an extra of fastmlp; or else the package, by default of the module's name.
    """
    how = install(extra) if extra else f"pip install {package or name}"
    return f"{what} {name}, which is not installed: {how}"
