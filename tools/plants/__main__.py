"""Plants faults in kernels, one at a time, and exits 1 unless the checks catch each.

    python -m tools.plants                     all of them, and all checks: the better part of an hour
    python -m tools.plants dense few           those in these files of fastmlp/kernels
    python -m tools.plants "first input"       those whose words hold this
    python -m tools.plants --quick             only the checks that a fault names
    python -m tools.plants --processes 2       two at a time

The faults are in the .txt files beside this one, one for each file of kernels:

    # what is wrong
    - the text there, which occurs once in the file
    + the text in its place
    ? the checks that see it soonest: `pair NAME`, `digests WORD`, `bounds`, `verify`, pytest's arguments; more by `;`

A fault is applied to a copy of the repository. Its own checks run first and then all others, until one fails. What does
not compile is no fault, and a check that fails without a fault is no check: both are errors. A check that takes far
longer than without a fault hangs, and has caught it.
"""

import argparse
import queue
import re
import shlex
import sys
import threading
from pathlib import Path
from typing import NamedTuple

from tools.copies import ROOT, copied, pytest

FOLDER = Path(__file__).parent
KERNELS = "fastmlp/kernels"
LONGEST = 1800  # seconds of a check without a fault
LEAST, SLOWER = 200, 5  # with one, it hangs after so many seconds, or so many times what it takes without
REST = (
    "pairs",
    "digests",
    "tests/kernels/test_train.py tests/engine/test_team.py tests/test_predictor.py tests/engine/test_row_pieces.py",
    "tests/kernels/test_objective.py tests/test_optimizers.py",
    "tests/fit/test_resume.py tests/fit/test_sample_weights.py",
    "bounds",
)
# of a plant that Numba or Python refuses
_ERRORS = r"(SyntaxError|IndentationError|NameError|ImportError|.*(Typing|Lowering)Error)"
BROKEN = re.compile(rf"^(E +)?{_ERRORS}\b", re.MULTILINE)
NO_RESULT = (2, 3, 4, 5)  # pytest's exit statuses: tests that cannot be read, wrong arguments, no tests


class Plant(NamedTuple):
    """A fault: exchange `old` for `new` in a file of kernels. checks: to try first."""

    file: str
    words: str
    old: str
    new: str
    checks: tuple[str, ...]

    def is_of(self, name):
        """Whether a name stands for this plant: that of its file, or else a part of its words."""
        return Path(self.file).stem == name if (FOLDER / f"{name}.txt").is_file() else name in self.words

    def planted(self, root=ROOT):
        """The file's text with the fault. Raises ValueError where the old text is not there once."""
        text = (root / KERNELS / self.file).read_text()
        if text.count(self.old) != 1:
            raise ValueError(
                f"{self.file}, {self.words!r}: its old text is {text.count(self.old)} times in {KERNELS}/{self.file}: "
                f"mend or remove the entry in tools/plants/{Path(self.file).stem}.txt\n{self.old}"
            )
        return text.replace(self.old, self.new)


def read(path):
    """The plants of one .txt file."""
    found = []
    for entry in re.split(r"\n\s*\n", path.read_text().strip()):
        lines = {mark: [] for mark in "#-+?"}
        for line in entry.splitlines():
            lines[line[0]].append(line[2:])
        assert all(lines[mark] for mark in "#-?"), f"{path.name}: an entry lacks a line:\n{entry}"
        checks = tuple(check.strip() for check in "".join(lines["?"]).split(";"))
        old, new = ("\n".join(lines[mark]) for mark in "-+")
        found.append(Plant(f"{path.stem}.py", " ".join(lines["#"]), old, new, checks))
    return found


def plants():
    return [plant for path in sorted(FOLDER.glob("*.txt")) for plant in read(path)]


