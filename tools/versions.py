"""Runs the tests with the oldest and the newest supported NumPy, Numba and scikit-learn, on each installed Python.

    python tools/versions.py                           a short selection of tests; some minutes for each row
    python tools/versions.py --all                     every test
    python tools/versions.py --only 3.10 --which oldest
    python tools/versions.py --python /opt/py/bin/python3.14 --keep ~/versions --json versions.json
    python tools/versions.py --list                    finds interpreters and versions, and installs nothing

Each combination has a virtual environment of its own in a temporary folder, or in that of --keep, which a later run
uses again. "Oldest" is the bounds of pyproject.toml, or where these have no wheel for that Python, the next series that
has one; Numba is chosen first, then the others within what it allows. Only wheels are installed.

Interpreters are those of --python, then of PATH, then of ~/.pyenv/versions; none is downloaded. What cannot be had
is listed with the reason and is no failure. Exits 1 where tests or digests fail, where fastmlp cannot be installed
beside what was chosen, and where nothing could be run.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

ROOT = Path(__file__).parents[1]
PYTHONS = tuple(f"3.{minor}" for minor in range(10, 15))
NAMES = ("numba", "numpy", "scikit-learn", "safetensors", "tqdm")  # in the order in which they are chosen
SHORT = (
    "kernels/test_registry.py", "storage/test_model_file.py", "estimators",
    *(f"kernels/test_train.py::test_{name}" for name in (
        "batches", "edges_of_lines_chunks_and_the_tree", "online_by_layers", "few_by_rows", "wide_layers",
    )),
)  # fmt: skip
LONGEST = 7200  # seconds that one command may take
PIP = ("-m", "pip", "--disable-pip-version-check", "--no-input")
WHEELS = ("--only-binary", ":all:")
PROBE = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2], sys.implementation.name)"
INSTALLED = (
    "import json, platform, importlib.metadata as m; "
    "print(json.dumps({'python': platform.python_version(), "
    "**{d.metadata['Name'].lower().replace('_', '-'): d.version for d in m.distributions()}}))"
)
COLUMNS = ("which", "python", "numpy", "numba", "llvmlite", "scikit-learn", "passed", "failed", "skipped", "seconds")


class Missing(Exception):
    """What cannot be had, and why; not a failure."""


class Ended(NamedTuple):
    status: int | None  # None: killed after LONGEST
    output: str


def run(command, folder=ROOT, settings=None):
    """Runs a command -> Ended, with its error output after its output. Nothing is raised for its failure."""
    try:
        ended = subprocess.run(
            [str(word) for word in command], cwd=folder, env=settings, timeout=LONGEST, text=True, errors="replace",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        return Ended(None, f"{error.output or ''}\ntook more than {LONGEST} s")
    except OSError as error:
        return Ended(127, str(error))
    return Ended(ended.returncode, ended.stdout)


# ---------------------------------------------------------------------------------------------------------
# Interpreters


def candidates(minor):
    """The files that may be Python 3.`minor`: of PATH, then of ~/.pyenv/versions, the newest first."""
    name = f"python3.{minor}" + (".exe" if sys.platform == "win32" else "")
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    kept = (Path.home() / ".pyenv" / "versions").glob(f"3.{minor}.*/bin/python")
    patches = sorted(kept, key=lambda path: key(path.parts[-3].partition(".")[2]), reverse=True)
    return [path for path in (*(folder / name for folder in folders), *patches) if path.is_file()]


def probe(path, run=run):
    """ "3.11" of a CPython that can make environments. Raises Missing."""
    status, output = run([path, "-I", "-c", PROBE])
    if status != 0:
        raise Missing(f"{path} does not work: {last_line(output)}")
    version, _, implementation = output.strip().rpartition("\n")[2].partition(" ")
    if implementation != "cpython":
        raise Missing(f"{path} is {implementation}, which Numba has no wheel for")
    return version


def interpreters(wanted, given=(), run=run):
    """{version: its interpreter, or Missing}. given: paths that come first; Missing is raised where one is no use."""
    found = {}
    for path in given:
        version = probe(path, run)
        if key(version) < key(PYTHONS[0]):
            raise Missing(f"{path} is Python {version}, and fastmlp needs {PYTHONS[0]}")
        found.setdefault(version, Path(path))
    for version in wanted:
        reasons = []
        for path in [] if version in found else candidates(int(version.partition(".")[2])):
            try:
                if probe(path, run) == version:
                    found[version] = path
                    break
            except Missing as missing:
                reasons.append(str(missing))
        if version not in found:
            nowhere = f"no python{version} on PATH or in ~/.pyenv/versions; name one with --python"
            found[version] = Missing("; ".join(reasons) or nowhere)
    return {version: found[version] for version in sorted(found, key=key)}


# ---------------------------------------------------------------------------------------------------------
# Versions


def key(version):
    """What versions are ordered by: the numbers of "1.24.0"."""
    return tuple(int(number) for number in re.findall(r"\d+", version))


def last_line(output):
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR: ") and "Ignored the following" not in line]
    return (errors or lines or ["no output"])[-1][:200]


def bounds(text):
    """{name: lowest version} of pyproject.toml's text, for NAMES. Raises ValueError where one has no lower bound."""
    found = {}
    for line in re.findall(r"^(?:dependencies|sklearn) = \[(.*?)\]", text, re.MULTILINE | re.DOTALL):
        found |= dict(re.findall(r'"([A-Za-z0-9_-]+)>=([\d.]+)', line))
    if absent := set(NAMES) - set(found):
        raise ValueError(f"pyproject.toml has no lower bound of {', '.join(sorted(absent))}")
    return {name: found[name] for name in NAMES}


