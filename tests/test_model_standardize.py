"""`Model(standardize=...)`: what is learnt, kept, written and applied, and that it is nothing but scaling before."""

import copy
import pickle

import numpy as np
import pytest

from fastmlp import DivergenceError, Ensemble, Model, cross_validate
from fastmlp.core.preprocess import Scale
from fastmlp.splits import split
from fastmlp.storage import container
from fastmlp.sweep import Sweep, train_many

RNG = np.random.default_rng(0)
Z = RNG.normal(size=(60, 3))
X = Z * [1.0, 1e4, 1e-6] + [0.0, 5e5, 3e-5]
LABELS = (Z[:, 0] + Z[:, 1] > 0).astype(int)
VALUES = Z @ [[1.0], [-2.0], [0.5]] * 7e4 + 2e5
FIT = {"epochs": 12, "batch_size": 16, "learning_rate": 0.05}
DTYPES = ["float64", "float32"]


def made(how=True, dtype="float64", **more):
    if how == "both":
        return Model([3, 8, 1], output="identity", standardize=how, dtype=dtype, seed=3, **more)
    return Model([3, 8, 2], standardize=how, dtype=dtype, seed=3, **more)


def targets_of(how):
    return VALUES if how == "both" else LABELS


def by_hand(how, dtype, rows=slice(None), **fit):
    """The same of rows that were scaled before, in float64 and rounded once."""
    scale = Scale.of(X[rows], range(3))
    plain = made(False, dtype) if how is True else Model([3, 8, 1], output="identity", dtype=dtype, seed=3)
    y = targets_of(how)
    if how == "both":
        y = VALUES.astype(dtype).astype(float)
        y = Scale.of(y[rows], range(1)).forward(y)
    plain.fit(scale.forward(X[rows]).astype(dtype), y[rows], **{**FIT, **fit})
    return plain, scale


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("how", [True, "both"])
@pytest.mark.parametrize("backend", ["numba", "reference"])
def test_it_is_scaling_before_the_fit(how, dtype, backend):
    model = made(how, dtype, backend=backend)
    history = model.fit(X, targets_of(how), **FIT)
    plain, scale = by_hand(how, dtype)
    for (w, b), (v, c) in zip(model.weights, plain.weights, strict=True):
        assert w.tobytes() == v.tobytes()
        assert b.tobytes() == c.tobytes()
    assert history.loss.tobytes() == plain.history.loss.tobytes()
    z = scale.forward(X).astype(dtype)
    if how is True:
        assert model.predict(X).tolist() == plain.predict(z).tolist()
        assert model.predict_proba(X).tobytes() == plain.predict_proba(z).tobytes()
        assert model.evaluate(X, LABELS) == plain.evaluate(z, LABELS)
        assert model.predictor()(X[0]).tobytes() == model.predict_proba(X[:1])[0].tobytes()
    else:
        mean, deviation = model.target_scale
        expected = (plain.predict(z).astype(float) * deviation + mean).astype(dtype)
        assert model.predict(X).tobytes() == expected.tobytes()
        assert model.predictor()(X).tobytes() == expected.tobytes()
        assert model.evaluate(X, VALUES)["r2"] > 0.9
        assert model.loss(X, VALUES) == model.evaluate(X, VALUES)["loss"]
    assert model.scale[0].tobytes() == scale.mean.tobytes()
    assert model.scale[1].tobytes() == scale.deviation.tobytes()


@pytest.mark.parametrize("backend", ["numba", "reference"])
def test_many_rows_have_the_bits_of_few(backend):
    """Kernels standardise many rows, and NumPy few of them."""
    rows = np.tile(X, (200, 1))
    model = made().__class__([3, 4, 2], standardize=True, backend=backend)
    model.fit(X, LABELS, epochs=1)
    assert model.predict_proba(rows[:11_000]).tobytes() == np.tile(model.predict_proba(X), (184, 1))[:11_000].tobytes()
    large = Model([3, 4, 2], standardize=True)
    large.fit(rows, np.tile(LABELS, 200), epochs=1)
    mean, deviation = large.scale
    from fastmlp.reference import preprocess

    assert mean.tobytes() == preprocess.mean(rows).tobytes()
    assert deviation.tobytes() == preprocess.deviation(rows, mean).tobytes()


def test_it_is_off_by_default_and_leaves_digest_and_file_alone(tmp_path):
    plain, same = Model([3, 4, 2]), Model([3, 4, 2], standardize=False)
    assert plain.digest() == same.digest()
    assert "standardize" not in repr(plain)
    assert plain.scale is None
    plain.save(tmp_path / "m")
    tensors, header = container.read(tmp_path / "m")
    assert "standardize" not in header
    assert not [name for name in tensors if "scale" in name]


