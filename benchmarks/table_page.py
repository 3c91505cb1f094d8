"""The tables of docs/tables.md, made of the folds that are kept. `benchmarks.tables --report --write` writes them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .table_sets import TABLES

PAGE = Path(__file__).parents[1] / "docs" / "tables.md"
REPORTED = {
    "fastmlp": "**`fastmlp`**, defaults",
    "hist_boosting": "HistGradientBoosting",
    "random_forest": "RandomForest",
    "sklearn_mlp": "scikit-learn's MLP",
    "realmlp_td_s": "RealMLP-TD-S",
}

Known = dict[str, Any]  # {table: {split: {contestant: figures}}}
Summary = Callable[[Known, list[str], list[str], str], dict[str, dict[str, Any]]]
Folds = Callable[[Known, list[str], list[str]], list[tuple[Any, dict[str, Any]]]]


def reporting(known: Known, folds_of: Folds, summary: Summary, base: str) -> str:
    """The comparison on reporting tables, and that on deciding ones."""
    return "\n\n".join(_compared(known, folds_of, summary, base, decides) for decides in (False, True))


def _compared(known: Known, folds_of: Folds, summary: Summary, base: str, decides: bool) -> str:
    names = [name for name, table in TABLES.items() if table.decides == decides]
    folds, found = folds_of(known, [*REPORTED], names), summary(known, [*REPORTED], names, base)
    lines = [
        f"{'Deciding' if decides else 'Reporting'} tables: {_kinds(found['fastmlp'])}, {len(folds)} folds.",
        "",
        "| | mean rank | error, classes | log loss | RMSE, values | seconds |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    lines += [f"| {label} | {found[name]['rank']:.2f} | {_cells(found[name])} |" for name, label in REPORTED.items()]
    return "\n".join(lines)


def ablation(known: Known, names: list[str], folds_of: Folds, summary: Summary, least_error: Any) -> str:
    """The recipe with each piece changed: the first of the names is the recipe."""
    tables = [name for name, table in TABLES.items() if table.decides]
    base = names[0]
    folds, found = folds_of(known, names, tables), summary(known, names, tables, base)
    there = list(dict.fromkeys(table.name for table, _ in folds))
    rows = max(figures[base]["rows"] for _, figures in folds)
    splits = {sum(table.name == name for table, _ in folds) for name in there}
    lines = [
        f"Deciding tables of up to {rows} rows: {_kinds(found[base])}, {', '.join(map(str, sorted(splits)))} splits of "
        f"each, {len(folds)} folds.",
        "",
        "| | error, classes | log loss | RMSE, values | better, worse on tables | seconds |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name in names:
        signs = []
        for of in there:
            own = [
                [least_error(table.task, figures[one]) for table, figures in folds if table.name == of]
                for one in (base, name)
            ]
            signs.append(sum(own[1]) - sum(own[0]))
        told = "" if name == base else f"{sum(sign < 0 for sign in signs)}, {sum(sign > 0 for sign in signs)}"
        figures, seconds = _cells(found[name]).rsplit(" | ", 1)
        lines.append(f"| {name} | {figures} | {told} | {seconds} |")
    return "\n".join(lines)


def _kinds(found: dict[str, Any]) -> str:
    return f"{found['classify']['tables']} of classes and {found['regress']['tables']} of values"


def _cells(found: dict[str, Any]) -> str:
    """Ratios of the error and the log loss of classes, and of the RMSE; seconds of both."""
    classes, values = found["classify"], found["regress"]
    ratios = [f"{value:.3f}" for value in (classes["ratio"], classes["log_loss"], values["ratio"])]
    return " | ".join([*ratios, f"{classes['seconds'] + values['seconds']:.0f}"])


def written(text: str, **blocks: str) -> str:
    """A page with the blocks between <!-- name --> and <!-- /name --> replaced. Raises ValueError if one is missing."""
    for name, made in blocks.items():
        found, count = re.subn(
            rf"<!-- {name} -->\n.*?<!-- /{name} -->",
            lambda _, name=name, made=made: f"<!-- {name} -->\n{made}\n<!-- /{name} -->",
            text,
            flags=re.DOTALL,
        )
        if count != 1:
            raise ValueError(f"{PAGE.name} has {count} blocks <!-- {name} -->, and one is wanted")
        text = found
    return text
