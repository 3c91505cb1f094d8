"""fastmlp and other libraries: the same training, each in a process of its own on the same cores, taking turns.

    python -m benchmarks.compare                            all workloads, both dtypes, one core and all of them
    python -m benchmarks.compare --quick                    a few of them, in short turns, on one core
    python -m benchmarks.compare --workload xor digits --peers numpy jax --out bench_results/mine.json

Before anything is timed, every contestant trains a few steps from the same weights in the same order of rows, and its
loss is compared with that of the NumPy script in float64: `loss_ok` says whether it is within TOLERANCE. Then they take
turns A B C, B C A, ...; the first round warms up. Figures are medians of turns, with quartiles. What comes before
training (data, compiling) is `prepare_s`. The processor's peak is measured before each workload, and the best counts.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

import fastmlp
from fastmlp.spec import DTYPES

from . import contestants, cores, fair, sources, startup
from .children import Child, Failed
from .contestant import workload_of
from .figures import agrees, epochs_of_turn, rotated, summary
from .peak import peak
from .workloads import WORKLOADS, Workload

FORMAT = 1
SLOW_TO_START = "torch_compiled"
QUICK = ("xor", "digits", "mnist")  # the workloads of --quick
TURNS = {False: 11, True: 5}  # by quick
TURN_SECONDS = {False: 0.1, True: 0.03}
FEWEST_TURNS, ROUND_SECONDS = 5, 3.0  # as few turns, where a round of all contestants takes longer than this
STARTS = {False: 5, True: 1}
# Relative to the judge's loss, of losses in float64 of the weights after CHECK_STEPS steps. The most that was seen of
# contestants that do the same is 1e-12 and 2e-7; a contestant may ask for more, and says why in its note.
TOLERANCE = {"float64": 1e-10, "float32": 1e-5}
# In float32, of batches of more rows than MANY, in proportion to them: NumPy and its like add rows up one by one, which
# at 200,000 rows leaves a loss 5e-5 off (fastmlp's tree: 4e-8).
MANY = 10_000
# In float32, of relu networks of more parameters than MANY_PARAMETERS: of so many units, one is within rounding of 0
# for some row, and on in one library and off in the other (PyTorch on mnist-wide: 1.8e-4; all others: < 1e-6).
KINKS, MANY_PARAMETERS = 1e-3, 300_000
CHECK_STEPS, FEWER_STEPS, LARGE = 20, 5, 5e8  # fewer where a step has more operations than LARGE
SETTLE_SECONDS = 0.05  # between turns of several threads: libraries' idle threads spin for a while

Tell = Callable[[int, int, str], None]  # done, of how many, what comes now


def check_epochs(workload: Workload) -> int:
    """The epochs after which losses are compared."""
    steps = FEWER_STEPS if workload.flops_step > LARGE else CHECK_STEPS
    return max(1, steps // workload.steps_epoch)


def tolerance(workload: Workload, dtype: str, own: float = 0.0) -> float:
    """How far from the judge's a loss may be, relatively; own: what the contestant asks for."""
    if dtype == "float64":
        return max(TOLERANCE[dtype], own)
    kinks = KINKS if workload.hidden == "relu" and workload.parameters > MANY_PARAMETERS else 0.0
    return max(TOLERANCE[dtype] * max(1.0, workload.batch_rows / MANY), kinks, own)


