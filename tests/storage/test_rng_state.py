"""Seeds kept and made again: the same next draws for every kind, and nothing else is taken for a state."""

import copy
import json

import numpy as np
import pytest

from fastmlp.storage import container
from fastmlp.storage.rng_state import from_state, state_of

BIT_GENERATORS = ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")
KINDS = (*BIT_GENERATORS, "RandomState")
LEGACY = {
    "random": lambda g: g.random_sample(3),
    "normal": lambda g: g.standard_normal(3),  # RandomState makes them in pairs, and keeps the fourth
    "uint32": lambda g: g.randint(0, 2**31, 3, dtype=np.uint32),
    "permutation": lambda g: g.permutation(7),
}
DRAWS = {
    "nothing": lambda g: None,
    "random": lambda g: g.random(3),
    "float32": lambda g: g.random(3, np.float32),  # halves of 64-bit draws: one is kept
    "normal": lambda g: g.standard_normal(3),
    "uint32": lambda g: g.integers(0, 2**32, 3, np.uint32),
    "permutation": lambda g: g.permutation(7),
    "many": lambda g: g.random(1000),
}


def seeded(kind):
    return np.random.RandomState(5) if kind == "RandomState" else np.random.Generator(getattr(np.random, kind)(5))


def draw(generator, name):
    legacy = isinstance(generator, np.random.RandomState)
    return (LEGACY.get(name, DRAWS["nothing"]) if legacy else DRAWS[name])(generator)


def again(state, tmp_path):
    """Through a file."""
    container.write(tmp_path / "state", {}, {"seed": state})
    return from_state(container.read(tmp_path / "state")[1]["seed"])


def same_from_here(a, b):
    for name in [*DRAWS] * 2:
        np.testing.assert_array_equal(draw(a, name), draw(b, name))
    assert state_of(a) == state_of(b)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("before", DRAWS)
def test_the_next_draws_are_the_same(kind, before, tmp_path):
    generator = seeded(kind)
    for name in ("permutation", before):
        draw(generator, name)
    state = state_of(generator)
    made = again(state, tmp_path)
    assert type(made) is type(generator)
    assert state_of(made) == state_of(generator) == state
    same_from_here(generator, made)


@pytest.mark.parametrize("kind", KINDS)
def test_at_every_place_of_a_buffer(kind):
    generator = seeded(kind)
    for _ in range(9):
        made = from_state(state_of(generator))
        draw(made, "permutation")  # of its own: the other goes on as it was
        same_from_here(copy.deepcopy(generator), from_state(state_of(generator)))
        if kind == "RandomState":
            generator.standard_normal()
        else:
            generator.integers(0, 2**32, dtype=np.uint32)


def test_the_second_normal_number_is_kept_exactly(tmp_path):
    generator = np.random.RandomState(3)
    for _ in range(51):
        generator.standard_normal()
    state = state_of(generator)
    assert state["has_gauss"] == 1
    assert again(state, tmp_path).standard_normal().hex() == generator.standard_normal().hex()


def test_half_a_draw_is_kept():
    generator = np.random.default_rng(3)
    generator.random(dtype=np.float32)
    state = state_of(generator)
    assert state["has_uint32"] == 1
    assert from_state(state).random(dtype=np.float32) == generator.random(dtype=np.float32)
    state["uinteger"] ^= 2**31  # what a state that leaves it out would do
    assert from_state(state).random(dtype=np.float32) != from_state(state_of(generator)).random(dtype=np.float32)


@pytest.mark.parametrize("seed", [0, 1, 2**63, 2**64 - 1, np.uint64(2**64 - 1), np.int8(3)])
def test_ints(seed, tmp_path):
    made = again(state_of(seed), tmp_path)
    assert type(made) is int
    assert made == seed


@pytest.mark.parametrize("seed", [-1, 2**64, np.int64(-1)])
def test_ints_out_of_range(seed):
    with pytest.raises(ValueError, match=r"is out of range: give a whole number from 0 to 2\*\*64 - 1"):
        state_of(seed)


class MyGenerator(np.random.Generator):
    pass


class MyState(np.random.RandomState):
    pass


class PCG64(np.random.PCG64):
    """Of a name that is on the list."""


