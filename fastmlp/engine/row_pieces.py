"""Threads that take pieces of the rows by turns: for predictions and scores, where no piece waits for another.

Who finishes a piece takes the next one, so that a thread whose core has other work to do takes fewer.
"""

from __future__ import annotations

import math
import signal
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from fastmlp.engine import doors
from fastmlp.engine.plan_writer import take_turns
from fastmlp.engine.thread_tuner import Pace, remembered
from fastmlp.jit.machine_code import Function
from fastmlp.kernels import plan as at
from fastmlp.kernels import registry
from fastmlp.kernels.registry import Floats, Int, Ints
from fastmlp.spec import Spec
from fastmlp.system import thread_pool

SHARED_WORK = 300_000_000  # parameters x rows, from which threads may pay: some 6 ms of one core
SHORTEST = 0.005  # seconds of a call that tells whether they do: less is lost to one thread that waits for a core
BLOCK_WORK = 2_000_000_000  # parameters x rows of a call for each thread, some 50 ms: then Python sees to signals
ALONE = Pace((1, True))
_LEAD = (Ints, Floats, Int, Ints, Int)
_HELP = (Ints, Floats, Int, Ints)


def pace_of(spec: Spec, rows: int, piece: int, asked: int | None) -> Pace:
    """How many threads work on so many rows: as many as are asked for; or as there are cores, while that is faster."""
    if rows <= piece:
        return ALONE
    asked = asked or thread_pool.asked()
    parts = math.ceil(rows / piece)
    if asked:
        return Pace((min(asked, parts), True))
    if rows * spec.parameters < SHARED_WORK or thread_pool.available() == 1:
        return ALONE
    members = min(thread_pool.available(), parts)
    return remembered((spec, "pieces", members), (members, False), SHORTEST)


def block_rows(spec: Spec, piece: int, members: int) -> int:
    """Rows of one call: whole pieces, at least one for each thread."""
    return max(members, members * BLOCK_WORK // (piece * spec.parameters)) * piece


def run(kernel: str, dtype: str, plans: Sequence[np.ndarray], parameters: int, *owners: object) -> tuple[bool, int]:
    """Runs a kernel of pieces by the first plan, and by the others in threads of the crew.

    owners: of all memory that the plans reach. -> (whether it ended DONE, how many threads took part). Raises what
    Python's handler of Ctrl-C does, when nobody works on it any more.
    """
    first, dtype = plans[0].ctypes.data, str(dtype)
    if len(plans) == 1:
        alone = registry.function(kernel, dtype, (Ints, Floats))
        while (state := alone(first, parameters)) == at.INTERRUPTED:
            signal.raise_signal(signal.SIGINT)
        return state == at.DONE, 1
    function = registry.address(kernel, dtype)
    lead = registry.function("predict.lead", dtype, _LEAD)
    help_out = registry.function("predict.help_out", dtype, _HELP)
    turns = doors.lines(2)
    turns[at.TAKEN] = plans[0][at.START] // plans[0][at.PIECE] + 1
    take_turns(plans, turns.ctypes.data)
    state, came = at.INTERRUPTED, 0
    while state == at.INTERRUPTED:
        call_doors = doors.Doors(len(plans) - 1)
        tasks = [
            partial(_help, help_out, (plan, turns, call_doors, owners), parameters, function, call_doors.of(place))
            for place, plan in enumerate(plans[1:])
        ]
        thread_pool.crew().help(tasks)
        state = lead(first, parameters, function, call_doors.address, call_doors.helpers)
        came = max(came, call_doors.left())
        if state == at.INTERRUPTED:
            signal.raise_signal(signal.SIGINT)
    take_turns(plans, 0)
    return state == at.DONE, 1 + came


def _help(kernel: Function, owned: tuple[Any, ...], parameters: int, function: int, door: int) -> None:
    kernel(owned[0].ctypes.data, parameters, function, door)
