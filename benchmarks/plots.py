"""The pictures of a result, as SVG. `benchmarks.report` writes and checks them.

Each is made in two steps: `shows` picks what a picture holds, as plain numbers, and `draw` draws that with matplotlib.
Drawing is deterministic, but another matplotlib or font library moves a line by a hair. So an SVG ends with a stamp of
two digests: of what it shows and of this file, and of the drawing itself. Whether a picture is stale, or was changed by
hand, is told by the stamp, without drawing it again.

Colours differ in lightness as well as in hue, and no two curves have the same marker and dashes: all is told apart in
grey.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STAMP = re.compile(r"<!-- benchmarks\.plots: shows ([0-9a-f]{64}), drawn ([0-9a-f]{64}) -->\n\Z")
STYLES = {  # colour, marker, dashes
    "fastmlp": ("#000000", "o", "-"),
    "numpy": ("#e69f00", "s", "--"),
    "sklearn": ("#cc79a7", "D", "-."),
    "torch_eager": ("#d55e00", "^", ":"),
    "torch_compiled": ("#56b4e9", "v", (0, (5, 1, 1, 1, 1, 1))),
    "jax": ("#0072b2", "P", (0, (8, 2))),
}
OTHER = ("#777777", "x", "-")
DTYPES = {"float64": "#1f4e79", "float32": "#9dc3e6"}  # dark and light
PARTS = ["#1f3b57", "#a5c8e4", "#4f81ad", "#fbe3b5", "#b5651d", "#dddddd"]  # neighbours differ in lightness
RULES = {"alpha": 0.35, "linewidth": 0.6, "color": "#888888"}


@dataclass(frozen=True)
class Picture:
    alt: str
    shows: Callable[[Mapping[str, Any]], Any]  # what it holds; something empty where there is nothing
    draw: Callable[[Any], Any]  # a matplotlib figure of it


# ---------------------------------------------------------------------------------------------------------
# What they show


def _report():
    from . import report  # which imports this module

    return report


def ratios(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A panel for each number of threads: the best peer's time over fastmlp's, by workload and dtype."""
    return _panels(result, lambda line: line.lead and {"ratio": line.lead, "peer": _report().label(line.best)})


