"""Many models at once: fastmlp together, a loop over it, and peers that stack models or train one a process.

    python -m benchmarks.many                                     every case and number of models, both dtypes, one core
    python -m benchmarks.many --case tab-b32 --models 8 64 --dtype float32 --contestants fastmlp_loop jax_vmap
    python -m benchmarks.many --out bench_results/NAME-many.json      keeps the result, and continues one that is there
    python -m benchmarks.many --report bench_results/NAME-many.json   its page and pictures; --check: are they stale?

Every contestant has a process of its own on the same cores, and trains the same models: each with weights, orders of
rows and a learning rate of its own. Before anything is timed, losses of some of them are compared with the NumPy
script's in float64. Then contestants take turns A B C, B C A, ... A turn trains all models for one epoch, and for many:
the difference gives the time of a model's step, and what is left over is the time that a call takes beside its steps.
Compiling (`prepare_s`) and making the models (`make_s`) are timed apart. A contestant that would take more than five
minutes for its turns is left out, and so it is with more models.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fastmlp.spec import DTYPES

from . import compare, cores, fair, many_cases, many_report, sources
from .children import Child, Failed
from .contestants import many
from .figures import epochs_of_turn, rotated, summary
from .many_cases import CASES, MODELS, Case
from .peak import peak

FORMAT = 1
KIND = "many models"
LIMIT = 300.0  # seconds of a contestant's turns, or of its start
ROUNDS = {False: 5, True: 1}  # by quick
FEWEST_ROUNDS, LONG_ROUND = 3, 10.0  # as few, where a round takes longer than so many seconds
TURN_SECONDS = {False: 0.3, True: 0.05}
DOUBLINGS = 8  # of a turn's epochs, at most
MAKES, SHORT_MAKE = 3, 2.0  # models are made so many times, where that takes fewer seconds than these
OFF = (
    1e-3  # relu in float32: a unit is within rounding of 0, and on in one library and off in another (`compare.KINKS`)
)

Tell = Callable[[int, int, str], None]  # done, of how many, what comes now


def tolerance(case: Case, dtype: str, own: float = 0.0) -> float:
    """How far from the judge's a loss may be, relatively; own: what the contestant asks for."""
    kinks = OFF if dtype == "float32" and case.workload.hidden == "relu" else 0.0
    return max(compare.tolerance(case.workload, dtype, own), kinks)


def run(
    cases: Sequence[str] | None = None,
    models: Sequence[int] | None = None,
    dtypes: Sequence[str] | None = None,
    threads: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
    quick: bool = False,
    before: dict[str, Any] | None = None,
    tell: Tell = lambda done, of, what: None,
    keep: Callable[[dict[str, Any]], None] = lambda result: None,
    command: str = "",
) -> dict[str, Any]:
    """Measures, and returns the result that `--out` writes. None: all of them, on one core.

    before: a result that is continued: its cells are not measured again. keep: gets the result so far after each cell.
    Raises ValueError for what is not known.
    """
    cases, models, dtypes = list(cases or CASES), list(models or MODELS), list(dtypes or DTYPES)
    for name in cases:
        many_cases.cell(f"{name}*1")
    for count in models:
        if count < 1:
            raise ValueError(f"models={count} has to be at least 1")
    for dtype in dtypes:
        if dtype not in DTYPES:
            raise ValueError(f"dtype={dtype!r} is not known: use {' or '.join(DTYPES)}")
    pins = {count: cores.chosen(count) for count in sorted(set(threads or [1]))}
    names = list(names or many.MODULES)
    result = before or {
        "format": FORMAT,
        "kind": KIND,
        "made": compare.made(command),
        "peaks": {},
        "rows": [],
        "missing": [],
        "done": [],
        "data": {},
    }
    result["data"] |= {name: sources.origin(CASES[name].workload.source) for name in cases}
    present = []
    for name in names:
        why = many.module(name).available()
        if why is None:
            present.append(name)
        elif all(entry["contestant"] != name or entry["case"] for entry in result["missing"]):
            result["missing"].append({"contestant": name, "case": None, "why": why})
    jobs = list(itertools.product(pins, cases, dtypes, sorted(set(models))))
    with tempfile.TemporaryDirectory() as folder:
        os.environ[many_cases.FOLDER] = folder
        try:
            for done, (count, name, dtype, size) in enumerate(jobs):
                key = [name, size, dtype, count]
                tell(done, len(jobs), f"{name}, {size} models, {dtype}, {cores_of(count)}")
                if key in result["done"]:
                    continue
                many_cases.keep_weights(CASES[name].workload, dtype, max(models), Path(folder))
                with cores.pinned(pins[count]):
                    peaks = result["peaks"].setdefault(dtype, {})
                    peaks[str(count)] = max(peaks.get(str(count), 0.0), peak(dtype, count))
                cell = Cell(CASES[name], size, dtype, pins[count], quick)
                rows, missing, versions = cell.measure(names_left(present, result, key))
                result["rows"] += rows
                result["missing"] += missing
                result["made"]["versions"] |= versions
                result["done"].append(key)
                shares(result)
                keep(result)
        finally:
            del os.environ[many_cases.FOLDER]
    tell(len(jobs), len(jobs), "done")
    return result


