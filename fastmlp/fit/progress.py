"""The progress bar of a training run: epochs done, and the last record's figures."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from fastmlp.history import History
from fastmlp.views.bars import end, in_notebook, is_wanted, new_bar

WIDE = 110  # columns for all that tqdm tells and four figures; with fewer, some of the former is left out
SHORT = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}, {elapsed}{postfix}"


@contextmanager
def bar(epochs: int, wanted: bool | None) -> Iterator[Callable[[int, History], None]]:
    """Gives a function of (epochs done, history) to call now and then.

    epochs: of this call of `fit`; of them are those that are done, whatever went before.
    wanted: True shows a bar, False none, and None one on a terminal or in a notebook, if the run takes more than a
    second.
    """
    if not is_wanted(wanted):
        yield lambda done, history: None
        return
    columns, notebook = _columns(), in_notebook()
    # tqdm draws nothing on a terminal that says that it is 0 wide or high, as bare ones do
    shape: dict[str, Any] = {} if columns or notebook else {"ncols": 80, "nrows": 24}
    with new_bar(epochs, wanted, **shape) as shown:

        def advance(done: int, history: History) -> None:
            if len(history):
                figures = history.latest()
                if columns < WIDE and not notebook and "validation" in figures:
                    shown.bar_format = SHORT
                shown.set_postfix_str(figures, refresh=False)
            shown.update(done - shown.n)

        yield advance
        end(shown)


def _columns() -> int:
    """The terminal's width; 0 where it does not tell its size."""
    try:
        columns, lines = os.get_terminal_size(sys.stderr.fileno())
    except (OSError, ValueError, AttributeError):
        return 0
    return columns if lines else 0