def series(versions, lowest, which):
    """One version of each series x.y from `lowest` on: its oldest, oldest first, or its newest, newest first."""
    stable = [v for v in versions if re.fullmatch(r"\d+(\.\d+)*(\.post\d+)?", v) and key(v) >= key(lowest)]
    ordered = sorted(stable, key=key, reverse=which == "newest")
    return list({key(version)[:2]: version for version in reversed(ordered)}.values())[::-1]


def resolve(which, lowest, available, conflict):
    """Chooses a version of each -> {name: version}. Raises Missing.

    which: "oldest" or "newest"; lowest: the bounds; available(name): the versions that have a wheel;
    conflict(chosen): why those cannot be installed together, or None.
    """
    choices = {}
    for name in lowest:
        choices[name] = series(available(name), lowest[name], which)
        if not choices[name]:
            raise Missing(f"no wheel of {name}>={lowest[name]} for this Python")
    chosen = {name: versions[0] for name, versions in choices.items()}
    if conflict(chosen) is None:
        return chosen
    chosen = {}
    for name, versions in choices.items():
        reasons = []
        for version in versions:
            reason = conflict(chosen | {name: version})
            if reason is None:
                chosen[name] = version
                break
            reasons.append(reason)
        else:
            raise Missing(f"no {name} of {', '.join(versions)} goes with {spelled(chosen)}: {reasons[0]}")
    return chosen


def spelled(chosen):
    return " ".join(f"{name}=={version}" for name, version in chosen.items()) or "this Python"


# ---------------------------------------------------------------------------------------------------------
# One combination


