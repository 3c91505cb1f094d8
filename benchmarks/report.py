"""Tables and pictures of the results of `benchmarks.compare`.

    python -m benchmarks.report               of every result in bench_results/, and README.md's table
    python -m benchmarks.report FILE          of this one, in its folder
    python -m benchmarks.report [FILE] --check    writes nothing; a line for each stale or unfair file, and status 1

Of NAME.json are made NAME.md and the pictures NAME-ratios.svg, NAME-rows.svg, NAME-peak.svg and NAME-startup.svg, each
as far as the result has something to show. README.md's table is made from the result that has the most rows; of equals,
from the newest. Pictures need matplotlib; checking them does not. A result in which a contestant's BLAS was slowed by
its environment (`benchmarks/fair.py`) is not fair: its pages begin with that, and so does each report of it.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastmlp.spec import DTYPES

from . import fair, plots
from .goals import goals

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- bench -->", "<!-- /bench -->"
STAMP = "<!-- made by python -m benchmarks.report from "  # how a page begins
FORMAT = 1
OURS = "fastmlp"
LABELS = {
    "numpy": "NumPy",
    "sklearn": "scikit-learn",
    "torch_eager": "PyTorch",
    "torch_compiled": "torch.compile",
    "jax": "JAX",
}
NONE = "-"
NOT_INSTALLED = "is not installed"  # how sources.origin ends where a real data set has been replaced
OFF = "†"

# Why a workload is lost, where that is known; docs/performance.md has the figures
REASONS = {
    "xor-online": "two dependent sigmoids, by our own arithmetic, are more than half of a step of 0.08 us",
    "xor-online-1": "two dependent sigmoids, by our own arithmetic, are most of a step of 0.06 us",
}
ONE_THREAD = "a second thread gains fastmlp less than its peers"  # where it wins with one thread
GOALS = "One core unless stated otherwise; a peer's time over fastmlp's. Missed goals are in bold."
TOO_FAST = 2.0  # times the peak, which is measured in the same run; the machine's speed drifts
UNKNOWN = "no reason known yet"
UNKNOWN_BLAS = "The result does not say which BLAS each used, and whether its environment slowed it."


# ---------------------------------------------------------------------------------------------------------
# Results


def read(path: Path) -> dict[str, Any]:
    """A result of benchmarks.compare. Raises ValueError where the file is none."""
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}") from None
    if not is_result(result):
        raise ValueError(f"{path} is no result: make one with python -m benchmarks.compare --out {path}")
    if result["format"] != FORMAT:
        raise ValueError(f"{path} has format {result['format']!r}, and this report reads {FORMAT}: measure it again")
    return result


def is_result(result: Any) -> bool:
    return isinstance(result, dict) and {"format", "made", "peak_gflops", "rows"} <= set(result)


def results(folder: Path) -> dict[Path, dict[str, Any]]:
    """The results in a folder. Other JSON may lie there, too."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        try:
            loaded = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            loaded = None
        if loaded is None or is_result(loaded):
            found[path] = read(path)
    return found


@dataclass(frozen=True)
class Line:
    """The rows of one workload, dtype and number of threads."""

    workload: str
    dtype: str
    threads: int
    ours: Mapping[str, Any] | None  # None where fastmlp was not measured
    peers: Mapping[str, Mapping[str, Any]]
    wins_alone: bool = False  # with one thread

    def ratio(self, peer: str) -> float | None:
        """The peer's time over fastmlp's: above 1, fastmlp is faster."""
        if self.ours is None or peer not in self.peers:
            return None
        return self.peers[peer]["us_step"] / self.ours["us_step"]

    @property
    def best(self) -> str | None:
        """The fastest peer; one whose loss is off counts, too, since leaving it out would flatter us."""
        if not self.peers:
            return None
        return min(self.peers, key=lambda peer: self.peers[peer]["us_step"])

    @property
    def lead(self) -> float | None:
        """The best peer's ratio."""
        return None if self.best is None else self.ratio(self.best)

    @property
    def lost(self) -> bool:
        return self.lead is not None and self.lead < 1

    @property
    def reason(self) -> str:
        if not self.lost:
            return ""
        if self.threads > 1 and self.wins_alone:
            return ONE_THREAD
        return REASONS.get(self.workload, UNKNOWN)


