"""Ensembles in files: what is loaded is equal in everything, and what is no ensemble is refused with a clear error."""

import json
import os
import re

import numpy as np
import pytest
from models import SEEDS, in_another_process, inside, learner, problem, said

from fastmlp import Adam, Ensemble, Model
from fastmlp.schedules import ReduceOnPlateau
from fastmlp.storage import container
from fastmlp.sweep import Each


def made_of(**arguments):
    x, y = problem()
    made = Ensemble([2, 5, 3], **{"members": 3, "hidden": "tanh", "bootstrap": True, **arguments})
    made.fit(x, y, epochs=4, batch_size=7, optimizer=Adam(ReduceOnPlateau(0.1)), dropout=0.2)
    return made


@pytest.fixture
def saved(tmp_path):
    made = made_of()
    made.left_out[1] = "it diverged"
    made.save(tmp_path / "ensemble")
    return tmp_path / "ensemble", made


def same(made, twin, x, y):
    """Whether all is equal that can be asked, and that later fits go on from."""
    for name in ("seed", "vote", "bootstrap", "left_out"):
        assert getattr(made, name) == getattr(twin, name)
    assert [inside(model) for model in made.members] == [inside(model) for model in twin.members]
    assert made.digest() == twin.digest()
    assert made.predict_proba(x).tobytes() == twin.predict_proba(x).tobytes()
    if made.bootstrap:
        assert made.out_of_bag_score(x, y) == twin.out_of_bag_score(x, y)
        assert made.rows(2).tolist() == twin.rows(2).tolist()


@pytest.mark.parametrize("arguments", [{}, {"vote": "hard"}, {"bootstrap": False}, {"dtype": "float32", "seed": 2**63}])
def test_a_loaded_ensemble_is_equal(arguments, tmp_path):
    x, y = problem()
    made = made_of(**arguments)
    for _ in range(2):
        made.save(tmp_path / "ensemble")
        twin = Ensemble.load(tmp_path / "ensemble")
        same(made, twin, x, y)
        assert twin.results is None
        for each in (made, twin):
            each.fit(x, y, epochs=2, batch_size=7, learning_rate=Each([0.1, 0.2, 0.3]))
        same(made, twin, x, y)


def test_members_that_were_left_out(saved):
    path, made = saved
    twin = Ensemble.load(path)
    assert twin.left_out == {1: "it diverged"}
    same(made, twin, *problem())
    assert len(twin.predict_members(problem()[0])) == 2
    made.left_out[1] = "x" * 1000
    made.save(path)
    assert Ensemble.load(path).left_out == {1: f"{'x' * 397}..."}


def test_members_of_any_kind(tmp_path):
    """Of other widths, with generators as seeds, one of them trained."""
    models = [Model([2, 4, 3], seed=SEEDS[name]()) for name in SEEDS] + [Model([2, 3], seed=3)]
    models[1].fit(*problem(), epochs=2, batch_size=5)
    made = Ensemble.of(models, seed=5)
    made.save(tmp_path / "ensemble")
    twin = Ensemble.load(tmp_path / "ensemble")
    same(made, twin, *problem())


def test_equal_ensembles_make_equal_files(saved, tmp_path):
    path, made = saved
    Ensemble.load(path).save(tmp_path / "again")
    assert path.read_bytes() == (tmp_path / "again").read_bytes()
    before = os.listdir(tmp_path)
    made.save(path)
    assert os.listdir(tmp_path) == before
    assert path.read_bytes() == (tmp_path / "again").read_bytes()


def test_more_than_ten_members(tmp_path):
    """Names of tensors are in another order than numbers."""
    made = Ensemble([2, 3], members=12)
    made.save(tmp_path / "ensemble")
    twin = Ensemble.load(tmp_path / "ensemble")
    assert [model.digest() for model in twin.members] == [model.digest() for model in made.members]


def test_in_another_process(saved):
    path, made = saved
    script = (
        "import sys\nfrom fastmlp import Ensemble\nmade = Ensemble.load(sys.argv[1])\n"
        "print('numba' in sys.modules, made.digest())"
    )
    assert in_another_process(script, path).split() == ["False", made.digest()]


def test_backends(saved):
    path, made = saved
    x = problem()[0]
    twin = Ensemble.load(path, backend="reference")
    assert [model.backend for model in twin.members] == ["reference"] * 3
    assert twin.predict_proba(x).tobytes() == made.predict_proba(x).tobytes()
    assert "backend='cuda'" in said(ValueError, Ensemble.load, path, backend="cuda")


# ---------------------------------------------------------------------------------------------------------
# Files that are no ensembles


def test_other_kinds_are_refused_with_the_right_call(saved, tmp_path):
    path, _ = saved
    words = said(ValueError, Model.load, path)
    assert words == f"{path} holds an ensemble, not a model: load it with fastmlp.Ensemble.load"
    model = learner()
    model.save(tmp_path / "model")
    words = said(ValueError, Ensemble.load, tmp_path / "model")
    assert words == f"{tmp_path / 'model'} holds a model, not an ensemble: load it with fastmlp.Model.load"
    model.fit(*problem(), epochs=2, checkpoint=tmp_path / "checkpoint")
    assert "holds a checkpoint, not an ensemble: load it" in said(ValueError, Ensemble.load, tmp_path / "checkpoint")
    words = said(ValueError, model.fit, *problem(), epochs=2, resume=path)
    assert "holds an ensemble, not a checkpoint" in words
    words = said(ValueError, model.fit, *problem(), epochs=2, checkpoint=path)
    assert "holds an ensemble, not a checkpoint" in words


