"""The estimators and scikit-learn's: microseconds of an epoch of `fit`, of `partial_fit`, and of `predict`.

    python -m benchmarks.estimators             four sets of rows, both dtypes, sgd and adam
    python -m benchmarks.estimators --write     and puts the tables into docs/estimators.md
    python -m benchmarks.estimators --sets digits --dtypes float64

Both have the default parameters (100 hidden units, batches of 200) and one thread. They take turns in one process; a
figure is the median of turns, and a ratio the median of the turns' ratios, which may differ from the figures' quotient.
letter has random data of the size of the UCI data set of that name, and wide has 5000 rows of 784 columns.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import fair

TURNS = 5
SECONDS = 0.2  # of a turn, at least: what tells how many epochs it has
PAGE = Path(__file__).parents[1] / "docs" / "estimators.md"


def one_thread() -> None:
    """Asks every library for one thread: has to come before they are imported."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "FASTMLP_NUM_THREADS"):
        os.environ[name] = "1"


def sets() -> dict[str, Callable[[], tuple[Any, Any]]]:
    """{name: what makes its X and y}."""
    import numpy as np
    from sklearn import datasets
    from sklearn.preprocessing import StandardScaler

    def of_sklearn(load: Callable[..., Any]) -> Callable[[], tuple[Any, Any]]:
        def made() -> tuple[Any, Any]:
            X, y = load(return_X_y=True)
            return StandardScaler().fit_transform(X), y

        return made

    def made_up(rows: int, columns: int, classes: int) -> Callable[[], tuple[Any, Any]]:
        def made() -> tuple[Any, Any]:
            rng = np.random.RandomState(0)
            X = rng.standard_normal((rows, columns))
            return X, (X @ rng.standard_normal((columns, classes))).argmax(axis=1)

        return made

    return {
        "digits": of_sklearn(datasets.load_digits),
        "breast_cancer": of_sklearn(datasets.load_breast_cancer),
        "letter": made_up(20_000, 16, 26),
        "wide": made_up(5000, 784, 10),
    }


def turns(ways: list[Callable[[], float]], count: int = TURNS) -> tuple[list[float], float]:
    """Each way's median seconds; and how many times those of the last the first one's are."""
    found = [[way() for way in ways] for _ in range(count + 1)][1:]  # the first turn compiles, or loads
    return [statistics.median(column) for column in zip(*found, strict=True)], statistics.median(
        turn[0] / turn[-1] for turn in found
    )


def epoch_of_fit(kind: Any, X: Any, y: Any, solver: str, epochs: int) -> Callable[[], float]:
    """Seconds of an epoch, the call's own preparations included."""

    def way() -> float:
        made = kind(solver=solver, max_iter=epochs, n_iter_no_change=10**6, random_state=1)
        started = time.perf_counter()
        made.fit(X, y)
        return (time.perf_counter() - started) / epochs

    return way


def partial_fits(kind: Any, X: Any, y: Any, rows: int, repeats: int = 100) -> Callable[[], float]:
    """Seconds of a call with the next so many rows, after a first one."""
    made = kind(random_state=1)
    made.partial_fit(X, y, **({"classes": sorted(set(y))} if hasattr(made, "predict_proba") else {}))
    starts = [n * rows % (len(X) - rows) for n in range(repeats)]

    def way() -> float:
        started = time.perf_counter()
        for n in starts:
            made.partial_fit(X[n : n + rows], y[n : n + rows])
        return (time.perf_counter() - started) / repeats

    return way


def prediction(made: Any, X: Any, repeats: int) -> Callable[[], float]:
    def way() -> float:
        started = time.perf_counter()
        for _ in range(repeats):
            made.predict(X)
        return (time.perf_counter() - started) / repeats

    return way


def row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main(arguments: list[str] | None = None) -> None:
    one_thread()
    warnings.simplefilter("ignore")
    import sklearn.neural_network as theirs
    from sklearn.neural_network import MLPClassifier as Theirs

    import fastmlp.estimators as ours
    from fastmlp.estimators import MLPClassifier as Ours

    known = sets()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", default=",".join(known), help="default: all")
    parser.add_argument("--dtypes", default="float64,float32")
    parser.add_argument("--write", action="store_true", help=f"puts the tables into {PAGE.name}")
    asked = parser.parse_args(arguments)
    if asked.write and fair.held():
        parser.error(fair.line())
    fits = [row(["an epoch of fit", "", "scikit-learn", "fastmlp", "times faster"]), row(["---", "---", *3 * ["---:"]])]
    predictions = [row(["predict", "rows", "scikit-learn", "fastmlp", "times faster"]), row(["---", *4 * ["---:"]])]
    calls = [
        row(["partial_fit, digits", "rows", "scikit-learn", "fastmlp", "times faster"]),
        row(["---", *4 * ["---:"]]),
    ]
    for dtype in asked.dtypes.split(","):
        for name in asked.sets.split(","):
            X, y = known[name]()
            X = X.astype(dtype)
            for solver in ("sgd", "adam"):
                once = epoch_of_fit(Theirs, X, y, solver, 2)()
                epochs = max(2, min(100, int(SECONDS / once)))
                (a, b), ratio = turns([epoch_of_fit(kind, X, y, solver, epochs) for kind in (Theirs, Ours)])
                fits.append(
                    row([f"{name}, {dtype}", solver, f"{a * 1e6:,.0f} us", f"{b * 1e6:,.0f} us", f"{ratio:.1f}"])
                )
                print(fits[-1], flush=True)
            both = [kind(max_iter=1, random_state=1).fit(X, y) for kind in (Theirs, Ours)]
            import numpy as np

            for rows, repeats in ((1, 200), (100, 40), (10_000, 2)):
                some = np.resize(X, (rows, X.shape[1])) if rows > len(X) else np.ascontiguousarray(X[:rows])
                (a, b), ratio = turns([prediction(made, some, repeats) for made in both], 3 * TURNS)
                predictions.append(
                    row([f"{name}, {dtype}", f"{rows:,}", f"{a * 1e6:,.1f} us", f"{b * 1e6:,.1f} us", f"{ratio:.1f}"])
                )
                print(predictions[-1], flush=True)
    X, y = known["digits"]()
    for name in ("MLPClassifier", "MLPRegressor"):
        for rows in (1, 32, 200):
            (a, b), ratio = turns(
                [partial_fits(getattr(module, name), X, y, rows) for module in (theirs, ours)], 3 * TURNS
            )
            calls.append(row([name, f"{rows}", f"{a * 1e6:,.0f} us", f"{b * 1e6:,.0f} us", f"{ratio:.1f}"]))
            print(calls[-1], flush=True)
    tables = "\n".join([*fits, "", *calls, "", *predictions])
    print(fair.line())
    if asked.write:
        text = PAGE.read_text()
        begin, end = "<!-- estimators -->\n", "<!-- /estimators -->"
        before, rest = text.split(begin)
        PAGE.write_text(before + begin + tables + "\n" + end + rest.split(end)[1])


if __name__ == "__main__":
    main()
