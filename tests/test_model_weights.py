"""Weights out and in, the digest of a model's bits, and copies."""

import copy
import pickle
import re
import warnings

import numpy as np
import pytest
from models import BACKENDS, XOR_X, XOR_Y, bits, in_another_process, said, whole_numbers

from fastmlp import Model

# ---------------------------------------------------------------------------------------------------------
# Weights, digest, copies


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_weights_are_copies_and_go_back_in(dtype):
    model, other = Model([2, 3, 2], seed=1, dtype=dtype), Model([2, 3, 2], seed=2, dtype=dtype)
    before = bits(model)
    weights = model.weights
    for w, b in weights:
        assert w.flags.c_contiguous
        assert (w.dtype, b.dtype) == (dtype, dtype)
    other.set_weights(weights)
    assert other.digest() == model.digest()
    weights[0][0][:] = 9
    assert bits(model) == bits(other) == before


def test_weights_of_every_kind():
    model = Model([2, 3, 1], output="identity")
    model.set_weights(iter([([[1, 2, 3], [4, 5, 6]], (0, 0, 1)), [np.ones((3, 1), np.float16, order="F"), [True]]]))
    assert [(w.tolist(), b.tolist()) for w, b in model.weights] == [
        ([[1, 2, 3], [4, 5, 6]], [0, 0, 1]),
        ([[1], [1], [1]], [1]),
    ]


GOOD = [(np.ones((2, 3)), np.zeros(3)), (np.ones((3, 2)), np.zeros(2))]


@pytest.mark.parametrize(
    ("weights", "error", "words"),
    [
        (None, TypeError, ["weights"]),
        (5, TypeError, ["weights"]),
        ([1, 2], TypeError, ["weights"]),
        ([], ValueError, ["weights must be 2 pairs (w, b)", "0 entries"]),
        (GOOD[:1], ValueError, ["weights must be 2 pairs (w, b)", "1 entries"]),
        ([*GOOD, GOOD[1]], ValueError, ["weights must be 2 pairs (w, b)"]),
        ([GOOD[0], (GOOD[1][0],)], ValueError, ["weights must be 2 pairs (w, b)"]),
        ([GOOD[0], (np.ones((2, 3)), np.zeros(2))], ValueError, ["weights[1] w has shape (2, 3)", "(3, 2)"]),
        ([GOOD[0], (GOOD[1][0], np.zeros(3))], ValueError, ["weights[1] b has shape (3,)", "(2,)"]),
        ([GOOD[0], (GOOD[1][0], np.zeros((1, 2)))], ValueError, ["weights[1] b has shape (1, 2)", "(2,)"]),
        ([GOOD[0], (GOOD[1][0], [0, np.nan])], ValueError, ["weights[1] b", "finite"]),
        ([GOOD[0], (GOOD[1][0], [0, np.inf])], ValueError, ["weights[1] b", "finite"]),
        ([GOOD[0], (GOOD[1][0], ["a", "b"])], TypeError, ["weights[1] b", "text"]),
        ([GOOD[0], ([[1, 2], [3]], [0, 0])], ValueError, ["weights[1] w", "ragged"]),
        ([GOOD[0], (GOOD[1][0], None)], TypeError, ["weights[1] b"]),
    ],
)
def test_bad_weights_are_refused_and_change_nothing(weights, error, words):
    model = Model([2, 3, 2], seed=1)
    before = bits(model)
    message = said(error, model.set_weights, weights)
    for word in words:
        assert word in message
    assert bits(model) == before


def test_weights_that_float32_cannot_hold():
    model = Model([1, 2], dtype="float32")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "float32" in said(ValueError, model.set_weights, [([[1e300, 0]], [0, 0])])


def test_the_digest_is_of_every_bit():
    model = Model([2, 3, 2], seed=1)
    assert re.fullmatch("[0-9a-f]{64}", model.digest())
    seen = {model.digest()}
    weights = model.weights
    for part in (part for layer in weights for part in layer):
        for place in np.ndindex(part.shape):
            kept = part[place]
            part[place] = np.nextafter(kept, 9)
            model.set_weights(weights)
            seen.add(model.digest())
            part[place] = kept
    assert len(seen) == 1 + 2 * 3 + 3 + 3 * 2 + 2
    part[0] = -0.0
    model.set_weights(weights)
    assert model.digest() not in seen


def test_the_digest_is_of_the_network_too():
    def digest(layers, **arguments):
        model = Model(layers, **arguments)
        model.set_weights([(np.ones_like(w), np.ones_like(b)) for w, b in model.weights])
        return model.digest()

    assert digest([2, 3, 2]) == digest((2, 3, 2), seed=9, backend="reference", hidden=["relu"])
    different = [
        digest([2, 3, 2]),
        digest([2, 3, 2], dtype="float32"),
        digest([2, 3, 2], hidden="tanh"),
        digest([2, 3, 2], output="sigmoid"),
        digest([2, 3, 2], output="sigmoid", loss="squared_error"),
        digest([2, 3, 2], output="identity"),
        digest([3, 2, 2]),
    ]
    assert len(set(different)) == len(different)


