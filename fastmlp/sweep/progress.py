"""One progress bar for all models of a sweep: epochs done, the time left, and the best figure so far."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from fastmlp.sweep.results import TRAINED, Result
from fastmlp.views.bars import end, is_wanted, new_bar


class Bar:
    """What is told while models train."""

    def __init__(self, epochs: Mapping[int, int], shown: Any = None) -> None:
        self._epochs, self._shown = epochs, shown
        self._done: dict[int, int] = {}  # of models on their way
        self._ended = self._lost = 0
        self._best = math.inf

    def told(self, number: int, epochs: int) -> None:
        """So many epochs of a model are done by now."""
        more = epochs - self._done.get(number, 0)
        self._done[number] = epochs
        if self._shown is not None:
            self._shown.update(more)

    def ended(self, result: Result) -> None:
        """A model has ended: epochs that it has left out count as done."""
        self.told(result.number, self._epochs[result.number])
        del self._done[result.number]
        self._ended += 1
        self._lost += result.state != TRAINED
        if self._shown is not None:
            figure = result.validation_loss if math.isfinite(result.validation_loss) else result.loss
            if result.state == TRAINED and math.isfinite(figure):
                self._best = min(self._best, figure)
            lost = f", {self._lost} lost" if self._lost else ""
            best = f", best {self._best:.3g}" if math.isfinite(self._best) else ""
            self._shown.set_postfix_str(f"{self._ended}/{len(self._epochs)} models{lost}{best}", refresh=False)


@contextmanager
def bar(epochs: Mapping[int, int], wanted: bool | None, told_before: str = "") -> Iterator[Bar]:
    """Gives a Bar of all epochs of all models. epochs: of each model, by its number. wanted: as in `Model.fit`.

    told_before: printed above a bar that was asked for.
    """
    if not is_wanted(wanted):
        yield Bar(epochs)
        return
    if wanted and told_before:
        print(told_before, file=sys.stderr)
    with new_bar(sum(epochs.values()), wanted) as shown:
        yield Bar(epochs, shown)
        end(shown)
