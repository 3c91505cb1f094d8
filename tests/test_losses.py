"""Outputs and losses at the public face: which go together, their settings, and what a model makes of them."""

import numpy as np
import pytest
from trainings import OUTPUTS, name_of

from fastmlp import Model
from fastmlp import losses as faces
from fastmlp.losses import CrossEntropy, Huber, Quantile
from fastmlp.reference import losses as reference
from fastmlp.spec import BACKENDS, LOSSES, Spec

# ---------------------------------------------------------------------------------------------------------
# Settings


@pytest.mark.parametrize("kind", [CrossEntropy, Huber, Quantile])
def test_settings_are_plain_and_compare(kind):
    for number in (np.float32(0.5), np.float64(0.5), 0.5):
        made = kind(number)
        assert made == kind(0.5)
        assert type(made.parameter) is float
        assert eval(repr(made), {kind.__name__: kind}) == made
    assert faces.SETTABLE[kind.name] is kind
    assert faces.of(kind.name, 0.5) == kind(0.5)
    assert faces.of(kind.name, None) == kind.name


def test_no_smoothing_is_nothing_to_set():
    assert CrossEntropy().parameter is None
    assert Spec.build([2, 2], loss=CrossEntropy(0)) == Spec.build([2, 2])
    assert Huber(2).parameter == 2.0


@pytest.mark.parametrize(
    ("kind", "value", "error", "words"),
    [
        (CrossEntropy, -0.1, ValueError, "label_smoothing=-0.1 is out of range"),
        (CrossEntropy, 1, ValueError, "label_smoothing=1 is out of range"),
        (CrossEntropy, "0.1", TypeError, "label_smoothing='0.1' is not a number"),
        (Huber, 0, ValueError, "delta=0 is not positive"),
        (Huber, float("inf"), ValueError, "delta=inf is not a finite number"),
        (Huber, True, TypeError, "delta=True is not a number"),
        (Quantile, 0, ValueError, "q=0 is not a quantile"),
        (Quantile, 1, ValueError, "q=1 is not a quantile"),
        (Quantile, float("nan"), ValueError, "q=nan is not a finite number"),
        (Quantile, None, TypeError, "q=None is not a number"),
    ],
)
def test_settings_refused(kind, value, error, words):
    with pytest.raises(error, match=words):
        kind(value)


# ---------------------------------------------------------------------------------------------------------
# Specs


@pytest.mark.parametrize(
    ("output", "loss", "expected"),
    [
        (None, None, ("softmax", "cross_entropy", None)),
        ("softmax", None, ("softmax", "cross_entropy", None)),
        ("sigmoid", None, ("sigmoid", "binary_cross_entropy", None)),
        ("identity", None, ("identity", "squared_error", None)),
        ("exponential", None, ("exponential", "poisson", None)),
        (None, "cross_entropy", ("softmax", "cross_entropy", None)),
        (None, "binary_cross_entropy", ("sigmoid", "binary_cross_entropy", None)),
        (None, "squared_error", ("identity", "squared_error", None)),
        ("sigmoid", "squared_error", ("sigmoid", "squared_error", None)),
        (None, "absolute_error", ("identity", "absolute_error", None)),
        (None, "huber", ("identity", "huber", 1.0)),
        (None, "quantile", ("identity", "quantile", 0.5)),
        (None, "poisson", ("exponential", "poisson", None)),
        (None, CrossEntropy(0.1), ("softmax", "cross_entropy", 0.1)),
        ("identity", Huber(3), ("identity", "huber", 3.0)),
        (None, Quantile(0.9), ("identity", "quantile", 0.9)),
        (np.array(["sigmoid"])[0], np.array(["squared_error"])[0], ("sigmoid", "squared_error", None)),
    ],
)
def test_what_goes_together(output, loss, expected):
    spec = Spec.build([2, 3], output=output, loss=loss)
    assert (spec.output, spec.loss, spec.loss_parameter) == expected
    assert type(spec.output) is type(spec.loss) is str
    assert Spec.build([2, 3], output=spec.output, loss=faces.of(spec.loss, spec.loss_parameter)) == spec


