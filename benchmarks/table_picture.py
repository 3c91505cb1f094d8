"""The picture of `benchmarks.tables`: each table's error over that of boosted trees, a dot for each contestant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .table_sets import TABLES
from .tables import folds_of, least_error

STYLES = {  # colour, marker, size, what it is called; told apart in grey, too
    "fastmlp": ("#000000", "o", 7, "fastmlp"),
    "realmlp_td_s": ("#d55e00", "^", 7, "RealMLP-TD-S"),
    "random_forest": ("#0072b2", "s", 5, "random forest"),
    "sklearn_mlp": ("#cc79a7", "x", 6, "scikit-learn's MLP"),
}


def ratios(known: dict[str, Any], names: list[str], base: str) -> dict[str, dict[str, float]]:
    """{table: {contestant: error over the base's}}, of the tables that all have: the geometric mean of folds."""
    import numpy as np

    found: dict[str, dict[str, list[float]]] = {}
    for table, figures in folds_of(known, names, list(TABLES)):
        for name in names:
            ratio = least_error(table.task, figures[name]) / least_error(table.task, figures[base])
            found.setdefault(table.name, {}).setdefault(name, []).append(float(np.log(ratio)))
    return {table: {name: float(np.exp(np.mean(logs))) for name, logs in of.items()} for table, of in found.items()}


def draw(known: dict[str, Any], names: list[str], path: Path, base: str) -> None:
    """Writes the picture, in the format of the path's suffix: a panel for classes, one for values."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "fastmlp"
    from matplotlib import pyplot as plt

    shown = [name for name in STYLES if name in names]
    found = ratios(known, [*shown, base], base)
    panels = [
        (title, [name for name in found if TABLES[name].task == task])
        for task, title in (("classify", "classes: error rate"), ("regress", "values: RMSE"))
    ]
    panels = [(title, sorted(tables, key=lambda name: found[name][shown[0]])) for title, tables in panels if tables]
    figure, axes = plt.subplots(
        len(panels), 1, figsize=(7.5, 1.6 + 0.24 * len(found)), sharex=True, squeeze=False,
        height_ratios=[len(tables) + 1 for _, tables in panels], layout="constrained",
    )  # fmt: skip
    for axis, (title, tables) in zip(axes[:, 0], panels, strict=True):
        for name in shown:
            colour, marker, size, label = STYLES[name]
            x = [found[table][name] for table in tables]
            style = {"color": colour, "markersize": size, "zorder": 3 if name == shown[0] else 2}
            axis.plot(x, range(len(tables)), marker, label=label, linestyle="none", **style)
        axis.axvline(1, color="#888888", linewidth=1)
        axis.set_yticks(range(len(tables)), [f"{t}{'' if TABLES[t].decides else ' *'}" for t in tables], fontsize=8)
        axis.set_ylim(len(tables) - 0.5, -0.5)
        axis.set_xscale("log", base=2)
        axis.grid(axis="y", alpha=0.3, linewidth=0.6)
        axis.set_title(f"{title} over that of HistGradientBoosting (left: better)", fontsize=9, loc="left")
    ticks = [0.125, 0.25, 0.5, 0.71, 1, 1.41, 2]
    axes[-1, 0].set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes[-1, 0].minorticks_off()
    axes[-1, 0].set_xlabel("* a reporting table: no setting was chosen by it", fontsize=8)
    axes[0, 0].legend(fontsize=8, loc="best")
    figure.savefig(path, dpi=110, metadata={"Date": None} if path.suffix == ".svg" else None)
    plt.close(figure)
