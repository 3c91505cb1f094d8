"""One progress bar for all models of a sweep: epochs done, the time left, and the best figure so far."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastmlp.fit.progress import PATIENCE
from fastmlp.sweep.results import TRAINED, Result


class Bar:
    """What is told while models train."""

    def __init__(self, models: int, shown: Any = None) -> None:
        self._models, self._shown = models, shown
        self._ended = self._lost = 0
        self._best = math.inf

    def told(self, epochs: int) -> None:
        """So many more epochs of any model are done, or will not be needed."""
        if self._shown is not None:
            self._shown.update(epochs)

    def ended(self, result: Result) -> None:
        """A model has ended."""
        self._ended += 1
        self._lost += result.state != TRAINED
        figure = result.validation_loss if math.isfinite(result.validation_loss) else result.loss
        if result.state == TRAINED and math.isfinite(figure):
            self._best = min(self._best, figure)
        if self._shown is not None:
            lost = f", {self._lost} lost" if self._lost else ""
            best = f", best {self._best:.3g}" if math.isfinite(self._best) else ""
            self._shown.set_postfix_str(f"{self._ended}/{self._models} models{lost}{best}", refresh=False)


@contextmanager
def bar(epochs: int, models: int, wanted: bool | None, told_before: str = "") -> Iterator[Bar]:
    """Gives a Bar of all epochs of all models. wanted: as in `Model.fit`.

    told_before: printed above a bar that was asked for.
    """
    closed = sys.stderr is None or getattr(sys.stderr, "closed", False)
    if closed or not (sys.stderr.isatty() if wanted is None else wanted):
        yield Bar(models)
        return
    from tqdm import tqdm

    if wanted and told_before:
        print(told_before, file=sys.stderr)

    delay = PATIENCE if wanted is None else 0.0
    scale = epochs >= 10_000
    with tqdm(total=epochs, unit="epoch", delay=delay, unit_scale=scale, dynamic_ncols=True) as shown:
        yield Bar(models, shown)
