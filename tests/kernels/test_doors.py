"""The doors between a leader and its helpers: who may touch what, and when."""

import itertools
import threading
import time

import numpy as np
import pytest

from fastmlp import Model
from fastmlp.engine import doors, row_pieces
from fastmlp.engine.forward import Pass, empty
from fastmlp.kernels import plan as at
from fastmlp.kernels import registry
from fastmlp.kernels.registry import Floats, Int, Ints
from fastmlp.system import thread_pool

LEAD = row_pieces._LEAD
HELP = row_pieces._HELP


class Call:
    """A prediction by a leader and helpers whose moments the test chooses."""

    def __init__(self, helpers=1, rows=2000):
        self.model = Model([3, 8, 2], seed=1)
        self.x = np.random.default_rng(0).standard_normal((rows, 3))
        self.expected = self.model.predict_proba(self.x, threads=1)
        spec, parameters = self.model.spec, self.model._network.parameters
        self.parameters = parameters.ctypes.data
        self.result = empty(spec, "outputs", rows)
        self.passes = [Pass(spec, parameters, "streamed", 512, 0) for _ in range(helpers + 1)]
        self.turns, self.doors = doors.lines(2), doors.Doors(helpers)
        self.turns[at.TAKEN] = 1
        for ready in self.passes:
            ready.take("outputs", rows, self.x.ctypes.data, self.result.ctypes.data)
            ready.plan[at.TURNS] = self.turns.ctypes.data
        self.function = registry.address("predict.checked", "float64")
        self.leads = registry.function("predict.lead", "float64", LEAD)
        self.helps = registry.function("predict.help_out", "float64", HELP)

    def lead(self):
        state = self.leads(
            self.passes[0].plan.ctypes.data, self.parameters, self.function, self.doors.address, self.doors.helpers
        )
        assert state == at.DONE
        assert self.result.tobytes() == self.expected.tobytes()

    def help(self, number=0):
        self.helps(self.passes[number + 1].plan.ctypes.data, self.parameters, self.function, self.doors.of(number))

    def states(self):
        return self.doors.words[:: at.DOOR].tolist()


def test_without_a_helper_the_door_is_closed():
    call = Call()
    call.lead()
    assert call.states() == [at.CLOSED]


def test_a_helper_that_comes_too_late_touches_nothing():
    call = Call()
    call.lead()
    call.result[:] = 7
    before = call.passes[1].plan.copy()
    call.help()
    assert (call.result == 7).all()
    assert call.passes[1].plan.tobytes() == before.tobytes()
    assert call.states() == [at.CLOSED]


def test_a_helper_that_no_leader_lets_in_gives_up():
    call = Call()
    call.result[:] = 7
    call.help()
    assert (call.result == 7).all()
    assert call.states() == [at.SHUT]


@pytest.mark.parametrize("helpers", [1, 3])
def test_the_leader_ends_when_all_who_came_have_left(helpers):
    """Hundreds of races: whoever comes in has left when the leader's kernel returns."""
    came, until = 0, time.monotonic() + 100
    for round_of in itertools.count():  # on a busy machine it may take long until one comes in
        if round_of >= 300 and (came or thread_pool.available() == 1 or time.monotonic() > until):
            break
        if round_of % 100 == 0:
            call = Call(helpers)
        call.doors, call.turns[at.TAKEN] = doors.Doors(helpers), 1
        call.result[:] = 0
        others = [threading.Thread(target=call.help, args=(number,)) for number in range(helpers)]
        for other in others:
            other.start()
        if round_of % 3 == 0:
            time.sleep(round_of % 2 * 0.0005)
        call.lead()
        states = call.states()
        call.result[:] = 7
        assert set(states) <= {at.LEFT, at.CLOSED}
        came += states.count(at.LEFT)
        for other in others:
            other.join()
        assert (call.result == 7).all()  # nobody wrote after the leader's kernel
        assert call.states() == states
    assert came or thread_pool.available() == 1


def test_a_helper_that_met_what_is_not_finite_tells_it():
    call = Call()
    call.x[1999] = np.nan
    found = set()
    for _ in range(50):
        call.doors, call.turns[:] = doors.Doors(1), 0
        call.turns[at.TAKEN] = 1
        other = threading.Thread(target=call.help)
        other.start()
        found.add(call.leads(call.passes[0].plan.ctypes.data, call.parameters, call.function, call.doors.address, 1))
        other.join()
    assert found == {at.DIVERGED}


def test_the_signatures_are_those_of_the_kernels():
    registry.load_all()
    assert registry.PAIRS["predict.lead"].arguments == LEAD == (Ints, Floats, Int, Ints, Int)
    assert registry.PAIRS["predict.help_out"].arguments == HELP == (Ints, Floats, Int, Ints)
