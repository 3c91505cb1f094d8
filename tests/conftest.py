"""Which tests run: `pytest --all` runs all; else those marked `slow`, and a part of large products, are left out.

Where a test is parametrised over a product of sets, its cases meet every pair of values and not every combination; of
two sets that both have more than 6 values, as activations and losses, they meet each value and not every pair. What is
left out is counted as "deselected".

`@pytest.mark.sample(n)` leaves n cases of a test: where cases are dear and each tells much the same.
"""

import faulthandler
import os
import signal
import sys
from collections import defaultdict
from itertools import combinations

import pytest

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # a shell starts jobs in the background so
    signal.signal(signal.SIGINT, signal.default_int_handler)

MANY = 8  # cases of a test up to which all are run
WIDE = 6  # values of a parameter
HANGS = 900  # seconds after which a test has hung: the slowest take 60 on two shared cores

STDERR = pytest.StashKey()


def pytest_addoption(parser):
    parser.addoption("--all", action="store_true", help="run slow tests and every case of products of parameters")


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: runs with --all only")
    config.addinivalue_line("markers", "sample(n): n of its cases run without --all")
    config.stash[STDERR] = open(os.dup(2), "w")  # noqa: SIM115 (kept: pytest puts another file in the place of 2)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Ends a process whose test hangs, even inside a kernel, and shows where: pytest-xdist then names the test."""
    faulthandler.dump_traceback_later(HANGS, exit=True, file=item.config.stash[STDERR])
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


@pytest.fixture
def own_helpers(monkeypatch):
    """Lists the threads of a pool that is this test's own, into which it may send exceptions.

    One that is left in a thread that sleeps hangs every later trace: CPython 3.11 never gets past a function's first
    bytecode then (sys.settrace, seen in 3.11.7). So the threads are woken and end with the test.
    """
    from fastmlp.system import thread_pool

    monkeypatch.setattr(thread_pool, "_crew", thread_pool.Crew())
    return lambda: [
        thread for made in thread_pool.crew()._made if (helper := made()) is not None for thread in helper._serving
    ]


@pytest.fixture(autouse=True)
def no_kernel_needs_the_whole_compiler(request, monkeypatch):
    """It takes twice as long. With a cold cache, the tests of kernels compile most of them."""
    if request.node.path.parent.name != "kernels":
        return
    from fastmlp.jit import compilation

    whole = compilation.compile_by_numba

    def asked_for(function, signature, **options):
        assert options, f"{function.__name__} needs Numba's whole compiler: docs/numba.md says what kernels may use"
        return whole(function, signature, **options)

    monkeypatch.setattr(compilation, "compile_by_numba", asked_for)


@pytest.fixture(autouse=True)
def no_workspaces_of_other_tests():
    """A test that looks at what is allocated or loaded sees all of it."""
    kept = sys.modules.get("fastmlp.engine.kept_workspaces")
    if kept is not None:
        kept._kept.clear()


@pytest.fixture(autouse=True)
def no_figures_of_other_tests():
    """pyplot keeps what is not closed, and warns of more than 20 figures."""
    yield
    if (pyplot := sys.modules.get("matplotlib.pyplot")) is not None:
        pyplot.close("all")


def covering(cases, most=None):
    """Numbers of cases, in their order, that cover what there is to meet, or the first `most` of those that do.

    cases: a dictionary {parameter: value} each. Greedy: the first of the cases that meet most of what is missing.
    """
    values = defaultdict(set)
    for case in cases:
        for name, value in case.items():
            values[name].add(value)
    wide = {name for name in values if len(values[name]) > WIDE}
    met = []
    for case in cases:
        pairs = combinations(sorted(case.items()), 2)
        met.append([*(pair for pair in pairs if not {pair[0][0], pair[1][0]} <= wide), *case.items()])
    missing = {thing for things in met for thing in things}
    kept, left = [], dict(enumerate(met))
    while missing and len(kept) != most:
        best = max(left, key=lambda number: sum(thing in missing for thing in left[number]))
        missing.difference_update(left.pop(best))
        kept.append(best)
    return sorted(kept)


def spread(count, most):
    """The numbers of `most` of `count` cases, from the first to the last."""
    return {number * (count - 1) // max(1, most - 1) for number in range(most)}


def pytest_collection_modifyitems(config, items):
    if config.getoption("--all") or any("::" in argument and "[" in argument for argument in config.args):
        return
    left_out = {id(item) for item in items if item.get_closest_marker("slow")}
    products = defaultdict(list)
    for item in items:
        if id(item) not in left_out and hasattr(item, "callspec"):
            products[item.nodeid.partition("[")[0]].append(item)
    for cases in products.values():
        sample = cases[0].get_closest_marker("sample")
        most = len(cases) if sample is None else min(*sample.args, len(cases))
        if len(cases[0].callspec.params) == 1:
            kept = spread(len(cases), most)
            left_out |= {id(item) for number, item in enumerate(cases) if number not in kept}
        elif len(cases) > min(MANY, most):
            values = [{name: repr(value) for name, value in item.callspec.params.items()} for item in cases]
            kept = set(covering(values, most))
            left_out |= {id(item) for number, item in enumerate(cases) if number not in kept}
    if left_out:
        config.hook.pytest_deselected(items=[item for item in items if id(item) in left_out])
        items[:] = [item for item in items if id(item) not in left_out]