def peaks(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A panel for each number of threads: fastmlp's share of the peak, and the best peer's."""

    def shares(line):
        if line.ours is None or line.ours.get("share_of_peak") is None:
            return None
        best = line.peers[line.best].get("share_of_peak") if line.best else None
        return {"ours": line.ours["share_of_peak"], "best": best}

    return _panels(result, shares)


def _panels(result: Mapping[str, Any], of: Callable[[Any], Any]) -> list[dict[str, Any]]:
    report = _report()
    panels: dict[int, dict[str, Any]] = {}
    for (dtype, threads), lines in report.lines(result).items():
        for line in lines:
            value = None if report.is_series(line.workload) else of(line)
            if value:
                panel = panels.setdefault(threads, {"threads": threads, "workloads": {}})
                panel["workloads"].setdefault(line.workload, {})[dtype] = value
    return list(panels.values())


def rows(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A panel for each dtype, of the least number of threads: us a step by rows, a curve for each contestant."""
    report = _report()
    groups = report.lines(result)
    panels = []
    for (dtype, threads), lines in groups.items():
        curves: dict[str, list[tuple[int, float]]] = {}
        for line in lines:
            if threads == min(count for _, count in groups) and report.is_series(line.workload):
                count = int(line.workload.removeprefix("xor-"))
                for name, row in {report.OURS: line.ours, **line.peers}.items():
                    if row is not None:
                        curves.setdefault(name, []).append((count, row["us_step"]))
        if curves:
            order = [name for name in [report.OURS, *report.peers_of(result)] if name in curves]
            curves = {name: sorted(curves[name]) for name in order}
            panels.append({"dtype": dtype, "threads": threads, "curves": curves})
    return panels


def startup(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A panel for each start, with its parts and what they leave over."""
    panels = []
    for start in result.get("startup") or []:
        parts = {name.replace("_", " "): seconds for name, seconds in start["parts"].items()}
        rest = start["seconds"] - sum(parts.values())
        if rest > 0.005 * start["seconds"]:  # medians of parts need not add up
            parts["other"] = rest
        panels.append({"what": start["what"], "seconds": start["seconds"], "parts": parts})
    return panels


# ---------------------------------------------------------------------------------------------------------
# Drawings


def _figure(width: float, height: float, panels: int, **kwargs: Any) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    return figure, figure.subplots(
        *((1, panels) if not kwargs.pop("below", False) else (panels, 1)), squeeze=False, **kwargs
    )


def _cores(threads: int) -> str:
    return _report().cores(threads)


def _bars(axes: Any, workloads: Mapping[str, Mapping[str, Any]]) -> list[tuple[float, float, str, str]]:
    """Sets the workloads below each other. -> (y, height, workload, dtype) of each bar, float64 above float32."""
    dtypes = [dtype for dtype in DTYPES if any(dtype in of for of in workloads.values())]
    height = 0.8 / len(dtypes)
    axes.set_yticks(range(len(workloads)), list(workloads))
    axes.set_ylim(len(workloads) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(True, axis="x", **RULES)
    axes.set_axisbelow(True)
    return [
        (at + height * (dtypes.index(dtype) - (len(dtypes) - 1) / 2), height, workload, dtype)
        for at, workload in enumerate(workloads)
        for dtype in dtypes
        if dtype in workloads[workload]
    ]


def draw_ratios(panels: Sequence[Mapping[str, Any]]) -> Any:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    most = max(len(panel["workloads"]) for panel in panels)
    figure, grid = _figure(6.2 * len(panels) + 0.8, 1.6 + 0.46 * most, len(panels), sharex=True)
    every = [of["ratio"] for panel in panels for dtypes in panel["workloads"].values() for of in dtypes.values()]
    for axes, panel in zip(grid[0], panels, strict=True):
        axes.set_xscale("log")
        seen = set()
        for y, height, workload, dtype in _bars(axes, panel["workloads"]):
            of = panel["workloads"][workload][dtype]
            name = None if dtype in seen else dtype
            seen.add(dtype)
            axes.barh(
                y,
                of["ratio"] - 1,
                height=0.92 * height,
                left=1,
                color=DTYPES[dtype],
                edgecolor="#1f4e79",
                linewidth=0.6,
                label=name,
            )
            # to the right of the bar, or of the line at 1 where the bar goes left
            text = f" {_report().times(of['ratio'])}  {of['peer']}"
            weight = "bold" if of["ratio"] < 1 else "normal"
            axes.text(max(of["ratio"], 1), y, text, va="center", ha="left", fontsize=8, fontweight=weight)
        axes.axvline(1, color="black", linewidth=1.2)
        # the names of peers need room on the right
        axes.set_xlim(min(0.8, min(every) / 1.25), max(every) * (max(max(every), 4) / min(0.8, min(every))) ** 0.3)
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_title(_cores(panel["threads"]))
        axes.set_xlabel("the best peer's time / fastmlp's (left of 1: fastmlp is slower)")
    _legend(figure, grid[0][0])
    return figure


def draw_peaks(panels: Sequence[Mapping[str, Any]]) -> Any:
    most = max(len(panel["workloads"]) for panel in panels)
    every = [of for panel in panels for dtypes in panel["workloads"].values() for of in dtypes.values()]
    most_share = max(max(of["ours"], of["best"] or 0) for of in every)
    figure, grid = _figure(5.4 * len(panels) + 0.8, 1.6 + 0.42 * most, len(panels), sharex=True)
    for axes, panel in zip(grid[0], panels, strict=True):
        seen = set()
        bars = _bars(axes, panel["workloads"])
        for y, height, workload, dtype in bars:
            of = panel["workloads"][workload][dtype]
            name = None if dtype in seen else f"fastmlp, {dtype}"
            seen.add(dtype)
            axes.barh(
                y,
                100 * of["ours"],
                height=0.92 * height,
                color=DTYPES[dtype],
                edgecolor="#1f4e79",
                linewidth=0.6,
                label=name,
            )
            # beside the axes: near the bar's end a peer's mark may lie, and the figure would read as the peer's
            axes.text(1.01, y, f"{100 * of['ours']:.0f}", va="center", fontsize=8, transform=axes.get_yaxis_transform())
        marks = [(100 * panel["workloads"][w][d]["best"], y) for y, _, w, d in bars if panel["workloads"][w][d]["best"]]
        if marks:
            where, at = zip(*marks, strict=True)
            style = {"marker": "D", "s": 26, "facecolor": "white", "edgecolor": "black", "linewidth": 0.8}
            axes.scatter(where, at, label="the best peer", zorder=3, clip_on=False, **style)
        axes.set_xlim(0, max(108, 108 * most_share))
        axes.set_title(_cores(panel["threads"]))
        axes.set_xlabel("% of the fma peak measured beside it (on the right: fastmlp's)")
    _legend(figure, grid[0][0])
    return figure


def draw_rows(panels: Sequence[Mapping[str, Any]]) -> Any:
    from matplotlib.ticker import FuncFormatter, LogLocator

    figure, grid = _figure(5.6 * len(panels) + 0.6, 5.2, len(panels), sharex=True, sharey=True)
    for axes, panel in zip(grid[0], panels, strict=True):
        for name, points in panel["curves"].items():
            colour, marker, dashes = STYLES.get(name, OTHER)
            ours = name == _report().OURS
            axes.plot(
                *zip(*points, strict=True),
                color=colour,
                marker=marker,
                linestyle=dashes,
                linewidth=2.4 if ours else 1.5,
                markersize=6.5,
                markeredgecolor="black",
                markeredgewidth=0.5,
                zorder=4 if ours else 3,
                label=_report().label(name),
            )
        axes.set_xscale("log")
        axes.set_yscale("log")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(LogLocator(numticks=20))
            axis.set_major_formatter(
                FuncFormatter(lambda value, _: f"{value:,g}" if value < 1e6 else f"{value / 1e6:,g}M")
            )
        axes.grid(True, **RULES)
        axes.set_axisbelow(True)
        axes.set_title(f"{panel['dtype']}, {_cores(panel['threads'])}")
        axes.set_xlabel("rows, all in one step")
    grid[0][0].set_ylabel("us a step of xor, 2-8-8-2")
    grid[0][0].legend(loc="upper left", fontsize=9, handlelength=3.5)
    return figure


def draw_startup(panels: Sequence[Mapping[str, Any]]) -> Any:
    figure, grid = _figure(8, 1.1 + 1.15 * len(panels), len(panels), below=True)
    names = list(dict.fromkeys(name for panel in panels for name in panel["parts"]))
    handles = {}
    for axes, panel in zip(grid[:, 0], panels, strict=True):
        left = 0.0
        for name, seconds in panel["parts"].items():
            rest = name == "other"
            colour = "#ffffff" if rest else PARTS[names.index(name) % len(PARTS)]
            more = {"hatch": "////", "edgecolor": "#777777", "linewidth": 0} if rest else {"edgecolor": "white"}
            handles[name] = axes.barh(0, seconds, left=left, height=0.8, color=colour, **more)
            if seconds > 0.07 * panel["seconds"] and not rest:
                ink = "white" if sum(int(colour[k : k + 2], 16) for k in (1, 3, 5)) < 400 else "black"
                axes.text(left + seconds / 2, 0, f"{seconds:.2f}", ha="center", va="center", color=ink, fontsize=9)
            left += seconds
        axes.text(1.01 * left, 0, f"{panel['seconds']:.2f} s", va="center", fontweight="bold")
        axes.set_xlim(0, 1.13 * left)
        axes.set_yticks([0], [panel["what"]])
        axes.tick_params(axis="y", length=0)
        axes.spines[["top", "right"]].set_visible(False)
    grid[-1, 0].set_xlabel("seconds from the start of a process to a trained xor; each bar has its own scale")
    figure.legend(handles.values(), handles, loc="outside upper center", ncols=len(handles), frameon=False)
    return figure


def _legend(figure: Any, axes: Any) -> None:
    handles, labels = axes.get_legend_handles_labels()
    last = sorted(range(len(labels)), key=lambda at: labels[at].startswith("the "))  # the peer after the dtypes
    handles, labels = [handles[at] for at in last], [labels[at] for at in last]
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)


PICTURES = {
    "ratios": Picture("How many times slower than fastmlp the best peer is", ratios, draw_ratios),
    "rows": Picture("Time of a step of xor against rows", rows, draw_rows),
    "peak": Picture("Share of the peak", peaks, draw_peaks),
    "startup": Picture("Seconds from the start of a process to a trained xor", startup, draw_startup),
}


# ---------------------------------------------------------------------------------------------------------
# Files


def shown(result: Mapping[str, Any]) -> list[str]:
    """The pictures that a result gives."""
    return [kind for kind, picture in PICTURES.items() if picture.shows(result)]


def svg(kind: str, result: Mapping[str, Any]) -> str:
    """A picture's text, stamped. Raises ImportError where matplotlib is missing."""
    try:
        import matplotlib
    except ImportError as error:
        raise ImportError("pictures need matplotlib, which is not installed: pip install matplotlib") from error
    file = io.StringIO()
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # not what the user's matplotlibrc says
        # text as outlines, the same whatever fonts the reader has; and names that are no random ones
        matplotlib.rcParams.update({"svg.fonttype": "path", "svg.hashsalt": "fastmlp", "font.size": 10})
        figure = PICTURES[kind].draw(PICTURES[kind].shows(result))
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    drawing = "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())
    return f"{drawing}<!-- benchmarks.plots: shows {_shows(kind, result)}, drawn {_digest(drawing)} -->\n"


def is_stamped(text: str) -> bool:
    return STAMP.search(text) is not None


def wrong_with(text: str | None, kind: str, result: Mapping[str, Any]) -> str:
    """Why a file's text is not the picture of a result; '' if it is."""
    if text is None:
        return "is missing"
    stamp = STAMP.search(text)
    if stamp is None or stamp[2] != _digest(text[: stamp.start()]):
        return "was changed by hand"
    return "" if stamp[1] == _shows(kind, result) else "shows other figures, or is drawn in another way"


def _shows(kind: str, result: Mapping[str, Any]) -> str:
    """The digest of what a picture holds and of this file."""
    held = json.dumps(PICTURES[kind].shows(result), sort_keys=False)
    return _digest(f"{Path(__file__).read_text(encoding='utf-8')}\n{held}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
