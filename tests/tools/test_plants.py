"""tools/plants: its faults fit the kernels as they are, and its runner tells what is caught from what is not."""

import collections
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # tools/ lies beside the package

from tools.copies import Result  # noqa: E402
from tools.plants import __main__ as tool  # noqa: E402

PLANTS = tool.plants()
NO_KERNELS = {"__init__.py", "plan.py", "lanes_plan.py", "registry.py"}
KERNELS = {path.name for path in (ROOT / tool.KERNELS).glob("*.py")} - NO_KERNELS
CAUGHT = next(plant for plant in PLANTS if plant.words == "the last row is left out where it begins a register")


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: f"{plant.file[:-3]}: {plant.words}")
def test_a_fault_fits(plant):
    """Its old text is there once, and what comes of it is Python, and checked by what there is."""
    compile(plant.planted(), plant.file, "exec")
    for check in plant.checks:
        for test in re.findall(r"tests/\w+\.py", check):
            assert (ROOT / test).is_file(), check


def test_every_file_of_kernels_has_faults():
    assert {plant.file for plant in PLANTS} == KERNELS
    assert len(PLANTS) >= 100
    twice = [name for name, count in collections.Counter((p.file, p.words) for p in PLANTS).items() if count > 1]
    assert not twice


def test_a_fault_whose_text_has_gone_is_an_error():
    with pytest.raises(ValueError, match=r"activations.py, .* 0 times .*activations.txt"):
        CAUGHT._replace(old="no such text").planted()
    with pytest.raises(ValueError, match=r"\d+ times"):
        CAUGHT._replace(old="select").planted()


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (Result(0, "3 passed", 1.0), "green"),
        (Result(1, "E   AssertionError: a[0]: 1, expected 2", 1.0), "red"),
        (Result(-11, "", 1.0), "red"),
        (Result(None, "", 600.0), "red"),
        (Result(1, "E   numba.core.errors.TypingError: no such thing", 1.0), "E   numba.core.errors.TypingError"),
        (Result(1, "NameError: name 'equal' is not defined", 1.0), "NameError"),
        (Result(5, "no tests ran", 1.0), "pytest ended with 5"),
    ],
)
def test_what_a_check_says(result, said):
    assert tool.verdict(result) == said


@pytest.mark.slow
def test_the_runner(monkeypatch, capsys):
    """One that is caught, one that makes no difference, one that is no Python."""
    harmless = CAUGHT._replace(words="harmless", new=f"{CAUGHT.old}  # as it was")
    broken = CAUGHT._replace(words="broken", new=CAUGHT.old.replace("lanes(a)", "no_such_name(a)"))
    monkeypatch.setattr(tool, "plants", lambda: [CAUGHT, harmless, broken])
    assert tool.main(["--quick", "--processes", "2"]) == 1
    said = capsys.readouterr().out
    for state, words in (("caught", CAUGHT.words), ("SURVIVED", "harmless"), ("ERROR", "broken")):
        assert re.search(rf"^{state} .*activations.py.*{words}", said, re.MULTILINE), said
    assert said.splitlines()[-1] == "1 caught, 1 SURVIVED, 1 ERROR"
    monkeypatch.setattr(tool, "plants", lambda: [CAUGHT])
    assert tool.main(["--quick", "activations"]) == 0
    assert tool.main(["--quick", "no such words"]) == 1


def test_a_check_that_fails_by_itself_is_no_check(monkeypatch, capsys):
    monkeypatch.setattr(tool, "plants", lambda: [CAUGHT._replace(checks=("tests/no_such_test.py",))])
    assert tool.main(["--quick"]) == 1
    assert "ERROR" in (said := capsys.readouterr().out)
    assert "fails without a fault" in said