def test_it_is_part_of_the_digest():
    digests = {Model([3, 4, 1], output="identity", standardize=how).digest() for how in (False, True, "both")}
    assert len(digests) == 3
    one, other = made(), made()
    one.fit(X, LABELS, epochs=1, learning_rate=1e-9)
    other.fit(X * 2, LABELS, epochs=1, learning_rate=1e-9)
    assert one.weights[0][0].tobytes() == other.weights[0][0].tobytes()
    assert one.digest() != other.digest()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("how", [True, "both"])
def test_it_survives_files_pickles_and_copies(tmp_path, how, dtype):
    model = made(how, dtype)
    model.fit(X, targets_of(how), **FIT)
    model.save(tmp_path / "m")
    for again in (Model.load(tmp_path / "m"), pickle.loads(pickle.dumps(model)), copy.copy(model)):
        assert again.digest() == model.digest()
        assert again.predict(X).tobytes() == model.predict(X).tobytes()
        assert repr(again) == repr(model)
    predictor = pickle.loads(pickle.dumps(model.predictor()))
    assert predictor(X[0]).tobytes() == model.predictor()(X[0]).tobytes()
    before = Model([3, 4, 1], output="identity", standardize=how)
    before.save(tmp_path / "before")
    read = Model.load(tmp_path / "before")
    assert read.standardize == before.standardize
    assert read.scale is None


@pytest.mark.parametrize("how", [True, "both"])
def test_resume_and_later_fits_keep_the_scale(tmp_path, how):
    y = targets_of(how)
    whole, parts = made(how), made(how)
    whole.fit(X, y, **FIT)
    parts.fit(X, y, **{**FIT, "epochs": 5})
    parts.save(tmp_path / "m")
    parts = Model.load(tmp_path / "m")
    parts.fit(X, y, **{**FIT, "epochs": 7}, resume=True)
    assert parts.digest() == whole.digest()
    scale = parts.scale[0].tobytes()
    parts.fit(X * 3, y, epochs=1)
    assert parts.scale[0].tobytes() == scale


def test_a_checkpoint_has_the_scale(tmp_path):
    whole, cut = made(), made()
    whole.fit(X, LABELS, **FIT)

    cut.fit(X, LABELS, **{**FIT, "epochs": 5}, checkpoint=tmp_path / "c", checkpoint_every=1)
    read = Model.load(tmp_path / "c")
    read.fit(X, LABELS, **{**FIT, "epochs": 7}, resume=True)
    assert read.digest() == whole.digest()
    with pytest.raises(ValueError, match="the checkpoint is of a model with standardize='features', and this one"):
        made(False).fit(X, LABELS, **FIT, resume=tmp_path / "c")


def test_validation_rows_do_not_count():
    model = made()
    model.fit(X, LABELS, **FIT, validation=0.25)
    training, held = split(LABELS, 0.25, 3)
    assert model.scale[0].tobytes() == Scale.of(X[training], range(3)).mean.tobytes()
    given = made()
    given.fit(X[training], LABELS[training], **FIT, validation=(X[held], LABELS[held]))
    assert given.digest() == model.digest()
    assert given.history.validation_loss.tobytes() == model.history.validation_loss.tobytes()


def test_before_a_fit_there_is_no_scale():
    model = made()
    for call in (model.predict, model.predict_proba, lambda x: model.evaluate(x, LABELS), lambda x: model.predictor()):
        with pytest.raises(ValueError, match="scale is learnt by the first fit, and there was none: call fit first"):
            call(X)


def test_columns_that_are_constant_but_for_rounding_are_left_alone():
    near = np.column_stack([Z[:, :2], np.where(np.arange(60) % 2, 0.3, 0.1 * 3)])
    assert len(set(near[:, 2])) == 2
    model = made()
    model.fit(near, LABELS, epochs=30)
    assert model.scale[1][2] == 0
    far = near.copy()
    far[:, 2] = 0.31
    assert model.predict_proba(far).tobytes() == model.predict_proba(near).tobytes()
    single = near.astype(np.float32)
    single[:, 2] = np.where(np.arange(60) % 2, np.float32(0.3), np.nextafter(np.float32(0.3), np.float32(1)))
    assert len(set(single[:, 2])) == 2
    model = made(dtype="float32")
    model.fit(single, LABELS, epochs=3)
    assert model.scale[1][2] == 0


def test_large_numbers_in_whole_steps_are_no_rounding():
    """5000000 and 5000001 are float32 numbers a few units apart, and yet differ."""
    x = np.column_stack([Z[:, :2], 5_000_000 + LABELS])
    model = made()
    model.fit(x, LABELS, **FIT)
    assert model.scale[1][2] > 0
    assert model.evaluate(x, LABELS)["accuracy"] == 1


