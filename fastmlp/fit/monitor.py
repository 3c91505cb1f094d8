"""What happens between two epochs of a training: validation, a learning rate that waits for progress, stopping.

A Monitor sees each record once, when its epoch is done. It knows the model only through the functions that it is given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.callbacks import Info, verdict
from fastmlp.history import History
from fastmlp.stopping import higher_is_better
from fastmlp.system.atomic import Change, held

if TYPE_CHECKING:
    from fastmlp.schedules import PlateauRun
    from fastmlp.stopping import EarlyStopping


@dataclass
class Monitor:
    """What to do between epochs.

    evaluate: gives (loss, accuracy) of parameters on the validation's data. keep: gives a copy of the network as it
    stands, for `best`.
    """

    callback: Callable[[Info], Any] | None = None
    evaluate: Callable[[np.ndarray], tuple[float, float]] | None = None
    plateau: PlateauRun | None = None
    plateau_metric: str = "loss"
    plateau_every: int = 1  # a plateau sees epoch 1 and multiples of this, not where a training happens to begin or end
    stopping_metric: str = "loss"
    keep: Callable[[], Any] | None = None
    last_epoch: int = 0
    best: Any = None
    _rule: Any = None

    def begin(self, stopping: EarlyStopping) -> None:
        """Looks for the best epoch from now on."""
        self._rule = stopping.start()

    def see_start(self, epoch: int, parameters: np.ndarray) -> None:
        """Where a run is resumed: what it begins with, after `epoch`, is the first to be better than."""
        if self._rule is not None and self.keep is not None and self.stopping_metric.startswith("validation"):
            assert self.evaluate is not None
            value = dict(zip(("validation_loss", "validation_accuracy"), self.evaluate(parameters), strict=True))
            if self._rule.see(epoch, value[self.stopping_metric]) == "better":
                self.best = self.keep()

    def go_on(self, stopping: dict[str, Any] | None, best: Any) -> None:
        """Goes on from where another training's monitor was."""
        if self._rule is not None and stopping is not None:
            self._rule.go_on(stopping)
            self.best = best

    @property
    def stopping(self) -> dict[str, Any] | None:
        """What early stopping has seen, for `go_on`."""
        return None if self._rule is None else self._rule.state()

    @property
    def needed(self) -> bool:
        """Whether anything has to be done between epochs at all."""
        either = self.callback is not None or self.evaluate is not None
        return either or self.plateau is not None or self._rule is not None

    def validated(self, record: np.ndarray, parameters: np.ndarray) -> list[Change]:
        """Writes the validation's figures into a record (1,). -> the changes that go with it: of the learning rate."""
        if self.evaluate is not None:
            record["validation_loss"], record["validation_accuracy"] = self.evaluate(parameters)
        epoch = int(record["epoch"][0])
        if self.plateau is None or (epoch != 1 and epoch % self.plateau_every):
            return []
        value = float(record[self.plateau_metric][0])
        return [held(self.plateau, "now", self.plateau.after(value, higher_is_better(self.plateau_metric)))]

    def see(self, record: Any, history: History) -> str | None:
        """Decides after a record that is in the history. -> why training stops here, or None."""
        reason = None
        epoch = int(record["epoch"])
        if self._rule is not None:
            found = self._rule.see(epoch, float(record[self.stopping_metric]))
            if found == "better" and self.keep is not None:
                self.best = self.keep()
            history.best_epoch = self._rule.best_epoch
            if found == "stop":
                reason = self._why()
        if self.callback is not None and verdict(self.callback(Info.of(record, self.last_epoch, history))):
            reason = reason or f"the callback asked for it in epoch {epoch}"
        return reason

    def _why(self) -> str:
        """Why the rule stops the training."""
        rule, metric = self._rule, self.stopping_metric.replace("_", " ")
        if rule.best is None:
            return f"{metric} was not a finite number in any record"
        return f"{metric} had its best value, {rule.best:.6g}, in epoch {rule.best_epoch}"
