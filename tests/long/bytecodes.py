"""An exception between any two bytecodes of the package: fits of models and estimators, predict, evaluate, save, load.

    python tests/long/bytecodes.py              every bytecode, some 125,000: an hour
    python tests/long/bytecodes.py --every 50   each 50th

Each scenario of tests/storms.py is run once for each bytecode that its call executes; an exception is raised there, and
what must hold afterwards is checked. Compiling is left out: it happens in another thread, where no signal is handled.
Prints counts, and ends with 1 if anything is wrong.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from storms import EXCEPTIONS, events, scenarios, strike


def storm(name, make, every, first=0):
    """-> (bytecodes, of them struck, [what went wrong])."""
    scenario = make()
    count, struck, wrong = len(events(scenario)), 0, []
    for n in range(first, count, every):
        try:
            struck += strike(scenario, n, EXCEPTIONS[n // every % len(EXCEPTIONS)]) is not None
        except AssertionError as error:
            wrong.append(f"{name}: {error}")
    return count, struck, wrong


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--only", help="scenarios whose name begins so")
    arguments = parser.parse_args()
    total, failures = 0, []
    with tempfile.TemporaryDirectory() as folder:
        for name, make in scenarios(folder).items():
            if arguments.only and not name.startswith(arguments.only):
                continue
            started = time.perf_counter()
            count, struck, wrong = storm(name, make, arguments.every)
            spent = time.perf_counter() - started
            print(f"{count:8d} bytecodes, {struck} struck, {len(wrong)} wrong, {spent:.0f} s: {name}")
            for text in wrong[:5]:
                print("   WRONG", text)
            total += struck
            failures += wrong
    print(f"{total} struck, {len(failures)} wrong")
    sys.exit(1 if failures or not total else 0)
