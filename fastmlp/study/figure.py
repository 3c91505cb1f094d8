"""The figure of a study: a column for each data set. matplotlib is imported when it is drawn.

From above: the loss of typical runs by learning rate; how many runs solved the task by depth and learning rate, by
depth and initial weights, and by width; what typical networks have learned.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.checks.messages import lacks
from fastmlp.study.cases import Case
from fastmlp.study.outcomes import solved, typical
from fastmlp.study.runs import DIVERGED, GUESSING, PARTLY, SOLVED, Run
from fastmlp.study.table import mark
from fastmlp.study.words import init_name, percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDE, DPI = 4.0, 110  # inches of a column; dots an inch of a bitmap
HEIGHTS = (3.2, 2.7, 2.1, 1.3, 4.3)  # inches of the rows
LEVELS = 20  # shades of a decision surface
MARKED = (
    "\N{MULTIPLICATION SIGN} half or more diverged    \N{EN DASH} half or more ended at the loss of guessing    "
    "~ half or more oscillated        ends of curves: \N{BLACK CIRCLE} solved, \N{MULTIPLICATION SIGN} diverged, "
    "\N{EN DASH} guessing"
)
SIGNS = {"x": "\N{MULTIPLICATION SIGN}", "-": "\N{EN DASH}", "~": "~", "": ""}
ENDS = {SOLVED: "o", DIVERGED: "X", GUESSING: "_", PARTLY: ""}  # markers at the end of a curve
SHADES = ("#f4b183", "#9dc3e6")  # of two classes
GRID = 120  # points a side of a decision surface
TALLEST, LOWEST = 30.0, 1e-5  # of the axis of losses, in losses of guessing


def plot(cases: Sequence[Case], path: Any) -> Figure:
    """`Study.plot`."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(lacks("plots need", "matplotlib", "plot")) from error
    if path is not None and not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"path={path!r:.60} is not a path")
    flat = all(case.X.shape[1] == 2 for case in cases)
    heights = HEIGHTS if flat else HEIGHTS[:-1]
    one = len(cases) == 1
    size = (2.5 * WIDE, 8.6 if flat else 5.6) if one else (WIDE * len(cases), sum(heights) + 0.6)
    figure = Figure(figsize=size, layout="constrained")  # not pyplot's: no global state
    plan, networks = cases[0].plan, sum(len(case.runs) for case in cases)
    figure.suptitle(f"{networks} networks, {plan.hidden}, {plan.epochs} steps of gradient descent over all rows")
    figure.supxlabel(MARKED, fontsize=9)
    columns = np.ravel([figure.subfigures(1, len(cases))]).tolist()
    for case, column in zip(cases, columns, strict=True):
        column.suptitle(f"{case.name}, {len(case.y)} rows", weight="bold")
        curves, rates, inits, widths, squares = (_alone if one else _stacked)(column, heights)
        _draw(case, curves, rates, inits, widths)
        if squares is not None:
            _surfaces(squares, case)
    if path is not None:
        _write(figure, path)
    return figure