class Environment:
    """A virtual environment in a folder, made unless it is there, with the settings of what runs in it."""

    def __init__(self, folder, interpreter, run=run):
        self.folder, self._run = folder, run
        self.python = folder / "venv" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
        ours = ("PYTHON", "NUMBA_", "FASTMLP_", "PYTEST_", "VIRTUAL_ENV")
        self._settings = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        for name in ("FASTMLP_CACHE_DIR", "MPLCONFIGDIR", "HYPOTHESIS_STORAGE_DIRECTORY", "PYTHONPYCACHEPREFIX"):
            self._settings[name] = str(folder / name.lower())
        if not self.python.exists():
            folder.mkdir(parents=True, exist_ok=True)
            self._need([interpreter, "-m", "venv", "--clear", folder / "venv"])
        # `index versions` leaves out what has no wheel, and knows --json, from this version on.
        self._need([self.python, *PIP, "install", "-q", *WHEELS, "pip>=25.2"])

    def run(self, *arguments):
        return self._run([self.python, *arguments], settings=self._settings)

    def _need(self, command):
        ended = self._run(command, settings=self._settings)
        if ended.status != 0:
            raise Missing(f"{' '.join(map(str, command[1:4]))}: {last_line(ended.output)}")
        return ended.output

    def available(self, name):
        output = self._need([self.python, *PIP, "index", "versions", *WHEELS, "--json", name])
        return json.loads(next(line for line in output.splitlines() if line.startswith("{")))["versions"]

    def conflict(self, chosen):
        pins = [f"{name}=={version}" for name, version in chosen.items()]
        ended = self.run(*PIP, "install", "-q", "--dry-run", "--ignore-installed", *WHEELS, *pins)
        return None if ended.status == 0 else last_line(ended.output)

    def install(self, chosen, extra="[test]"):
        """Installs fastmlp with an extra under these constraints -> {name: version}, and "python"."""
        constraints = self.folder / "constraints.txt"
        constraints.write_text("\n".join(f"{name}=={version}" for name, version in chosen.items()) + "\n")
        self._need([self.python, *PIP, "install", "-q", *WHEELS, "-c", constraints, "-e", f"{ROOT}{extra}"])
        return json.loads(self._need([self.python, "-c", INSTALLED]).strip().rpartition("\n")[2])


def counts(report):
    """{"passed", "failed", "skipped"} of pytest's JUnit XML."""
    total = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    for suite in ElementTree.parse(report).getroot().iter("testsuite"):
        for name in total:
            total[name] += int(suite.get(name, 0))
    failed = total["failures"] + total["errors"]
    return {"passed": total["tests"] - failed - total["skipped"], "failed": failed, "skipped": total["skipped"]}