def credible(row: Mapping[str, Any]) -> bool:
    """Whether a step is not faster than the processor: scikit-learn's set-up is subtracted, and it varies."""
    share = row.get("share_of_peak")
    return share is None or share <= TOO_FAST


def lines(result: Mapping[str, Any]) -> dict[tuple[str, int], list[Line]]:
    """{(dtype, threads): a line for each workload}, in the result's own order."""
    rows: dict[tuple[str, int], dict[str, dict[str, Any]]] = {}
    for row in result["rows"]:
        group = rows.setdefault((row["dtype"], row["threads"]), {})
        group.setdefault(row["workload"], {})[row["contestant"].rstrip("_")] = row
    made: dict[tuple[str, int], list[Line]] = {}
    for dtype, threads in sorted(rows, key=lambda key: (key[1], -int(key[0].removeprefix("float")))):
        alone = {line.workload: line for line in made.get((dtype, 1), [])}
        made[dtype, threads] = [
            Line(
                workload,
                dtype,
                threads,
                of.get(OURS),
                {name: row for name, row in of.items() if name != OURS and credible(row)},
                workload in alone and (alone[workload].lead or 0) >= 1,
            )
            for workload, of in rows[dtype, threads].items()
        ]
    return made


def peers_of(result: Mapping[str, Any]) -> list[str]:
    """The peers that were measured, in the usual order."""
    found = {row["contestant"].rstrip("_") for row in result["rows"]} - {OURS}
    return sorted(found, key=lambda name: (list(LABELS).index(name) if name in LABELS else len(LABELS), name))


def is_series(workload: str) -> bool:
    """Whether it is one of xor-4, xor-20, ..., which have a picture of their own."""
    return re.fullmatch(r"xor-\d+", workload) is not None


def label(contestant: str) -> str:
    return LABELS.get(contestant.rstrip("_"), contestant.rstrip("_"))


# ---------------------------------------------------------------------------------------------------------
# Figures in words


def micro(us: float) -> str:
    """Three digits, or all before the point."""
    return f"{us:,.{3 if us < 0.9995 else 2 if us < 9.995 else 1 if us < 99.95 else 0}f}"


def times(ratio: float | None) -> str:
    """A ratio; one below 1 never reads as 1.00."""
    if ratio is None:
        return NONE
    if 0.995 <= ratio < 1:
        return f"{min(ratio, 0.999):.3f}"
    return f"{ratio:,.{2 if ratio < 9.995 else 1 if ratio < 99.95 else 0}f}"


def percent(share: float | None) -> str:
    if share is None:
        return NONE
    return f"{100 * share:.{0 if share >= 0.0995 else 1}f} %"


def seconds(value: float | None) -> str:
    return NONE if value is None else f"{value:.2f} s"


def cores(threads: int) -> str:
    return "one core" if threads == 1 else f"{threads} cores"


def cell(text: Any) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ")


def table(header: Sequence[str], rows: Iterable[Sequence[str]], left: Iterable[int] = (0,)) -> str:
    """Markdown; all columns but those of `left` are set to the right."""
    rule = "|".join("---" if column in set(left) else "---:" for column in range(len(header)))
    first, *others = (f"| {' | '.join(map(cell, row))} |" for row in [header, *rows])
    return "\n".join([first, f"|{rule}|", *others])


