"""Rate factors of parameters and input scales, by `Model.fit`: what they mean, and what is refused in which words."""

import copy
import pickle

import numpy as np
import pytest

from fastmlp import SGD, Adagrad, Adam, AdamW, Ensemble, Model, RMSprop
from fastmlp.engine import initial_weights
from fastmlp.engine.training_numbers import update_factors
from fastmlp.fit import rate_factors
from fastmlp.schedules import Constant, CosineLog, FlatCosine
from fastmlp.spec import Spec
from fastmlp.sweep import Each, Sweep, train_many
from fastmlp.training import Training

X = np.random.RandomState(1).standard_normal((50, 4))
Y = (X[:, 0] > 0).astype(int)
FACTORS = {"weight": "ntk", "bias": 0.1, "input_scale": 6}
RECIPE = {"init": "lecun_normal", "bias_init": 1.0, "zero_last": True, "input_scale": True}


def trained(factors=None, optimizer=None, epochs=2, **options):
    model = Model([4, 6, 2], hidden="mish", seed=3, **RECIPE)
    model.fit(X, Y, epochs=epochs, batch_size=16, optimizer=optimizer or Adam(0.01), rate_factors=factors, **options)
    return model


def test_a_factor_is_that_of_the_rate():
    spec = Spec.build([4, 9, 2], input_scale=True)
    found = rate_factors.checked(FACTORS, spec, Adam())
    assert (found.weight, found.bias, found.input_scale) == ((0.5, 1 / 3), (0.1, 0.1), 6.0)
    assert rate_factors.checked(FACTORS, spec, SGD()).weight == (1 / 4, 1 / 9)
    for adaptive in (RMSprop(), Adagrad(), AdamW()):
        assert rate_factors.checked(FACTORS, spec, adaptive).weight == (0.5, 1 / 3)
    given = rate_factors.checked({"weight": [2, 3], "bias": (0, 5)}, spec, Adam())
    (vector,) = update_factors(spec, Training(1, 0.1, 4, 1, rate_factors=given))
    for (w, b), of_weight, of_bias in zip(spec.views(vector), (2, 3), (0, 5), strict=True):
        assert (w == of_weight).all()
        assert (b == of_bias).all()
    assert spec.scale_of(vector).tolist() == [1.0] * 4
    one = Model([4, 2], seed=1)
    other = copy.copy(one)
    one.fit(X, Y, epochs=1, optimizer=SGD(0.1), rate_factors={"weight": 3, "bias": 3})
    other.fit(X, Y, epochs=1, optimizer=SGD(0.1 * 3))
    assert np.allclose(one.weights[0][0], other.weights[0][0], rtol=1e-13)


def test_ones_change_no_bit():
    digests = {trained(factors).digest() for factors in (None, {}, {"bias": 1.0, "weight": [1, 1]}, {"input_scale": 1})}
    assert len(digests) == 1
    assert trained({"bias": 0.5}).digest() not in digests


def test_a_factor_of_0_leaves_parameters_as_they_are():
    begun = Model([4, 6, 2], hidden="mish", seed=3, **RECIPE)
    found = trained({"bias": 0.0, "input_scale": 0})
    assert all((b == start).all() for (_, b), (_, start) in zip(found.weights, begun.weights, strict=True))
    assert (found.input_scale == 1).all()
    assert (found.weights[0][0] != begun.weights[0][0]).any()


@pytest.mark.parametrize(
    ("factors", "error", "words"),
    [
        (0.1, TypeError, r"rate_factors=0.1 is not a dict"),
        ({"biases": 1}, ValueError, r"rate_factors has 'biases', which no parameter is: use .weight., .bias."),
        ({1: 1}, ValueError, r"rate_factors has 1, which no parameter is"),
        ({"bias": -1}, ValueError, r"\[.bias.\]=-1 is negative"),
        ({"bias": [1, 2, 3]}, ValueError, r"is a list of 3, and layers=\[4, 6, 2\] makes 2 layers"),
        ({"bias": float("inf")}, ValueError, r"\[.bias.\]=inf is not a finite number"),
        ({"bias": "ntk"}, TypeError, r"\[.bias.\]='ntk' is not a number"),
        ({"weight": "mup"}, ValueError, r"\[.weight.\]='mup' is not known"),
        ({"weight": 1e-400, "bias": 0, "input_scale": 0}, ValueError, r"are all 0, so that nothing would be trained"),
    ],
)
def test_what_is_refused(factors, error, words):
    model = Model([4, 6, 2], input_scale=True)
    before = model.digest()
    with pytest.raises(error, match=words):
        model.fit(X, Y, epochs=1, rate_factors=factors)
    assert model.digest() == before


def test_numbers_that_float32_cannot_hold_are_refused():
    with pytest.raises(ValueError, match=r"\[.bias.\]=1e-60"):
        Model([4, 2], dtype="float32").fit(X, Y, epochs=1, rate_factors={"bias": 1e-60})


def test_a_scale_that_the_model_has_not_is_refused():
    model = Model([4, 2])
    assert model.input_scale is None
    with pytest.raises(ValueError, match="rate_factors has input_scale, and the model has none"):
        model.fit(X, Y, epochs=1, rate_factors={"input_scale": 6})
    with pytest.raises(ValueError, match="input_scale is given, and the model has none"):
        model.set_weights(model.weights, input_scale=[1] * 4)


