"""What a notebook shows of an ensemble."""

from __future__ import annotations

from collections.abc import Container, Sequence

from fastmlp.history import History, losses_of
from fastmlp.model import Model
from fastmlp.views import html

MOST = 20  # members that are shown
HEADER = ("member", "layers", "parameters", "epochs", "loss", "")


def in_html(about: str, members: Sequence[Model], left_out: Container[int]) -> str:
    """A table of the members, and their losses in one picture. about: a line of plain text."""
    rows, histories = [], []
    for number, model in enumerate(members[:MOST]):
        history = History() if model.history is None else model.history
        out = "left out" if number in left_out else ""
        sizes = "-".join(map(str, model.spec.layers))
        loss = f"{history.loss[-1]:.4g}" if len(history) else ""
        rows.append((number, sizes, f"{model.spec.parameters:,}", model.epochs, loss, out))
        histories += [] if out else [history]
    more = f"... and {len(members) - MOST} more" if len(members) > MOST else ""
    return html.block(html.heading("Ensemble", about), html.table(HEADER, rows), more, losses_of(histories))
