"""Headers whose checksum fits and that no `save` wrote: any value in any place is refused with a clear error; nothing
is run.
"""

import io
import json
import re
import tracemalloc

import numpy as np
import pytest
from models import learner, problem
from mutants import deep

from fastmlp import Model, optimizers, schedules
from fastmlp.checks.messages import cut, in_digits, plain, shown
from fastmlp.schedules import Cosine, ReduceOnPlateau, WarmUp
from fastmlp.spec import Spec, dtype_name
from fastmlp.storage import container, rng_state
from fastmlp.tables.reader import Scale
from fastmlp.tables.table_model import TableModel

TEXTS = [
    "f4,",
    "(2",
    "(2,2)f4",
    "f8,f4",
    "O",
    "object",
    "V8",
    "M8[s]",
    "int8",
    "f2",
    "<f9",
    "",
    " ",
    "\0",
    "f8\n",
    "Float64",
]
NOT_A_DTYPE = [*TEXTS, "[" * 500, b"f8", 8, ["f8"], {"names": ["a"], "formats": ["f8"]}, ("f8", 2), object(), True, 1.5]


# ---------------------------------------------------------------------------------------------------------
# dtypes


@pytest.mark.parametrize("dtype", NOT_A_DTYPE, ids=lambda value: shown(value, 20))
def test_what_is_no_dtype_of_ours(dtype):
    for make in (dtype_name, lambda dtype: Spec.build([2, 2], dtype=dtype), lambda dtype: Model([2, 2], dtype=dtype)):
        with pytest.raises(ValueError, match=r'^dtype=.* is not known: use "float64" or "float32"$'):
            make(dtype)


@pytest.mark.parametrize("name", ["float64", "float32"])
def test_every_spelling_of_ours(name):
    kind = np.dtype(name)
    spellings = [name, kind, kind.type, kind.str, f">{kind.str[1:]}", kind.newbyteorder(), kind.char, np.str_(name)]
    spellings += [float, "double", "float"] if name == "float64" else ["single"]
    assert [dtype_name(spelling) for spelling in spellings] == [name] * len(spellings)


class Lies:
    """What NumPy asks for its dtype."""

    def __init__(self, dtype):
        self.dtype = dtype


def test_a_dtype_of_someone_else_s():
    assert dtype_name(Lies(np.dtype("float32"))) == "float32"
    for dtype in ("(2", None, Lies(3)):
        with pytest.raises(ValueError, match=r"^dtype="):
            dtype_name(Lies(dtype))


# ---------------------------------------------------------------------------------------------------------
# Headers

HOSTILE = [
    None, True, -1, 0, 2**64, 10**400, 1e308, -0.0, "", "x", "(2", "\ud800", "\0", "a" * 10_000, [], {}, [[]],
    {"": {}}, ["a"] * 1000, [1] * 3000, [10**400] * 3, {"name": "sgd"}, {"kind": "Generator"},
    json.loads(deep("list", 400)),
]  # fmt: skip


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A model with all that a header can have, and a table's model: {kind: (load, tensors, header)}."""
    folder = tmp_path_factory.mktemp("saved")
    model = learner("rng")
    model.fit(*problem(), epochs=3, optimizer=optimizers.Adam(ReduceOnPlateau(0.01, patience=1)), validation=0.3)
    model.save(folder / "model")
    other = learner("state")
    other.fit(*problem(), epochs=3, learning_rate=WarmUp(2, Cosine(0.1, 5)))
    other.save(folder / "other")
    scale = Scale(np.zeros(2), np.ones(2))
    settings = {"l2": 0.5, "batch_size": 3, "held_out": 0.2, "table": "0" * 16}
    TableModel(model, ("a", "b"), "y", np.array([1.0, 2.0, 3.0]), scale, settings=settings).save(folder / "table")
    loads = {"model": Model.load, "other": Model.load, "table": TableModel.load}
    return folder, {name: (load, *container.read(folder / name)) for name, load in loads.items()}


def places(value, path=()):
    for key in list(value) if isinstance(value, dict) else range(min(len(value), 3)):
        yield (*path, key)
        if isinstance(value[key], (dict, list)):
            yield from places(value[key], (*path, key))


