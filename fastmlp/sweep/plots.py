"""The picture of a sweep: a metric over one of the names. matplotlib is imported when one is drawn."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any, cast

from fastmlp.checks.messages import lacks
from fastmlp.sweep.points import column_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DECADES = 2  # that values span on a linear axis, at most
FAR = 4  # decades above the best, beyond which lines leave the picture
LINES = 12  # with a legend


def plot(table: Any, path_or_axes: Any, x: str | None, metric: str) -> Figure:
    """`SweepResult.plot`."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(lacks("plots need", "matplotlib", "plot")) from error
    x = _axis(table.points, x)
    to_file = isinstance(path_or_axes, (str, os.PathLike))
    if path_or_axes is None or to_file:
        figure = Figure(figsize=(7, 5), layout="constrained")  # not pyplot's: no global state
        axes = figure.subplots()
    elif hasattr(path_or_axes, "get_figure"):
        axes, figure = path_or_axes, cast("Figure", path_or_axes.figure)
    else:
        raise TypeError(f"path_or_axes={path_or_axes!r:.60} is neither a path nor matplotlib axes")
    _draw(axes, table, x, metric)
    if to_file:
        figure.savefig(path_or_axes)
    return figure


def _axis(points: list[dict[str, Any]], x: str | None) -> str:
    """The name on the horizontal axis."""
    values: dict[str, set[str]] = {}
    for point in points:
        for name, value in point.items():
            values.setdefault(name, set()).add(repr(value))
    if x is not None:
        if x not in values:
            raise ValueError(f"x={x!r:.60} was not swept: use one of {', '.join(values) or 'none'}")
        return x
    several = [name for name, found in values.items() if len(found) > 1]
    if not values:
        raise ValueError("nothing was swept that could be plotted: points have no names")
    return (several or list(values))[0]


def _draw(axes: Any, table: Any, x: str, metric: str) -> None:
    from matplotlib.ticker import MaxNLocator

    there = [result for result in table if x in result.point]
    numeric = all(isinstance(r.point[x], (int, float)) and not isinstance(r.point[x], bool) for r in there)
    names = list(dict.fromkeys(name for result in there for name in result.point))
    texts = {name: _texts(there, name) for name in names}
    labels = [] if numeric else list(dict.fromkeys(texts[x].values()))
    place = (lambda r: r.point[x]) if numeric else (lambda r: labels.index(texts[x][r.number]))
    lines: dict[str, list[tuple[float, float]]] = {}
    lost = []
    for result in there:
        figure = getattr(result, metric)
        if result.state == "trained" and math.isfinite(figure):
            others = ", ".join(f"{name} {texts[name][result.number]}" for name in result.point if name != x)
            lines.setdefault(others, []).append((place(result), figure))
        elif result.state in ("diverged", "failed"):
            lost.append(place(result))
    few = len(lines) <= LINES
    for others, found in lines.items():
        found.sort()
        style = {"label": others} if few and others else {"color": "tab:blue", "alpha": 0.5}
        axes.plot(*zip(*found, strict=True), marker="o", **style)
    if lost:
        axes.plot(
            lost,
            [0.97] * len(lost),
            "x",
            color="black",
            transform=axes.get_xaxis_transform(),
            label="diverged or failed",
        )
    if (few and any(lines)) or lost:
        axes.legend(fontsize="small")
    if numeric and _wide([place(result) for result in there]):
        axes.set_xscale("log")
    elif numeric and all(isinstance(result.point[x], int) for result in there):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if not numeric:
        axes.set_xticks(range(len(labels)), labels)
    figures = sorted(figure for found in lines.values() for _, figure in found)
    if _wide(figures):
        axes.set_yscale("log")
        if figures[-1] > figures[0] * 10.0**FAR:
            axes.set_ylim(figures[0] / 2, figures[0] * 10.0**FAR)
    axes.set(xlabel=x, ylabel=metric.replace("_", " "))
    axes.grid(True, alpha=0.5)


def _wide(values: list[float]) -> bool:
    """Whether values span so much that an axis is better logarithmic."""
    return bool(values) and min(values) > 0 and math.log10(max(values) / min(values)) > DECADES


def _texts(results: list[Any], name: str) -> dict[int, str]:
    """{number of the point: its value of a name, in words}."""
    there = [result for result in results if name in result.point]
    texts = column_of((result.point[name] for result in there), 30)
    return {result.number: text for result, text in zip(there, texts, strict=True)}
