"""The goals for speed, start-up and memory, and what was measured: a table of NAME.md.

    python -m benchmarks.goals bench_results/NAME.json     measures predictions, threads and memory, and adds them

Training and start-up are in the result already, as `benchmarks.compare` measures them. `benchmarks.report` makes the
table; the reason why a goal is missed is an entry of REASONS, and docs/performance.md has what was tried.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fastmlp.spec import DTYPES

from . import fair

NARROW = ("digits", "tab", "letter", "policy", "matexp", "pinn")
WIDE = ((784, 128, 10), (784, 512, 512, 10), (1024, 1024, 1024, 10))
ROW = (64, 100, 10)
ROWS = 100_000
MEMORY = ("xor-2000000", "mnist", "mnist-wide", "wide")
TWICE = ("xor-20000", "mnist-wide", "wide")

TANH = "tanh, which the flops do not count, is a fourth to a third of the step"
ONLINE = "two dependent sigmoids are most of a step; JAX, too, compiles the epoch into one function"
BATCHES = "batches of 32 to 256 rows: weight gradients are a third folding of lanes, half of it where rows are 32"
TEAM = "a step has 4 to 7 meetings, and the update is not shared by all; each core's memory is the other's, too"
LIMIT = "the peer reaches {:.2f} of peak, so that it would take {:.2f}"
REASONS = {
    "xor: time over flops / peak": "softmax is an eighth of the step; layers of two units reach 0.5 to 0.75",
    "matexp: of peak": TANH,
    "matexp: best peer": TANH,
    "pinn: of peak": TANH,
    "pinn: best peer": TANH,
    "xor-online: best peer": ONLINE,
    "xor-online-1: best peer": ONLINE,
    "online-64: best peer": "two dependent tanh, and 4,600 weights that are read and written twice",
    "digits: of peak": BATCHES,
    "letter: of peak": BATCHES,
    "tab: of peak": BATCHES,
    "mnist: of peak": "copying rows out of memory, and the tree of lanes in weight gradients",
    "mnist-wide: of peak": "670,000 weights are read and written each step, and the tree of lanes in weight gradients",
    "wide: of peak": "each kernel alone reaches 0.86 to 0.92",
    "the least of all: 2 cores, over 1 thread": "these workloads are trained by one thread",
    **{f"{workload}: 2 cores, over 1 thread": TEAM for workload in TWICE},
}


class Goal:
    """A figure, what it has to reach, and whether more is better."""

    def __init__(self, what: str, goal: float | tuple[float, float], most: bool, form: str = "{:.2f}"):
        self.what, self.most, self.form = what, most, form
        self.goals = dict(zip(DTYPES, goal if isinstance(goal, tuple) else (goal, goal), strict=True))
        self.found: dict[str, float] = {}
        self.limit = 0.0, 0.0  # where a lead is missed: the fraction of peak that it would take, and the peer's

    @property
    def row(self) -> list[str]:
        goals = [self.form.format(self.goals[dtype]) for dtype in DTYPES]
        least = "at most " if self.most else "at least "
        shown = [
            "-" if dtype not in self.found else self._cell(self.found[dtype], self._reached(dtype)) for dtype in DTYPES
        ]
        return [self.what, least + (goals[0] if goals[0] == goals[1] else " / ".join(goals)), *shown, self.reason]

    def _cell(self, value: float, reached: bool) -> str:
        text = self.form.format(value)
        return text if reached else f"**{text}**"

    def _reached(self, dtype: str) -> bool:
        value, goal = self.found[dtype], self.goals[dtype]
        return value <= goal if self.most else value >= goal

    @property
    def reason(self) -> str:
        if all(self._reached(dtype) for dtype in self.found):
            return ""
        limit = LIMIT.format(*reversed(self.limit)) if self.limit[0] else ""
        return REASONS.get(self.what, limit)


def goals(result: Mapping[str, Any]) -> list[Goal]:
    """All goals that the result has a figure for."""
    us: dict[tuple[str, str, int, str], float] = {}
    share: dict[tuple[str, str], float] = {}
    for row in result["rows"]:
        contestant = row["contestant"].rstrip("_")
        us[row["workload"], row["dtype"], row["threads"], contestant] = row["us_step"]
        if contestant == "fastmlp" and row["threads"] == 1 and row.get("share_of_peak"):
            share[row["workload"], row["dtype"]] = row["share_of_peak"]
    made: list[Goal] = []

    def add(goal: Goal, found: Iterable[tuple[str, float | None]]) -> None:
        goal.found = {dtype: value for dtype, value in found if value is not None}
        if goal.found:
            made.append(goal)

    def over(workload: str, dtype: str, peers: Sequence[str]) -> float | None:
        ours = us.get((workload, dtype, 1, "fastmlp"))
        times = [us[workload, dtype, 1, peer] for peer in peers if (workload, dtype, 1, peer) in us]
        return min(times) / ours if ours and times else None

    everyone = sorted({contestant for _, _, _, contestant in us} - {"fastmlp"})

    def lead(workload: str, what: str, goal: float | tuple[float, float], peers: Sequence[str]) -> None:
        made = Goal(f"{workload}: {what}", goal, False)
        found = {d: over(workload, d, peers) for d in DTYPES}
        short = [d for d, ratio in found.items() if ratio and (workload, d) in share and ratio < made.goals[d]]
        peers_share = {d: share[workload, d] / (found[d] or 1) for d in short}
        made.limit = max(((made.goals[d] * peer, peer) for d, peer in peers_share.items()), default=made.limit)
        add(made, found.items())

    def of_peak(workload: str, goal: float) -> None:
        add(Goal(f"{workload}: of peak", goal, False), [(d, share.get((workload, d))) for d in DTYPES])

    inverse = [(d, 1 / share["xor", d] if ("xor", d) in share else None) for d in DTYPES]
    add(Goal("xor: time over flops / peak", 1.45, True), inverse)
    lead("xor", "JAX", (4.0, 7.0), ["jax"])
    lead("xor", "NumPy, scikit-learn and PyTorch", 20.0, ["numpy", "sklearn", "torch_eager"])
    for workload in NARROW:
        of_peak(workload, 0.65)
        lead(workload, "best peer", 2.0, everyone)
    for workload in ("mnist", "mnist-wide"):
        of_peak(workload, 0.80)
        lead(workload, "best peer", 1.2, everyone)
    of_peak("wide", 0.90)
    lead("wide", "PyTorch", 1.0, ["torch_eager", "torch_compiled"])
    for workload in ("xor-online-1", "online-64", "xor-online"):
        lead(workload, "best peer", 10.0, everyone)
    more = result.get("goals") or {}
    gained = {(name, d): gain for name, of in (more.get("threads") or {}).items() for d, gain in of.items()}
    for workload in TWICE:
        add(Goal(f"{workload}: 2 cores, over 1 thread", 1.8, False), [(d, gained.get((workload, d))) for d in DTYPES])
    least = [(d, min((g for (_, of), g in gained.items() if of == d), default=None)) for d in DTYPES]
    add(Goal("the least of all: 2 cores, over 1 thread", 1.0, False), least)
    for start in result.get("startup") or []:
        both = [
            (d, start["seconds"] - (0 if "empty" in start["what"] else start["parts"]["train"])) for d in DTYPES[:1]
        ]
        most = 2.5 if "empty" in start["what"] else 0.7
        beside = "" if "empty" in start["what"] else ", beside the training itself"
        add(Goal(f"first fit, {start['what']}, s{beside}", most, True), both)
    for what, most in (("predict_proba", 3.0), ("predictor", 1.5)):
        add(Goal(f"one row of 64-100-10, `{what}`, us", most, True), (more.get(what) or {}).items())
    for layers in WIDE:
        name = "-".join(map(str, layers))
        rows = (more.get("predict") or {}).get(name) or {}
        add(Goal(f"{ROWS:,} rows of {name}: of peak", 0.7, False), [(d, of["share"]) for d, of in rows.items()])
        add(Goal(f"{ROWS:,} rows of {name}: best peer", 1.0, False), [(d, of["peer"]) for d, of in rows.items()])
    for workload, of in (more.get("memory") or {}).items():
        add(Goal(f"{workload}: memory over data, parameters and workspace", 1.5, True), of.items())
    return made


def measure() -> dict[str, Any]:
    """Predictions on one core, threads on two, and memory."""
    from . import memory, predict, scaling
    from .cores import chosen, pinned
    from .peak import peak
    from .workloads import WORKLOADS

    found: dict[str, Any] = {"predict_proba": {}, "predictor": {}, "predict": {}, "threads": {}, "memory": {}}
    with pinned(chosen(1)):
        for dtype in DTYPES:
            one = predict.measure(predict.ways(ROW, dtype, 1))
            for what in ("predict_proba", "predictor"):
                found[what][dtype] = one[what]
            for layers in WIDE:
                most = peak(dtype)
                ways = predict.ways(layers, dtype, ROWS)
                del ways["predict"]  # a call of the widest takes 6 s, so two turns have to do
                times = predict.measure(ways, turns=2)
                flops = 2 * ROWS * sum(inputs * outputs for inputs, outputs in itertools.pairwise(layers))
                ours = times["predict_proba"]
                peers = [us for name, us in times.items() if name in ("NumPy", "PyTorch")]
                of = found["predict"].setdefault("-".join(map(str, layers)), {})
                of[dtype] = {"share": flops / ours / 1e3 / max(most, peak(dtype)), "peer": min(peers) / ours}
    with pinned(chosen(2)):
        for name in scaling.SHARED:
            workload = WORKLOADS[name]
            found["threads"][name] = {dtype: scaling.gain(workload, dtype) for dtype in workload.dtypes}
    for name in MEMORY:
        found["memory"][name] = {dtype: memory.measure(WORKLOADS[name], dtype)["ratio"] for dtype in DTYPES}
    found["blas"], found["held_back"] = fair.blas(), fair.held()
    return found


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=Path, help="what benchmarks.compare wrote")
    path = parser.parse_args(arguments).result
    result = json.loads(path.read_text(encoding="utf-8"))
    result["goals"] = measure()
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for goal in goals(result):
        print("  ".join(goal.row))
    print(fair.line())


if __name__ == "__main__":
    main()