@pytest.mark.parametrize(
    ("seed", "message"),
    [
        (MyGenerator(np.random.PCG64(1)), "MyGenerator"),
        (MyState(1), "MyState"),
        (np.random.Generator(PCG64(1)), "a Generator over test_rng_state.PCG64"),
        (np.random.RandomState(np.random.PCG64(1)), "a RandomState over PCG64"),
        (np.random.PCG64(1), "PCG64"),
        (True, "builtins.bool"),
        (np.True_, "numpy.bool"),
        (1.0, "builtins.float"),
        ("1", "builtins.str"),
        (None, "builtins.NoneType"),
    ],
)
def test_seeds_that_cannot_be_kept(seed, message):
    with pytest.raises(TypeError, match="give a whole number as the seed") as caught:
        state_of(seed)
    assert message in str(caught.value)


def changed(state, path, value):
    state = json.loads(json.dumps(state))
    *above, last = path.split(".")
    inner = state
    for key in above:
        inner = inner[key]
    if value is KeyError:
        del inner[last]
    else:
        inner[last] = value
    return state


def leaves(value, path=""):
    """The path of everything in a state."""
    for key, item in value.items():
        yield f"{path}{key}"
        if isinstance(item, dict):
            yield from leaves(item, f"{path}{key}.")


EVERYWHERE = [
    (kind, path) for kind in (*KINDS, "int") for path in leaves(state_of(1 if kind == "int" else seeded(kind)))
]


@pytest.mark.parametrize(("kind", "path"), EVERYWHERE)
def test_anything_malformed_is_refused(kind, path):
    state = state_of(1 if kind == "int" else seeded(kind))
    wrong = [None, True, -1, 2**128, 1.5, "1", [], {}, {"a": 1}, [1] * 3, [[1]] * 4, [2**64] * 4, [-1] * 624, [0.0] * 2]
    wrong += [float("nan"), float("inf"), KeyError]
    for value in wrong:
        if path == "gauss" and value == 1.5:
            continue
        with pytest.raises(ValueError, match=r"^seed's state "):
            from_state(changed(state, path, value))
    above = path.rpartition(".")[0]
    with pytest.raises(ValueError, match=r"^seed's state "):
        from_state(changed(state, f"{above}.more" if above else "more", 0))


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("MT19937", "state.pos", 625),
        ("MT19937", "state.key", [2**32] * 624),
        ("MT19937", "bit_generator", "PCG64"),
        ("RandomState", "bit_generator", "PCG64"),
        ("RandomState", "state.pos", 625),
        ("RandomState", "kind", "Generator"),
        ("PCG64", "kind", "RandomState"),
        ("PCG64", "state.inc", 2),
        ("PCG64", "has_uint32", 2),
        ("PCG64", "uinteger", 2**32),
        ("PCG64", "bit_generator", "BitGenerator"),
        ("PCG64", "bit_generator", "__class__"),
        ("PCG64", "bit_generator", "SFC64"),
        ("Philox", "buffer_pos", 5),
    ],
)
def test_what_numpy_would_trust_is_refused(kind, path, value):
    with pytest.raises(ValueError, match=r"^seed's state "):
        from_state(changed(state_of(seeded(kind)), path, value))


@pytest.mark.parametrize("state", [None, 1, [], "int", {}, {"kind": "int"}, {"kind": ["int"]}, {1: 2}])
def test_what_is_no_state(state):
    with pytest.raises(ValueError, match=r"^seed's state "):
        from_state(state)


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("PCG64", "state.state", 2**128 - 1),
        ("PCG64DXSM", "state.inc", 2**128 - 1),
        ("PCG64", "uinteger", 2**32 - 1),
        ("MT19937", "state.key", [2**32 - 1] * 624),
        ("MT19937", "state.pos", 624),
        ("Philox", "state.counter", [2**64 - 1] * 4),
        ("Philox", "state.key", [2**64 - 1] * 2),
        ("Philox", "buffer", [2**64 - 1] * 4),
        ("SFC64", "state.state", [2**64 - 1] * 4),
        ("RandomState", "gauss", -5e-324),
    ],
)
def test_the_ends_of_every_range_are_kept(kind, path, value, tmp_path):
    state = changed(state_of(seeded(kind)), path, value)
    assert state_of(again(state, tmp_path)) == state


def test_a_state_says_where_it_is_wrong():
    state = changed(state_of(np.random.RandomState(0)), "state.pos", 700)
    with pytest.raises(ValueError, match=r"^seed's state has a state\.pos that is 700, no whole number from 0 to 624$"):
        from_state(state)


def test_a_state_that_is_given_is_not_changed():
    for kind in KINDS:
        state = state_of(seeded(kind))
        before = copy.deepcopy(state)
        draw(from_state(state), "many")
        assert state == before