def command(check):
    """A check's arguments to Python."""
    first, *more = shlex.split(check)
    if first == "pair":
        return pytest("tests/kernels/test_registry.py", "-k", " or ".join(f"[{name}-" for name in more))
    if first == "pairs":
        return pytest("tests/kernels/test_registry.py")
    if first == "digests":
        return ["tests/digests.py", "--check", *more]
    if first == "verify":
        return ["-m", "fastmlp", "verify"]
    if first == "bounds":
        return ["-m", "tools.bounds", *more]
    return pytest(first, *more)


def verdict(result):
    """What a check says: "green", "red", or why it says nothing."""
    if result.status is None:
        return "red"  # it hangs
    broken = BROKEN.search(result.output)
    if broken:
        return broken.group(0).strip()
    if result.status in NO_RESULT:
        return f"pytest ended with {result.status}"
    return "red" if result.status else "green"


def why(result):
    """The line that tells what a check saw."""
    if result.status is None:
        return "killed: it took too long"
    said = re.findall(r"^E +(.*(?:Error|assert).*)", result.output, re.MULTILINE)
    return (said or [line for line in result.output.splitlines() if line.strip()] or [f"status {result.status}"])[-1][
        :150
    ]


class Baseline:
    """What checks do without a fault, in a copy of their own: each is tried once, when it is asked for."""

    def __init__(self, copy):
        self._copy, self._limits, self._lock = copy, {}, threading.Lock()

    def limit(self, check):
        """The seconds after which a check hangs. Raises ValueError where it fails as it is."""
        with self._lock:
            if check not in self._limits:
                result = self._copy.run(command(check), LONGEST)
                if verdict(result) != "green":
                    raise ValueError(f"{check}: fails without a fault:\n{result.output[-2000:]}")
                self._limits[check] = max(LEAST, SLOWER * result.seconds)
            return self._limits[check]


def judge(copy, plant, baseline, quick):
    """-> (whether it was caught, by which check, what was said, seconds). Raises ValueError for what is no fault."""
    seconds = 0.0
    with copy.changed(f"{KERNELS}/{plant.file}", plant.planted(copy.root).encode()):
        for check in dict.fromkeys([*plant.checks, *(() if quick else REST)]):
            result = copy.run(command(check), baseline.limit(check))
            seconds += result.seconds
            said = verdict(result)
            if said == "red":
                return True, check, why(result), seconds
            if said != "green":
                raise ValueError(f"{check}: {said}\n{result.output[-2000:]}")
    return False, "", "", seconds


def work(plants, baseline, quick, found, lock):
    """Takes plants from a queue until it is empty, each in this thread's copy."""
    with copied() as copy:
        while True:
            try:
                plant = plants.get_nowait()
            except queue.Empty:
                return
            try:
                caught, check, said, seconds = judge(copy, plant, baseline, quick)
                state = "caught" if caught else "SURVIVED"
            except ValueError as error:
                state, check, said, seconds = "ERROR", "", str(error), 0.0
            with lock:
                found.append(state)
                print(f"{state:8} {seconds:4.0f} s  {plant.file}: {plant.words}  [{check}] {said}", flush=True)


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m tools.plants", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="files of kernels, or words of faults")
    parser.add_argument("--quick", action="store_true", help="only the checks that a fault names")
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args(arguments)
    chosen = [plant for plant in plants() if not options.names or any(plant.is_of(name) for name in options.names)]
    for plant in chosen:
        plant.planted()
    waiting, found, lock = queue.SimpleQueue(), [], threading.Lock()
    for plant in chosen:
        waiting.put(plant)
    with copied() as copy:
        arguments = waiting, Baseline(copy), options.quick, found, lock
        threads = [threading.Thread(target=work, args=arguments) for _ in range(options.processes)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    print(", ".join(f"{found.count(state)} {state}" for state in ("caught", "SURVIVED", "ERROR")))
    return int(not chosen or found.count("caught") != len(chosen))


if __name__ == "__main__":
    sys.exit(main())