def cores_of(threads: int) -> str:
    return "one core" if threads == 1 else f"{threads} cores"


def names_left(names: Sequence[str], result: dict[str, Any], key: Sequence[Any]) -> dict[str, str]:
    """{contestant: why it need not be tried, or ""}: it took too long for fewer models, or cannot do the case."""
    case, models, dtype, threads = key
    found = {}
    for name in names:
        found[name] = ""
        lost = [
            entry
            for entry in result["missing"]
            if (entry["contestant"], entry["case"]) == (name, case)
            and (entry.get("unable") or (entry.get("long") and (entry["dtype"], entry["threads"]) == (dtype, threads)))
            and entry["models"] <= models
        ]
        if lost:
            found[name] = lost[0]["why"] if lost[0].get("unable") else f"{lost[0]['models']} models took too long"
    return found


def shares(result: dict[str, Any]) -> None:
    """Stores the fraction of the peak that each row reaches."""
    for row in result["rows"]:
        gflops = CASES[row["case"]].workload.flops_step / row["us_step"] / 1e3
        row["share_of_peak"] = gflops / result["peaks"][row["dtype"]][str(row["threads"])]


# ---------------------------------------------------------------------------------------------------------


class Cell:
    """All contestants on one case, number of models, dtype and set of cores."""

    def __init__(self, case: Case, models: int, dtype: str, pins: Sequence[int], quick: bool):
        self.case, self.models, self.dtype, self.pins, self.quick = case, models, dtype, pins, quick
        self.steps = models * case.workload.steps_epoch  # of an epoch of all models
        self.children: dict[str, Child] = {}
        self.losses: dict[str, list[float]] = {}
        self.makes: dict[str, float] = {}
        self.epochs: dict[str, int] = {}
        self.missing: list[dict[str, Any]] = []

    def measure(self, names: dict[str, str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, str]]:
        """(rows, missing, versions of what took part); names: as of `names_left`."""
        judged = many_cases.judge(self.case, self.models)
        try:
            for name, why in names.items():
                if why:
                    self.leave_out(name, why)
                else:
                    self.start(name)
            first = {name: child.first for name, child in self.children.items()}
            times = self.turns()
        finally:
            for child in self.children.values():
                child.end()
        rows, versions = [], {}
        for name, turns in times.items():
            row = self.row(name, turns, first[name], judged)
            if row["us_step"] > 0:
                rows.append(row)
                versions |= first[name]["versions"]
            else:
                self.leave_out(name, "its calls vary by more than its steps take: measure again")
        return rows, self.missing, versions

    def row(
        self, name: str, turns: list[tuple[float, float]], first: dict[str, Any], judged: list[float]
    ) -> dict[str, Any]:
        """turns: seconds of one epoch and of `self.epochs[name]`, of each round."""
        epochs, case = self.epochs[name], self.case
        found = summary((many - one) / (epochs - 1) / self.steps * 1e6 for one, many in turns)
        one = statistics.median(one for one, _ in turns)
        call = max(0.0, one - self.steps * found.median / 1e6)
        off = many_cases.furthest(self.losses[name], judged)
        return {
            "case": case.name,
            "models": self.models,
            "dtype": self.dtype,
            "threads": len(self.pins),
            "contestant": name,
            "us_step": found.median,
            "low": found.low,
            "high": found.high,
            "turns": found.turns,
            "epochs_turn": epochs,
            "call_us_model": call / self.models * 1e6,
            "prepare_s": first["prepare_s"],
            "make_s": self.makes[name],
            "models_s": self.models / (call + case.epochs * self.steps * found.median / 1e6),
            "loss": statistics.fmean(self.losses[name]),
            "loss_judge": statistics.fmean(judged),
            "loss_off": min(off, 1e300),  # JSON has no infinity
            "loss_ok": off <= tolerance(case, self.dtype, first["tolerance"]),
            "share_of_peak": None,
            "note": first["note"],
            "blas": first["blas"],
            "held_back": first["held_back"],
        }

    def start(self, name: str) -> None:
        """Starts a contestant and has it train to the losses that are compared, or writes down why not."""
        if getattr(getattr(many.module(name), "Contestant", None), "stacked", False):
            needed, free = memory_needed(self.case, self.models, self.dtype), compare.memory_free()
            if free is not None and needed > free:
                self.leave_out(name, f"needs about {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} are free")
                return
        started = time.perf_counter()
        text = f"{self.case.name}*{self.models}"
        try:
            child = Child(name, text, self.dtype, self.pins, LIMIT, "many_contestant")
            self.children[name] = child
            if "missing" in child.first:
                self.leave_out(name, child.first["missing"], unable=True)
                return
            self.losses[name] = child.ask(f"check {self.case.check_epochs}", LIMIT)["losses"]
            makes = [child.first["make_s"]]
            while len(makes) < MAKES and makes[0] < SHORT_MAKE and not self.quick:
                makes.append(float(child.ask("make", LIMIT)["seconds"]))
            self.makes[name] = statistics.median(makes)
        except Failed as error:
            self.leave_out(name, str(error), long=time.perf_counter() - started > LIMIT)

    def leave_out(self, name: str, why: str, **more: Any) -> None:
        where = {"case": self.case.name, "models": self.models, "dtype": self.dtype, "threads": len(self.pins)}
        self.missing.append({"contestant": name, **where, "why": why, **more})
        child = self.children.pop(name, None)
        if child:
            child.end()

    def turns(self) -> dict[str, list[tuple[float, float]]]:
        """(seconds of one epoch, seconds of `self.epochs`) of each turn, by contestant; the first round warms up."""
        for name in list(self.children):
            try:
                self.choose_epochs(name)
            except Failed as error:
                self.leave_out(name, str(error), long="no answer" in str(error))
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in self.children}
        rounds, turn = ROUNDS[self.quick], 0
        while turn < rounds:
            started = time.perf_counter()
            for name in rotated(list(times), turn):
                if name not in self.children:
                    continue
                try:
                    times[name].append((self.train(name, 1), self.train(name, self.epochs[name])))
                except Failed as error:
                    self.leave_out(name, str(error))
            if time.perf_counter() - started > LONG_ROUND:
                rounds = min(rounds, FEWEST_ROUNDS)
            turn += 1
        return {name: some for name, some in times.items() if name in self.children}

    def choose_epochs(self, name: str) -> None:
        """How many epochs its turns have, found by training; one whose turns would take too long is left out."""
        started = time.perf_counter()
        one = min(self.train(name, 1), self.train(name, 1))  # the first warms up
        if FEWEST_ROUNDS * 3 * one > LIMIT:  # a turn has one epoch, and two or more
            self.leave_out(name, f"its turns would take {FEWEST_ROUNDS * 3 * one / 60:.0f} minutes or more", long=True)
            return
        target = max(TURN_SECONDS[self.quick], one)  # of what is more than one epoch
        more = epochs_of_turn(lambda n: max(0.0, self.train(name, 1 + n) - one), target)
        for _ in range(DOUBLINGS):  # a pause of the machine may have made it look as if fewer were enough
            if self.train(name, 1 + more) - one > target / 3:
                break
            more *= 2
        self.epochs[name] = 1 + more
        spent = time.perf_counter() - started
        if spent > LIMIT:
            self.leave_out(name, f"its first turns took {spent / 60:.0f} minutes", long=True)

    def train(self, name: str, epochs: int) -> float:
        if len(self.pins) > 1:
            time.sleep(compare.SETTLE_SECONDS)
        return float(self.children[name].ask(f"train {epochs}", LIMIT)["seconds"])


