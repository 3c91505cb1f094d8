"""What kernels are compiled with: the variables that a cached file's name knows of, and nothing else."""

import os
import subprocess
import sys
from functools import cache as once

import numba
import pytest
from models import HERE

from fastmlp.jit import cache, compilation, numba_settings

KNOWN = (*numba_settings.VARIABLES, *numba_settings.PROCESSOR)
# Prints a hash of what each compiler makes of a kernel, and what else is to be told.
COMPILE = """
import hashlib, json, sys
import numba
from fastmlp.jit import compilation, machine_code
from fastmlp.kernels import registry
before = {name: value for name, value in vars(numba.config).items() if name.isupper()}
exec(sys.argv[1])
set_by_hand = {name: value for name, value in vars(numba.config).items() if name.isupper()}
asked = registry._find("layout.gather", "float64")
finish = compilation.begin(*asked)
exec(sys.argv[2])
import llvmlite.binding as llvm
def plain(code):  # names aside, which count how many functions were compiled
    sections = llvm.ObjectFileRef.from_data(code.object).sections()
    named = [(one.name() or b"", one.data(), one.is_text()) for one in sections]
    kept = [(name, data) for name, data, text in named if text or name.startswith(b".rodata")]
    assert kept
    return hashlib.sha256(repr(kept).encode()).hexdigest()
told = {"short": plain(finish()), "whole": plain(compilation.compile_by_numba(*asked))}
if not sys.argv[2]:
    told["restored"] = all(vars(numba.config)[name] is value for name, value in set_by_hand.items())
told["changed"] = sorted(name for name in before if before[name] != set_by_hand[name])
print("\\n" + json.dumps(told))
"""


