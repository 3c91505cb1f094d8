"""A contestant of `benchmarks.many` in a process of its own: as `contestant`, with the commands

    check 20    trains the new models for 20 epochs in fastmlp's orders    {"seconds": 0.1, "losses": [...]}
    train 20    trains all models on for 20 epochs                         {"seconds": 0.1}
    make        makes all models again                                     {"seconds": 0.1}
    quit        ends

It first says {"ready": true, "prepare_s", "make_s", "note", "versions", "tolerance", "blas", "held_back"}, or
{"missing": why}. prepare_s: of data and functions, compiled or loaded; make_s: of the models.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from typing import Any

import numpy as np

from . import fair
from .contestants import Unable, many
from .many_cases import cell


def start(name: str, text: str, dtype: str, threads: int) -> tuple[Any, dict[str, Any]]:
    """(the contestant, or None; what it says first)."""
    module = many.module(name)
    why = module.available()
    if why is not None:
        return None, {"missing": why}
    for library in module.IMPORTS:  # what that takes is Python's and the disk's, not its way of training
        importlib.import_module(library)
    case, models = cell(text)
    try:
        contestant = module.Contestant(case, models, dtype, threads)
        started = time.perf_counter()
        contestant.build()
        prepared = time.perf_counter()
        contestant.make()
        seconds = {"prepare_s": prepared - started, "make_s": time.perf_counter() - prepared}
    except Unable as error:
        return None, {"missing": str(error)}
    told = {"note": contestant.note, "tolerance": contestant.tolerance, **seconds}
    products = getattr(module, "products", fair.blas)()  # where the library has its own, that threadpoolctl cannot see
    told |= {"blas": products, "held_back": fair.held()}
    return contestant, {"ready": True, **told, "versions": module.versions()}


def answer(contestant: Any, command: str) -> dict[str, Any]:
    """Does what a line asks for. Raises ValueError for a command that is not known."""
    word, *more = command.split()
    if word == "train":
        return {"seconds": float(contestant.run(int(more[0]), given=False))}
    if word == "check":
        started = time.perf_counter()
        contestant.run(int(more[0]), given=True)
        return {"seconds": time.perf_counter() - started, "losses": [float(loss) for loss in contestant.losses()]}
    if word == "make":
        started = time.perf_counter()
        contestant.make()
        return {"seconds": time.perf_counter() - started}
    raise ValueError(f"command={command.strip()!r} is not known: use check, train, make or quit")


def main(arguments: list[str]) -> None:
    name, text, dtype, threads = arguments
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # a library that prints must not answer for us
    with np.errstate(all="ignore"):
        contestant, first = start(name, text, dtype, int(threads))
        print(json.dumps(first), file=answers)
        if contestant is None:
            return
        try:
            for line in sys.stdin:
                if line.strip() == "quit":
                    break
                print(json.dumps(answer(contestant, line)), file=answers)
        finally:
            contestant.end()
