"""Real tables: how well and how fast the recipe predicts, beside scikit-learn's estimators and RealMLP.

    python -m benchmarks.tables --quick                small tables, one split, no RealMLP: some minutes
    python -m benchmarks.tables                        all tables and splits; goes on where an earlier run ended
    python -m benchmarks.tables --most-rows 3000 --contestants fastmlp hist_boosting
    python -m benchmarks.tables --ablate               the recipe with each piece left out
    python -m benchmarks.tables --report               what is known, without a run
    python -m benchmarks.tables --report --picture bench_results/tables/errors.svg

Tables are those of `table_sets.py`. Each split holds out a quarter of the rows, stratified. All contestants have their
defaults, one thread, and the same rows; seconds are of processor time, of fit and predict. Each figure is kept in
bench_results/tables/folds.json as soon as it is there. Settings of the recipe were chosen by the deciding tables alone.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "FASTMLP_NUM_THREADS"):
    os.environ[_name] = "1"

from .table_sets import TABLES, Table  # noqa: E402 - after the threads are set

OUT = Path(__file__).parents[1] / "bench_results" / "tables" / "folds.json"
ABLATION = OUT.with_name("ablation.json")
SPLITS = 3
HELD_OUT = 0.25
BASE = "hist_boosting"
QUICK_ROWS = 600


# ---------------------------------------------------------------------------------------------------------
# Contestants: what makes an estimator of a frame and its task


def _fastmlp(**more: Any) -> Callable[[str, Any], Any]:
    def make(task: str, X: Any) -> Any:
        from fastmlp import TabularClassifier, TabularRegressor

        kind = TabularClassifier if task == "classify" else TabularRegressor
        return kind(**more)

    return make


def _encoded(task: str, X: Any, scaled: bool, estimator: Any) -> Any:
    """An estimator behind scikit-learn's usual encoding: one-hot words, medians for holes."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    words = [name for name in X.columns if X[name].dtype == object or str(X[name].dtype) == "str"]
    numbers = [name for name in X.columns if name not in words]
    number = make_pipeline(SimpleImputer(), *([StandardScaler()] if scaled else []))
    word = make_pipeline(
        SimpleImputer(strategy="constant", fill_value="missing"),
        OneHotEncoder(handle_unknown="ignore", sparse_output=False),
    )
    return make_pipeline(ColumnTransformer([("numbers", number, numbers), ("words", word, words)]), estimator)


def _sklearn_mlp(task: str, X: Any) -> Any:
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.preprocessing import StandardScaler

    if task == "classify":
        return _encoded(task, X, True, MLPClassifier(random_state=0))
    inner = TransformedTargetRegressor(MLPRegressor(random_state=0), transformer=StandardScaler())
    return _encoded(task, X, True, inner)  # y as it is would be far worse


def _random_forest(task: str, X: Any) -> Any:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    kind = RandomForestClassifier if task == "classify" else RandomForestRegressor
    return _encoded(task, X, False, kind(random_state=0))


class _Categories:
    """An estimator that wants words as pandas' categories, those of training; the others become missing."""

    def __init__(self, estimator: Any, holes: bool) -> None:
        self.estimator, self.holes = estimator, holes

    def _made(self, X: Any) -> Any:
        import pandas as pd

        made = {}
        for name in X.columns:
            if name in self.categories:
                values = X[name] if self.holes else X[name].fillna("missing")
                made[name] = pd.Categorical(values, categories=self.categories[name])
            else:
                made[name] = X[name] if self.holes else X[name].fillna(self.medians.get(name, 0.0)).fillna(0.0)
        return pd.DataFrame(made, index=X.index)

    def fit(self, X: Any, y: Any) -> Any:
        words = [name for name in X.columns if X[name].dtype == object or str(X[name].dtype) == "str"]
        self.categories = {
            name: sorted((X[name] if self.holes else X[name].fillna("missing")).dropna().unique()) for name in words
        }
        self.medians = {name: X[name].median() for name in X.columns if name not in words}
        self.estimator.fit(self._made(X), y)
        return self

    def predict(self, X: Any) -> Any:
        return self.estimator.predict(self._made(X))

    def predict_proba(self, X: Any) -> Any:
        return self.estimator.predict_proba(self._made(X))

    @property
    def classes_(self) -> Any:
        return self.estimator.classes_


def _hist_boosting(task: str, X: Any) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    kind = HistGradientBoostingClassifier if task == "classify" else HistGradientBoostingRegressor
    return _Categories(kind(random_state=0), holes=True)


def _realmlp(task: str, X: Any) -> Any:
    from pytabkit import RealMLP_TD_S_Classifier, RealMLP_TD_S_Regressor

    kind = RealMLP_TD_S_Classifier if task == "classify" else RealMLP_TD_S_Regressor
    return _Categories(kind(random_state=0, device="cpu", n_threads=1, verbosity=0), holes=False)