def compiled(before="", between="", folder=None, **changes):
    kept = {name: value for name, value in HERE.items() if not name.startswith("NUMBA_")}
    changes = {name: str(value) for name, value in changes.items()}
    done = subprocess.run(
        [sys.executable, "-c", COMPILE, before, between],
        capture_output=True, text=True, timeout=120, cwd=folder, env={**kept, **changes},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    import json

    *printed, _, told = done.stdout.splitlines()
    return json.loads(told), "\n".join(printed) + done.stderr


@once
def usual():
    told, printed = compiled()
    assert printed == ""
    assert told["restored"]
    return told["short"], told["whole"]


def like_usual(*arguments, **changes):
    told, printed = compiled(*arguments, **changes)
    assert told.get("restored", True)
    assert printed == ""
    return (told["short"], told["whole"]) == usual()


HAND = {
    "what LLVM does": """
c = numba.config
c.OPT, c.LOOP_VECTORIZE, c.SLP_VECTORIZE, c.BOUNDSCHECK, c.ENABLE_AVX = c._OptLevel(0), 0, 1, 1, 0
c.CPU_NAME, c.CPU_FEATURES = "generic", ""
c.DEBUGINFO_DEFAULT = c.EXTEND_VARIABLE_LIFETIMES = 1
c.LLVM_REFPRUNE_PASS, c.LLVM_REFPRUNE_FLAGS = 0, "nonsense"
""",
    "no compiler, and a number for a level": "numba.config.DISABLE_JIT = 1; numba.config.OPT = 0",
    "prints": """
for name, value in vars(numba.config).copy().items():
    if name.startswith(("DEBUG", "DUMP")) and value == 0:
        setattr(numba.config, name, 1)
numba.config.DEBUG_PRINT_AFTER = numba.config.DEBUG_PRINT_BEFORE = "all"
numba.config.ANNOTATE, numba.config.HTML, numba.config.LLVM_PASS_TIMINGS = 1, "/nowhere/x", 1
""",
    "a compile before": "numba.config.OPT = numba.config._OptLevel(0); numba.njit(lambda a: a + 1)(2)",
}


@pytest.mark.parametrize("hand", [*list(HAND)[:2], *(pytest.param(h, marks=pytest.mark.slow) for h in list(HAND)[2:])])
def test_assignments_change_nothing_and_stay(hand):
    told, printed = compiled(HAND[hand])
    assert told["changed"], "nothing was set"
    assert printed == ""
    assert told["restored"]
    assert (told["short"], told["whole"]) == usual()


def test_assignments_while_llvm_is_at_work():
    """Between the two parts of a compile, as by another thread."""
    assert like_usual("", HAND["what LLVM does"] + HAND["prints"])


def test_a_file_in_the_working_folder_changes_nothing(tmp_path):
    """Numba reads it when it is imported, and before each compile; here with a reader of its own."""
    (tmp_path / "yaml.py").write_text("safe_load = lambda file: dict(line.strip().split(': ') for line in file)\n")
    (tmp_path / ".numba_config.yaml").write_text("OPT: 0\nLOOP_VECTORIZE: 0\nDEBUGINFO: 1\nDUMP_LLVM: 1\n")
    paths = os.pathsep.join([str(tmp_path), HERE["PYTHONPATH"]])
    was_read = "assert numba.config.OPT == 0 and numba.config.DUMP_LLVM == 1"
    assert like_usual(was_read, folder=tmp_path, PYTHONPATH=paths)
    # a process that comes into the folder later
    came = f"import os; os.chdir({str(tmp_path)!r})"
    assert like_usual(came, folder=tmp_path.parent, PYTHONPATH=paths)


@pytest.mark.parametrize(
    "variables",
    [
        {"NUMBA_DEBUGINFO": 1, "NUMBA_LLVM_REFPRUNE_PASS": 0, "NUMBA_ENABLE_PROFILING": 1, "NUMBA_DISABLE_JIT": 1},
        {"NUMBA_DUMP_LLVM": 1, "NUMBA_DUMP_ASSEMBLY": 1, "NUMBA_DUMP_IR": 1, "NUMBA_DEBUG_TYPEINFER": 1},
    ],
    ids=lambda variables: next(iter(variables)),
)
@pytest.mark.slow
def test_other_variables_change_nothing(variables):
    assert like_usual(**variables)


def test_the_known_variables_do():
    """And what is in `numba.config` instead of them does not count."""
    found = {usual()}
    for variables in (
        {"NUMBA_OPT": 0},
        {"NUMBA_CPU_NAME": "generic"},
    ):
        told, _ = compiled("numba.config.OPT = numba.config._OptLevel(3)", **variables)
        found.add((told["short"], told["whole"]))
    assert len(found) == 3


def test_a_variable_that_is_set_later_counts(monkeypatch):
    """For what is compiled then; and that is not kept under the name of the time before."""
    for name in KNOWN:
        monkeypatch.delenv(name, raising=False)
    before = numba_settings.wanted()
    monkeypatch.setenv("NUMBA_OPT", "1")
    assert before["OPT"] == 3
    assert numba_settings.wanted()["OPT"] == 1
    assert cache._stamp() != cache.stamp.__wrapped__() or os.environ["NUMBA_OPT"] == "1"


def test_all_that_numba_reads_is_pinned_but_what_is_not_of_this_compiler():
    """A setting that comes with a new Numba is, too."""
    left = {name for name in vars(numba.config) if name.isupper()} - set(numba_settings.wanted())
    assert not {name for name in left if not name.startswith(numba_settings._LEFT_ALONE)} - {
        "IS_32BITS",
        "IS_OSX",
        "IS_WIN32",
        "MACHINE_BITS",
        "PYVERSION",
        "USING_SVML",
        "_HAVE_YAML",
    }
    assert {"OPT", "DEBUGINFO_DEFAULT", "DUMP_LLVM", "CPU_NAME"} <= set(numba_settings.wanted())


def test_what_another_thread_sets_meanwhile_stays(monkeypatch):
    import gc

    monkeypatch.setattr(numba.config, "OPT", numba.config.OPT)
    threshold, interval = gc.get_threshold(), sys.getswitchinterval()
    try:
        with compilation.compiling():
            assert gc.get_threshold()[0] == 0
            assert numba.config.DEBUG_JIT == 0
            numba.config.OPT = numba.config._OptLevel(2)
            gc.set_threshold(1234)
            sys.setswitchinterval(0.002)
        assert (numba.config.OPT, gc.get_threshold()[0], round(sys.getswitchinterval(), 6)) == (2, 1234, 0.002)
    finally:
        gc.set_threshold(*threshold)
        sys.setswitchinterval(interval)
    with compilation.compiling(), compilation.compiling():
        assert gc.get_threshold()[0] == 0
    assert (gc.get_threshold(), sys.getswitchinterval()) == (threshold, interval)
    assert gc.isenabled()


def test_a_numba_whose_settings_have_changed_still_compiles(monkeypatch):
    def changed():
        raise AttributeError("_EnvReloader")

    monkeypatch.setattr(numba_settings, "wanted", changed)
    with compilation.compiling():
        assert numba.config.DISABLE_JIT == 0