def _write(figure: Figure, path: Any) -> None:
    """Writes the figure. A PNG gets a palette, which makes it a third as large."""
    if not os.fspath(path).lower().endswith(".png"):
        figure.savefig(path)
        return
    from PIL import Image  # matplotlib needs it, too

    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DPI)
    few = Image.open(drawn).convert("RGB").quantize(192, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


def _stacked(column: Any, heights: Sequence[float]) -> tuple[Any, ...]:
    """Four axes, one below the other, and a part for decision surfaces or None."""
    if len(heights) == 4:
        return *column.subplots(4, 1, height_ratios=heights), None
    above, below = column.subfigures(2, 1, height_ratios=(sum(heights[:4]), heights[4]))
    return *above.subplots(4, 1, height_ratios=heights[:4]), below


def _alone(column: Any, heights: Sequence[float]) -> tuple[Any, ...]:
    """The same in two columns: curves and decision surfaces to the left, the others to the right."""
    left, right = column.subfigures(1, 2)
    rates, inits, widths = right.subplots(3, 1, height_ratios=heights[1:4])
    if len(heights) == 4:
        return left.subplots(), rates, inits, widths, None
    above, below = left.subfigures(2, 1, height_ratios=(heights[0], heights[4]))
    return above.subplots(), rates, inits, widths, below


def _draw(case: Case, curves: Any, rates: Any, inits: Any, widths: Any) -> None:
    plan, seeds = case.plan, len(case.plan.seeds)
    _curves(curves, case)
    names = [f"{rate:g}" for rate in plan.rates]
    cells = [[case.by_rate(rate, depth) for depth in plan.depths] for rate in plan.rates]
    _map(rates, f"solved, of {seeds}: rate and depth", "learning rate", names[::-1], plan.depths, cells[::-1])
    names = [init_name(init) for init in plan.inits]
    cells = [[case.by_init(init, depth) for depth in plan.depths] for init in plan.inits]
    title = f"solved, of {seeds}: init and depth, rate {case.rate:g}"
    _map(inits, title, "", names, plan.depths, cells)
    _widths(widths, case)


# ---------------------------------------------------------------------------------------------------------
# Curves


def _curves(axes: Any, case: Case) -> None:
    """The loss of the run with the median last loss, for each learning rate."""
    from matplotlib import colormaps

    plan, top = case.plan, TALLEST * case.guess
    least = top
    for number, rate in enumerate(plan.rates):
        runs = case.by_rate(rate)
        if not runs:
            continue
        run = typical(runs)
        color = colormaps["turbo"](0.05 + 0.9 * number / max(1, len(plan.rates) - 1))
        steps, shown = np.arange(1, len(run.losses) + 1), np.minimum(run.losses, top)
        axes.plot(steps, shown, color=color, linewidth=1.3, label=f"{rate:g}")
        if len(steps):
            least = min(least, float(shown.min()))
            axes.plot(
                steps[-1:], shown[-1:], color=color, marker=ENDS[run.outcome], markersize=7, markeredgecolor="black",
                clip_on=False, zorder=5,
            )  # fmt: skip
    axes.axhline(case.guess, color="black", linestyle=":", linewidth=1, zorder=1, label="guessing")
    axes.set(xscale="log", yscale="log", xlabel="step", ylabel="loss")
    axes.set_ylim(max(least / 2, LOWEST * case.guess), top)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(
        handles, labels, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=5, fontsize=8, frameon=False,
        columnspacing=1.0, handlelength=1.3, handletextpad=0.4, borderaxespad=0.1,
    )  # fmt: skip
    lines = -(-len(labels) // 5)
    axes.set_title(
        f"loss: depth {plan.depth}, width {plan.width}, {init_name(plan.init)}", fontsize=10, pad=6 + 13 * lines
    )
    axes.grid(True, alpha=0.3)


# ---------------------------------------------------------------------------------------------------------
# Maps of outcomes


def _map(
    axes: Any, title: str, label: str, names: Sequence[str], depths: Sequence[int], cells: Sequence[Sequence[list[Run]]]
) -> None:
    """How many runs of each cell solved the task, with a mark where most failed in the same way."""
    shares = np.array([[solved(runs) / len(runs) if runs else np.nan for runs in row] for row in cells])
    axes.imshow(shares, cmap="Greens", vmin=0, vmax=1.4, aspect="auto")
    for row, of in enumerate(cells):
        for column, runs in enumerate(of):
            if runs:
                sign = SIGNS[mark(runs)]
                bold = {"x": "tab:red", "-": "#555555", "~": "#b3500b"}.get(mark(runs), "black")
                text = f"{solved(runs)} {sign}" if sign else f"{solved(runs)}"
                weight = "bold" if sign else "normal"
                axes.text(column, row, text, ha="center", va="center", color=bold, weight=weight, fontsize=9)
    axes.set_xticks(range(len(depths)), [str(depth) for depth in depths])
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("hidden layers")
    axes.set_ylabel(label)
    axes.set_title(title, fontsize=10)
    axes.tick_params(length=0)


def _widths(axes: Any, case: Case) -> None:
    """How many runs of each width solved the task."""
    plan = case.plan
    found = [case.by_width(width) for width in plan.widths]
    places = range(len(found))
    axes.bar(places, [solved(runs) for runs in found], color="tab:green", width=0.6)
    for place, runs in zip(places, found, strict=True):
        sign = SIGNS[mark(runs)]
        axes.text(place, solved(runs) + 0.15, f"{solved(runs)} {sign}".rstrip(), ha="center", va="bottom", fontsize=9)
    axes.set_xticks(list(places), [str(width) for width in plan.widths])
    axes.set(xlabel="units a layer", yticks=[0, len(plan.seeds)], ylim=(0, 1.45 * len(plan.seeds)))
    axes.set_title(f"solved, of {len(plan.seeds)}: width, rate {case.rate:g}", fontsize=10)


# ---------------------------------------------------------------------------------------------------------
# Decision surfaces


def outcomes(case: Case) -> list[tuple[str, Run]]:
    """Four typical runs, with titles: without hidden layers, one that solved it, and failures of different kinds."""
    found: list[tuple[str, Run]] = []

    def add(runs: Sequence[Run]) -> None:
        runs = [run for run in runs if run.model is not None and all(run is not other for _, other in found)]
        if runs and len(found) < 4:
            run = typical(runs)
            found.append((_title(run), run))

    plan, there = case.plan, case.by_rate(case.rate)
    hidden = [run for run in case if run.depth]
    add(case.where(depth=0, learning_rate=case.rate, init=plan.init))
    add([run for run in there if run.outcome == SOLVED] or [run for run in hidden if run.outcome == SOLVED])
    guessing = [run for run in hidden if run.outcome == GUESSING]
    add([run for run in guessing if run.learning_rate == case.rate and run.depth == max(plan.depths)] or guessing)
    add([run for run in hidden if run.oscillates and run.outcome == PARTLY and run.learning_rate >= case.rate])
    add([run for run in hidden if run.outcome == DIVERGED])
    add([run for run in hidden if run.outcome == PARTLY])
    add(there)
    return found


def _title(run: Run) -> str:
    """Two lines: what it is, and what became of it."""
    word = "oscillates" if run.oscillates and run.outcome == PARTLY else run.outcome
    what = f"depth {run.depth}, width {run.width}" if run.depth else "no hidden layer"
    init = init_name(run.init)
    init = init if init[0].isalpha() else f"init {init}"
    return f"{what}\n{init}, rate {run.learning_rate:g}\n{word}, {percent(run.accuracy)}"


def _surfaces(part: Any, case: Case) -> None:
    """What typical networks predict over the plane, with the rows."""
    from matplotlib.colors import LinearSegmentedColormap, ListedColormap

    squares = part.subplots(2, 2).ravel()
    low, high = case.X.min(axis=0), case.X.max(axis=0)
    middle, reach = (low + high) / 2, 0.62 * float(np.max(high - low))  # a square
    sides = [np.linspace(at - reach, at + reach, GRID) for at in middle]
    grid = np.stack([side.ravel() for side in np.meshgrid(*sides)], axis=1)
    classes = int(case.y.max()) + 1
    extent = (sides[0][0], sides[0][-1], sides[1][0], sides[1][-1])
    for axes, (title, run) in zip(squares, outcomes(case), strict=False):
        assert run.model is not None
        if classes == 2:
            values, most = run.model.predict_proba(grid)[:, 1], 1
            colors: Any = LinearSegmentedColormap.from_list("two", [SHADES[0], "white", SHADES[1]])
        else:
            values, most = run.model.predict(grid), classes - 1
            colors = ListedColormap([f"C{k % 10}" for k in range(classes)])
        surface = np.round(np.asarray(values, np.float64) * LEVELS).reshape(GRID, GRID) / LEVELS
        axes.imshow(surface, origin="lower", extent=extent, cmap=colors, vmin=0, vmax=most, aspect="equal")
        for k in range(classes):
            rows = case.X[case.y == k]
            dark = ("#b3500b", "#1f4e79")[k] if classes == 2 else f"C{k % 10}"
            size = 70 if len(case.y) <= 10 else 9
            axes.scatter(rows[:, 0], rows[:, 1], s=size, color=dark, edgecolor="white", linewidth=0.4, zorder=3)
        axes.set_title(title, fontsize=8.5)
    for axes in squares:
        axes.set_xticks([])
        axes.set_yticks([])
    for axes in squares[len(outcomes(case)) :]:
        axes.set_axis_off()