def test_a_model_goes_through_a_file_a_pickle_and_a_copy_and_goes_on(tmp_path):
    options = {"optimizer": AdamW(CosineLog(0.1, 6), weight_decay=FlatCosine(0.5, 6), decay_biases=False)}
    whole = trained(FACTORS, epochs=6, **options)
    part = trained(FACTORS, epochs=2, **options)
    part.save(tmp_path / "model")
    for one in (Model.load(tmp_path / "model"), pickle.loads(pickle.dumps(part)), copy.copy(part)):
        assert one.digest() == part.digest()
        assert (one.input_scale == part.input_scale).all()
        assert one.optimizer == options["optimizer"]
        one.fit(X, Y, epochs=4, batch_size=16, resume=True, rate_factors=FACTORS)
        assert one.digest() == whole.digest()
        assert one.predict_proba(X).tobytes() == whole.predict_proba(X).tobytes()


def test_predictions_follow_the_scale():
    model = trained(FACTORS)
    plain = Model([4, 6, 2], hidden="mish", seed=1)
    (w, b), *others = model.weights
    plain.set_weights([(model.input_scale[:, None] * w, b), *others])
    rows = np.concatenate([X] * 20)
    for count in (1, 3, 5, 40, 1000):
        expected = plain.predict_proba(rows[:count])
        assert (model.predict_proba(rows[:count]) == expected).all()
        assert (model.predictor()(rows[:count]) == expected).all()
    assert model.loss(X, Y) == plain.loss(X, Y)
    assert repr(model).count("input_scale=True") == 1
    assert "input_scale" not in repr(plain)
    assert "input_scale" not in repr(plain.spec)
    model.set_weights(model.weights, input_scale=np.zeros(4))
    assert (model.predict_proba(X) == model.predict_proba(0 * X)).all()
    model.set_weights([*model.weights])
    assert (model.input_scale == 0).all()


def test_a_digest_tells_scales_apart():
    plain, scaled = Model([4, 2], seed=1), Model([4, 2], seed=1, input_scale=True)
    assert plain.digest() != scaled.digest()
    other = copy.copy(scaled)
    other.set_weights(scaled.weights, input_scale=[1, 1, 1, 2])
    assert other.digest() != scaled.digest()


def test_checkpoints_hold_them(tmp_path):
    path = tmp_path / "fit"
    options = {"batch_size": 16, "optimizer": Adam(0.01), "rate_factors": FACTORS}
    model = Model([4, 6, 2], seed=3, **RECIPE)
    model.fit(X, Y, epochs=3, checkpoint=path, **options)
    other = Model([4, 6, 2], seed=3, **RECIPE)
    with pytest.raises(ValueError, match="rate_factors"):
        other.fit(X, Y, epochs=3, resume=path, **{**options, "rate_factors": {"bias": 0.5}})
    with pytest.raises(ValueError, match="rate_factors is not given"):
        other.fit(X, Y, epochs=3, resume=path, **{**options, "rate_factors": None})
    other.fit(X, Y, epochs=3, resume=path, **options)
    assert other.digest() == model.digest()


def test_many_models_have_the_bits_of_one(tmp_path):
    """Beside plain ones, which go as lanes."""

    def made():
        scaled = [Model([4, 6, 2], seed=seed, **RECIPE) for seed in range(3)]
        return [*scaled, *(Model([4, 6, 2], seed=seed) for seed in range(9))]

    together, apart = made(), made()
    each = [FACTORS] * 2 + [None] + [{"bias": 0.1}] * 2 + [None] * 7
    common = {"epochs": 2, "batch_size": 4}
    train_many(together, X, Y, **common, rate_factors=Each(each))
    for number, model in enumerate(apart):
        model.fit(X, Y, **common, rate_factors=each[number])
    assert [one.digest() for one in together] == [one.digest() for one in apart]
    grid = {"input_scale": [False, True], "zero_last": [True], "bias_init": [0.0, 1.0], "rate_factors": [{"bias": 0.1}]}
    results = Sweep(grid, base={"layers": [4, 6, 2], "seed": 1}).fit(X, Y, epochs=2, folder=tmp_path / "sweep")
    model = Model([4, 6, 2], seed=1, input_scale=True, zero_last=True, bias_init=1.0)
    model.fit(X, Y, epochs=2, rate_factors={"bias": 0.1})
    assert model.digest() in {result.digest for result in results}
    ensemble = Ensemble([4, 6, 2], members=2, seed=3, **RECIPE)
    ensemble.fit(X, Y, epochs=2, batch_size=4, rate_factors=FACTORS)
    assert ensemble[0].digest() != ensemble[1].digest()
    ensemble.save(tmp_path / "ensemble")
    assert Ensemble.load(tmp_path / "ensemble").predict_proba(X).tobytes() == ensemble.predict_proba(X).tobytes()


@pytest.mark.parametrize("rate", [0.1, Constant(0.1)], ids=["number", "schedule"])
def test_a_decay_that_spares_biases(rate):
    """Their factor of 0 leaves them as they are, and a plain decay does not."""
    begun = Model([4, 6, 2], hidden="mish", seed=3, **RECIPE).weights
    for spares in (True, False):
        optimizer = AdamW(rate, weight_decay=1.0, decay_biases=not spares)
        found = trained({"bias": 0.0}, optimizer).weights
        assert all((b == start).all() for (_, b), (_, start) in zip(found, begun, strict=True) if b.any()) == spares
    assert (
        trained(None, AdamW(rate, weight_decay=0.0, decay_biases=False)).digest() == trained(None, Adam(rate)).digest()
    )


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_memory_that_was_used_before_is_no_part_of_a_model(dtype, monkeypatch):
    """A kernel draws the weights alone: the scale behind them is not what the memory held."""
    empty = np.empty

    def used(*shape, **how):
        found = empty(*shape, **how)
        if found.dtype.kind == "f":
            found.fill(np.nan)
        return found

    initial_weights.get_ready("lecun_normal")
    monkeypatch.setattr(np, "empty", used)
    model = Model([4, 6, 2], seed=3, dtype=dtype, **{**RECIPE, "bias_init": 0.5})
    assert np.isfinite(model._network.parameters).all()
