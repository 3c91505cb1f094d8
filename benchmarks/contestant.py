"""A contestant in a process of its own, which reads commands and answers a line of JSON to each.

    python -m benchmarks.contestant NAME WORKLOAD DTYPE THREADS

It first says {"ready": true, "prepare_s", "note", "versions", "tolerance", "blas", "held_back"}, or {"missing": why}.
blas: its BLAS library and kernels; None if these are not known. held_back: the variables that
have slowed it down (`fair.HELD_BACK`). Then:

    train 20    trains on for 20 epochs, in its own orders perhaps     {"seconds": 0.1}
    given 2     trains on for 2 epochs in fastmlp's orders             {}
    again       goes back to the initial weights                       {}
    loss        the mean loss on all rows                              {"loss": 0.3}
    quit        ends

What a library prints goes to standard error. BLAS and the like read their number of threads when they are imported, so
the process that starts it sets the variables of `cores.environment`, and pins it.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from . import contestants, fair
from .workloads import WORKLOADS, Workload


def start(name: str, workload: Workload, dtype: str, threads: int) -> tuple[Any, dict[str, Any]]:
    """(the contestant, or None; what it says first)."""
    module = contestants.module(name)
    why = module.available()
    if why is not None:
        return None, {"missing": why}
    for library in module.IMPORTS:  # what that takes is Python's and the disk's, not its way of training
        importlib.import_module(library)
    try:
        contestant = module.Contestant(workload, dtype, threads)
        started = time.perf_counter()
        with np.errstate(all="ignore"):
            contestant.prepare()
        seconds = time.perf_counter() - started
    except contestants.Unable as error:
        return None, {"missing": str(error)}
    told = {"prepare_s": seconds, "note": contestant.note, "tolerance": contestant.tolerance}
    products = getattr(module, "products", fair.blas)()  # where the library has its own, that threadpoolctl cannot see
    told |= {"blas": products, "held_back": fair.held()}
    return contestant, {"ready": True, **told, "versions": module.versions()}


def answer(contestant: Any, command: str) -> dict[str, Any]:
    """Does what a line asks for. Raises ValueError for a command that is not known."""
    word, *more = command.split()
    with np.errstate(all="ignore"):
        if word == "train":
            return {"seconds": float(contestant.train(int(more[0])))}
        if word == "given":
            contestant.given(int(more[0]))
            return {}
        if word == "again":
            contestant.again()
            return {}
        if word == "loss":
            return {"loss": float(contestant.loss())}
    raise ValueError(f"command={command.strip()!r} is not known: use train, given, again, loss or quit")


def main(arguments: list[str]) -> None:
    name, workload, dtype, threads = arguments
    serve(lambda: start(name, workload_of(workload), dtype, int(threads)))


def serve(begin: Callable[[], tuple[Any, dict[str, Any]]]) -> None:
    """Says what `begin` gives to say, and answers its contestant's commands until the last one."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # a library that prints must not answer for us
    contestant, first = begin()
    print(json.dumps(first), file=answers)
    if contestant is None:
        return
    for line in sys.stdin:
        if line.strip() == "quit":
            return
        print(json.dumps(answer(contestant, line)), file=answers)


def workload_of(text: str) -> Workload:
    """The workload of this name; "xor@20" is xor on 20 rows."""
    name, _, rows = text.partition("@")
    found = WORKLOADS[name]
    return found.with_rows(int(rows)) if rows else found


if __name__ == "__main__":
    main(sys.argv[1:])