@pytest.mark.parametrize("content", [b"", b"{}", b"hello", b"PK\x03\x04" + bytes(99), b"\x80\x04\x95" + bytes(99)])
def test_foreign_files(content, tmp_path):
    (tmp_path / "ensemble").write_bytes(content)
    assert str(tmp_path / "ensemble") in said(ValueError, Ensemble.load, tmp_path / "ensemble")


def test_damaged_files(saved):
    path, made = saved
    content = path.read_bytes()
    for end in range(0, len(content), 211):
        path.write_bytes(content[:end])
        assert str(path) in said(ValueError, Ensemble.load, path)
    for place in range(0, len(content), 67):
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        assert str(path) in said(ValueError, Ensemble.load, path)
    path.write_bytes(content)
    assert Ensemble.load(path).digest() == made.digest()


HOSTILE = [
    None, True, -1, 0, 1, 3, 2**64, 10**400, 1e308, "", "x", "1", "\ud800", "a" * 10_000, [], {}, [[]], [{}], {"": {}},
    {"7": "x"}, {"0": 1}, {"0": "x", "1": "x", "2": "x"}, ["a"] * 1000, [1] * 3000,
]  # fmt: skip


def places(value, path=()):
    for key in list(value) if isinstance(value, dict) else range(min(len(value), 3)):
        yield (*path, key)
        if isinstance(value[key], (dict, list)):
            yield from places(value[key], (*path, key))


def test_any_value_in_any_place(saved, monkeypatch):
    """It is refused with a clear error, or it makes an ensemble that predicts: what loads is whole."""
    path, _ = saved
    tensors, header = container.read(path)
    x, counts = problem()[0], {"refused": 0, "loaded": 0}
    shown = [place for place in places(header) if place[:2] not in (("members", 1), ("members", 2))]
    for place in shown:
        for value in HOSTILE:
            changed = json.loads(json.dumps(header))
            inner = changed
            for key in place[:-1]:
                inner = inner[key]
            inner[place[-1]] = value
            monkeypatch.setattr(container, "read", lambda path, changed=changed: ({**tensors}, changed))
            wrong = None
            try:
                made = Ensemble.load(path)
            except ValueError as error:
                wrong = str(error)
            if wrong is None:
                if len(made.left_out) < 3:
                    assert np.isfinite(made.predict_proba(x)).all(), place
                assert made.seed == int(made.seed)
                assert repr(made)
            else:
                assert re.match(f"{re.escape(str(path))} (has parts|is of numerics|holds a)", wrong), (place, wrong)
                assert len(wrong) < 600, place
                assert " object" not in wrong, f"{place} = {value!r:.50}: {wrong}"
            counts["loaded" if wrong is None else "refused"] += 1
    assert counts["refused"] > 5 * counts["loaded"] > 0, counts


def renamed(tensors, old, new):
    return {new if name == old else name: tensor for name, tensor in tensors.items()}


def test_tensors_that_do_not_belong(saved, tmp_path):
    path, _ = saved
    tensors, header = container.read(path)
    w = tensors["members.0.layers.0.w"]
    wrong = {
        "nothing of 3 members is called x": {**tensors, "x": w},
        "nothing of 3 members is called members.3.layers.0.w": {**tensors, "members.3.layers.0.w": w},
        "nothing of 3 members is called members.01.layers.0.w": {**tensors, "members.01.layers.0.w": w},
        "nothing of a model is called members.1.other": {**tensors, "members.1.other": w},
        "it has no 'layers.0.w'": renamed(tensors, "members.1.layers.0.w", "members.1.layers.7.w"),
        "layers.0.w is float64 of shape (3, 2)": {**tensors, "members.2.layers.0.w": np.zeros((3, 2))},
        "a weight is not finite": {**tensors, "members.2.layers.0.w": np.full((2, 5), np.nan)},
    }
    for words, changed in wrong.items():
        container.write(tmp_path / "changed", changed, header)
        assert words in said(ValueError, Ensemble.load, tmp_path / "changed")
    for members in ([], header["members"] * 10**3, header["members"][:2]):
        container.write(tmp_path / "changed", tensors, {**header, "members": members})
        assert "parts that do not fit together" in said(ValueError, Ensemble.load, tmp_path / "changed")


def test_members_of_other_tasks(saved, tmp_path):
    path, _ = saved
    tensors, header = container.read(path)
    Model([2, 3], dtype="float32").save(tmp_path / "other")
    own, of = container.read(tmp_path / "other")
    tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith("members.2.")}
    tensors.update({f"members.2.{name}": tensor for name, tensor in own.items()})
    container.write(tmp_path / "changed", tensors, {**header, "members": [*header["members"][:2], of]})
    assert "models[2] has dtype 'float32'" in said(ValueError, Ensemble.load, tmp_path / "changed")


def test_what_cannot_be_saved(tmp_path):
    class Own(np.random.RandomState):
        pass

    made = Ensemble.of([Model([2, 2]), Model([2, 2], seed=Own(1))])
    assert "seed" in said(TypeError, made.save, tmp_path / "ensemble")
    assert os.listdir(tmp_path) == []
    with pytest.raises(FileNotFoundError, match="folder"):
        Ensemble([2, 2]).save(tmp_path / "no" / "ensemble")
    with pytest.raises(FileNotFoundError):
        Ensemble.load(tmp_path / "nothing")