def aligned(markdown: str) -> str:
    """A table of markdown as a terminal shows it: columns of one width, and a rule below the header."""
    rows = [re.split(r"(?<!\\)\|", line.strip())[1:-1] for line in markdown.splitlines()]
    right = [text.strip().endswith(":") for text in rows.pop(1)]
    cells = [[text.strip().replace("\\|", "|").replace("**", "") for text in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, ["-" * width for width in widths])
    shown = [
        "  ".join(text.rjust(w) if r else text.ljust(w) for text, w, r in zip(row, widths, right, strict=True))
        for row in cells
    ]
    return "\n".join(row.rstrip() for row in shown)


# ---------------------------------------------------------------------------------------------------------
# Tables


def speed_table(of: Sequence[Line], peers: Sequence[str], reasons: bool = True) -> str:
    """A row for each workload. Ratios are times slower than fastmlp; those below 1 are bold: there we lose."""
    lost = reasons and any(line.lost for line in of)
    header = ["workload", "us a step", "quartiles", *map(label, peers)]
    header += ["best peer", "of peak"] if peers else ["of peak"]
    rows = []
    for line in of:
        ours = line.ours
        row = [line.workload]
        if ours is None:
            row += ["not measured", NONE]
        else:
            row += [f"{micro(ours['us_step'])}{_mark(ours)}", f"{micro(ours['low'])} to {micro(ours['high'])}"]
        row += [f"{_bold(line.ratio(peer))}{_mark(line.peers.get(peer))}" for peer in peers]
        if peers:
            row.append(_best(line))
        row.append(percent(None if ours is None else ours.get("share_of_peak")))
        rows.append([*row, line.reason] if lost else row)
    left = {0, len(header)} if lost else {0}
    return table([*header, "why lost"] if lost else header, rows, left)


def _best(line: Line) -> str:
    """The best peer and its ratio, like 'JAX 5.39'."""
    if line.best is None or line.lead is None:
        return NONE
    text = f"{label(line.best)}{_mark(line.peers[line.best])} {times(line.lead)}"
    return f"**{text}**" if line.lost else text


def _bold(ratio: float | None) -> str:
    return f"**{times(ratio)}**" if ratio is not None and ratio < 1 else times(ratio)


def _mark(row: Mapping[str, Any] | None) -> str:
    return OFF if row is not None and row.get("loss_ok") is False else ""


def legend(of: Iterable[Line], peers: Sequence[str]) -> str:
    """What the columns of `speed_table` are."""
    every = list(of)
    text = "us a step: fastmlp's median, and the quartiles of its turns. "
    if peers:
        text += "Under a peer: its time over fastmlp's, so that above 1 fastmlp is faster; **below 1 it is slower**. "
    text += "Of peak: the fraction of the fma peak, measured in the same run."
    if any(_mark(row) for line in every for row in [line.ours, *line.peers.values()]):
        text += f" {OFF}: its loss after the same steps is not the NumPy script's."
    return text


def standing(of: Sequence[Line]) -> str:
    """How many are won and which are lost, in a sentence; '' where no peer was measured."""
    judged = [line for line in of if line.lead is not None]
    if not judged:
        return ""
    lost = [line.workload for line in judged if line.lost]
    won = f"Faster than every peer on {len(judged) - len(lost)} of {len(judged)} workloads"
    return f"{won}; lost: {', '.join(lost)}." if lost else f"{won}."


def startup_table(result: Mapping[str, Any]) -> str:
    starts = result.get("startup") or []
    names = list(dict.fromkeys(name for start in starts for name in start["parts"]))
    rows = [
        [start["what"], seconds(start["seconds"]), *(seconds(start["parts"].get(name)) for name in names)]
        for start in starts
    ]
    return table(["", "in all", *(name.replace("_", " ") for name in names)], rows) if starts else ""


def peak_table(result: Mapping[str, Any]) -> str:
    peak = result["peak_gflops"]
    threads = sorted({count for of in peak.values() for count in of}, key=int)
    rows = [
        [dtype, *(f"{of[count]:.0f} GFLOP/s" if count in of else NONE for count in threads)]
        for dtype, of in peak.items()
    ]
    return table(["", *(cores(int(count)) for count in threads)], rows)


def goals_table(result: Mapping[str, Any]) -> str:
    """The table of goals and what was measured; missed ones are in bold."""
    rows = [goal.row for goal in goals(result)]
    return table(["", "goal", *(d for d in DTYPES), "if missed, why"], rows, left=(0, 1, 4)) if rows else ""


def prepare_table(result: Mapping[str, Any]) -> str:
    """Seconds before the first step, compiling included: the least and the most over a contestant's workloads."""
    rows = []
    for name in [OURS, *peers_of(result)]:
        found = [row["prepare_s"] for row in result["rows"] if row["contestant"].rstrip("_") == name]
        if found:
            rows.append([label(name), seconds(min(found)), seconds(max(found))])
    return table(["", "least", "most"], rows)


def missing_list(result: Mapping[str, Any]) -> str:
    """Who was not measured, and why, one to a line."""
    said: dict[tuple[str, str], list[str]] = {}
    for one in result.get("missing") or []:
        of = said.setdefault((label(one["contestant"]), one["why"]), [])
        if one.get("workload") and one["workload"] not in of:
            of.append(one["workload"])
    for row in result["rows"]:
        if not credible(row):
            why = "by its turns less its set-up it would be faster than the processor"
            where = f"{row['workload']} ({row['dtype']}, {cores(row['threads'])})"
            said.setdefault((label(row["contestant"]), why), []).append(where)
    return "\n".join(f"- {who}{f' on {_and(of)}' if of else ''}: {why}" for (who, why), of in said.items())


def data_list(result: Mapping[str, Any], replaced_only: bool = False) -> str:
    """Where the rows of the workloads come from, one origin to a line; replaced_only: of real data that was missing."""
    said: dict[str, list[str]] = {}
    for workload, origin in (result.get("data") or {}).items():
        if origin.endswith(NOT_INSTALLED) or not replaced_only:
            said.setdefault(origin, []).append(workload)
    return "\n".join(f"- {_and(of)}: {origin}" for origin, of in said.items())


def notes_list(result: Mapping[str, Any]) -> str:
    said: dict[tuple[str, str], list[str]] = {}
    for row in result["rows"]:
        if row.get("note"):
            of = said.setdefault((label(row["contestant"]), row["note"]), [])
            if row["workload"] not in of:
                of.append(row["workload"])
    every = len({row["workload"] for row in result["rows"]})
    return "\n".join(
        f"- {who}{f' on {_and(of)}' if 2 * len(of) < every else ''}: {note}" for (who, note), of in said.items()
    )


def bold_lines(said: Sequence[str]) -> str:
    return "\n\n".join(f"**{cell(one)}**" for one in said)


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


# ---------------------------------------------------------------------------------------------------------
# Pages


def unfair(result: Mapping[str, Any]) -> list[str]:
    """Why the result is not fair, a line for each contestant; [] if no variable slowed a BLAS."""
    return [f"not fair: {label(name)}: {fair.why_not(variables)}" for name, variables in fair.unfair(result).items()]


def blas_list(result: Mapping[str, Any]) -> str:
    """What multiplied each contestant's matrices, one contestant to a line."""
    lines = [f"- {label(name)}: {what}" for name, what in fair.told(result).items()]
    return "\n".join(lines) or UNKNOWN_BLAS


def made_by(result: Mapping[str, Any]) -> str:
    made, machine = result["made"], result["made"]["machine"]
    memory = f", {machine['memory_gb']:.0f} GB" if machine.get("memory_gb") else ""
    at = f" at commit `{made['commit']}`" if made["commit"] else ""
    versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
    return (
        f"{machine['cpu']}, {cores(machine['cores'])}{memory}, {machine['os']}. Made {made['when']}{at} by "
        f"`{made['command']}`, with {versions}."
    )


def page(result: Mapping[str, Any], name: str) -> str:
    """NAME.md"""
    peers = peers_of(result)
    groups = lines(result)
    drawn = {kind: f"![{plots.PICTURES[kind].alt}]({name}-{kind}.svg)" for kind in plots.shown(result)}
    parts = [f"{STAMP}{name}.json -->\n# {name}", made_by(result), bold_lines(unfair(result))]
    parts += [legend([line for of in groups.values() for line in of], peers)]
    parts += [drawn[kind] for kind in ("ratios", "rows", "peak") if kind in drawn]
    for (dtype, threads), of in groups.items():
        parts += [f"## {dtype}, {cores(threads)}", standing(of), speed_table(of, peers)]
    if goals_table(result):
        parts += ["## Goals", GOALS, goals_table(result)]
    parts += ["## Peak", peak_table(result)]
    parts += ["## Before the first step", "Compiling included, over the workloads:", prepare_table(result)]
    if result.get("startup"):
        what = "A fresh process, from its start to a trained xor:"
        parts += ["## Start-up", what, startup_table(result), drawn.get("startup", "")]
    lists = {"Not measured": missing_list(result), "BLAS": blas_list(result)}
    lists |= {"Data": data_list(result), "Notes": notes_list(result)}
    for title, text in lists.items():
        if text:
            parts += [f"## {title}", text]
    return "\n\n".join(part for part in parts if part) + "\n"


def readme_table(result: Mapping[str, Any], name: str) -> str:
    """What stands between the markers of README.md: the least number of threads, both dtypes side by side."""
    groups = lines(result)
    threads = min(count for _, count in groups)
    dtypes = [dtype for dtype, count in groups if count == threads]
    found = {d: {line.workload: line for line in groups[d, threads] if not is_series(line.workload)} for d in dtypes}
    workloads = dict.fromkeys(workload for of in found.values() for workload in of)
    header = [f"a step, {cores(threads)}"]
    for dtype in dtypes:
        header += [dtype, "of peak", "best peer"]
    rows = []
    for workload in workloads:
        row = [workload]
        for dtype in dtypes:
            line = found[dtype].get(workload)
            ours = None if line is None else line.ours
            if line is None or ours is None:
                row += [NONE] * 3
                continue
            row += [f"{micro(ours['us_step'])} us{_mark(ours)}", percent(ours.get("share_of_peak")), _best(line)]
        rows.append(row)
    machine = result["made"]["machine"]
    made = f"{machine['cpu']}, {result['made']['when'][:10]}; [the whole result](bench_results/{name}.md)."
    parts = [bold_lines(unfair(result)), made, table(header, rows)]
    reasons: dict[tuple[str, str], list[str]] = {}
    for dtype in dtypes:
        for line in found[dtype].values():
            if line.lost:
                reasons.setdefault((line.workload, line.reason), []).append(dtype)
    if reasons:
        told = [f"- {workload}, {_and(of)}: {reason}" for (workload, reason), of in reasons.items()]
        parts.append("Where a peer is faster, in bold above:\n\n" + "\n".join(told))
    if any(OFF in text for row in rows for text in row):
        parts.append(f"{OFF}: its loss after the same steps is not the NumPy script's.")
    return "\n\n".join(part for part in parts if part)


def terminal(result: Mapping[str, Any]) -> str:
    """The tables of `fastmlp bench`."""
    peers = peers_of(result)
    parts = ["\n".join(unfair(result))]
    for (dtype, threads), of in lines(result).items():
        parts += [f"{dtype}, {cores(threads)}\n{aligned(speed_table(of, peers, reasons=False))}", standing(of)]
        parts.append("\n".join(f"- {line.workload}: {line.reason}" for line in of if line.lost))
    parts.append(legend([line for of in lines(result).values() for line in of], peers).replace("**", ""))
    if result.get("startup"):
        parts.append(f"From the start of a process to a trained xor\n{aligned(startup_table(result))}")
    if peers and fair.told(result):
        parts.append(f"BLAS\n{blas_list(result)}")
    if missing_list(result):
        parts.append(f"Not measured\n{missing_list(result)}")
    if data_list(result, replaced_only=True):
        parts.append(f"Other data than the workload's own\n{data_list(result, replaced_only=True)}")
    return "\n\n".join(part for part in parts if part)


# ---------------------------------------------------------------------------------------------------------
# Files


def with_table(text: str, made: str) -> str:
    """README.md's text with this between its markers."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ValueError(f"README.md needs one {BEGIN} and one {END} after it: put them back")
    start, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    return f"{text[:start]}\n{made}\n{text[end:]}" if made else f"{text[:start]}\n{text[end:]}"


def chosen(found: Mapping[Path, dict[str, Any]]) -> Path | None:
    """The result that README.md shows."""
    if not found:
        return None
    return max(found, key=lambda path: (len(found[path]["rows"]), found[path]["made"]["when"], path.name))


def texts(path: Path, result: Mapping[str, Any]) -> dict[Path, str]:
    return {path.with_suffix(".md"): page(result, path.stem)}


def leftovers(folder: Path, found: Iterable[Path]) -> list[Path]:
    """What this module made of results that are gone, or that they no longer show."""
    kept = set()
    for path in found:
        kept |= {path.with_suffix(".md").name, *(f"{path.stem}-{kind}.svg" for kind in plots.shown(read(path)))}
    made = [path for path in folder.glob("*.md") if path.read_text(encoding="utf-8").startswith(STAMP)]
    made += [path for path in folder.glob("*.svg") if plots.is_stamped(path.read_text(encoding="utf-8"))]
    return sorted(path for path in made if path.name not in kept)


def _reads(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def stale(found: Mapping[Path, dict[str, Any]]) -> list[str]:
    """A line for each page or picture that is not what its result gives."""
    said = []
    for path, result in found.items():
        for target, text in texts(path, result).items():
            if _reads(target) != text:
                said.append(f"{target}: {'is missing' if not target.exists() else f'is not what {path.name} gives'}")
        for kind in plots.shown(result):
            target = path.with_name(f"{path.stem}-{kind}.svg")
            wrong = plots.wrong_with(_reads(target), kind, result)
            if wrong:
                said.append(f"{target}: {wrong}")
    return said


def write(found: Mapping[Path, dict[str, Any]]) -> list[Path]:
    """Writes pages and pictures, each only if it changes. Returns what was written."""
    written = []
    for path, result in found.items():
        made = texts(path, result)
        for kind in plots.shown(result):
            target = path.with_name(f"{path.stem}-{kind}.svg")
            if plots.wrong_with(_reads(target), kind, result):  # else another matplotlib would change each byte
                made[target] = plots.svg(kind, result)
        for target, text in made.items():
            if _reads(target) != text:
                target.write_text(text, encoding="utf-8", newline="\n")
                written.append(target)
    return written


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.report",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=Path, nargs="?", metavar="FILE", help="a result of benchmarks.compare")
    parser.add_argument("--check", action="store_true", help="say what is stale, and write nothing")
    args = parser.parse_args(arguments)
    folder, readme = root / "bench_results", root / "README.md"
    try:
        if args.file is not None:
            found = {args.file: read(args.file)}
        elif folder.is_dir() and readme.is_file():
            found = results(folder)
        else:
            raise ValueError(f"there is no checkout of fastmlp at {root}: name a FILE")
        said = stale(found) if args.check else [f"wrote {path}" for path in write(found)]
        if args.file is None:
            for path in leftovers(folder, found):
                if not args.check:
                    path.unlink()
                said.append(f"{path}: is made of no result" if args.check else f"removed {path}")
            source = chosen(found)
            text = readme.read_text(encoding="utf-8")
            new = with_table(text, "" if source is None else readme_table(found[source], source.stem))
            if new != text and args.check:
                said.append(f"{readme}: its table is not what {source.name if source else 'no result'} gives")
            elif new != text:
                readme.write_text(new, encoding="utf-8", newline="\n")
                said.append(f"wrote {readme}")
    except (ValueError, OSError, ImportError) as error:
        print(f"benchmarks.report: {error}", file=sys.stderr)
        return 2
    bad = [f"{path}: {why}" for path, result in found.items() for why in unfair(result)]
    for one in [*bad, *said]:
        print(one)
    if bad and args.check:
        print(f"{len(bad)} not fair: measure again with python -m benchmarks.compare", file=sys.stderr)
    if said and args.check:
        print(f"{len(said)} stale: python -m benchmarks.report{f' {args.file}' if args.file else ''}", file=sys.stderr)
    return int(bool(args.check and (said or bad)))


if __name__ == "__main__":
    sys.exit(main())
