"""A storm of signals over short calls by several threads: no hang, no crash, no wrong bit, no thread still running.

    python tests/long/signals.py --signals 10000 --seed 1

Processes of their own train, one model or several together, predict and score with two threads again and again, while
SIGINT, SIGALRM and SIGTERM, whose handlers raise, arrive at random moments, and exceptions are sent into the calling
thread and into the helpers' (PyThreadState_SetAsyncExc). After each of them the next calls must give the right bits; a
model that was interrupted must stand after one of its epochs, with a history that tells of these, and go on to the
right end. Prints counts, and ends with 1 if anything is wrong.
"""

import argparse
import collections
import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
QUIET = 60  # seconds without a word from a process, after which it hangs


def storm(signals, seed, kinds=("fit", "layered", "together", "predict", "evaluate"), quiet=QUIET):
    """Runs the storm. -> ({what: how often}, [what went wrong])."""
    counts, wrong = collections.Counter(), []
    for number, kind in enumerate(kinds):
        share = signals // len(kinds)
        ran, failed = _one(kind, share, seed + number, quiet)
        counts.update(ran)
        wrong += [f"{kind}: {text}" for text in failed]
    return counts, wrong


def _one(kind, signals, seed, quiet):
    command = [sys.executable, str(Path(__file__)), "--child", kind, "--signals", str(signals), "--seed", str(seed)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        out, err = child.communicate(timeout=quiet + signals * 0.5)
    except subprocess.TimeoutExpired:
        child.kill()
        out, _ = child.communicate()
        return {}, [f"hung, after {out[-300:]!r}"]
    if child.returncode != 0:
        return {}, [f"ended with {child.returncode}: {out[-300:]} {err[-1500:]}"]
    told = json.loads(out.splitlines()[-1])
    return told["counts"], told["wrong"]


# ---------------------------------------------------------------------------------------------------------
# In a process of its own


class Deadline(Exception):
    """What the handlers raise, beside KeyboardInterrupt."""


def child(kind, signals, seed):
    import ctypes
    import os
    import random
    import signal
    import threading
    import time

    from storms import Fitting, Reading, Together, files_open, native_threads, settled

    from fastmlp.system import thread_pool

    scenario = {
        "fit": lambda: Fitting([8, 16, 2], 1536, 3, threads=2),
        "layered": lambda: Fitting([64, 300, 2], 70, 3, threads=2, batch_size=50, learning_rate=0.01),
        "together": lambda: Together(2),
        "predict": lambda: Reading([8, 64, 64, 2], 6000, "predict_proba", threads=2),
        "evaluate": lambda: Reading([8, 64, 64, 2], 6000, "evaluate", threads=2),
    }[kind]()

    def stop(*_):
        raise Deadline

    signal.signal(signal.SIGALRM, stop)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    draw = random.Random(seed)
    raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
    caller = threading.get_ident()
    counts, wrong = collections.Counter(), []
    sys.unraisablehook = lambda what: counts.update({f"ended a helper ({what.exc_type.__name__})": 1})

    def helpers():
        return [
            thread for thread, frame in sys._current_frames().items()
            if thread != caller and any(f.f_code.co_name == "_serve" for f in _stack(frame))
        ]  # fmt: skip

    def send(way, delay):
        time.sleep(delay)
        if way == "thread":
            raise_in(ctypes.c_ulong(caller), ctypes.py_object(Deadline))
        elif way == "helper":
            for thread in helpers():
                raise_in(ctypes.c_ulong(thread), ctypes.py_object(Deadline))
        else:
            os.kill(os.getpid(), getattr(signal, way))

    of = scenario.ready()
    started = time.perf_counter()
    scenario.call(of)
    scenario.check(of)
    usual = min(time.perf_counter() - started, 0.05)
    ready_threads, files = native_threads(), files_open()
    ways = ("SIGINT", "SIGALRM", "SIGTERM", "thread", "helper")
    while counts["sent"] < signals and not wrong:
        way = draw.choice(ways)
        of = scenario.ready()
        sender = threading.Thread(target=send, args=(way, draw.uniform(0, 1.2 * usual)))
        cut = False
        try:
            sender.start()
            scenario.call(of)
            while sender.is_alive():  # the signal may come after the call
                sender.join(0.001)
            time.sleep(0)
        except (KeyboardInterrupt, Deadline):
            cut = True
        while True:
            try:
                sender.join()
                time.sleep(0)
                break
            except (KeyboardInterrupt, Deadline):
                counts["came late"] += 1
        counts["sent"] += 1
        counts[way] += 1
        counts["cut a call short"] += cut
        try:
            scenario.check(of)
            if not settled(lambda: native_threads() <= max(ready_threads, 2)):
                raise AssertionError(f"{native_threads()} threads")
            if files_open() > files:
                raise AssertionError(f"{files_open()} files")
        except Exception as error:
            import traceback

            wrong.append(f"after {counts['sent']} ({way}, cut {cut}): {error!r} {traceback.format_exc()[-700:]}")
    assert thread_pool.crew() is not None
    print(json.dumps({"counts": counts, "wrong": wrong}))


def _stack(frame):
    while frame is not None:
        yield frame
        frame = frame.f_back


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--signals", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child, arguments.signals, arguments.seed)
    else:
        counted, found = storm(arguments.signals, arguments.seed)
        for what, count in sorted(counted.items()):
            print(f"{count:8d} {what}")
        for text in found:
            print("WRONG", text)
        print(f"{counted['sent']} sent, {len(found)} wrong")
        sys.exit(1 if found or counted["sent"] < arguments.signals else 0)
