"""Two checkouts of fastmlp, timed in turns through public calls: is the newer one slower anywhere?

    python -m benchmarks.paired ../before . --cpus 1

Each checkout has a process of its own, for all rows. The two take turns, in an order that changes from round to round,
so that a drift of the machine's speed affects both. Each row shows the median time of both, and the median of the
rounds' ratios after/before. Exits with 1 if a row is over --limit, or the geometric mean over 1.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

TURN = 0.03  # seconds of one measurement
FIRST = (
    "import numpy as np, fastmlp; x = np.ones((40, 20)); fastmlp.Model([20, 16, 3]).fit(x, np.arange(40) % 3, epochs=2)"
)
PROCESSES = {
    "process: import": "import fastmlp; fastmlp.Model",
    "process: first fit, warm": FIRST,
    "process: first fit, cold": FIRST,
}


# ---------------------------------------------------------------------------------------------------------
# In a checkout's process


def rows() -> Iterator[tuple[str, Callable[[int], Callable[[], object]]]]:
    """Names, and functions of a number of repetitions (epochs or calls) that give what is timed."""
    import numpy as np

    from benchmarks import workloads
    from fastmlp import MLPClassifier, MLPRegressor, Model

    def training(w: Any, dtype: str, **more: Any) -> Callable[[int], Callable[[], object]]:
        x, y = w.data(dtype)
        model = Model(list(w.layers), hidden=w.hidden, output=w.output, loss=w.loss, dtype=dtype, seed=1)
        rate = {"learning_rate": w.learning_rate * 1e-3}  # so that no run diverges, however long
        options = {"batch_size": w.batch, "optimizer": w.optimizer, "shuffle": w.shuffle, "threads": 1, **rate, **more}
        return lambda count: lambda: model.fit(x, y, epochs=count, **{"record_every": count, **options})

    def calls(function: Callable[[], object]) -> Callable[[int], Callable[[], object]]:
        def run(count: int) -> None:
            for _ in range(count):
                function()

        return lambda count: lambda: run(count)

    for w in workloads.WORKLOADS.values():
        if w.rows <= 20_000 and w.name != "wide":
            for dtype in w.dtypes:
                yield f"step: {w.name} {dtype}", training(w, dtype)
    yield "step: wide@1024 float32", training(workloads.WORKLOADS["wide"].with_rows(1024), "float32")
    digits, draws = workloads.WORKLOADS["digits"], np.random.default_rng(0)
    x, y = digits.data("float64")
    little, few, names = Model([20, 16, 3], seed=1), draws.standard_normal((20, 20)), np.arange(20) % 3
    quiet = {"epochs": 1, "threads": 1, "learning_rate": 1e-4}
    yield "fit of 20 rows", calls(lambda: little.fit(few, names, **quiet))
    yield (
        "fit of 20 rows, batches of 5, adam",
        calls(lambda: little.fit(few, names, batch_size=5, optimizer="adam", **quiet)),
    )
    more = {"callback": lambda info: None, "record_every": 1}
    yield "epoch with a callback", training(workloads.WORKLOADS["matexp-200"], "float64", **more)
    small = workloads.WORKLOADS["digits"].with_rows(200, 50)
    yield "epoch with validation", training(small, "float64", validation=(x[:50], y[:50]), record_every=1)
    yield "two threads: digits", training(digits, "float64", threads=2)
    alone = Model(list(digits.layers), seed=1)
    yield "predict of one row", calls(lambda: alone.predict(x[:1]))
    yield "predict_proba of one row", calls(lambda: alone.predict_proba(x[:1]))
    yield "predict of 1797 rows", calls(lambda: alone.predict(x))
    many = np.tile(x, (10, 1))
    yield "two threads: predict of 17970 rows", calls(lambda: alone.predict(many, threads=2))
    yield "evaluate of 1797 rows", calls(lambda: alone.evaluate(x, y))
    import warnings

    warnings.simplefilter("ignore")
    classifier = MLPClassifier(max_iter=5, random_state=1)
    yield "MLPClassifier.fit, 200 rows", calls(lambda: classifier.fit(x[:200], y[:200]))
    regressor = MLPRegressor(max_iter=5, random_state=1)
    yield "MLPRegressor.fit, 200 rows", calls(lambda: regressor.fit(x[:200], y[:200] * 1.0))
    partly = MLPClassifier(random_state=1).partial_fit(x[:20], y[:20], classes=np.arange(10))
    yield "partial_fit of 20 rows", calls(lambda: partly.partial_fit(x[:20], y[:20]))
    yield "partial_fit of one row", calls(lambda: partly.partial_fit(x[:1], y[:1]))
    fitted = MLPClassifier(max_iter=5, random_state=1).fit(x[:200], y[:200])
    yield "MLPClassifier.predict of one row", calls(lambda: fitted.predict(x[:1]))
    yield "Model([64, 100, 10])", calls(lambda: Model([64, 100, 10], seed=1))


def child() -> None:
    """Answers lines of JSON [name, count] by seconds; first tells all names."""
    table = dict(rows())
    print(json.dumps(list(table)), flush=True)
    for line in sys.stdin:
        name, count = json.loads(line)
        run = table[name](count)
        start = time.perf_counter()
        run()
        print(json.dumps(time.perf_counter() - start), flush=True)


# ---------------------------------------------------------------------------------------------------------
# Comparison of the two


class Side:
    """A checkout, and its process."""

    def __init__(self, checkout: str, cpus: str, caches: Path, number: int) -> None:
        from benchmarks import fair  # not above: this file is a child's script, too, and an older checkout has no fair

        self.caches, self.cpus = caches / str(number), ["taskset", "-c", cpus] if cpus else []
        self.caches.mkdir()
        paths, cache = str(Path(checkout).resolve()), str(self.caches / "warm")
        self.env = fair.environment(PYTHONPATH=paths, FASTMLP_CACHE_DIR=cache)
        command = [*self.cpus, sys.executable, str(Path(__file__).resolve()), "--child"]
        self.process = subprocess.Popen(
            command, env=self.env, cwd=checkout, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.names = self.answer()

    def answer(self) -> Any:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("a checkout's process has ended: see above")
        return json.loads(line)

    def seconds(self, name: str, count: int) -> float:
        if name in PROCESSES:
            return self.process_seconds(name)
        assert self.process.stdin
        print(json.dumps([name, count]), file=self.process.stdin, flush=True)
        return float(self.answer())

    def process_seconds(self, name: str) -> float:
        with tempfile.TemporaryDirectory(dir=self.caches) as fresh:
            env = {**self.env, "FASTMLP_CACHE_DIR": fresh} if "cold" in name else self.env
            start = time.perf_counter()
            subprocess.run([*self.cpus, sys.executable, "-c", PROCESSES[name]], env=env, cwd=self.caches, check=True)
            return time.perf_counter() - start


def repetitions(side: Side, name: str) -> int:
    """As many as take about TURN."""
    if name in PROCESSES:
        return 1
    side.seconds(name, 1)  # compiles
    count = 1
    while (took := side.seconds(name, count)) < TURN and count < 10**6:
        count = max(count + 1, math.ceil(count * min(10, 1.1 * TURN / took)))
    return count


def compare(before: Side, after: Side, name: str, rounds: int) -> tuple[float, float, float]:
    """-> seconds of one repetition before and after; the median of the rounds' ratios."""
    count, times = repetitions(before, name), []
    repetitions(after, name)
    if "cold" in name:
        rounds = max(3, rounds // 5)
    for number in range(rounds):
        first, second = (before, after) if number % 2 else (after, before)
        pair = [first.seconds(name, count), second.seconds(name, count)]
        times.append(pair if number % 2 else pair[::-1])
    ratio = statistics.median(b / a for a, b in times)
    return statistics.median(t[0] for t in times) / count, statistics.median(t[1] for t in times) / count, ratio


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("before")
    options.add_argument("after")
    options.add_argument("--rounds", type=int, default=21)
    options.add_argument("--cpus", default="", help="cores to stay on, as taskset takes them")
    options.add_argument("--only", default="", help="rows whose name has this in it")
    options.add_argument("--limit", type=float, default=1.05)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        before, after = (
            Side(place, given.cpus, Path(folder), number) for number, place in enumerate((given.before, given.after))
        )
        names = [n for n in [*before.names, *PROCESSES] if n in [*after.names, *PROCESSES] and given.only in n]
        ratios = []
        print(f"{'':38} {'before':>11} {'after':>11}  ratio", flush=True)
        for name in names:
            a, b, ratio = compare(before, after, name, given.rounds)
            ratios.append(ratio)
            mark = "  <- over the limit" if ratio > given.limit else ""
            print(f"{name:38} {a * 1e6:9.2f}us {b * 1e6:9.2f}us  {ratio:.3f}{mark}", flush=True)
        mean = statistics.geometric_mean(ratios)
        over = sum(ratio > given.limit for ratio in ratios)
        print(f"geometric mean of {len(ratios)} rows: {mean:.3f}; {over} over {given.limit}")
        for side in (before, after):
            assert side.process.stdin
            side.process.stdin.close()
            side.process.wait()
    return int(mean > 1 or max(ratios) > given.limit)


if __name__ == "__main__":
    if "--child" in sys.argv:
        child()
    else:
        raise SystemExit(main())
