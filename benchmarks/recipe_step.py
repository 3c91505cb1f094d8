"""A step of the recipe for tables, 17-256-256-6 with batches of 256: fastmlp and PyTorch, microseconds.

    python -m benchmarks.recipe_step                 values and classes, both dtypes, one core
    python -m benchmarks.recipe_step --quick         values, in short turns
    python -m benchmarks.recipe_step --threads 2 --out bench_results/recipe_step.json

A step has all of the recipe's pieces: input scale, Mish or SELU, label smoothing, Adam with rate factors, and the
schedule's rate. Each contestant has a process of its own on the same cores. First all train a few steps from the same
weights in the same orders, and their losses are compared with fastmlp's in float64. Then they take turns A B C, B C A,
...; the first round warms up. Figures are medians of turns, with quartiles.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastmlp.spec import DTYPES

from . import cores
from .children import Child, Failed
from .figures import agrees, epochs_of_turn, rotated, summary
from .recipe_contestants import BATCH, KINDS, LAYERS, STEPS

TASKS = ("regress", "classify")
CHECKED = 2  # epochs after which losses are compared
TOLERANCE = {"float64": 1e-10, "float32": 1e-4}  # relative; the most that was seen is 5e-16 and 2e-6
TURNS = {False: 11, True: 3}  # by quick
TURN_SECONDS = {False: 0.25, True: 0.05}


def measured(task: str, dtype: str, names: Sequence[str], pins: Sequence[int], quick: bool, judge: float) -> list[Any]:
    """A row for each contestant that is there: {"contestant", "us_step", "low", "high", "turns", "loss_ok", ...}."""
    children: dict[str, Child] = {}
    rows: list[dict[str, Any]] = []
    try:
        for name in names:
            try:
                child = Child(name, task, dtype, pins, module="recipe_contestants")
            except Failed as error:
                rows.append({"contestant": name, "missing": str(error)})
                continue
            if "missing" in child.first:
                child.end()
                rows.append({"contestant": name, "missing": child.first["missing"]})
                continue
            children[name] = child
        losses, epochs = {}, {}
        for name, child in children.items():
            child.ask(f"given {CHECKED}")
            losses[name] = child.ask("loss")["loss"]

            def train(count: int, child: Child = child) -> float:
                return float(child.ask(f"train {count}")["seconds"])

            epochs[name] = epochs_of_turn(train, TURN_SECONDS[quick])
        times: dict[str, list[float]] = {name: [] for name in children}
        for turn in range(TURNS[quick] + 1):
            for name in rotated([*children], turn):
                times[name].append(children[name].ask(f"train {epochs[name]}")["seconds"] / epochs[name])
        for name, child in children.items():
            found = summary(seconds / STEPS * 1e6 for seconds in times[name][1:])
            ok = agrees(losses[name], judge, TOLERANCE[dtype])
            row = {"contestant": name, "task": task, "dtype": dtype, "threads": len(pins), "us_step": found.median}
            row |= {"low": found.low, "high": found.high, "turns": found.turns, "loss_ok": ok, "loss": losses[name]}
            rows.append({**row, "versions": child.first["versions"], "blas": child.first["blas"]})
    finally:
        for child in children.values():
            child.end()
    return rows


def judged(task: str, pins: Sequence[int]) -> float:
    """The loss that all should have: fastmlp's in float64."""
    with Child("fastmlp", task, "float64", pins, module="recipe_contestants") as child:
        child.ask(f"given {CHECKED}")
        return float(child.ask("loss")["loss"])


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown: a line for each task, dtype and contestant; times those of fastmlp in the same case."""
    lines = ["| | | us a step | quartiles | times fastmlp's | same loss |", "|---|---|---:|---:|---:|---|"]
    ours = {(row["task"], row["dtype"]): row["us_step"] for row in rows if row.get("contestant") == "fastmlp"}
    for row in rows:
        if "missing" in row:
            continue
        case = row["task"], row["dtype"]
        ratio = f"{row['us_step'] / ours[case]:.2f}" if case in ours else ""
        spread = f"{row['low']:.0f} to {row['high']:.0f}"
        ok = "yes" if row["loss_ok"] else "no"
        lines.append(
            f"| {', '.join(case)} | `{row['contestant']}` | {row['us_step']:.0f} | {spread} | {ratio} | {ok} |"
        )
    return "\n".join(lines)


def command(arguments: Sequence[str] | None = None) -> int:
    """Exits with 1 where a loss is another, or nothing was measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recipe_step", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="values, in short turns, without torch_compiled")
    parser.add_argument("--tasks", nargs="+", choices=TASKS)
    parser.add_argument("--dtypes", nargs="+", choices=DTYPES, default=list(DTYPES))
    parser.add_argument("--contestants", nargs="+", choices=tuple(KINDS))
    parser.add_argument("--threads", type=int, default=1, help="cores that all are pinned to")
    parser.add_argument("--out", type=Path, help="a file for the figures, JSON")
    args = parser.parse_args(arguments)
    tasks = args.tasks or (TASKS[:1] if args.quick else TASKS)
    names = args.contestants or [name for name in KINDS if not (args.quick and name == "torch_compiled")]
    try:
        pins, rows = cores.chosen(args.threads), []
    except ValueError as error:
        parser.error(str(error))
    for task in tasks:
        judge = judged(task, pins)
        for dtype in args.dtypes:
            rows += measured(task, dtype, names, pins, args.quick, judge)
            if args.out:
                args.out.write_text(json.dumps({"layers": LAYERS, "batch": BATCH, "rows": rows}, indent=1) + "\n")
    for row in rows:
        if "missing" in row:
            print(f"{row['contestant']}: left out, {row['missing']}", file=sys.stderr)
    print(table(rows))
    return 0 if all(row.get("loss_ok", True) for row in rows) and any("us_step" in row for row in rows) else 1


if __name__ == "__main__":
    sys.exit(command())
