"""Rows and targets of a fit whose model standardises them: by the scale that the model has, or that this fit learns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp.core.network import Network
from fastmlp.core.preprocess import Scale
from fastmlp.fit.checked_rows import CheckedRows, Checks

Scales = tuple[Scale | None, Scale | None]  # of features and targets


class Standardized:
    """Makes what the network sees. source: the network that the fit goes on from; checks: as `Fit` has them."""

    def __init__(self, source: Network, backend: str, checks: Checks) -> None:
        self._backend, self._checks = backend, checks
        self._scales = Network(source.spec, np.zeros(0), 0, standardize=source.standardize)
        if source.epochs:  # a fit that trained nothing, since it diverged at once, leaves a scale without weights
            self._scales.scale, self._scales.target_scale = source.scale, source.target_scale

    def learn(self, x: np.ndarray, rows: np.ndarray | None, targets: np.ndarray) -> Scales:
        """The network's scales, learnt if there are none from the rows x[rows] (M, K) and their targets.

        Raises ValueError for numbers that are too large.
        """
        of = self._scales
        if of.scale is None:
            of.scale = self._once(x, rows, "scale", lambda: self._learnt(x if rows is None else x[rows], ""))
            if of.standardize == "both":
                of.target_scale = self._learnt(targets.astype(np.float64), " of y")
        return of.scale, of.target_scale

    def rows(self, x: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """The rows x[rows] (M, K), as the network sees them."""
        assert self._scales.scale is not None
        scale, dtype = self._scales.scale, self._scales.spec.dtype
        key = f"{dtype} {scale.mean.tobytes().hex()} {scale.deviation.tobytes().hex()}"
        return self._once(x, rows, key, lambda: self._scales.inputs(x if rows is None else x[rows], self._backend))

    def targets(self, targets: np.ndarray) -> np.ndarray:
        """Targets, as the network's loss takes them."""
        return self._scales.scaled_targets(targets, self._backend)

    def _learnt(self, values: np.ndarray, of_what: str) -> Scale:
        try:
            return Scale.of(values, range(values.shape[1]), self._backend)
        except ValueError as error:
            raise ValueError(f"standardize: {error}{of_what}") from None

    def _once(self, x: np.ndarray, rows: np.ndarray | None, key: str, make: Callable[[], Any]) -> Any:
        """What `make` makes of all rows, once for all fits that share them."""
        if rows is None and isinstance(self._checks, CheckedRows):
            return self._checks.once(x, ("standardised", key), make)
        return make()
