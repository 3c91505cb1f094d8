"""Runs all kernels with a check before each load and store; exits 1 unless all were inside their buffers.

    python -m tools.bounds                         pairs, digests, trainings and predictions: about five minutes
    python -m tools.bounds --every 20              each twentieth of each: a minute, of which most is compiling
    python -m tools.bounds --only trainings        one of them
    python -m tools.bounds --spare 123             what lies behind a workspace's buffers: fails, as 124 bytes are read
    FASTMLP_REGISTER_BYTES=32 python -m tools.bounds --every 4      for another processor's registers

A kernel may access the arrays that exist, each to its last byte; of a workspace's buffers also two lines (128 bytes)
behind the last number, as kernels read and write whole registers. In the pairs' cases it may access the arrays that it
was given, and nothing behind them. What is reached by a pointer has to lie in the array that the pointer points into,
unless it points into none. See ranges.py for what is allowed, instrument.py for how it is checked.
"""

import argparse
import os
import sys
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).parents[2]
SPARE = 2 * 64  # bytes behind the buffers of `workspace.aligned`
PARTS = ("pairs", "digests", "trainings", "together", "predictions")


def prepare(spare=SPARE):
    """Checks all kernels of this process from now on. fastmlp must not have been imported."""
    assert not any(name.partition(".")[0] == "fastmlp" for name in sys.modules), "import fastmlp afterwards"
    from tools.bounds import ranges

    ranges.install()
    from fastmlp.engine import buffers
    from fastmlp.kernels import registry
    from tools.bounds import instrument

    instrument.install()
    registry.load_all()
    real = buffers.aligned

    def narrow(count, dtype):
        array = real(count, dtype)
        ranges.narrow(array, spare)
        return array

    for module in [module for name, module in sys.modules.items() if name.startswith("fastmlp")]:
        if getattr(module, "aligned", None) is real:
            module.aligned = narrow


def violations():
    """Each load or store that was ever wrong, in words."""
    from tools.bounds import instrument, ranges

    found = [(site, *ranges.wrong(number)) for number, site in enumerate(instrument.sites)]
    return [f"{site} {where}; {times} times" for site, times, where in found if times]


def report(unrun=False):
    """Prints what was checked and what was wrong. -> whether anything was."""
    from fastmlp.kernels.registry import PAIRS
    from tools.bounds import instrument, ranges

    hits = ranges.state[ranges.HITS :][: len(instrument.sites)]
    ran = {site.kernel for site, times in zip(instrument.sites, hits, strict=True) if times}
    never = {f"{name} {dtype}" for name, kernel in PAIRS.items() for dtype in kernel.dtypes} - ran
    found = violations()
    print(f"kernels      {len(ran):,}, by their dtypes; never ran: {', '.join(sorted(never)) or 'none'}")
    print(f"sites        {int((hits > 0).sum()):,} of their {len(hits):,} loads and stores ran")
    if unrun:
        print(*(f"  {site}" for site, times in zip(instrument.sites, hits, strict=True) if not times), sep="\n")
    print(f"accesses     {int(instrument.accesses.sum()):,}")
    print(f"violations   {len(found)} sites", *found, sep="\n  ")
    return bool(found)


def main():
    parser = argparse.ArgumentParser(prog="python -m tools.bounds", description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--every", type=int, default=1, help="only each n-th case, training and network")
    parser.add_argument("--spare", type=int, default=SPARE, help="bytes that are allowed behind a workspace's buffers")
    parser.add_argument("--unrun", action="store_true", help="list the loads and stores that never ran")
    options = parser.parse_args()
    prepare(options.spare)
    from tools.bounds import instrument, workloads

    failed = False
    for name in options.only:
        started, before = time.perf_counter(), int(instrument.accesses.sum())
        try:
            getattr(workloads, f"run_{name}")(options.every)
        except Exception:
            traceback.print_exc()
            failed = True
        seconds, accesses = time.perf_counter() - started, int(instrument.accesses.sum()) - before
        print(f"{name:12} {accesses:>13,} accesses {seconds:6.1f} s", flush=True)
    return report(options.unrun) or failed


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / "tests")]
    status = 1
    try:
        status = int(main())
    except SystemExit as end:  # of argparse
        status = end.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)  # see ranges.py
