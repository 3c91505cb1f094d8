"""Kernels load while their process is disturbed at random moments: by signals, exceptions into threads, exits, forks.

    python tests/long/loading_storm.py [--rounds 20]

Each round is a process of each kind, with an empty cache and with a full one. Prints counts, with how many of the
disturbances came while kernels were loading; exits 1 if a process ended otherwise than it should.
tests/jit/test_cache_storms.py runs it with few rounds.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from cache_storm import LOAD, RIGHT, RUN, ended, start

COMMON = (
    LOAD
    + """
import ctypes, gc, os, signal, threading, time
delay = float(sys.argv[1])
class Stop(BaseException): pass
def stop(*_):
    raise Stop
settings = gc.isenabled(), gc.get_threshold(), sys.getswitchinterval()
def settled():
    from fastmlp.system import background
    end = time.monotonic() + 60
    while any(worker.busy or worker._queue or worker._taken for worker in background._workers):
        assert time.monotonic() < end, "a worker hangs"
        time.sleep(0.001)
    assert (gc.isenabled(), gc.get_threshold(), sys.getswitchinterval()) == settings
    if "numba" in sys.modules:
        assert sys.modules["numba"].config.DISABLE_JIT == 0
        assert sys.modules["numba"].njit(lambda a: a + 1)(2) == 3
def again(stopped):
    found = []
    thread = threading.Thread(target=lambda: found.append(load()), daemon=True)
    thread.start()
    thread.join(90)
    settled()
    print(load() if found == [load()] else "another thread hangs", stopped)
"""
)
SIGNAL = """
for name in ("SIGALRM", "SIGINT", "SIGTERM"):
    signal.signal(getattr(signal, name), stop)
signal.setitimer(signal.ITIMER_REAL, delay)
if sys.argv[2] != "SIGALRM":
    signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), getattr(signal, sys.argv[2])))
stopped = False
try:
    load()
    signal.setitimer(signal.ITIMER_REAL, 0)
except Stop:
    stopped = True
again(stopped)
"""
KINDS = {
    "an alarm": (SIGNAL, "SIGALRM"),
    "Ctrl-C": (SIGNAL, "SIGINT"),
    "a request to end": (SIGNAL, "SIGTERM"),
    "alarms": """
armed, stops = [], []
def stop_once(*_):
    if armed:
        armed.clear()
        stops.append(1)
        raise Stop
signal.signal(signal.SIGALRM, stop_once)
signal.setitimer(signal.ITIMER_REAL, delay, 0.003)
end = time.monotonic() + 1
def load_armed():
    armed.append(1)
    load()
    armed.clear()
while time.monotonic() < end:
    try:
        load_armed()
    except Stop:
        pass
signal.setitimer(signal.ITIMER_REAL, 0)
again(len(stops) > 1)
""",
    "an exception into a thread": """
stopped = []
def run():
    try:
        load()
    except Stop:
        stopped.append(1)
thread = threading.Thread(target=run)
thread.start()
time.sleep(delay)
ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(Stop))
thread.join(90)
again(bool(stopped))
""",
    "the end of the process": """
signal.signal(signal.SIGALRM, stop)
signal.setitimer(signal.ITIMER_REAL, delay)
try:
    load()
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(load(), False, flush=True)
except Stop:  # and the interpreter ends while the kernels go on loading
    print([0.0, 16.0, 1.0, 17.0, 2.0, 18.0], True, flush=True)
""",
    "a fork": """
stopped = []
thread = threading.Thread(target=load)
thread.start()
time.sleep(delay)
child = os.fork()
if child == 0:
    signal.alarm(90)
    right = load() == load() and (gc.isenabled(), gc.get_threshold(), sys.getswitchinterval()) == settings
    os._exit(0 if right else 1)
stopped = thread.is_alive()
status = os.waitpid(child, 0)[1]
thread.join()
assert status == 0, os.waitstatus_to_exitcode(status)
again(stopped)
""",
}


def storm(rounds: int, kinds=tuple(KINDS)) -> tuple[Counter, list[str]]:
    """How often each kind came amid loading, and what was wrong."""
    count, wrong = Counter(), []
    with tempfile.TemporaryDirectory() as place:
        full = Path(place, "full")
        assert ended(start(RUN, full), RIGHT) is None
        for number in range(rounds):
            for kind in kinds:
                script, *arguments = KINDS[kind] if isinstance(KINDS[kind], tuple) else (KINDS[kind],)
                for cached in (False, True):
                    folder = full if cached else Path(place, f"{kind} {number}")
                    # Loading takes some 2 s and 0.06 s on an idle core
                    delay = random.uniform(0.001, 0.1 if cached else 2.0)
                    process = start(COMMON + script, folder, str(delay), *arguments)
                    out, fault = "", None
                    try:
                        out, err = process.communicate(timeout=150)
                        if process.returncode or not out.startswith(RIGHT):
                            fault = f"status {process.returncode}, printed {out[:200]!r}, {err.strip()[-400:]}"
                    except Exception as error:
                        process.kill()
                        fault = f"it hangs: {error}"
                    if fault:
                        wrong.append(f"{kind}, {'full' if cached else 'empty'} cache, {delay:.4f} s: {fault}")
                    count[kind, "amid" if "True" in out else "after"] += 1
    return count, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--kind", choices=KINDS, nargs="*", default=list(KINDS))
    asked = parser.parse_args()
    count, wrong = storm(asked.rounds, asked.kind)
    for kind in asked.kind:
        print(f"{kind}: {count[kind, 'amid']} amid loading, {count[kind, 'after']} after it")
    print(f"{len(wrong)} wrong", *wrong, sep="\n  ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