def test_kernels_have_the_names_of_functions():
    for output, loss in OUTPUTS:
        spec = Spec.build([2, 3], output=output, loss=loss)
        assert callable(getattr(reference, spec.loss_kernel))
        assert spec.output_kernel is None or callable(getattr(reference, spec.output_kernel))
    assert Spec.build([2, 3]).loss_kernel == "softmax_cross_entropy"
    assert Spec.build([2, 3], loss=CrossEntropy(0.1)).loss_kernel == "softmax_smooth_cross_entropy"
    assert Spec.build([2, 3], loss="huber").loss_kernel == "identity_huber"


@pytest.mark.parametrize(
    ("loss", "classifier", "factor", "terms", "targets", "output_kernel"),
    [
        (CrossEntropy(0.1), True, 1, 1, 1, "softmax"),
        ("binary_cross_entropy", True, 1, 3, 3, "sigmoid_output"),
        ("squared_error", False, 2, 3, 3, None),
        ("absolute_error", False, 1, 3, 3, None),
        ("huber", False, 1, 3, 3, None),
        ("quantile", False, 1, 3, 3, None),
        ("poisson", False, 1, 3, 3, "exponential_output"),
    ],
)
def test_what_a_loss_brings(loss, classifier, factor, terms, targets, output_kernel):
    spec = Spec.build([2, 3], loss=loss)
    assert spec.is_classifier is classifier
    assert (spec.gradient_factor, spec.loss_terms, spec.targets) == (factor, terms, targets)
    assert spec.output_kernel == output_kernel


BAD_PAIRS = [
    (output, loss)
    for output in LOSSES
    for loss in sorted({name for names in LOSSES.values() for name in names})
    if loss not in LOSSES[output]
]


@pytest.mark.parametrize(("output", "loss"), [*BAD_PAIRS, ("softmax", Huber()), ("identity", CrossEntropy())])
def test_bad_pairs_are_refused_with_what_would_do(output, loss):
    name = loss if isinstance(loss, str) else loss.name
    with pytest.raises(ValueError, match=r"loss=.* does not go with output=") as caught:
        Spec.build([2, 3], output=output, loss=loss)
    use_loss, use_output = str(caught.value).partition(": ")[2].split(", or output=")
    assert all(f'"{good}"' in use_loss for good in LOSSES[output])
    assert all((f'"{other}"' in use_output) == (name in LOSSES[other]) for other in LOSSES)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"output": "tanh"}, ValueError, ["output='tanh'", '"softmax", "sigmoid", "identity" or "exponential"']),
        ({"output": 3}, ValueError, ["output=3 is not known"]),
        ({"loss": "hinge"}, ValueError, ["loss='hinge' is not known", '"huber"', '"squared_error"']),
        ({"loss": 3}, ValueError, ["loss=3 is not known"]),
        ({"loss": Huber}, TypeError, ["loss=Huber is a class", "Huber()"]),
        ({"loss": "poisson", "output": "identity"}, ValueError, ["loss='poisson'", 'or output="exponential"']),
        ({"loss": Huber(1e-50), "dtype": "float32"}, ValueError, ["Huber(delta=1e-50)", "rounds to 0.0 in float32"]),
        ({"loss": Huber(1e50), "dtype": "float32"}, ValueError, ["Huber(delta=1e+50)", "rounds to inf in float32"]),
        ({"loss": Quantile(1 - 1e-12), "dtype": "float32"}, ValueError, ["rounds to 1.0 in float32"]),
        ({"loss": CrossEntropy(1e-50), "dtype": "float32"}, ValueError, ["label_smoothing", "rounds to 0.0"]),
    ],
)
def test_specs_refused(arguments, error, words):
    with pytest.raises(error) as caught:
        Spec.build([2, 3], **arguments)
    for word in words:
        assert word in str(caught.value)