CONTESTANTS: dict[str, Callable[[str, Any], Any]] = {
    "fastmlp": _fastmlp(),
    "hist_boosting": _hist_boosting,
    "random_forest": _random_forest,
    "sklearn_mlp": _sklearn_mlp,
    "realmlp_td_s": _realmlp,
    "fastmlp_td_s": _fastmlp(n_members=1, hidden_layer_sizes=(256, 256, 256), epochs=256),  # sizes as RealMLP's
}


# ---------------------------------------------------------------------------------------------------------
# Runs


def measured(make: Callable[[str, Any], Any], table: Table, split: int) -> dict[str, float]:
    """One fold's figures: error (of values the RMSE over y's deviation), log loss, seconds of processor time, rows."""
    import numpy as np

    from fastmlp.splits import split as rows_of

    X, y = table.load()
    groups = y if table.task == "classify" else np.zeros(len(y))
    train, test = rows_of(groups, HELD_OUT, split)
    estimator = make(table.task, X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        began = time.process_time()
        estimator.fit(X.iloc[train], y[train])
        if table.task == "classify":
            p = np.asarray(estimator.predict_proba(X.iloc[test]), np.float64)
        else:
            found = np.asarray(estimator.predict(X.iloc[test]), np.float64).reshape(-1)
        seconds = time.process_time() - began
    figures = {"rows": len(y), "test": len(test), "seconds": round(seconds, 3)}
    if table.task == "classify":
        places = np.searchsorted(np.asarray(estimator.classes_), y[test])
        own = np.clip(p[np.arange(len(p)), places], 1e-7, 1.0)
        return {"error": float((p.argmax(axis=1) != places).mean()), "log_loss": float(-np.log(own).mean()), **figures}
    return {"error": float(np.sqrt(((found - y[test]) ** 2).mean()) / y[train].std()), **figures}


def run(
    contestants: dict[str, Callable[[str, Any], Any]], tables: Iterable[Table], splits: int, most_rows: int, out: Path
) -> None:
    """Measures what is not known yet, split by split; a table or contestant whose package is missing is left out."""
    known = load(out)
    missing: set[str] = set()
    for split in range(splits):
        for table in tables:
            if table.name in missing:
                continue
            try:
                rows = len(table.load()[1])
            except ImportError as error:
                print(f"{table.name}: left out, {error}", file=sys.stderr)
                missing.add(table.name)
                continue
            if rows > most_rows:
                continue
            for name, make in contestants.items():
                of_table = known.setdefault(table.name, {}).setdefault(str(split), {})
                if name in of_table or name in missing:
                    continue
                try:
                    of_table[name] = figures = measured(make, table, split)
                except ImportError as error:
                    print(f"{name}: left out, {error}", file=sys.stderr)
                    missing.add(name)
                    continue
                print(f"{table.name} {split} {name}: {figures}", flush=True)
                save(known, out)


def load(out: Path) -> dict[str, Any]:
    """{table: {split: {contestant: figures}}}"""
    return json.loads(out.read_text()) if out.exists() else {}


def save(known: dict[str, Any], out: Path) -> None:
    """Writes the figures: as a whole or not at all."""
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = out.with_suffix(".new")
    beside.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
    beside.replace(out)


# ---------------------------------------------------------------------------------------------------------
# The report


def folds_of(known: dict[str, Any], names: list[str], names_of: list[str]) -> list[tuple[Table, dict[str, Any]]]:
    """(table, {contestant: figures}) of each fold that all of these contestants have."""
    found = []
    for name in names_of:
        for figures in known.get(name, {}).values():
            if all(one in figures for one in names):
                found.append((TABLES[name], {one: figures[one] for one in names}))
    return found


def least_error(task: str, figures: dict[str, float]) -> float:
    """A fold's error; of classes half a row at least, so that a fold without errors has a ratio to others."""
    return max(figures["error"], 0.5 / figures["test"]) if task == "classify" else figures["error"]


def summary(known: dict[str, Any], names: list[str], tables: list[str], base: str = BASE) -> dict[str, dict[str, Any]]:
    """Of each contestant, over tables that all have: mean rank, ratio to the base's error and log loss, seconds.

    A fold's error counts as half a row at least, so that a fold without any has a ratio. A table's ratio is the
    geometric mean of its folds', and so is that of all tables; ranks are of a table's mean error, ties sharing.
    """
    import numpy as np

    by_table: dict[str, list[dict[str, Any]]] = {}
    for table, figures in folds_of(known, names, tables):
        by_table.setdefault(table.name, []).append(figures)
    found: dict[str, dict[str, Any]] = {name: {} for name in names}
    for task in ("classify", "regress"):
        of_task = {name: folds for name, folds in by_table.items() if TABLES[name].task == task}
        if not of_task:
            continue
        means = np.array(
            [[np.mean([least_error(task, f[name]) for f in folds]) for name in names] for folds in of_task.values()]
        )
        ranks = (means[:, :, None] > means[:, None, :]).sum(2) + (
            (means[:, :, None] == means[:, None, :]).sum(2) + 1
        ) / 2
        for place, name in enumerate(names):
            ratios = [
                statistics.fmean(np.log(least_error(task, f[name]) / least_error(task, f[base])) for f in folds)
                for folds in of_task.values()
            ]
            of = found[name][task] = {"tables": len(of_task), "rank": float(ranks[:, place].mean())}
            of["ratio"] = float(np.exp(statistics.fmean(ratios)))
            if task == "classify":
                losses = [
                    statistics.fmean(np.log(f[name]["log_loss"] / f[base]["log_loss"]) for f in folds)
                    for folds in of_task.values()
                ]
                of["log_loss"] = float(np.exp(statistics.fmean(losses)))
            of["seconds"] = float(
                sum(statistics.fmean(f[name]["seconds"] for f in folds) for folds in of_task.values())
            )
            of["ranks"] = ranks[:, place].tolist()
    for name in names:
        both = [rank for of in found[name].values() for rank in of.pop("ranks")]
        found[name]["rank"] = statistics.fmean(both) if both else None
    return found


def in_words(found: dict[str, dict[str, Any]]) -> str:
    """A summary as a table in Markdown."""
    lines = [
        "| | mean rank | classes: rank | error | log loss | seconds | values: rank | RMSE | seconds |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, of in found.items():
        cells = [f"`{name}`", f"{of['rank']:.2f}" if of["rank"] else ""]
        for task, columns in (
            ("classify", ("rank", "ratio", "log_loss", "seconds")),
            ("regress", ("rank", "ratio", "seconds")),
        ):
            for column in columns:
                value = of.get(task, {}).get(column)
                cells.append("" if value is None else f"{value:.0f}" if column == "seconds" else f"{value:.3f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def report(known: dict[str, Any], names: list[str], base: str = BASE) -> str:
    """The tables of the deciding and the reporting tables."""
    parts = []
    for title, decides in (("Deciding", True), ("Reporting", False)):
        tables = [name for name, table in TABLES.items() if table.decides == decides]
        there = {table.name for table, _ in folds_of(known, names, tables)}
        folds = len(folds_of(known, names, tables))
        if folds:
            parts.append(
                f"{title} tables: {len(there)}, {folds} folds\n\n{in_words(summary(known, names, tables, base))}"
            )
    return "\n\n".join(parts)


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tables", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help=f"tables of up to {QUICK_ROWS} rows, one split, no RealMLP"
    )
    parser.add_argument("--ablate", action="store_true", help="the recipe with each piece left out, on deciding tables")
    parser.add_argument("--report", action="store_true", help="prints what is known, and runs nothing")
    parser.add_argument("--only", choices=("deciding", "reporting"), help="those tables alone")
    parser.add_argument("--tables", nargs="+", choices=tuple(TABLES), metavar="NAME", help="these tables alone")
    parser.add_argument("--contestants", nargs="+", metavar="NAME", help=f"of {', '.join(CONTESTANTS)}")
    parser.add_argument("--splits", type=int, default=SPLITS)
    parser.add_argument("--most-rows", type=int, default=20_000, help="larger tables are left out")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--picture", type=Path, help="a file for a picture of the errors on reporting tables")
    args = parser.parse_args(arguments)
    contestants, base = CONTESTANTS, BASE
    tables = [TABLES[name] for name in args.tables or TABLES]
    if args.quick:
        args.splits, args.most_rows = 1, min(args.most_rows, QUICK_ROWS)
        contestants = {name: make for name, make in contestants.items() if name != "realmlp_td_s"}
    if args.picture and args.ablate:
        parser.error("--picture is of contestants, and not of --ablate")
    if args.ablate:
        from .table_ablation import ABLATIONS

        contestants, base = ABLATIONS, next(iter(ABLATIONS))
        args.out = ABLATION if args.out == OUT else args.out
        args.only = args.only or "deciding"
    if args.contestants:
        if unknown := [name for name in args.contestants if name not in contestants]:
            parser.error(f"--contestants {unknown[0]!r} is none of {', '.join(map(repr, contestants))}")
        contestants = {name: contestants[name] for name in args.contestants}
    if args.only:
        tables = [table for table in tables if table.decides == (args.only == "deciding")]
    if not args.report:
        run(contestants, tables, args.splits, args.most_rows, args.out)
    known = {name: folds for name, folds in load(args.out).items() if name in {table.name for table in tables}}
    names = [name for name in contestants if any(name in f for of in known.values() for f in of.values())]
    if base not in names:
        base = names[0] if names else base
    print(report(known, names, base))
    if args.picture:
        from .table_picture import draw

        draw(known, names, args.picture, base)
    return 0


if __name__ == "__main__":
    sys.exit(main())
