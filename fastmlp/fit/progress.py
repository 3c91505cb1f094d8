"""The progress bar of a training run: tqdm's, imported when one is shown."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from fastmlp.history import History

PATIENCE = 1.0  # seconds that a run takes before a bar appears that nobody asked for
WIDE = 110  # columns for all that tqdm tells and four figures; with fewer, some of the former is left out
SHORT = "{percentage:3.0f}%|{bar}| of {total_fmt}, {elapsed}{postfix}"


@contextmanager
def bar(epochs: int, wanted: bool | None) -> Iterator[Callable[[int, History], None]]:
    """Gives a function of (epochs done, history) to call now and then.

    epochs: of this call of `fit`; of them are those that are done, whatever went before.
    wanted: True shows a bar, False none, and None one on a terminal, if the run takes more than a second.
    """
    delay = PATIENCE if wanted is None else 0.0
    closed = sys.stderr is None or getattr(sys.stderr, "closed", False)
    if closed or not (sys.stderr.isatty() if wanted is None else wanted):
        yield lambda done, history: None
        return
    from tqdm import tqdm

    # tqdm draws nothing on a terminal that says that it is 0 wide or high, as bare ones do
    columns = _columns()
    shape: dict[str, Any] = {"dynamic_ncols": True} if columns else {"ncols": 80, "nrows": 24}
    with tqdm(total=epochs, unit="epoch", delay=delay, unit_scale=epochs >= 10_000, **shape) as shown:

        def advance(done: int, history: History) -> None:
            if len(history):
                figures = history.latest()
                if columns < WIDE and "validation" in figures:
                    shown.bar_format = SHORT
                shown.set_postfix_str(figures, refresh=False)
            shown.update(done - shown.n)

        yield advance


def _columns() -> int:
    """The terminal's width; 0 where it does not tell its size."""
    try:
        columns, lines = os.get_terminal_size(sys.stderr.fileno())
    except (OSError, ValueError, AttributeError):
        return 0
    return columns if lines else 0
