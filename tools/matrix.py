"""The proof matrix: `fastmlp verify`, digests and exported C under other processors, compilers, Pythons and versions.

    python -m tools.matrix FOLDER                      every row; hours on one core
    python -m tools.matrix FOLDER --only registers     rows whose name has this word; may be given several times
    python -m tools.matrix FOLDER --again              rows that FOLDER has a result of, too
    python -m tools.matrix FOLDER --list               the rows, and what FOLDER has of each
    python -m tools.matrix FOLDER --table              the table of docs/processors.md, of what FOLDER has

FOLDER keeps environments, caches of kernels, and results.json, so that rows can be run one by one. A row of `verify`
is equal if its last line is the one that docs/verify.md shows; one of digests, if all of tests/golden.json are. What
cannot be had here (an interpreter, a compiler, an emulator) is said, with the reason. Exits 1 where a row differs.
"""

import argparse
import datetime
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tools import versions
from tools.versions import ROOT, Missing

sys.path.insert(0, str(ROOT / "tests"))
LINE = re.search(r"^every bit equal: .*$", (ROOT / "docs" / "verify.md").read_text(encoding="utf-8"), re.M).group()
LONGEST = 4 * 3600  # seconds that one row may take
X86 = {"x86_64", "AMD64"}
# name: (what it sets in the environment, whether it is of x86-64 alone)
SETTINGS = {
    "native": ({}, False),
    "registers of 16 bytes": ({"FASTMLP_REGISTER_BYTES": "16"}, False),
    "registers of 32 bytes": ({"FASTMLP_REGISTER_BYTES": "32"}, False),
    "registers of 64 bytes": ({"FASTMLP_REGISTER_BYTES": "64"}, False),
    "generic x86-64, without FMA and AVX": ({"NUMBA_CPU_NAME": "generic"}, True),
    "haswell": ({"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": ""}, True),
    "LLVM's vectoriser off": ({"NUMBA_LOOP_VECTORIZE": "0"}, False),
    "LLVM's optimiser off": ({"NUMBA_OPT": "0"}, False),
    "1 thread": ({"FASTMLP_NUM_THREADS": "1"}, False),
    "2 threads": ({"FASTMLP_NUM_THREADS": "2"}, False),
}
ARM = {
    "any 64-bit ARM, QEMU's max": {},
    "any 64-bit ARM, cortex-a57": {"CPU": "cortex-a57"},
    "neoverse-v1": {"NUMBA_CPU_NAME": "neoverse-v1", "NUMBA_CPU_FEATURES": ""},
}
COMMANDS = {"verify": ["-m", "fastmlp", "verify"], "digests": ["tests/digests.py", "--check"]}
DIGESTS = re.compile(r"^(\d+) of (\d+) digests are", re.M)
LEVELS = ("-O0", "-O1", "-O2", "-O3")
NETWORKS = re.compile(r"^(\d+) cases, (\d+) rows equal", re.M)
GROUPS = {
    "verify": "`fastmlp verify`, this machine",
    "digests": "`tests/digests.py --check`, this machine",
    "versions": "`fastmlp verify`, other Pythons and versions",
    "aarch64": "64-bit ARM, emulated",
    "C": "exported C, 1000 rows of 32 networks against `predict`",
}


class Row:
    """One row: its group, its name, what the table says of how, and a function of FOLDER that returns what came out.

    The function returns (equal, what to show), or raises Missing.
    """

    def __init__(self, group, name, how, run):
        self.group, self.name, self.how, self.run = group, name, how, run

    @property
    def key(self):
        return f"{self.group}: {self.name}"