def test_settings_that_only_float64_holds():
    assert Spec.build([2, 3], loss=Quantile(1 - 1e-12)).loss_parameter == 1 - 1e-12
    assert Spec.build([2, 3], loss=Huber(1 - 1e-12), dtype="float32").loss_parameter == 1 - 1e-12  # 1 is a delta, too


# ---------------------------------------------------------------------------------------------------------
# Models


X = np.random.default_rng(1).normal(size=(60, 3))


def some_targets(output):
    counts = np.random.default_rng(2).poisson(np.exp(X[:, :2] / 2))
    return {
        "softmax": counts[:, 0] % 2, "sigmoid": counts % 2, "identity": X[:, :2] - X[:, 2:], "exponential": counts,
    }[output]  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("output", OUTPUTS, ids=name_of)
def test_models_learn(output, backend):
    """Every loss falls, and the loss of a record is the one that `evaluate` gives."""
    y = some_targets(output[0])
    model = Model([3, 8, 2], hidden="tanh", output=output[0], loss=output[1], seed=1, backend=backend)
    before = model.evaluate(X, y)
    history = model.fit(X, y, epochs=40, learning_rate=0.2)
    assert history.loss[0] == before["loss"]
    assert model.loss(X, y) < 0.99 * before["loss"]
    assert set(before) == {"loss", "accuracy" if output[0] in ("softmax", "sigmoid") else "r2"}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("outputs", [1, 2])
def test_counts_are_predicted_by_their_means(outputs, backend):
    y = some_targets("exponential")[:, :outputs]
    model = Model([3, 4, outputs], hidden="tanh", loss="poisson", backend=backend)
    model.fit(X, y, epochs=50, learning_rate=0.1)
    (w1, b1), (w2, b2) = model.weights
    z = np.tanh(X @ w1 + b1) @ w2 + b2
    means = model.predict(X)
    assert means.shape == ((60,) if outputs == 1 else (60, 2))
    np.testing.assert_allclose(means.reshape(60, -1), np.exp(z), rtol=1e-12)
    scores = model.evaluate(X, y)
    assert scores["loss"] == pytest.approx((np.exp(z) - y * z).mean(), rel=1e-12)
    r2 = (1 - ((np.exp(z) - y) ** 2).sum(axis=0) / ((y - y.mean(axis=0)) ** 2).sum(axis=0)).mean()
    assert scores["r2"] == pytest.approx(r2, rel=1e-12)
    assert (means > 0).all()


@pytest.mark.parametrize("output", ["identity", "exponential"])
def test_what_only_classifiers_have(output):
    model, y = Model([3, 2], output=output), some_targets(output)
    with pytest.raises(ValueError, match=f'output="{output}" has no probabilities: use predict'):
        model.predict_proba(X)
    with pytest.raises(ValueError, match=f'output="{output}" has none: use target_loss'):
        model.fit(X, y, epochs=1, target_accuracy=0.5)


def test_means_beyond_the_range_are_refused():
    model = Model([1, 1], loss="poisson")
    model.set_weights([([[1.0]], [0.0])])
    assert model.predict([[709.0]])[0] > 1e307
    with pytest.raises(ValueError, match="the outputs of row 1 are beyond the dtype's range"):
        model.predict([[0.0], [710.0]])


def test_the_repr_and_the_digest_know_the_setting():
    digests = set()
    for loss in ("huber", Huber(2.0), "quantile", Quantile(0.9), "absolute_error", "squared_error"):
        model = Model([2, 3, 1], loss=loss, seed=1)
        again = eval(repr(model), {"Model": Model, "Huber": Huber, "Quantile": Quantile})
        assert again.spec == model.spec
        digests.add(model.digest())
    assert len(digests) == 6
    assert Model([2, 2], loss="huber").digest() == Model([2, 2], loss=Huber(1)).digest()
    assert Model([2, 2], loss=CrossEntropy()).digest() == Model([2, 2]).digest()
    assert Model([2, 2], loss=CrossEntropy(0.1)).digest() != Model([2, 2]).digest()
