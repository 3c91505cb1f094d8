"""Values in error messages, whatever they are. Imports nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastmlp.checks.faults import only_faults


def shown(value: object, most: int = 60) -> str:
    """repr(value), cut off after `most` characters; its type where Python has no repr of it.

    An int of more than 4300 digits has none (ValueError), nor has a list in lists 1000 deep (RecursionError).
    """
    try:
        text = repr(value)
    except Exception as error:
        only_faults(error)
        bits = f" of {value.bit_length()} bits" if isinstance(value, int) else ""
        text = f"<{type(value).__name__}{bits}>"
    return text if len(text) <= most else f"{text[: most - 3]}..."


def in_digits(number: Any) -> str:
    """A whole number, an int or a float, in all of its digits, as far as there are not too many."""
    value = number.item() if hasattr(number, "item") else number  # NumPy would cast 2**64 to its dtype
    return str(int(value)) if -(2**64) < value < 2**64 else repr(float(value))


def plain(text: str) -> str:
    """The text in one line of printable characters: names in a file may hold a terminal's commands, or line breaks."""
    line = " ".join(text.split())
    return line if line.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)


def cut(text: str, most: int = 60) -> str:
    """The text, cut off after `most` characters: names in a file may be of any length."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def either(names: Sequence[str]) -> str:
    quoted = [f'"{name}"' for name in names]
    return quoted[0] if len(quoted) == 1 else ", ".join(quoted[:-1]) + " or " + quoted[-1]
