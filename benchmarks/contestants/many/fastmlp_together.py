"""fastmlp, many models at once: `fastmlp.sweep.train_many`."""

from __future__ import annotations

import importlib.util

from .. import fastmlp_, now
from . import fastmlp_loop

IMPORTS = ()
versions, products = fastmlp_.versions, fastmlp_.products


def available() -> str | None:
    if importlib.util.find_spec("fastmlp.sweep") is None:
        return "this fastmlp has no fastmlp.sweep, and trains no models together"
    return None


class Contestant(fastmlp_loop.Contestant):
    def run(self, epochs: int, given: bool) -> float:
        from fastmlp.sweep import Each, train_many

        start = now()
        results = train_many(
            self.fitted, self.x, self.y, epochs=epochs, record_every=epochs, learning_rate=Each(self.rates),
            threads=self.threads, progress=False, on_error="raise", **self.options,
        )  # fmt: skip
        seconds = now() - start
        assert len(results) == self.models
        return seconds