@pytest.mark.parametrize("name", ["model", "other", "table"])
def test_any_value_in_any_place(saved, name, monkeypatch):
    """It is refused with a clear error, or it makes a model that predicts: what loads is whole."""
    folder, kinds = saved
    load, tensors, header = kinds[name]
    x = problem()[0]
    counts = {"refused": 0, "loaded": 0}
    for place in places(header):
        for value in HOSTILE:
            changed = json.loads(json.dumps(header))
            inner = changed
            for key in place[:-1]:
                inner = inner[key]
            inner[place[-1]] = value
            monkeypatch.setattr(container, "read", lambda path, changed=changed: ({**tensors}, changed))
            wrong = None
            try:
                made = load(folder / "changed")
            except ValueError as error:
                wrong = str(error)
            if wrong is None:
                assert np.isfinite(made.predict_proba(x)).all(), place
            else:
                assert re.match(f"{re.escape(str(folder))}/changed (has parts|is of numerics|holds a)", wrong), place
                assert len(wrong) < 600, place
                assert " object" not in wrong, f"{place} = {shown(value)}: {wrong}"  # of Python's own words
            counts["loaded" if wrong is None else "refused"] += 1
    assert counts["refused"] > 5 * counts["loaded"] > 0, counts


def sealed(folder, tensors, text):
    """A file whose header is this text, with the checksum that fits."""
    path = folder / "sealed"
    container.write(path, tensors, {})
    whole = path.read_bytes()
    length = int.from_bytes(whole[:8], "little")
    description = json.loads(whole[8 : 8 + length])
    description["__metadata__"].update(header=text, sha256=container._digest(text, tensors))
    packed = json.dumps(description).encode()
    path.write_bytes(len(packed).to_bytes(8, "little") + packed + whole[8 + length :])
    return path


@pytest.mark.parametrize("depth", [3, 400, 10_000, 200_000])
@pytest.mark.parametrize("kind", ["list", "dict"])
@pytest.mark.parametrize("key", ["learning_rate", "powers", "plateau", "seed", "layers", "kind", "numerics"])
def test_values_in_values(saved, key, kind, depth):
    """As many as a stack does not hold."""
    folder, kinds = saved
    _, tensors, header = kinds["other"]
    text = json.dumps(header)
    assert f'"{key}": ' in text
    changed = re.sub(rf'"{key}": ', lambda _: f'"{key}": {deep(kind, depth)}, "was": ', text, count=1)
    path = sealed(folder, tensors, changed)
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))} ") as caught:
        Model.load(path)
    assert len(str(caught.value)) < 600


def test_a_header_that_fits_is_read_all_the_same(saved):
    """Or else the tests above would pass for another reason."""
    folder, kinds = saved
    for load, tensors, header in kinds.values():
        made = load(sealed(folder, tensors, json.dumps(header, sort_keys=True)))
        assert np.isfinite(made.predict_proba(problem()[0])).all()


@pytest.mark.parametrize(
    "dtype", [*TEXTS, "f8", "<f8", "double", None, 8, ["float64"]], ids=lambda value: shown(value, 20)
)
def test_a_dtype_in_a_file(saved, dtype):
    """As `save` spells it: another program's file is none of ours."""
    folder, kinds = saved
    _, tensors, header = kinds["model"]
    container.write(folder / "changed", tensors, {**header, "spec": {**header["spec"], "dtype": dtype}})
    with pytest.raises(ValueError, match=r"its dtype is .*, none of float64, float32$"):
        Model.load(folder / "changed")


def test_layers_that_would_take_all_memory(saved):
    """Nothing is as large as the header says before a tensor is."""
    folder, kinds = saved
    _, tensors, header = kinds["model"]
    for layers in ([2, 10**12, 3], [2, 2**20, 2**19, 3], [2, 5, 10**10], [10**400, 5, 3], [2, *[1] * 300_000, 3]):
        changed = {**header, "spec": {**header["spec"], "layers": layers, "hidden": "tanh"}}
        container.write(folder / "changed", tensors, changed)
        tracemalloc.start()
        with pytest.raises(ValueError, match="parts that do not fit together"):
            Model.load(folder / "changed")
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert most < 200e6


# ---------------------------------------------------------------------------------------------------------
# Parts of a header by themselves


@pytest.mark.parametrize("depth", [2, 1000, 10_000, 100_000])
def test_schedules_in_schedules(depth):
    described = {"name": "constant", "learning_rate": 0.1}
    for _ in range(depth):
        described = {"name": "warm_up", "epochs": 1.0, "then": described}
    with pytest.raises(ValueError, match=r"then=.* is a warm-up itself: give what comes after both"):
        schedules.from_description(described)
    for _ in range(depth):
        described = described["then"] if depth > 5000 else described  # so that Python need not unwind it by recursion