def call(command, settings, folder=ROOT):
    """(exit status, its output, and then its errors) of a command with settings beside this process's own."""
    ours = ("PYTHON", "NUMBA_", "FASTMLP_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    try:
        done = subprocess.run(
            [str(word) for word in command], cwd=folder, env={**clean, **settings}, timeout=LONGEST, text=True,
            stdin=subprocess.DEVNULL, capture_output=True, errors="replace",
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None, f"took more than {LONGEST} s", ""
    return done.returncode, done.stdout, done.stderr


def judged(what, status, output, errors=""):
    """(equal, what to show) of the output of `verify`, of digests, or of C."""
    if what == "verify":
        last = (output.strip().splitlines() or ["no output"])[-1]
        if status == 0 and last == LINE:
            return True, f"equal: {last.split(': ')[1].split(',')[0]},{last.split(',')[1]}"
        return False, f"status {status}: {last[:160] if last != 'no output' else versions.last_line(errors)}"
    found = (DIGESTS if what == "digests" else NETWORKS).search(output)
    if what == "digests":
        good = status == 0 and found is not None and found[1] == found[2] != "0"
        return good, f"{found[1]} of {found[2]} digests" if found else f"status {status}: {versions.last_line(errors)}"
    good = status == 0 and found is not None and int(found[1]) > 0 and int(found[2]) > 0
    return (
        good,
        f"{found[1]} networks, {int(found[2]):,} results equal"
        if found and status == 0
        else f"status {status}: {versions.last_line(output + errors)}",
    )


def here(what, name):
    """A row of this machine's Python."""
    settings, x86 = SETTINGS[name]

    def run(folder):
        if x86 and os.uname().machine not in X86:
            raise Missing("this machine is no x86-64")
        cache = folder / "kernels" / re.sub(r"\W+", "-", "native" if "thread" in name else name)
        status, output, errors = call(
            [sys.executable, *COMMANDS[what]], {**settings, "FASTMLP_CACHE_DIR": str(cache), "PYTHONPATH": str(ROOT)}
        )
        return judged(what, status, output, errors)

    return Row(what, name, " ".join(f"{key}={value}" for key, value in settings.items()) or "as it is", run)


def installed(python, which):
    """A row of another Python, with the oldest or the newest versions."""

    def run(folder):
        interpreter = versions.interpreters([python])[python]
        if isinstance(interpreter, Missing):
            raise interpreter
        lowest = versions.bounds((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        del lowest["scikit-learn"]
        environment = versions.Environment(folder / "versions" / f"{which}-{python}", interpreter)
        chosen = versions.resolve(which, lowest, environment.available, environment.conflict)
        found = environment.install(chosen, extra="")
        ended = environment.run(*COMMANDS["verify"])
        good, said = judged("verify", ended.status, ended.output)
        return good, f"{said} (NumPy {found['numpy']}, Numba {found['numba']})"

    return Row("versions", f"Python {python}, {which}", f"the {which} NumPy and Numba", run)


def emulated(what, name):
    """A row of 64-bit ARM."""

    def run(folder):
        if not shutil.which("apt-get"):
            raise Missing("tools/aarch64.sh needs Debian's apt-get")
        status, output, errors = call(["tools/aarch64.sh", folder / "aarch64", *COMMANDS[what]], ARM[name])
        return judged(what, status, output, errors)

    settings = "".join(f"{key}={value} " for key, value in ARM[name].items())
    return Row("aarch64", f"{name}: {what}", f"{settings}tools/aarch64.sh", run)


def compiled(compiler, level, target=None):
    """A row of exported C."""
    options = "with and without FMA in turn" if target is None else "under emulation"

    def run(folder):
        from c_programs import TARGETS

        needed = [compiler] if target is None else [TARGETS[target][0][0], TARGETS[target][1][0]]
        for name in needed:
            if not shutil.which(name):
                raise Missing(f"there is no {name} here")
        which = [f"--compiler={compiler}"] if target is None else [f"--target={target}"]
        command = [
            sys.executable,
            "tests/long/export_rows.py",
            "--rows",
            "1000",
            "--every=3",
            f"--level={level}",
            *which,
        ]
        settings = {"FASTMLP_CACHE_DIR": str(folder / "kernels" / "native"), "PYTHONPATH": str(ROOT)}
        return judged("C", *call(command, settings))

    return Row("C", f"{compiler if target is None else target}, {level}", options, run)


def rows():
    """All rows, in the table's order."""
    from c_programs import TARGETS

    found = [here("verify", name) for name in SETTINGS]
    found += [here("digests", name) for name in SETTINGS]
    found += [installed(python, which) for python in versions.PYTHONS for which in ("oldest", "newest")]
    found += [emulated(what, name) for what in COMMANDS for name in ARM]
    found += [compiled(compiler, level) for compiler in ("gcc", "clang") for level in LEVELS]
    return found + [compiled("gcc", level, target) for target in TARGETS for level in LEVELS]


# ---------------------------------------------------------------------------------------------------------
# Results


def read(folder):
    """{a row's key: its result}."""
    path = folder / "results.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def keep(folder, row, result):
    """Adds a result to the folder's, which another run may have added to meanwhile."""
    found = {**read(folder), row.key: result}
    made = folder / f"results-{os.getpid()}.json"
    made.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    os.replace(made, folder / "results.json")


def result_of(row, folder):
    """The result of running a row."""
    started, today = time.perf_counter(), datetime.date.today().isoformat()
    try:
        equal, said = row.run(folder)
    except Missing as missing:
        equal, said = None, f"not run: {str(missing).partition(';')[0]}"
    seconds = round(time.perf_counter() - started)
    return {"equal": equal, "said": said, "date": today, "seconds": seconds}


def table(chosen, found):
    """The Markdown of the page: a line for each row, those without a result, too."""
    lines = ["| | how | result | date |", "|---|---|---|---|"]
    group = None
    for row in chosen:
        if row.group != group:
            group = row.group
            lines.append(f"| **{GROUPS[group]}** | | | |")
        result = found.get(row.key, {"equal": None, "said": "not run", "date": ""})
        mark = "**differs:** " if result["equal"] is False else ""
        lines.append(f"| {row.name} | {row.how} | {mark}{result['said']} | {result['date']} |")
    return "\n".join(lines)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--only", action="append", default=[], metavar="WORD")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--table", action="store_true")
    args = parser.parse_args(arguments)
    folder = args.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    chosen = [row for row in rows() if not args.only or any(word in row.key for word in args.only)]
    if not chosen:
        parser.error(f"no row has any of {', '.join(args.only)} in its name: --list shows them")
    if args.table:
        print(table(chosen, read(folder)))
        return 0
    if args.list:
        found = read(folder)
        for row in chosen:
            print(f"{row.key:60} {found.get(row.key, {}).get('said', '')}")
        return 0
    wrong = 0
    for row in chosen:
        if not args.again and read(folder).get(row.key, {}).get("equal") is not None:
            continue
        result = result_of(row, folder)
        keep(folder, row, result)
        wrong += result["equal"] is False
        print(f"{row.key}: {result['said']}, {result['seconds']} s", flush=True)
    print(f"{wrong} rows differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
