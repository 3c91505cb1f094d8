"""The page, the goals and the pictures of a result of `benchmarks.many`.

Of NAME.json are made NAME.md and, for each dtype, NAME-float32.svg or NAME-float64.svg: the time of a model's step
against the number of models, a panel for each case. `readme_table` is for the README.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import fair, plots, report
from .many_cases import CASES
from .report import NONE, OFF, aligned, cores, made_by, micro, percent, seconds, table, times

OURS, ALONE = "fastmlp_together", "fastmlp_loop"
LABELS = {
    OURS: "fastmlp together",
    ALONE: "fastmlp, a loop",
    "jax_vmap": "jax.vmap",
    "jax_map": "jax.lax.map",
    "torch_func": "torch.func",
    "joblib_sklearn": "joblib, scikit-learn",
}
STYLES = {  # colour, marker, dashes
    OURS: plots.STYLES["fastmlp"],
    ALONE: ("#777777", "x", "--"),
    "jax_vmap": plots.STYLES["jax"],
    "jax_map": plots.STYLES["torch_compiled"],
    "torch_func": plots.STYLES["torch_eager"],
    "joblib_sklearn": plots.STYLES["sklearn"],
}
STAMP = "<!-- made by python -m benchmarks.many --report, of "  # how a page begins
FORMAT = 1
# Over the best of RIVALS with 64 models on one core: float32, float64
RIVALS = ("jax_vmap", "torch_func", "joblib_sklearn")
LEADS = {
    "2-2-1-b1": (10.0, 7.0),
    "2-2-1-b4": (10.0, 6.5),
    "2-8-8-2-b4": (40.0, 13.0),
    "matexp-b200": (2.3, 2.0),
    "tab-b32": (1.9, 1.9),
    "digits-b32": (2.1, 2.1),
    "digits-b200": (2.0, 2.8),
    "xor-b2000": (14.0, 12.0),
}
LEADS_512 = {"2-2-1-b1": (6.0, 6.0)}  # with 512 models, where that is another
FIRST_32 = ("float32", "float64")
SET_UP, TWO_CORES, NOISE = 0.05, 1.8, 1.03  # NOISE: times slower a model than alone that a measurement may be
GOALS = (
    "The least time of jax.vmap, torch.func and joblib over that of fastmlp together, on one core, and more. "
    "jax.lax.map trains one model after another, and is in the tables above. Missed goals are in bold."
)
LEGEND = (
    "us a model-step: the median of turns, over steps and models; what a call takes beside its steps is not in it. "
    "Models a second: of as many epochs as the table says, calls included, making the models not. Of peak: the "
    "fraction of the fma peak, measured in the same run. Best peer: the least time of the others over fastmlp's "
    "together, or over the loop's where there is no together; below 1 it is bold, and fastmlp is slower."
)


def read(path: Path) -> dict[str, Any]:
    """A result of benchmarks.many. Raises ValueError where the file is none."""
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}") from None
    if not isinstance(result, dict) or result.get("kind") != "many models":
        raise ValueError(f"{path} is no result: make one with python -m benchmarks.many --out {path}")
    if result["format"] != FORMAT:
        raise ValueError(f"{path} has format {result['format']!r}, and this report reads {FORMAT}: measure it again")
    return result


Key = tuple[str, int, str, int]  # case, models, dtype, threads


def cells(result: Mapping[str, Any]) -> dict[Key, dict[str, dict[str, Any]]]:
    """{cell: {contestant: its row}}."""
    found: dict[Key, dict[str, dict[str, Any]]] = {}
    for row in result["rows"]:
        key = row["case"], row["models"], row["dtype"], row["threads"]
        found.setdefault(key, {})[row["contestant"]] = row
    return found


def label(name: str) -> str:
    return LABELS.get(name, name)


def contestants(result: Mapping[str, Any]) -> list[str]:
    """Those that were measured, in the usual order."""
    found = {row["contestant"] for row in result["rows"]}
    return [name for name in LABELS if name in found] + sorted(found - set(LABELS))


def ours(of: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """fastmlp's row of a cell: together; or the loop's, where there is no together."""
    return of.get(OURS) or of.get(ALONE)


def lead(of: Mapping[str, Mapping[str, Any]], among: Sequence[str] = ()) -> tuple[float | None, str]:
    """(the best peer's time over ours, who that is); one whose loss is off counts, too, as leaving it out flatters."""
    peers = {name: row["us_step"] for name, row in of.items() if name not in (OURS, ALONE)}
    peers = {name: us for name, us in peers.items() if name in among} if among else peers
    own = ours(of)
    if own is None or not peers:
        return None, ""
    best = min(peers, key=lambda name: peers[name])
    return peers[best] / own["us_step"], best


def mark(row: Mapping[str, Any]) -> str:
    return "" if row["loss_ok"] else OFF


# ---------------------------------------------------------------------------------------------------------
# Tables


def speed_table(result: Mapping[str, Any], dtype: str, threads: int) -> str:
    """A row for each case and number of models."""
    names = contestants(result)
    rows = []
    for (case, models, its, on), of in cells(result).items():
        if (its, on) != (dtype, threads):
            continue
        row = [case, f"{models:,}"]
        row += [f"{us(of[name]['us_step'])}{mark(of[name])}" if name in of else NONE for name in names]
        ratio, who = lead(of)
        text = NONE if ratio is None else f"{label(who)}{mark(of[who])} {times(ratio)}"
        row.append(f"**{text}**" if ratio is not None and ratio < 1 else text)
        own = ours(of)
        rows.append([*row, NONE if own is None else percent(own["share_of_peak"])])
    return table(["us a model-step", "models", *map(label, names), "best peer", "of peak"], rows) if rows else ""


def us(value: float) -> str:
    """As `micro`, with three digits below 0.1 us."""
    return f"{value:.2g}" if value < 0.00995 else f"{value:.3f}" if value < 0.0995 else micro(value)


def models_table(result: Mapping[str, Any], dtype: str, threads: int) -> str:
    """Models a second of whole trainings."""
    names = contestants(result)
    rows = []
    for (case, models, its, on), of in cells(result).items():
        if (its, on) == (dtype, threads):
            found = [f"{of[name]['models_s']:,.3g}" if name in of else NONE for name in names]
            rows.append([case, f"{CASES[case].epochs:,}" if case in CASES else NONE, f"{models:,}", *found])
    return table(["models a second", "epochs", "models", *map(label, names)], rows) if rows else ""


def calls_table(result: Mapping[str, Any]) -> str:
    """Compiling, making, and what a call takes beside its steps: the least and the most over a contestant's cells."""
    rows = []
    for name in contestants(result):
        of = [row for row in result["rows"] if row["contestant"] == name]
        made = [row["make_s"] / row["models"] * 1e6 for row in of]
        call = [row["call_us_model"] for row in of]
        prepared = [row["prepare_s"] for row in of]
        row = [label(name), f"{seconds(min(prepared))} to {seconds(max(prepared))}"]
        rows.append([*row, f"{us(min(made))} to {us(max(made))}", f"{us(min(call))} to {us(max(call))}"])
    return table(["", "before the first step", "making a model, us", "a call, us a model"], rows)


@dataclass(frozen=True)
class Goal:
    """What is wanted, and what was measured in each dtype (None: was not)."""

    what: str
    wanted: str
    found: Mapping[str, tuple[float, bool]]  # the figure, and whether it reaches the goal

    @property
    def row(self) -> list[str]:
        shown = []
        for dtype in FIRST_32:
            if dtype not in self.found:
                shown.append(NONE)
                continue
            value, reached = self.found[dtype]
            shown.append(times(value) if reached else f"**{times(value)}**")
        return [self.what, self.wanted, *shown]


def goals(result: Mapping[str, Any]) -> list[Goal]:
    """Of fastmlp together; none where it was not measured."""
    every = cells(result)
    made = []
    for models, leads in ((64, LEADS), (512, LEADS_512)):
        for case, wanted in leads.items():
            found = {}
            for dtype, least in zip(FIRST_32, wanted, strict=True):
                of = every.get((case, models, dtype, 1), {})
                ratio = lead(of, RIVALS)[0] if OURS in of else None
                if ratio is not None:
                    found[dtype] = (ratio, ratio >= least)
            if found:
                text = " / ".join(f"{least:g}" for least in wanted)
                made.append(Goal(f"{case}, {models} models: best peer", f"at least {text}", found))
    made += [*_never_slower(every), *_set_up(every), *_two_cores(every)]
    return made


def _never_slower(every: Mapping[Key, Mapping[str, Mapping[str, Any]]]) -> list[Goal]:
    found: dict[str, tuple[float, bool]] = {}
    for (case, _, dtype, threads), of in every.items():
        alone = every.get((case, 1, dtype, threads), {}).get(ALONE)
        if OURS in of and alone and threads == 1:
            ratio = of[OURS]["us_step"] / alone["us_step"]
            if dtype not in found or ratio > found[dtype][0]:
                found[dtype] = (ratio, ratio <= NOISE)
    what = "a step of one of many over one alone, the slowest case"
    return [Goal(what, f"at most 1 (within {NOISE - 1:.0%})", found)] if found else []


def _set_up(every: Mapping[Key, Mapping[str, Mapping[str, Any]]]) -> list[Goal]:
    found = {}
    for dtype in FIRST_32:
        row = every.get(("digits-b32", 512, dtype, 1), {}).get(OURS)
        if row:
            share = row["make_s"] * row["models_s"] / row["models"]  # of 20 epochs, the case's own
            found[dtype] = (share, share < SET_UP)
    what = "digits-b32, 512 models: making them over training 20 epochs"
    return [Goal(what, f"less than {SET_UP:g}", found)] if found else []


def _two_cores(every: Mapping[Key, Mapping[str, Mapping[str, Any]]]) -> list[Goal]:
    found: dict[str, tuple[float, bool]] = {}
    for (case, models, dtype, threads), of in every.items():
        alone = every.get((case, models, dtype, 1), {}).get(OURS)
        if threads == 2 and models >= 64 and alone and OURS in of:
            gain = alone["us_step"] / of[OURS]["us_step"]
            if dtype not in found or gain < found[dtype][0]:
                found[dtype] = (gain, gain >= TWO_CORES)
    what = "two cores over one, from 64 models on, the least case"
    return [Goal(what, f"at least {TWO_CORES:g}", found)] if found else []


def goals_table(result: Mapping[str, Any]) -> str:
    rows = [goal.row for goal in goals(result)]
    return table(["", "goal", "float32", "float64"], rows, left=(0, 1)) if rows else ""


def missing_list(result: Mapping[str, Any]) -> str:
    """Who was not measured, where, and why."""
    said: dict[tuple[str, str], list[str]] = {}
    for one in result["missing"]:
        of = said.setdefault((label(one["contestant"]), one["why"]), [])
        if one["case"]:
            where = (
                one["case"]
                if one.get("unable")
                else f"{one['case']} x {one['models']:,} ({one['dtype']}, {cores(one['threads'])})"
            )
            if where not in of:
                of.append(where)
    return "\n".join(f"- {who}{' on ' * bool(of)}{', '.join(of)}: {why}" for (who, why), of in said.items())


def off_list(result: Mapping[str, Any]) -> str:
    """Contestants whose losses are not the judge's."""
    return "\n".join(
        f"- {OFF} {label(row['contestant'])}, {row['case']} x {row['models']:,}, {row['dtype']}: "
        f"a loss is {row['loss_off']:.1e} off the NumPy script's, so it did other work"
        for row in result["rows"]
        if not row["loss_ok"]
    )


def notes_list(result: Mapping[str, Any]) -> str:
    said: dict[tuple[str, str], list[str]] = {}
    for row in result["rows"]:
        of = said.setdefault((label(row["contestant"]), row["note"]), [])
        if row["case"] not in of:
            of.append(row["case"])
    return "\n".join(f"- {who} on {', '.join(of)}: {note}" for (who, note), of in said.items() if note)


def blas_list(result: Mapping[str, Any]) -> str:
    return "\n".join(f"- {label(name)}: {what}" for name, what in fair.told(result).items())


def unfair(result: Mapping[str, Any]) -> list[str]:
    return [f"not fair: {label(name)}: {fair.why_not(names)}" for name, names in fair.unfair(result).items()]


def groups(result: Mapping[str, Any]) -> list[tuple[str, int]]:
    """(dtype, threads), float32 first, as the goals have it."""
    return sorted({(row["dtype"], row["threads"]) for row in result["rows"]}, key=lambda key: (key[1], key[0]))


def page(result: Mapping[str, Any], name: str) -> str:
    """NAME.md"""
    parts = [f"{STAMP}{name}.json -->\n# {name}", made_by(result), report.bold_lines(unfair(result)), LEGEND]
    parts += [f"![us a model-step against the number of models, {d}]({name}-{d}.svg)" for d in pictures(result)]
    for dtype, threads in groups(result):
        parts += [f"## {dtype}, {cores(threads)}", speed_table(result, dtype, threads)]
        parts += [models_table(result, dtype, threads)]
    goals_text = f"{GOALS}\n\n{goals_table(result)}" if goals_table(result) else ""
    lists = {"Goals": goals_text, "Beside the steps": calls_table(result) if result["rows"] else ""}
    lists |= {"Other losses": off_list(result), "Not measured": missing_list(result), "BLAS": blas_list(result)}
    lists |= {"Data": report.data_list(result), "Notes": notes_list(result)}
    for title, text in lists.items():
        if text:
            parts += [f"## {title}", text]
    return "\n\n".join(part for part in parts if part) + "\n"


def terminal(result: Mapping[str, Any]) -> str:
    """What the command prints."""
    parts = ["\n".join(unfair(result))]
    for dtype, threads in groups(result):
        parts.append(f"{dtype}, {cores(threads)}\n{aligned(speed_table(result, dtype, threads))}")
        parts.append(aligned(models_table(result, dtype, threads)))
    if result["rows"]:
        parts.append(aligned(calls_table(result)))
    parts += [aligned(goals_table(result)) if goals_table(result) else "", off_list(result)]
    parts += [blas_list(result), missing_list(result), report.data_list(result, replaced_only=True)]
    return "\n\n".join(part for part in parts if part)


def readme_table(result: Mapping[str, Any], name: str, models: Sequence[int] = (1, 64, 512)) -> str:
    """For the README: one core, fastmlp's time and the best peer, both dtypes side by side."""
    every, rows = cells(result), []
    for case in dict.fromkeys(key[0] for key in every):
        for count in models:
            row = [case, f"{count:,}"]
            for dtype in FIRST_32:
                of = every.get((case, count, dtype, 1), {})
                own, (ratio, who) = ours(of), lead(of)
                text = NONE if ratio is None else f"{label(who)} {times(ratio)}"
                row += [NONE if own is None else f"{us(own['us_step'])} us{mark(own)}"]
                row += [f"**{text}**" if ratio is not None and ratio < 1 else text]
            rows.append(row)
    machine = result["made"]["machine"]
    made = f"{machine['cpu']}, {result['made']['when'][:10]}; [the whole result](bench_results/{name}.md)."
    header = ["a model's step, one core", "models", "float32", "best peer", "float64", "best peer"]
    return "\n\n".join(part for part in (report.bold_lines(unfair(result)), made, table(header, rows)) if part)


# ---------------------------------------------------------------------------------------------------------
# Pictures


def pictures(result: Mapping[str, Any]) -> list[str]:
    """The dtypes that have a picture: of the least number of threads."""
    return [dtype for dtype in FIRST_32 if shows(result, dtype)]


def shows(result: Mapping[str, Any], dtype: str) -> list[dict[str, Any]]:
    """A panel for each case: {contestant: [(models, us a model-step), ...]}."""
    threads = min((row["threads"] for row in result["rows"]), default=1)
    panels: dict[str, dict[str, Any]] = {}
    for name in contestants(result):
        for row in result["rows"]:
            if (row["contestant"], row["dtype"], row["threads"]) == (name, dtype, threads):
                panel = panels.setdefault(row["case"], {"case": row["case"], "threads": threads, "curves": {}})
                panel["curves"].setdefault(name, []).append((row["models"], row["us_step"]))
    order = list(CASES)
    for panel in panels.values():
        panel["curves"] = {name: sorted(points) for name, points in panel["curves"].items()}
    return sorted(
        panels.values(), key=lambda panel: order.index(panel["case"]) if panel["case"] in order else len(order)
    )


def draw(panels: Sequence[Mapping[str, Any]], dtype: str) -> Any:
    """A matplotlib figure."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

    columns = min(4, len(panels))
    lines = -(-len(panels) // columns)
    figure = Figure(figsize=(1.5 + 2.9 * columns, 0.9 + 2.7 * lines), layout="constrained", facecolor="white")
    grid = figure.subplots(lines, columns, squeeze=False)
    handles: dict[str, Any] = {}
    counts = sorted({models for panel in panels for points in panel["curves"].values() for models, _ in points})
    for axes, panel in zip(grid.flat, panels, strict=False):
        for name, points in panel["curves"].items():
            colour, marker, dashes = STYLES.get(name, plots.OTHER)
            own = name == OURS
            (handles[name],) = axes.plot(
                [models for models, _ in points], [value for _, value in points], color=colour, marker=marker,
                linestyle=dashes, linewidth=2.4 if own else 1.5, markersize=6, zorder=4 if own else 3,
            )  # fmt: skip
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks(counts, [f"{count:,}" for count in counts])
        axes.set_xlim(min(counts) / 1.6, max(counts) * 1.6)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        values = [value for points in panel["curves"].values() for _, value in points]
        if max(values) < 30 * min(values):  # few powers of ten lie within: others are named, too
            axes.set_ylim(min(values) / 1.5, max(values) * 1.5)
            named = [digit * 10.0**power for power in range(-5, 6) for digit in (1, 2, 5)]
            inside = [value for value in named if min(values) / 1.5 <= value <= max(values) * 1.5]
            axes.set_yticks(inside, [f"{value:,g}" for value in inside])
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.grid(True, **plots.RULES)
        axes.set_axisbelow(True)
        axes.set_title(panel["case"])
    for axes in list(grid.flat)[len(panels) :]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel("us a model-step")
    for axes in grid[-1, :]:
        axes.set_xlabel("models")
    title = f"{dtype}, {cores(panels[0]['threads'])}"
    named = [name for name in [*LABELS, *handles] if name in handles]
    named = list(dict.fromkeys(named))
    figure.legend(
        [handles[name] for name in named], [label(name) for name in named], loc="outside upper center",
        ncols=len(named), frameon=False, title=title, handlelength=3.5,
    )  # fmt: skip
    return figure


def svg(result: Mapping[str, Any], dtype: str) -> str:
    """A picture's text, stamped as those of `plots` are. Raises ImportError where matplotlib is missing."""
    try:
        import matplotlib
    except ImportError as error:
        raise ImportError("pictures need matplotlib, which is not installed: pip install matplotlib") from error
    file = io.StringIO()
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({"svg.fonttype": "path", "svg.hashsalt": "fastmlp", "font.size": 10})
        draw(shows(result, dtype), dtype).savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    drawing = "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())
    return f"{drawing}<!-- benchmarks.many: shows {_shown(result, dtype)}, drawn {plots._digest(drawing)} -->\n"


def _shown(result: Mapping[str, Any], dtype: str) -> str:
    """The digest of what a picture holds and of this file."""
    return plots._digest(f"{Path(__file__).read_text(encoding='utf-8')}\n{json.dumps(shows(result, dtype))}")


def wrong_with(text: str | None, result: Mapping[str, Any], dtype: str) -> str:
    """Why a file's text is not the picture of a result; '' if it is."""
    if text is None:
        return "is missing"
    stamp = re.search(r"<!-- benchmarks\.many: shows ([0-9a-f]{64}), drawn ([0-9a-f]{64}) -->\n\Z", text)
    if stamp is None or stamp[2] != plots._digest(text[: stamp.start()]):
        return "was changed by hand"
    return "" if stamp[1] == _shown(result, dtype) else "shows other figures, or is drawn in another way"


# ---------------------------------------------------------------------------------------------------------
# Files


def main(path: Path, check: bool) -> int:
    """Writes a result's page and pictures, or says which of them are stale; -> the exit status."""
    result, said = read(path), []
    targets = {path.with_suffix(".md"): page(result, path.stem)}
    for dtype in pictures(result):
        target = path.with_name(f"{path.stem}-{dtype}.svg")
        wrong = wrong_with(target.read_text(encoding="utf-8") if target.is_file() else None, result, dtype)
        if wrong and check:
            said.append(f"{target}: {wrong}")
        elif wrong:
            targets[target] = svg(result, dtype)
    for target, text in targets.items():
        if target.is_file() and target.read_text(encoding="utf-8") == text:
            continue
        if check:
            said.append(f"{target}: is not what {path.name} gives")
        else:
            target.write_text(text, encoding="utf-8", newline="\n")
            said.append(f"wrote {target}")
    bad = unfair(result)
    for line in [*bad, *said]:
        print(line)
    return int(bool(check and (said or bad)))