def run(
    workloads: Sequence[str] | None = None,
    peers: Sequence[str] | None = None,
    dtypes: Sequence[str] | None = None,
    threads: Sequence[int] | None = None,
    quick: bool = False,
    tell: Tell = lambda done, of, what: None,
    keep: Callable[[dict[str, Any]], None] = lambda result: None,
    command: str = "",
) -> dict[str, Any]:
    """Measures, and returns the result that `--out` writes. None: all of them (quick: a few workloads, one thread).

    peers: the other contestants, names of `contestants.MODULES` or modules of one's own. keep: gets the result so
    far after each workload. Raises ValueError for what is not known.
    """
    few = not workloads
    workloads = list(workloads or (QUICK if quick else WORKLOADS))
    for name in workloads:
        table_name, at, rows_wanted = name.partition("@")
        if table_name not in WORKLOADS:
            raise ValueError(f"workload={name!r} is not known: use one of {', '.join(WORKLOADS)}")
        if at and not (rows_wanted.isdecimal() and int(rows_wanted)):
            raise ValueError(f"workload={name!r} needs a number of rows after the @, like {table_name}@200")
    dtypes = list(dtypes or DTYPES)
    for dtype in dtypes:
        if dtype not in DTYPES:
            raise ValueError(f"dtype={dtype!r} is not known: use {' or '.join(DTYPES)}")
    every = cores.available()
    threads = sorted(set(threads or ([1] if quick else [1, len(every)])))
    pins = {count: cores.chosen(count) for count in threads}
    names, left_out = contestants_of(peers, quick and few)
    result: dict[str, Any] = {
        "format": FORMAT,
        "made": made(command),
        "peak_gflops": {dtype: {} for dtype in dtypes},
        "rows": [],
        "missing": left_out,
        "startup": [],
        "data": {name: sources.origin(workload_of(name).source) for name in workloads},
    }
    present = []
    for name in names:
        why = contestants.module(name).available()
        if why is None:
            present.append(name)
        else:
            result["missing"].append({"contestant": name, "workload": None, "why": why})
    jobs = [(w, d, t) for t in threads for w in workloads for d in dtypes if d in workload_of(w).dtypes]
    judges: dict[str, float] = {}
    for done, (workload, dtype, count) in enumerate(jobs):
        tell(done, len(jobs) + 1, f"{workload}, {dtype}, {count} thread{'s' * (count > 1)}")
        with cores.pinned(pins[count]):
            peaks = result["peak_gflops"][dtype]
            peaks[str(count)] = max(peaks.get(str(count), 0.0), peak(dtype, count))
        if workload not in judges:
            judges[workload] = judge(workload, every)
        group = Group(workload, dtype, pins[count], quick)
        rows, missing, versions = group.measure(present, judges[workload])
        result["rows"] += rows
        result["missing"] += [entry for entry in missing if entry not in result["missing"]]
        result["made"]["versions"] |= versions
        shares(result)
        keep(result)
    tell(len(jobs), len(jobs) + 1, "start-up")
    result["startup"] = startup.measure(STARTS[quick], every)
    keep(result)
    tell(len(jobs) + 1, len(jobs) + 1, "done")
    return result


def contestants_of(peers: Sequence[str] | None, quick_table: bool) -> tuple[list[str], list[dict[str, Any]]]:
    """(fastmlp and its peers; those that are left out, and why)."""
    left_out = []
    if peers is None:
        peers = list(contestants.MODULES)
        if quick_table:
            peers.remove(SLOW_TO_START)
            why = "takes 10 s or more to compile each network: not in the quick table"
            left_out = [{"contestant": SLOW_TO_START, "workload": None, "why": why}]
    return ["fastmlp", *(name for name in peers if name != "fastmlp")], left_out


def judge(workload: str, pins: Sequence[int]) -> float:
    """The loss that everyone should have: that of the NumPy script in float64. Raises ValueError where it fails."""
    try:
        with Child("numpy", workload, "float64", pins) as child:
            child.ask(f"given {check_epochs(workload_of(workload))}")
            return float(child.ask("loss")["loss"])
    except Failed as error:
        raise ValueError(f"{workload}: the NumPy script, whose loss is to be compared with, {error}") from None


def shares(result: dict[str, Any]) -> None:
    """Stores the fraction of the peak that each row reaches."""
    for row in result["rows"]:
        gflops = workload_of(row["workload"]).flops_step / row["us_step"] / 1e3
        row["share_of_peak"] = gflops / result["peak_gflops"][row["dtype"]][str(row["threads"])]


# ---------------------------------------------------------------------------------------------------------


