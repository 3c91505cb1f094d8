"""Numbers, texts and names as C reads them. Imports NumPy and the checks."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from fastmlp.checks.messages import shown

WIDTH = 120  # columns of a line
# what C, C++ and <stdint.h> keep for themselves, of the names that a file may well have
_RESERVED = (
    "alignas alignof and asm auto bitand bitor bool break case catch char class compl concept const continue "
    "decltype default delete do double else enum explicit export extern false final float for friend goto if "
    "import inline int long main module mutable namespace new noexcept not nullptr operator or override "
    "private protected public register requires restrict return short signed sizeof static struct switch "
    "template this throw true try typedef typeid typename union unsigned using virtual void volatile while "
    "xor "
)
RESERVED = frozenset(_RESERVED.split())
_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\", "?": "\\?"}  # ?: no trigraph


def number(value: Any) -> str:
    """Returns a float as an exact literal of its own type: 0x1.8p+0f for np.float32(1.5), 0x1.8p+0 for a float64."""
    mantissa, exponent = float(value).hex().split("p")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{mantissa}p{exponent}{'f' if np.asarray(value).dtype == np.float32 else ''}"


def integer(value: Any) -> str:
    """Returns an unsigned integer of 32 or 64 bits as a literal in hex."""
    size = np.asarray(value).dtype.itemsize
    return f"{'UINT32_C' if size == 4 else 'UINT64_C'}({int(value):#0{2 + 2 * size}x})"


def numbers(values: Iterable[Any]) -> str:
    """Returns the lines between the braces of an array."""
    return words(map(number, values))


def words(values: Iterable[str]) -> str:
    """Returns words with commas, in lines of at most WIDTH columns."""
    lines, line = [], "   "
    for value in values:
        if len(line) + len(value) + 2 > WIDTH and line.strip():
            lines.append(line)
            line = "   "
        line += f" {value},"
    return "\n".join([*lines, line])


def text(value: str) -> str:
    """Returns a text as a literal, in UTF-8, of ASCII alone."""
    found = []
    for character in value:
        if character in _ESCAPES:
            found.append(_ESCAPES[character])
        elif " " <= character <= "~":
            found.append(character)
        else:
            found += [f"\\{byte:03o}" for byte in character.encode("utf-8", "replace")]
    return f'"{"".join(found)}"'


def filled(template: str, values: dict[str, str]) -> str:
    """Returns a template with the values in the places of @names@."""
    for key, value in values.items():
        template = template.replace(f"@{key}@", value)
    return template


def comment(value: str, most: int = 200) -> str:
    """Returns a text that may stand in a comment: it cannot end it, nor join lines."""
    line = " ".join(value.encode("ascii", "replace").decode().split())
    line = line.replace("\\", "/").replace("*/", "* /").replace("/*", "/ *").replace("??", "? ?")
    return line if len(line) <= most else f"{line[: most - 3]}..."


def identifier(name: object, argument: str) -> str:
    """Returns a checked prefix of C's names. Raises TypeError or ValueError that names the argument."""
    if not isinstance(name, str):
        raise TypeError(f"{argument}={shown(name)} is not text: give a name in C, as 'wine'")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,40}", name) or name in RESERVED:
        raise ValueError(
            f"{argument}={shown(name)} cannot begin C's names: give up to 41 letters, digits and _, as 'wine', that "
            "begin with a letter and are no word of C or C++"
        )
    return name
