"""HTML that notebooks show: whatever comes from outside is escaped. Imports the checks of messages only."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from fastmlp.checks.messages import cut, plain

CELL = 80  # characters


def block(*parts: str) -> str:
    """Parts of HTML, one below the other."""
    return f"<div>{''.join(f'<div>{part}</div>' for part in parts if part)}</div>"


def heading(bold: str, text: str = "") -> str:
    """A line that begins in bold. Both are plain text."""
    rest = f" {escape(plain(cut(text, 400)))}" if text else ""
    return f"<b>{escape(plain(bold))}</b>{rest}"


def note(text: str) -> str:
    """A line of plain text."""
    return escape(plain(cut(text, 400)))


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table of plain texts; numbers are to be formatted."""
    head = "".join(f"<th>{_cell(name)}</th>" for name in header)
    body = "".join(f"<tr>{''.join(f'<td>{_cell(value)}</td>' for value in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: object) -> str:
    return escape(plain(cut(str(value), CELL)))