class Group:
    """All contestants on one workload, dtype and set of cores."""

    def __init__(self, workload: str, dtype: str, pins: Sequence[int], quick: bool):
        self.name, self.workload, self.dtype, self.pins, self.quick = (
            workload,
            workload_of(workload),
            dtype,
            pins,
            quick,
        )
        self.children: dict[str, Child] = {}
        self.losses: dict[str, float] = {}
        self.missing: list[dict[str, Any]] = []

    def measure(self, names: Sequence[str], judged: float) -> tuple[list[dict[str, Any]], list[Any], dict[str, str]]:
        """(rows, missing, versions of what took part)."""
        versions: dict[str, str] = {}
        try:
            for name in names:
                self.start(name)
            first = {name: child.first for name, child in self.children.items()}
            times = self.turns()
        finally:
            for child in self.children.values():
                child.end()
        rows = []
        for name, seconds in times.items():
            found = summary(value / self.workload.steps_epoch * 1e6 for value in seconds)
            ok = agrees(self.losses[name], judged, tolerance(self.workload, self.dtype, first[name]["tolerance"]))
            versions |= first[name]["versions"]
            rows.append(
                {
                    "workload": self.name,
                    "dtype": self.dtype,
                    "threads": len(self.pins),
                    "contestant": name,
                    "us_step": found.median,
                    "low": found.low,
                    "high": found.high,
                    "turns": found.turns,
                    "prepare_s": first[name]["prepare_s"],
                    "loss": self.losses[name],
                    "loss_ok": ok,
                    "share_of_peak": None,
                    "note": first[name]["note"],
                    "blas": first[name]["blas"],
                    "held_back": first[name]["held_back"],
                }
            )
        return rows, self.missing, versions

    def start(self, name: str) -> None:
        """Starts a contestant and has it train to the loss that is compared, or writes down why not."""
        needed, free = memory_needed(self.workload, self.dtype), memory_free()
        if free is not None and needed > free:
            self.leave_out(name, f"needs about {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} are free")
            return
        try:
            child = Child(name, self.name, self.dtype, self.pins)
            self.children[name] = child
            if "missing" in child.first:
                self.leave_out(name, child.first["missing"])
                return
            child.ask(f"given {check_epochs(self.workload)}")
            self.losses[name] = float(child.ask("loss")["loss"])
            child.ask("again")
        except Failed as error:
            self.leave_out(name, str(error))

    def leave_out(self, name: str, why: str) -> None:
        self.missing.append({"contestant": name, "workload": self.name, "why": why})
        child = self.children.pop(name, None)
        if child:
            child.end()

    def turns(self) -> dict[str, list[float]]:
        """Seconds an epoch of each turn, by contestant, the first round left out."""
        target, count = TURN_SECONDS[self.quick], TURNS[self.quick]
        epochs: dict[str, int] = {}
        times: dict[str, list[float]] = {name: [] for name in self.children}
        turn = 0
        while turn <= count:  # turn 0 warms up
            started = time.perf_counter()
            for name in rotated(list(times), turn):
                if name not in self.children:
                    continue
                try:
                    if name not in epochs:
                        epochs[name] = epochs_of_turn(lambda n, name=name: self.train(name, n), target)  # type: ignore[misc]
                    seconds = self.train(name, epochs[name])
                except Failed as error:
                    self.leave_out(name, str(error))
                    continue
                if turn:
                    times[name].append(seconds / epochs[name])
            if turn and time.perf_counter() - started > ROUND_SECONDS:
                count = min(count, FEWEST_TURNS)
            turn += 1
        return {name: seconds for name, seconds in times.items() if name in self.children}

    def train(self, name: str, epochs: int) -> float:
        if len(self.pins) > 1:
            time.sleep(SETTLE_SECONDS)
        return float(self.children[name].ask(f"train {epochs}")["seconds"])


# ---------------------------------------------------------------------------------------------------------


def memory_needed(workload: Workload, dtype: str) -> float:
    """Bytes that a contestant may take: rows, each layer's z, a and gradients with temporaries, and its libraries."""
    itemsize = 8 if dtype == "float64" else 4
    rows = workload.rows * (workload.layers[0] + workload.layers[-1]) * 4
    activations = workload.batch_rows * sum(workload.layers) * 5
    return (rows + activations + 6 * workload.parameters) * itemsize + 0.5e9