def test_float32_takes_numbers_whole():
    """Rows of a float32 network are standardised before they are rounded: 1e9 + 0.001 z would be lost."""
    x = 1e9 + 0.001 * Z
    model = made(dtype="float32")
    model.fit(x, LABELS, epochs=200, learning_rate=0.3)
    assert model.evaluate(x, LABELS)["accuracy"] > 0.9


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("how", [True, "both"])
def test_many_models_at_once(how, dtype):
    y, fit = targets_of(how), {**FIT, "epochs": 3}
    alone = made(how, dtype)
    alone.fit(X, y, **fit)
    models = [made(how, dtype) for _ in range(3)]
    train_many(models, X, y, **fit)
    assert {model.digest() for model in models} == {alone.digest()}
    held = [made(how, dtype) for _ in range(2)]
    train_many(held, X, y, **fit, validation=0.25)
    watched = made(how, dtype)
    watched.fit(X, y, **fit, validation=0.25)
    assert {model.digest() for model in held} == {watched.digest()}


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_sweep(dtype):
    base = {"standardize": True, "layers": [3, 8, 2], "dtype": dtype, "seed": 3}
    found = Sweep({"learning_rate": [0.05, 0.1]}, base=base).fit(X, LABELS, epochs=12, batch_size=16)
    alone = made(True, dtype)
    alone.fit(X, LABELS, **FIT)
    assert found[0].digest == alone.digest()
    both = Sweep({"standardize": [False, True]}, base={**base, "standardize": True}).fit(X, LABELS, epochs=12)
    assert both[0].digest != both[1].digest


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("how", [True, "both"])
def test_an_ensemble(tmp_path, how, dtype):
    y = targets_of(how)
    layers, output = ([3, 8, 1], "identity") if how == "both" else ([3, 8, 2], None)
    words = {"members": 3, "seed": 3, "output": output, "dtype": dtype, "standardize": how}
    ensemble = Ensemble(layers, bootstrap=True, **words)
    ensemble.fit(X, y, **FIT)
    rows = ensemble.rows(1)
    alone = Model(layers, seed=4, output=output, dtype=dtype, standardize=how)
    alone.fit(X[rows], y[rows], **FIT)
    assert ensemble[1].digest() == alone.digest()
    mean = np.mean([model.predict(X).astype(float) for model in ensemble], axis=0)
    if how == "both":
        assert ensemble.predict(X) == pytest.approx(mean, rel=1e-6)
        assert ensemble.evaluate(X, y)["r2"] > 0.8
    assert ensemble.out_of_bag_score(X, y)["rows"] > 0.5
    ensemble.save(tmp_path / "e")
    assert Ensemble.load(tmp_path / "e").predict(X).tobytes() == ensemble.predict(X).tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
def test_cross_validation_scales_by_each_fold_s_own_rows(dtype):
    arguments = {"layers": [3, 8, 2], "seed": 3, "standardize": True, "dtype": dtype}
    found = cross_validate(arguments, X, LABELS, **FIT, folds=3)
    rows, held = found.folds[1]
    alone = made(True, dtype)
    alone.fit(X[rows], LABELS[rows], **FIT)
    assert found.models[1].digest() == alone.digest()
    assert found.scores["accuracy"][1] == alone.evaluate(X[held], LABELS[held])["accuracy"]


@pytest.mark.parametrize("value", ["all", 1, None, "", [True]])
def test_what_else_it_may_not_be(value):
    with pytest.raises((TypeError, ValueError), match="standardize="):
        Model([3, 2], standardize=value)


def test_targets_are_standardised_of_values_alone():
    with pytest.raises(ValueError, match='standardize="both" is of values, and output="softmax" has none'):
        Model([3, 2], standardize="both")


def test_what_cannot_be_squared_is_named():
    large = X.copy()
    large[3, 1] = 1e200
    with pytest.raises(ValueError, match="standardize: column 1 is too large to standardise"):
        made().fit(large, LABELS, **FIT)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_that_overflow_once_they_are_standardised_are_refused(dtype):
    model = made(dtype=dtype)
    model.fit(X, LABELS, **FIT)
    far = X.copy()
    far[2, 2] = 1e38 if dtype == "float32" else 1e305
    for use in (model.predict, model.predictor(), lambda x: model.loss(x, LABELS), lambda x: model.evaluate(x, LABELS)):
        with pytest.raises(ValueError, match="once it is standardised"):
            use(far if use is not model.predictor else far[2])


def test_a_fit_that_trained_nothing_leaves_no_scale_behind():
    """Its weights are not there, so the next fit learns the scale of its own rows."""
    model = made("both")
    model.set_weights([(w * 1e200, b) for w, b in model.weights])
    with pytest.raises(DivergenceError):
        model.fit(X * 100 + 7, VALUES, epochs=3)
    assert model.epochs == 0
    model.set_weights(made("both").weights)
    model.fit(X, VALUES, **FIT)
    alone = made("both")
    alone.fit(X, VALUES, **FIT)
    assert model.scale[0].tolist() == alone.scale[0].tolist()


def test_members_predict_what_their_models_do_of_far_rows():
    """Rows are standardised before they are rounded to float32."""
    ensemble = Ensemble([3, 6, 2], members=2, dtype="float32", standardize=True)
    ensemble.fit(X, LABELS, epochs=2)
    expected = np.stack([model.predict_proba(X) for model in ensemble.members])
    assert ensemble.predict_members(X).tobytes() == expected.tobytes()
