"""The picture of `fastmlp demo --plot`: loss, accuracy, and what the network makes of the plane or of a curve."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fastmlp.cli.demos import Done

GRID = 200  # points of the plane on each side
MARGIN = 0.15  # of the points' range, around them
COLORS = "tab:blue", "tab:orange"


def draw(done: Done, path: Path) -> None:
    """Draws into a file."""
    from matplotlib.figure import Figure

    has_accuracy = bool(np.isfinite(done.history.accuracy).any())
    count = 3 if has_accuracy else 2
    figure = Figure(figsize=(6 * count, 5), layout="constrained")
    *curves, last = figure.subplots(1, count)
    done.history.plot(list(curves))
    if done.x.shape[1] == 1:
        _curve(last, done)
    else:
        _surface(last, done)
    figure.savefig(path)


def _surface(axes: Any, done: Done) -> None:
    """The probability of class 1 over the plane, the border at 1/2, and the points."""
    low, high = done.x.min(axis=0), done.x.max(axis=0)
    first, second = (
        np.linspace(a - MARGIN * (b - a), b + MARGIN * (b - a), GRID) for a, b in zip(low, high, strict=True)
    )
    plane = np.stack(np.meshgrid(first, second), axis=-1)
    p = done.model.predict_proba(plane.reshape(-1, 2)).reshape(GRID, GRID, -1)[:, :, -1]
    filled = axes.contourf(first, second, p, levels=np.linspace(0, 1, 11), cmap="RdYlBu_r", alpha=0.8)
    axes.contour(first, second, p, levels=[0.5], colors="black", linewidths=1.2)
    axes.figure.colorbar(filled, ax=axes, label="probability of class 1")
    points, places = np.unique(done.x, axis=0, return_index=True)
    for label, (marker, color) in enumerate(zip("os", COLORS, strict=True)):
        of = points[done.y[places] == label]
        axes.scatter(*of.T, marker=marker, color=color, edgecolors="black", label=f"class {label}")
    axes.set(title="Decision surface", xlabel="x1", ylabel="x2")
    axes.legend(loc="upper right")


def _curve(axes: Any, done: Done) -> None:
    """The fitted curve, and the points."""
    low, high = float(done.x.min()), float(done.x.max())
    x = np.linspace(low - MARGIN * (high - low), high + MARGIN * (high - low), GRID)
    axes.scatter(done.x[:, 0], done.y, color=COLORS[0], s=14, label="data")
    axes.plot(x, done.model.predict(x[:, None]).reshape(-1), color=COLORS[1], label="network")
    axes.set(title="Fitted curve", xlabel="x", ylabel="y")
    axes.legend()
    axes.grid(True, alpha=0.5)