def memory_free() -> float | None:
    """Bytes, or None where the system does not tell."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return float(line.split()[1]) * 1024
    except OSError:
        pass
    return None


def made(command: str) -> dict[str, Any]:
    """When, of what, on what, and how a result was made."""
    versions = {"python": platform.python_version(), "fastmlp": fastmlp.__version__}
    for project in ("numpy", "numba", "llvmlite"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[project] = metadata.version(project)
    return {
        "when": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        "versions": versions,
        "command": command,
    }


def commit() -> str:
    """The checkout's commit, with a + where files differ from it; "" for an installed package."""
    folder = Path(__file__).parents[1]
    if not (folder / "pyproject.toml").exists():
        return ""

    def git(*arguments: str) -> str:
        ended = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
        return ended.stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain", "--", ".") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def machine() -> dict[str, Any]:
    cpu = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, ValueError, OSError):
        memory = 0.0
    known = {"cores": len(cores.available()), "memory_gb": round(memory, 1), "os": platform.platform()}
    return {"cpu": cpu, **known}


def table(result: dict[str, Any]) -> str:
    """Microseconds per step, a line for each workload, dtype and number of threads; and the best peer's ratio.

    A figure with a * has a loss that is off.
    """
    names = list(dict.fromkeys(row["contestant"] for row in result["rows"]))
    lines = [f"| us a step | {' | '.join(names)} | of peak | best peer / fastmlp |"]
    lines.append("|---|" + "---:|" * (len(names) + 2))
    groups: dict[tuple[str, str, int], dict[str, Any]] = {}
    for row in result["rows"]:
        groups.setdefault((row["workload"], row["dtype"], row["threads"]), {})[row["contestant"]] = row
    for (workload, dtype, threads), group in groups.items():
        cells = [
            f"{group[name]['us_step']:#.3g}{'' if group[name]['loss_ok'] else ' *'}" if name in group else "-"
            for name in names
        ]
        ours = group.get("fastmlp")
        peers = [row["us_step"] for name, row in group.items() if name != "fastmlp"]
        share = f"{ours['share_of_peak']:.0%}" if ours else "-"
        ratio = f"{min(peers) / ours['us_step']:.2f}" if ours and peers else "-"
        lines.append(f"| {workload}, {dtype}, {threads} | {' | '.join(cells)} | {share} | {ratio} |")
    return "\n".join(lines)


def write(result: dict[str, Any], path: Path) -> None:
    """Writes the result under another name and renames it: an interrupted run leaves a whole file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(json.dumps(result, indent=1) + "\n")
    os.replace(temporary, path)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workload", nargs="+", metavar="NAME", help=f"of {', '.join(WORKLOADS)}")
    parser.add_argument("--peers", nargs="*", metavar="NAME", help=f"of {', '.join(contestants.MODULES)}; none: alone")
    parser.add_argument("--dtype", nargs="+", choices=DTYPES)
    parser.add_argument("--threads", nargs="+", type=int, metavar="N", help="as many cores (default: 1, and all)")
    parser.add_argument("--quick", action="store_true", help=f"short turns; by default {', '.join(QUICK)} on one core")
    parser.add_argument("--out", type=Path, help="write the result as JSON")
    given = sys.argv[1:] if arguments is None else arguments
    options = parser.parse_args(given)
    try:
        result = run(
            options.workload,
            options.peers,
            options.dtype,
            options.threads,
            options.quick,
            lambda done, of, what: print(f"{done}/{of} {what}", file=sys.stderr),
            (lambda result: write(result, options.out)) if options.out else (lambda result: None),
            shlex.join(["python", "-m", f"{__package__}.compare", *given]),
        )
    except ValueError as error:
        parser.error(str(error))
    for name, variables in fair.unfair(result).items():
        print(f"not fair: {name}: {fair.why_not(variables)}")
    print(table(result))
    for name, what in fair.told(result).items():
        print(f"BLAS of {name}: {what}")
    for entry in result["missing"]:
        print(f"left out: {entry['contestant']}, {entry['workload'] or 'everywhere'}: {entry['why']}")
    for workload, origin in result["data"].items():
        if origin.endswith(sources.NOT_INSTALLED):
            print(f"the data of {workload}: {origin}")
    for row in result["startup"]:
        parts = ", ".join(f"{name} {seconds:.2f}" for name, seconds in row["parts"].items())
        print(f"start to a trained xor, {row['what']}: {row['seconds']:.2f} s ({parts})")


if __name__ == "__main__":
    main()
