"""Processes that race for a cold cache, are killed while they write it, or find the disk full.

    python tests/long/cache_storm.py [--rounds 10]

Prints counts; exits 1 if any process ended otherwise than it should, used what was not whole, or left what stays.
tests/jit/test_cache_storms.py runs it with few rounds.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("layout.scatter", "layout.gather")
RIGHT = "[0.0, 16.0, 1.0, 17.0, 2.0, 18.0]"

# Loads two kernels, runs one of them, and says whether Numba was needed.
LOAD = f"""
import sys
import numpy as np
from fastmlp.kernels import registry
def load():
    for name in {NAMES!r}:
        registry.begin(name, "float64")
    for name in {NAMES!r}:
        assert registry.address(name, "float64")
    tile, x = np.arange(32.0), np.zeros((3, 2))
    run = registry.function("layout.scatter", "float64", ("Floats", "Int", "Int", "Int", "Floats", "Int"))
    run(tile.ctypes.data, 16, 3, 2, x.ctypes.data, 0)
    return x.ravel().tolist()
"""
RUN = LOAD + "print(load(), 'numba' in sys.modules)\n"
# Writes files of 0.1 to 2 MB one over the other until it is killed, each with one byte throughout.
WRITE = """
import itertools
from fastmlp.jit import cache
from fastmlp.jit.machine_code import Code
cache.stamp()
cache._stamp = cache.stamp
print("ready", flush=True)
for number in itertools.count():
    cache.write("storm.kernel", "float64", Code("f", (), bytes([number % 256]) * (100_000 + number % 20 * 100_000)))
"""
# Reads that file until it is told to stop: how often it was there, and whether it was ever anything but whole.
READ = """
import sys, threading
from fastmlp.jit import cache
stop = []
threading.Thread(target=lambda: stop.append(sys.stdin.read()), daemon=True).start()
found = missed = 0
while not stop:
    code = cache.read("storm.kernel", "float64")
    if code is None:
        missed += 1
    else:
        found += 1
        assert len(set(code.object)) == 1 and len(code.object) % 100_000 == 0
print(found, missed)
"""
FORKS = (
    LOAD
    + """
import multiprocessing, os
def child(_=None):
    return load()
if __name__ == "__main__":
    method = sys.argv[1]
    if method == "thread fork":  # while another thread loads
        import threading, time
        thread = threading.Thread(target=load)
        thread.start()
        time.sleep(float(sys.argv[2]))
        method = "fork"
    with multiprocessing.get_context(method).Pool(3) as pool:
        found = pool.map_async(child, range(3)).get(90)
    print(load(), found.count(load()))
"""
)


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "FASTMLP_CACHE_DIR": str(folder), "PYTHONPATH": str(ROOT)}


def start(script: str, folder: Path, *arguments: str, **more) -> subprocess.Popen:
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.Popen(
        command, env=environment(folder), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more
    )


def ended(process: subprocess.Popen, told: str) -> str | None:
    """What is wrong with a process's end: None where it printed what it should."""
    try:
        out, err = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        process.kill()
        return "it hangs"
    if process.returncode != 0 or not out.startswith(told):
        return f"status {process.returncode}, printed {out[:100]!r}, {err.strip()[-300:]}"
    return None


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def race(rounds: int, processes: int = 6) -> tuple[Counter, list[str]]:
    """Processes that start at once with an empty cache: each gets its kernels, and the cache is whole afterwards."""
    count, wrong = Counter(), []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place, "cache")
            running = [start(RUN, folder) for _ in range(processes)]
            faults = [fault for one in running if (fault := ended(one, RIGHT))]
            files = left(folder)
            if len(files) != len(NAMES) or not all(name.endswith(".kernel") for name in files):
                faults.append(f"left {files}")
            if fault := ended(start(RUN, folder), f"{RIGHT} False"):
                faults.append(f"afterwards: {fault}")
            count["raced"] += processes
            wrong += faults
    return count, wrong


def kills(rounds: int) -> tuple[Counter, list[str]]:
    """A writer that is killed again and again, beside a reader: nothing but whole files is ever used."""
    count, wrong = Counter(), []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "cache")
        reader = start(READ, folder, stdin=subprocess.PIPE)
        for _ in range(rounds):
            writer = start(WRITE, folder)
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
            time.sleep(random.uniform(0.001, 0.05))
            writer.kill()
            writer.communicate()
            count["killed"] += 1
        count["killed amid a write"] = sum(name.startswith(".new-") for name in left(folder))
        out, err = reader.communicate("stop", timeout=60)
        if reader.returncode != 0 or not int(out.split()[0]):
            wrong.append(f"the reader: {out} {err[-300:]}")
        else:
            count["read"] = int(out.split()[0])
        # What killed processes left goes when it is a day old, at the next write.
        for name in left(folder):
            os.utime(folder / name, (time.time() - 2 * 86400,) * 2)
        if fault := ended(start(RUN, folder), RIGHT):
            wrong.append(fault)
        if rest := [name for name in left(folder) if name.startswith(".new-")]:
            wrong.append(f"left {rest}")
    return count, wrong


def full_disk(rounds: int) -> tuple[Counter, list[str]]:
    """A disk that takes no more after so many bytes: a miss, no more. And one of 8 KB, where it can be mounted."""
    count, wrong = Counter(), []
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)\n"
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place, "cache")
            most = random.choice([0, 1, random.randrange(4000), random.randrange(4000)])
            if fault := ended(start("import sys\n" + limited + RUN, folder, str(most)), RIGHT):
                wrong.append(f"{most} bytes: {fault}")
            if rest := [name for name in left(folder) if (folder / name).stat().st_size >= most]:
                wrong.append(f"{most} bytes: left {rest}")
            count["limited files"] += 1
    with tempfile.TemporaryDirectory() as place:
        if os.name == "posix" and os.geteuid() == 0:
            mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k,mode=700", "tmpfs", place], check=False)
            if mounted.returncode == 0:
                try:
                    if fault := ended(start(RUN, Path(place, "cache")), RIGHT):
                        wrong.append(f"a full disk: {fault}")
                    if rest := [name for name in left(Path(place, "cache")) if name.startswith(".new-")]:
                        wrong.append(f"a full disk: left {rest}")
                    count["full disks"] += 1
                finally:
                    subprocess.run(["umount", place], check=True)
    return count, wrong


def starts(rounds: int) -> tuple[Counter, list[str]]:
    """Children of each kind, which find an empty cache; of fork, also while another thread of the parent compiles."""
    count, wrong = Counter(), []
    methods = [("spawn",), ("forkserver",), ("fork",), *(("thread fork", str(0.2 * n)) for n in range(1, 1 + rounds))]
    for method in methods if hasattr(os, "fork") else methods[:1]:
        with tempfile.TemporaryDirectory() as place:
            script = Path(place, "children.py")  # spawn imports it
            script.write_text(FORKS)
            process = subprocess.Popen(
                [sys.executable, str(script), *method],
                env=environment(Path(place, "cache")), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
            if fault := ended(process, f"{RIGHT} 3"):
                wrong.append(f"{method}: {fault}")
            count[method[0]] += 1
    return count, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    failed = 0
    for storm, times in ((race, rounds), (kills, 20 * rounds), (full_disk, 2 * rounds), (starts, rounds)):
        count, wrong = storm(times)
        print(
            f"{storm.__name__}: {', '.join(f'{n} {what}' for what, n in count.items())}; {len(wrong)} wrong", flush=True
        )
        for fault in wrong:
            print(f"  {fault}")
        failed += len(wrong)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
