"""fastmlp.verification: this machine has every bit, one ulp anywhere is seen, and the reference makes the vectors."""

import copy
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from cases import Unregistered

import fastmlp
from fastmlp.cli import main
from fastmlp.engine import kept_workspaces
from fastmlp.jit import machine_code
from fastmlp.kernels import registry
from fastmlp.kernels.registry import Float, Floats, Int
from fastmlp.spec import NUMERICS_VERSION
from fastmlp.verification import trainings, vectors, verification

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # tools/ lies beside the package

from tools.vectors import __main__ as making  # noqa: E402

PAIRS = [entry for name in vectors.FILES[:3] for entry in vectors.read(name) if "pair" in entry]
TRAININGS = {(entry["name"], entry["dtype"]): entry for entry in vectors.read("trainings")}
QUICK = [("few rows", "float64"), ("few rows", "float32")]


def test_this_machine_has_every_bit(capsys):
    """The whole of it, as the command does it; the page shows its last line."""
    assert main(["verify"]) == 0
    said = capsys.readouterr()
    last = said.out.splitlines()[-1]
    assert last.startswith("every bit equal: ")
    assert last in (ROOT / "docs" / "verify.md").read_text(), "docs/verify.md shows another last line"
    assert said.err == ""


def test_the_vectors_are_small_and_of_this_version():
    files = sorted(vectors.FOLDER.glob("*.json"))
    assert [path.stem for path in files] == sorted(vectors.FILES)
    assert sum(path.stat().st_size for path in files) <= making.MOST
    assert {json.loads(path.read_text())["numerics"] for path in files} == {NUMERICS_VERSION}


@pytest.mark.parametrize("name", [*vectors.FILES[:3], pytest.param("trainings", marks=pytest.mark.slow)])
def test_the_reference_makes_the_vectors(name):
    assert making.text(name) == (vectors.FOLDER / f"{name}.json").read_text()


@pytest.mark.parametrize(("name", "dtype"), QUICK)
def test_the_reference_makes_the_results_of_trainings(name, dtype):
    entry = TRAININGS[name, dtype]
    assert trainings.run(entry, "reference")[0] == entry["results"]


def test_no_kernel_makes_vectors(monkeypatch):
    def refused(*arguments):
        raise AssertionError("a kernel was asked for")

    monkeypatch.setattr(registry, "address", refused)
    monkeypatch.setattr(registry, "begin", refused)
    for name in vectors.FILES[:3]:
        making.text(name)
    trainings.run(TRAININGS["few rows", "float64"], "reference")


class OffByAnUlp:
    """A kernel that moves one number of what it has written by an ulp."""

    def __init__(self, kernel, place):
        self.kernel, self.place = kernel, place

    def __call__(self, dtype, *arguments):
        before = [a.copy() for a in arguments if isinstance(a, np.ndarray)]
        self.kernel(dtype, *arguments)
        arrays = [a for a in arguments if isinstance(a, np.ndarray)]
        for array, old in zip(arrays, before, strict=True):
            changed = np.flatnonzero(~((array == old) | np.isnan(array))) if array.dtype.kind == "f" else []
            if len(changed):
                place = changed[self.place % len(changed)]
                array[place] = np.nextafter(array[place], array.dtype.type(0.3))
                return
        order = arrays[0]
        order[[1, 2]] = order[[2, 1]]


@pytest.mark.parametrize("number", range(len(PAIRS)), ids=lambda number: f"{PAIRS[number]['pair']}-{number}")
def test_one_ulp_in_a_pair_is_seen(number, monkeypatch):
    registry.load_all()
    entry = PAIRS[number]
    assert verification._pair(entry).difference is None
    place = 0 if entry["pair"].startswith("losses.") else number  # theirs write padding, too, which nobody reads
    broken = OffByAnUlp(registry.PAIRS[entry["pair"]], place)
    monkeypatch.setitem(registry.PAIRS, entry["pair"], broken)
    difference = verification._pair(entry).difference
    assert difference is not None
    assert "differ" in difference


def rounded_twice(p: Floats, total: Floats, scale: Float, learning_rate: Float, count: Int):
    """Gradient descent by a product and a sum."""
    for i in range(count):
        p[i] = p[i] - learning_rate * (scale * total[i])


def test_a_kernel_that_rounds_twice_makes_the_command_fail(monkeypatch, capsys):
    entries = {"trainings": [TRAININGS["xor", "float64"], TRAININGS["online", "float64"]], "functions": PAIRS[:2]}
    monkeypatch.setattr(vectors, "read", lambda name: entries.get(name, []))
    assert main(["verify", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["equal"]
    assert [check["difference"] for check in found["checks"]] == [None] * 4

    name = "optimizers.gradient_descent"
    registry.address(name, "float64")
    faulty = machine_code.link(Unregistered(rounded_twice).code("float64"))
    monkeypatch.setitem(registry._addresses, (name, "float64"), faulty)
    kept_workspaces._kept.clear()
    assert main(["verify"]) == 1
    said = capsys.readouterr().out
    assert "xor, float64: loss: " in said
    assert "DIFFERS" in said
    assert said.splitlines()[-1].startswith("NOT EQUAL: 1 of 4 checks differ, numerics 1, ")
    assert found["digest"] not in said


def test_what_it_finds_can_be_asked(monkeypatch):
    wrong = copy.deepcopy(TRAININGS["online", "float64"])
    wrong["results"]["loss"][3] = wrong["results"]["loss"][4]
    wrong["results"]["digest"] = "0" * 64
    pair = copy.deepcopy(PAIRS[0])
    pair["y"][5] = (0.125).hex()
    monkeypatch.setattr(vectors, "read", lambda name: {"trainings": [wrong], "functions": [pair]}.get(name, []))
    told = []
    found = fastmlp.verify(progress=lambda *progress: told.append(progress))
    assert told == [(0, 2, "elementary.map_exp"), (1, 2, "online"), (2, 2, "done")]
    assert not found.equal
    assert found.pairs == 1
    assert "y[5]: " in found.checks[0].difference
    assert found.checks[1].difference.startswith("loss: 1 of 100 differ, the first is number 4; digest: ")
    assert found.to_dict()["checks"][1]["name"] == "online"
    assert repr(found).startswith("<Verification: NOT EQUAL: 2 of 2 checks differ")
    assert "elementary.map_exp, float64: y[5]: " in str(found)


def test_a_training_that_diverges_differs(monkeypatch):
    entry = {**TRAININGS["few rows", "float64"], "optimizer": {"name": "SGD", "learning_rate": 1e200}}
    assert "loss: 4 of 4 differ" in verification._training(entry).difference


def test_a_package_without_vectors_is_told(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(vectors, "FOLDER", tmp_path)
    assert main(["verify"]) == 2
    assert "functions.json: No such file or directory" in capsys.readouterr().err
    (tmp_path / "functions.json").write_text("{}")
    with pytest.raises(ValueError, match="holds no vectors: install fastmlp again"):
        fastmlp.verify()