def test_the_digest_of_zeros_does_not_depend_on_the_seed():
    """init=0 leaves zeros without a sign."""
    assert Model([2, 3, 2], init=0, seed=1).digest() == Model([2, 3, 2], init=0, seed=2).digest()


@pytest.mark.parametrize("backend", BACKENDS)
def test_golden_digests(backend):
    """Of numerics version 1. A change here is a change of results, or of what a digest is made from."""
    for (dtype, batch_size), (initial, after) in GOLDEN_DIGESTS.items():
        model = Model([2, 3, 2], hidden="tanh", seed=1, dtype=dtype, backend=backend)
        assert model.digest() == initial
        model.fit(XOR_X, XOR_Y, epochs=5, learning_rate=0.5, batch_size=batch_size)
        assert model.digest() == after


def test_a_digest_is_the_same_in_another_process():
    script = (
        "from fastmlp import Model\n"
        f"model = Model([2, 3, 2], seed=1)\nmodel.fit({XOR_X}, {XOR_Y}, epochs=5, batch_size=3)\nprint(model.digest())"
    )
    model = Model([2, 3, 2], seed=1)
    model.fit(XOR_X, XOR_Y, epochs=5, batch_size=3)
    assert in_another_process(script).strip() == model.digest()


@pytest.mark.parametrize("copied", [copy.deepcopy, copy.copy, lambda model: pickle.loads(pickle.dumps(model))])
@pytest.mark.parametrize("seed", [4, np.random.RandomState(4), np.random.default_rng(4)], ids=["int", "state", "rng"])
def test_copies_go_on_alike(copied, seed):
    x, y = whole_numbers()
    model = Model([3, 5, 2], seed=seed)
    model.fit(x, y, epochs=2, batch_size=8)
    if copied is copy.copy and not isinstance(seed, int):
        model._network.seed = copy.deepcopy(
            model._network.seed
        )  # a shallow copy shares the generator, as NumPy's own do
    twin = copied(model)
    assert (repr(twin), twin.digest()) == (repr(model), model.digest())
    assert twin.history.loss.tolist() == model.history.loss.tolist()
    before = model.digest()
    if copied is not copy.copy:
        twin.fit(x, y, epochs=2, batch_size=8)
        assert model.digest() == before
        assert twin.digest() != before
        model.fit(x, y, epochs=2, batch_size=8)
        assert twin.digest() == model.digest()


def test_a_shallow_copy_is_a_model_of_its_own():
    model = Model([2, 3, 2])
    before = model.digest()
    copy.copy(model).fit(XOR_X, XOR_Y, epochs=3)
    assert model.digest() == before


# ---------------------------------------------------------------------------------------------------------
# Numbers of numerics version 1

WIDE = "70ee137eb5625d48ca2a34959133417ec0567f7997a0d6cb8bc198e0006c7ce6"
SINGLE = "410a9820ff4d7ece7beaac4ba35749d9e915f4aa5efdb86dd6cd753771885507"
# (dtype, batch_size): the digest before and after training
GOLDEN_DIGESTS = {
    ("float64", None): (WIDE, "9e473d679afa3c9914b8bde732282ab9b5bd517b625a9a42eeab050fb97be3ad"),
    ("float64", 3): (WIDE, "3f5b07a76db7b9c702579b9c61ac8fbd95cad39e6c28f34936d9934a83ef5e7f"),
    ("float32", None): (SINGLE, "b1dc2a9a10f49566dec4b71dd8b1e0b3d29389025fd5f2a84fa7bf25aa15ec15"),
    ("float32", 3): (SINGLE, "118de64e8b0f7d7db211c22947d78441cff4791fba3ae2777487f26eb2a439eb"),
}


def test_a_subclass_may_have_attributes_of_these_names():
    class Own(Model):
        def __init__(self, seed):
            self.seed, self.epochs, self.optimizer = "mine", 7, "yours"
            super().__init__([2, 3, 2], seed=seed)

    model = Own(5)
    model.fit([[0, 1], [1, 0]], [0, 1], epochs=2)
    assert (model.seed, model.epochs, model.optimizer) == ("mine", 7, "yours")
    plain = Model([2, 3, 2], seed=5)
    assert (plain.seed, plain.epochs, plain.optimizer) == (5, 0, None)
    plain.fit([[0, 1], [1, 0]], [0, 1], epochs=2)
    assert plain.epochs == 2
    assert plain.digest() == model.digest()