def memory_needed(case: Case, models: int, dtype: str) -> float:
    """Bytes that one who holds the activations of all models at once may take."""
    w, itemsize = case.workload, 8 if dtype == "float64" else 4
    activations = w.batch_rows * sum(w.layers) * 5
    orders = max(many.ORDERS, models * w.rows) * (4 + 8) if w.shuffle else 0
    return models * (activations + 8 * w.parameters) * itemsize + orders + 0.5e9


# ---------------------------------------------------------------------------------------------------------


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--case", nargs="+", metavar="NAME", help=f"of {', '.join(CASES)}")
    made.add_argument("--models", nargs="+", type=int, metavar="M", help=f"default: {' '.join(map(str, MODELS))}")
    made.add_argument("--dtype", nargs="+", choices=DTYPES)
    made.add_argument("--threads", nargs="+", type=int, metavar="N", help="as many cores (default: 1)")
    made.add_argument("--contestants", nargs="+", metavar="NAME", help=f"of {', '.join(many.MODULES)}")
    made.add_argument("--quick", action="store_true", help="one short round")
    made.add_argument("--no-compile", action="store_true", help="do not try torch.compile, which takes 20 s a cell")
    made.add_argument("--out", type=Path, help="write the result as JSON; cells that it already has are kept")
    made.add_argument(
        "--report", type=Path, metavar="FILE", help="measure nothing; write this result's page and pictures"
    )
    made.add_argument("--check", action="store_true", help="with --report: write nothing; say what is stale, status 1")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    given = sys.argv[1:] if arguments is None else list(arguments)
    asks = parser()
    options = asks.parse_args(given)
    if options.check and not options.report:
        asks.error("--check needs --report FILE")
    if options.report:
        try:
            return many_report.main(options.report, options.check)
        except (ValueError, OSError, ImportError) as error:
            asks.error(str(error))
    if options.no_compile:
        os.environ[many_cases.NO_COMPILE] = "1"
    started = time.monotonic()
    try:
        before = many_report.read(options.out) if options.out and options.out.exists() else None
        result = run(
            options.case, options.models, options.dtype, options.threads, options.contestants, options.quick, before,
            lambda done, of, what: print(
                f"{done}/{of} {what}; {time.monotonic() - started:.0f} s so far", file=sys.stderr, flush=True
            ),
            (lambda result: compare.write(result, options.out)) if options.out else (lambda result: None),
            shlex.join(["python", "-m", f"{__package__}.many", *given]),
        )  # fmt: skip
    except ValueError as error:
        asks.error(str(error))
    print(many_report.terminal(result))
    return int(bool(fair.unfair(result)))


if __name__ == "__main__":
    sys.exit(main())