def check(environment, whole):
    """Compares the digests and runs the tests -> what to add to the row; "wrong" lists what is."""
    found, started = {"wrong": []}, time.perf_counter()
    digests = environment.run("tests/digests.py", "--check")
    said = re.search(r"(\d+) of (\d+) digests", digests.output)
    found["digests"] = f"{said[1]} of {said[2]}" if said else "none"
    if digests.status != 0 or said is None or said[1] != said[2]:
        found["wrong"].append(f"digests.py --check exited with {digests.status}:\n{digests.output[-1500:]}")
    report = environment.folder / "tests.xml"
    report.unlink(missing_ok=True)
    chosen = ["-n", "2"] if whole else [f"tests/{name}" for name in SHORT]
    tests = environment.run("-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *chosen)
    (environment.folder / "tests.log").write_text(tests.output, encoding="utf-8")
    found |= counts(report) if report.exists() else {"passed": 0, "failed": 0, "skipped": 0}
    if tests.status != 0 or found["failed"] or not found["passed"]:
        lines = [line for line in tests.output.splitlines() if line.startswith(("FAILED", "ERROR"))]
        found["wrong"].append(f"pytest exited with {tests.status}:\n" + ("\n".join(lines) or tests.output[-1500:]))
    return found | {"seconds": round(time.perf_counter() - started)}


def combination(folder, interpreter, which, lowest, options, run=run):
    """The row of one combination. Raises Missing."""
    environment = Environment(folder, interpreter, run)
    chosen = resolve(which, lowest, environment.available, environment.conflict)
    if options.list:
        return {"chosen": chosen}
    try:
        installed = environment.install(chosen)
    except Missing as missing:  # what was chosen goes together: that fastmlp does not go with it is its own fault
        return {"chosen": chosen, "wrong": [f"fastmlp[test] does not go with this: {missing}"]}
    row = {"python": installed["python"], "versions": installed, **{n: installed.get(n) for n in COLUMNS[2:6]}}
    differ = [f"{n} {installed.get(n)} is not the {v} asked for" for n, v in chosen.items() if installed.get(n) != v]
    row |= check(environment, options.all)
    return row | {"chosen": chosen, "wrong": differ + row["wrong"]}


# ---------------------------------------------------------------------------------------------------------
# The report


def table(rows):
    """The rows as text, below the names of columns. What could not be run has its reason."""
    columns = (*COLUMNS, "digests")
    lines = [columns, *([str(row.get(name, "-")) for name in columns] for row in rows if "missing" not in row)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    text = ["  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    for row in rows:
        if "missing" in row:
            text.append(f"not run: {row['which']} on {row['python']}: {row['missing']}")
    return "\n".join(text)


def reached(rows, lowest):
    """A line for each bound: whether a row ran it. One that nothing ran is a promise without a check."""
    lines = []
    for name, bound in lowest.items():
        ran = sorted({row["versions"][name] for row in rows if "versions" in row}, key=key)
        if ran:
            same = key(ran[0])[:2] == key(bound)[:2]
            lines.append(f"{name}>={bound}: " + (f"ran {ran[0]}" if same else f"not run here, the oldest was {ran[0]}"))
    return "\n".join(lines)


def parsed(arguments):
    parser = argparse.ArgumentParser(prog="python tools/versions.py", description=__doc__.partition("\n")[0])
    parser.add_argument("--all", action="store_true", help="run every test, by two processes")
    parser.add_argument("--only", nargs="+", default=PYTHONS, metavar="3.X", help="these Pythons alone")
    parser.add_argument("--which", nargs="+", default=("oldest", "newest"), choices=("oldest", "newest"))
    parser.add_argument("--python", action="append", default=[], metavar="PATH", help="an interpreter; may be repeated")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the environments here, and use them again")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows here")
    parser.add_argument("--list", action="store_true", help="print what would be installed, and run nothing")
    options = parser.parse_args(arguments)
    for version in options.only:
        if not re.fullmatch(r"3\.\d+", version):
            parser.error(f"--only takes Pythons as 3.11; got {version!r}")
    return options


def row_of(version, interpreter, which, parent, lowest, options, run):
    """The row of one combination, with "missing" where it cannot be had; says how it went."""
    row = {"which": which, "python": version}
    try:
        if isinstance(interpreter, Missing):
            raise interpreter
        row |= combination(parent / f"{version}-{which}", interpreter, which, lowest, options, run)
    except Missing as missing:
        row["missing"] = str(missing)
    notes = [spelled(row["chosen"])] if "chosen" in row else []
    notes += [f"{row['passed']} passed"] if "passed" in row else []
    notes += row.get("wrong", []) + ([row["missing"]] if "missing" in row else [])
    print(f"{which} on {row['python']}", *notes, sep="\n  ", flush=True)
    return row


def main(arguments=None, run=run):
    options, lowest = parsed(arguments), bounds((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    try:
        found = interpreters(options.only, options.python, run)
    except Missing as missing:
        print(f"--python: {missing}", file=sys.stderr)
        return 2
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as of `... &` in a script: tests of Ctrl-C would never end
        signal.signal(signal.SIGINT, signal.default_int_handler)
    rows = []
    with tempfile.TemporaryDirectory(prefix="fastmlp-versions-") as temporary:
        parent = (options.keep or Path(temporary)).resolve()
        for version, interpreter in found.items():
            for which in options.which:
                rows.append(row_of(version, interpreter, which, parent, lowest, options, run))
                if options.json:
                    options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    if options.list:
        return 0
    print("", table(rows), "", reached(rows, lowest), sep="\n")
    wrong, ran = sum(bool(row.get("wrong")) for row in rows), sum("missing" not in row for row in rows)
    print(f"{ran - wrong} of {ran} combinations passed, {len(rows) - ran} could not be had")
    return int(wrong > 0 or ran == 0)


if __name__ == "__main__":
    sys.exit(main())
