"""Threads that take pieces of the rows by turns: for predictions and scores, where no piece waits for another.

Who finishes a piece takes the next one, so that a thread whose core has other work to do takes fewer.
"""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from fastmlp import interrupts, threads
from fastmlp import plan as at
from fastmlp.pace import Pace, remembered
from fastmlp.reference.arithmetic import LINE
from fastmlp.spec import Spec

SHARED_WORK = 300_000_000  # parameters x rows, from which threads may pay: some 6 ms of one core
SHORTEST = 0.005  # seconds of a call that tells whether they do: less is lost to one thread that waits for a core
BLOCK_WORK = 2_000_000_000  # parameters x rows of a call, of which some tell what is best for the others
NO_LOOK = -(2**62)  # only the main thread looks for Ctrl-C
OVER = 2**40  # pieces: none is left
ALONE = Pace((1, True))


def pace_of(spec: Spec, rows: int, piece: int, asked: int | None) -> Pace:
    """How many threads work on so many rows: as many as are asked for; or as there are cores, while that is faster."""
    if rows <= piece:
        return ALONE
    asked = asked or threads.asked()
    parts = math.ceil(rows / piece)
    if asked:
        return Pace((min(asked, parts), True))
    if rows * spec.parameters < SHARED_WORK or threads.available() == 1:
        return ALONE
    members = min(threads.available(), parts)
    return remembered((spec, "pieces", members), (members, False), SHORTEST)


def run(function: Callable[[int, int], int], plans: Sequence[np.ndarray], parameters: int) -> bool:
    """Runs function(plan, parameters) by the first plan, and by the others in threads of the crew, if that is free.

    -> whether all ended DONE. Raises what Python's handler of Ctrl-C does, when nobody works on it any more.
    """
    crew = threads.crew()
    if len(plans) == 1 or not crew.free.acquire(blocking=False):
        return _alone(function, plans[0], parameters) == at.DONE
    try:
        numbers = np.zeros(2 * LINE // 8, np.int64)
        turns = numbers[-numbers.ctypes.data % LINE // 8 :]  # a line of its own
        turns[0] = len(plans)
        for first, plan in enumerate(plans):
            plan[at.TURNS], plan[at.START] = turns.ctypes.data, first * plan[at.PIECE]
            plan[at.WORK] = NO_LOOK if first else plan[at.WORK]
        states: list[int] = []
        wait = None
        try:
            with interrupts.later():  # nobody may go on working on what the caller has left
                jobs = [partial(_noted, states, function, plan.ctypes.data, parameters) for plan in plans[1:]]
                wait = crew.start(jobs)
            states.append(_alone(function, plans[0], parameters))
        finally:
            with interrupts.later():
                turns[0] = OVER
                if wait is not None:
                    wait()
                for first, plan in enumerate(plans):
                    plan[at.TURNS] = plan[at.START] = 0
                    plan[at.WORK] = 0 if first else plan[at.WORK]
        return all(state == at.DONE for state in states) and len(states) == len(plans)
    finally:
        crew.free.release()


def _noted(states: list[int], function: Callable[[int, int], int], plan: int, parameters: int) -> None:
    states.append(function(plan, parameters))


def _alone(function: Callable[[int, int], int], plan: np.ndarray, parameters: int) -> int:
    address = plan.ctypes.data
    while (state := function(address, parameters)) == at.INTERRUPTED:
        signal.raise_signal(signal.SIGINT)
    return state
