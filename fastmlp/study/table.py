"""A case's runs as tables in text: how many of the runs solved the task, and a mark where they did not."""

from __future__ import annotations

from collections.abc import Sequence

from fastmlp.checks.arrays import counted
from fastmlp.study.cases import Case
from fastmlp.study.outcomes import median_solved_at, mostly, mostly_oscillate, solved, typical
from fastmlp.study.runs import DIVERGED, GUESSING, SOLVED, Run
from fastmlp.study.words import init_name

MARKS = {"diverged": "x", "guessing": "-", "oscillates": "~"}
EXPLAINED = "a cell: how many runs solved it; x half or more diverged, - half or more guess, ~ half or more oscillated"


def mark(runs: Sequence[Run]) -> str:
    """'x', '-' or '~' for what half or more of the runs came to; '' for nothing of it."""
    if mostly(runs, DIVERGED):
        return MARKS["diverged"]
    if mostly(runs, GUESSING):
        return MARKS["guessing"]
    return MARKS["oscillates"] if mostly_oscillate(runs) else ""


def cell(runs: Sequence[Run]) -> str:
    """'5', '0x', '3~'; '' without runs."""
    return f"{solved(runs)}{mark(runs)}" if runs else ""


def table(case: Case) -> str:
    """All tables of a case."""
    plan = case.plan
    classes = len(set(case.y.tolist()))
    seeds = counted(len(plan.seeds), "run")
    lines = [
        f"{case.name}: {counted(len(case.y), 'row')}, {counted(case.X.shape[1], 'feature')}, {classes} classes, loss "
        f"of guessing {case.guess:.4g}",
        f"{counted(len(case.runs), 'network')}, {plan.hidden}, {counted(plan.epochs, 'step')} of gradient descent over "
        f"all rows; {seeds} with different weights in each cell",
        EXPLAINED,
        "",
        *_rates(case),
    ]
    depths = list(plan.depths)
    if any(case.by_rate(rate, depth) for rate in plan.rates for depth in depths):
        cells = [[cell(case.by_rate(rate, depth)) for depth in depths] for rate in plan.rates]
        names = [f"{rate:g}" for rate in plan.rates]
        title = f"learning rate by hidden layers: {plan.init}, {counted(plan.width, 'unit')} a layer"
        lines += ["", title, *_grid("rate", names, depths, cells)]
    if any(case.by_init(init, depth) for init in plan.inits for depth in depths):
        cells = [[cell(case.by_init(init, depth)) for depth in depths] for init in plan.inits]
        names = [init_name(init) for init in plan.inits]
        title = f"initial weights by hidden layers: learning rate {case.rate:g}, {counted(plan.width, 'unit')} a layer"
        lines += ["", title, *_grid("init", names, depths, cells)]
    if any(case.by_width(width) for width in plan.widths):
        title = f"units a layer: {counted(plan.depth, 'hidden layer')}, {plan.init}, learning rate {case.rate:g}"
        lines += [
            "",
            title,
            *_aligned([["units", *map(str, plan.widths)], ["", *map(cell, map(case.by_width, plan.widths))]]),
        ]
    return "\n".join(lines)


def _rates(case: Case) -> list[str]:
    """A line for each learning rate, at the plan's depth."""
    plan = case.plan
    rows = [["rate", "solved", "steps", "guessing", "diverged", "oscillated", "median loss", "accuracy"]]
    for rate in plan.rates:
        runs = case.by_rate(rate)
        if not runs:
            continue
        middle, steps = typical(runs), median_solved_at(runs)
        counts = [sum(run.outcome == outcome for run in runs) for outcome in (SOLVED, GUESSING, DIVERGED)]
        counts.append(sum(run.oscillates for run in runs))
        told = [f"{some}/{len(runs)}" if some else "." for some in counts]
        steps_told = "." if steps is None else str(steps)
        rows.append([f"{rate:g}", told[0], steps_told, *told[1:], f"{middle.loss:.2g}", f"{middle.accuracy:.2f}"])
    if len(rows) == 1:
        return []
    title = (
        f"learning rate: {counted(plan.depth, 'hidden layer')} of {plan.width}, {plan.init}; steps: until half of the "
    )
    return [f"{title}runs had solved it", *_aligned(rows)]


def _grid(corner: str, names: Sequence[str], depths: Sequence[int], cells: Sequence[Sequence[str]]) -> list[str]:
    rows = [[corner, *map(str, depths)], *([name, *row] for name, row in zip(names, cells, strict=True))]
    return _aligned(rows)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines with columns of one width; digits are below digits where cells end in marks."""
    rows = [[rows[0][0], *(f"{word}" for word in rows[0][1:])], *rows[1:]]
    marked = any(word[-1:] in MARKS.values() and word[:-1].isdigit() for row in rows[1:] for word in row[1:])
    if marked:
        rows = [[row[0], *(word if word[-1:] in MARKS.values() else f"{word} " for word in row[1:])] for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        f"  {'  '.join(word.rjust(width) for word, width in zip(row, widths, strict=True))}".rstrip() for row in rows
    ]