def test_schedules_that_are_none():
    nest = []
    for _ in range(100_000):
        nest = [nest]
    for wrong in (nest, {"name": nest}, {"name": "constant", "learning_rate": nest}, {"name": "step", "every": nest}):
        with pytest.raises((TypeError, ValueError)):
            schedules.from_description(wrong)
    for name in ("constant", "cosine", "reduce_on_plateau", "warm_up"):
        for value in HOSTILE:
            described = {"name": name, "learning_rate": value, "epochs": value, "then": value, "patience": value}
            with pytest.raises((TypeError, ValueError)):
                schedules.from_description(described)
    while nest:
        nest = nest[0]


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: shown(value, 20))
def test_states_of_generators(value):
    for seed in (np.random.RandomState(1), *map(np.random.Generator, (np.random.PCG64(1), np.random.MT19937(1)))):
        state = rng_state.state_of(seed)
        for place in places(state):
            if place[-1] == "gauss" or (place[-1] in ("has_uint32", "has_gauss", "uinteger", "pos") and value == 0):
                continue
            changed = json.loads(json.dumps(state))
            inner = changed
            for key in place[:-1]:
                inner = inner[key]
            if type(inner[place[-1]]) is int and type(value) is int and 0 <= value <= 2**64:
                continue  # it may be one
            inner[place[-1]] = value
            with pytest.raises(ValueError, match=r"^seed's state ") as caught:
                rng_state.from_state(changed)
            assert len(str(caught.value)) < 300


@pytest.mark.parametrize("kind", ["RandomState", "Generator"])
def test_a_generator_of_zeros_alone(kind):
    """It gives zeros for ever, and a normal number is drawn until it fits: NumPy would never return."""
    seed = np.random.RandomState(1) if kind == "RandomState" else np.random.Generator(np.random.MT19937(1))
    state = rng_state.state_of(seed)
    state["state"]["key"] = [2**31 - 1, *[0] * 623]  # of the first word one bit counts
    with pytest.raises(ValueError, match=r"state\.key of zeros, which MT19937 cannot leave"):
        rng_state.from_state(state)
    for place, word in ((0, 2**31), (1, 1), (623, 1)):
        state["state"]["key"] = [word if k == place else 0 for k in range(624)]
        rng_state.from_state(state).standard_normal(3)


# ---------------------------------------------------------------------------------------------------------
# Words


class Angry:
    def __repr__(self):
        raise KeyError("no")


def test_values_in_words():
    ring = []
    ring.append(ring)
    nest = json.loads(deep("list", 900))
    assert shown([1, "a"]) == "[1, 'a']"
    assert shown("a" * 100) == f"'{'a' * 56}..."
    assert shown(10**5000) in (f"<int of {(10**5000).bit_length()} bits>", f"1{'0' * 56}...")
    assert shown(Angry()) == "<Angry>"
    assert len(shown(ring)) < 60
    assert len(shown(nest)) == 60
    assert cut("a" * 10, 5) == "aa..."
    assert plain("a\n b\t\x1b[2J\u200b") == r"a b \x1b[2J\u200b"
    assert [in_digits(value) for value in (2**63 + 1, -5.0, np.float16(3), np.int8(-128), 1e300, 10**25)] == [
        *("9223372036854775809", "-5", "3", "-128", "1e+300", "1e+25")
    ]


@pytest.mark.parametrize(
    "value", [10**5000, -(10**5000), json.loads(deep("list", 900)), Angry()], ids=lambda v: shown(v, 20)
)
def test_arguments_that_have_no_repr_are_named(value):
    """f"{value!r}" would raise words of Python's own, or a RecursionError."""
    model = Model([2, 2, 2])
    fit = {"epochs": 1}
    for name in (
        "epochs",
        "batch_size",
        "learning_rate",
        "l2",
        "dropout",
        "clip_norm",
        "validation",
        "early_stopping",
        "threads",
    ):
        with pytest.raises((ValueError, TypeError), match=name) as caught:
            model.fit([[0, 1]], [0], **{**fit, name: value})
        assert len(str(caught.value)) < 400
    for name in ("layers", "hidden", "output", "loss", "init", "seed", "dtype"):
        with pytest.raises((ValueError, TypeError), match=f"^{name}=") as caught:
            Model(**{"layers": [2, 2, 2], name: [2, value] if name == "layers" else value})
        assert len(str(caught.value)) < 400


def test_no_pickle_is_read_for_a_model(tmp_path):
    """Whatever a file is, nothing in it is run."""
    import pickle

    ran = tmp_path / "ran"

    class Code:
        def __reduce__(self):
            return open, (str(ran), "w")

    made = io.BytesIO()
    pickle.dump(Code(), made)
    (tmp_path / "m").write_bytes(made.getvalue())
    with pytest.raises(ValueError, match="a Python pickle"):
        Model.load(tmp_path / "m")
    assert not ran.exists()
    pickle.loads(made.getvalue())
    assert ran.exists()
