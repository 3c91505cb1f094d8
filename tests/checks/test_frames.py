"""Frames and series of pandas and polars, of every dtype of numbers they have, for `Model` and the estimators.

Both are of the `test` extra: where they are missing, these tests fail, so that nobody takes them for passed.
"""

import datetime
import warnings

import numpy as np
import pandas
import polars
import pytest
from models import said, trained, whole_numbers

from fastmlp import MLPClassifier, Model
from fastmlp.checks import arrays
from fastmlp.tables.reader import Scale
from fastmlp.tables.table_model import TableModel

X, Y = whole_numbers()
X = (X > 1).astype(float) + 2 * (X > 2)  # 0, 1 and 3
NAMES = ["a", "b", "c"]
PANDAS = ["float64", "float32", "int64", "uint8", "Int64", "Int8", "UInt16", "Float64", "Float32", "object", "category"]
PANDAS += ["int64[pyarrow]", "uint8[pyarrow]", "double[pyarrow]", "float[pyarrow]"]
POLARS = [polars.Float64, polars.Float32, polars.Int64, polars.UInt8, polars.Decimal(10, 2)]
TEXTS = ["str", "string", "string[python]", "string[pyarrow]", "category", "object"]


def pandas_of(kind, x):
    """A frame (N, K) or a series (N,) of this dtype."""
    whole = x.astype("int64") if "nt" in kind else x
    made = pandas.DataFrame(whole, columns=NAMES) if x.ndim == 2 else pandas.Series(whole)
    return made.astype(kind)


def polars_of(kind, x):
    if x.ndim == 2:
        return polars.DataFrame(
            {name: polars.Series(column).cast(kind) for name, column in zip(NAMES, x.T, strict=True)}
        )
    return polars.Series(x).cast(kind)


FRAMES = [pytest.param(pandas_of, kind, id=f"pandas-{kind}") for kind in PANDAS]
FRAMES += [pytest.param(polars_of, kind, id=f"polars-{kind}") for kind in POLARS]
HOLES = [(pandas_of, kind) for kind in ("float64", "Int64", "Float32", "object", "int64[pyarrow]", "double[pyarrow]")]
HOLES += [(polars_of, kind) for kind in (polars.Float64, polars.Int64)]


def with_hole(make, kind, x):
    """The same with nothing in row 5 of the first column."""
    frame = make(kind, x)
    if make is pandas_of:
        frame = frame.copy()
        if x.ndim == 1:
            frame.iloc[5] = None
        else:
            frame.iloc[5, 0] = None
        return frame
    if x.ndim == 1:
        return polars.Series([None if row == 5 else value for row, value in enumerate(frame.to_list())], dtype=kind)
    return frame.with_columns(with_hole(make, kind, x[:, 0]).alias("a"))


# ---------------------------------------------------------------------------------------------------------
# Model


@pytest.mark.parametrize(("make", "kind"), FRAMES)
def test_a_model_takes_them_everywhere(make, kind):
    """Training, validation, weights and predictions: the bits of plain arrays."""
    weights = np.arange(len(X)) % 4.0
    options = {"batch_size": 16, "epochs": 3}
    frame, labels = make(kind, X), make(kind, Y.astype(float))
    plain = trained(X, Y, sample_weight=weights, validation=(X[:9], Y[:9]), **options)
    model = Model([3, 5, 2], seed=3)
    held = frame[:9], labels[:9]
    assert trained(frame, labels, model=model, sample_weight=make(kind, weights), validation=held, **options) == plain
    assert model.predict(frame).tobytes() == model.predict(X).tobytes()
    assert model.predict_proba(frame[:1]).tobytes() == model.predict_proba(X[:1]).tobytes()
    assert model.predictor()(frame).tobytes() == model.predictor()(X).tobytes()
    assert model.evaluate(frame, labels) == model.evaluate(X, Y)
    assert model.loss(frame, labels) == model.loss(X, Y)


@pytest.mark.parametrize(("make", "kind"), FRAMES)
def test_quantities_and_one_hot_rows(make, kind):
    model = Model([3, 5, 3], output="identity", seed=3)
    plain = Model([3, 5, 3], output="identity", seed=3)
    assert trained(make(kind, X), make(kind, X), model=model) == trained(X, X, model=plain)
    hot = np.eye(3)[X.max(axis=1).astype(int) % 3]
    softmax = [Model([3, 5, 3], seed=3) for _ in range(2)]
    assert trained(X, make(kind, hot), model=softmax[0]) == trained(X, hot, model=softmax[1])


@pytest.mark.parametrize("kind", ["bool", "boolean", "bool[pyarrow]"])
def test_yes_and_no(kind):
    frame, series = pandas.DataFrame(X > 1, columns=NAMES).astype(kind), pandas.Series(Y == 1).astype(kind)
    assert trained(frame, series) == trained((X > 1).astype(float), Y)
    frame, series = polars.DataFrame(X > 1, schema=NAMES), polars.Series(Y == 1)
    assert trained(frame, series) == trained((X > 1).astype(float), Y)


@pytest.mark.parametrize(("make", "kind"), HOLES)
def test_a_hole_is_named(make, kind):
    """Whatever stands there: NaN, NA, None or null."""
    model = Model([3, 5, 2])
    frame, labels = with_hole(make, kind, X), with_hole(make, kind, Y.astype(float))
    weights = with_hole(make, kind, np.ones(len(X)))
    for call, name in (
        (lambda: trained(frame, Y, model=model), r"^X has (nan|nothing)"),
        (lambda: model.predict(frame), r"^X has (nan|nothing)"),
        (lambda: model.predictor()(frame), r"^x has (nan|nothing)"),
        (lambda: trained(X, labels, model=model), r"^y has (nan|nothing)"),
        (lambda: trained(X, Y, model=model, sample_weight=weights), r"^sample_weight has (nan|nothing)"),
        (lambda: trained(X, Y, model=model, validation=(frame, Y)), r"^validation X has (nan|nothing)"),
        (lambda: trained(X, Y, model=model, validation=(X, labels)), r"^validation y has (nan|nothing)"),
    ):
        with pytest.raises(ValueError, match=rf"{name}.* in row 5"):
            call()
    with pytest.raises(ValueError, match=r"in row 5, column 0 \(a\)"):
        model.predict(frame)


@pytest.mark.parametrize("kind", TEXTS)
def test_text_is_named(kind):
    model, words = Model([3, 5, 2]), np.array(["no", "yes"])[Y]
    frame = pandas.DataFrame(X, columns=NAMES)
    frame["b"] = pandas.Series(words).astype(kind)
    assert "X holds text (" in said(TypeError, trained, frame, Y, model=model)
    assert "row 0, column 1 (b)" in said(TypeError, model.predict, frame)
    message = said(TypeError, trained, X, pandas.Series(words).astype(kind), model=model)
    assert "y holds text" in message
    assert "numpy.unique" in message


@pytest.mark.parametrize("kind", [polars.String, polars.Categorical, polars.Enum(["no", "yes"])])
def test_text_of_polars_is_named(kind):
    model, words = Model([3, 5, 2]), polars.Series(np.array(["no", "yes"])[Y]).cast(kind)
    frame = polars.DataFrame(X, schema=NAMES).with_columns(words.alias("b"))
    assert "row 0, column 1 (b)" in said(TypeError, model.predict, frame)
    assert "y holds text" in said(TypeError, trained, X, words, model=model)


def test_dates_and_nested_columns_are_refused():
    model = Model([3, 5, 2])
    dates = pandas.date_range("2020-01-01", periods=len(X))
    for column in (
        pandas.Series(dates),
        pandas.Series(dates).astype("timestamp[ns][pyarrow]"),
        pandas.Series(dates.date),
    ):
        with pytest.raises(TypeError, match=r"^y holds"):
            trained(X, column, model=model)
    for column in (
        polars.Series([datetime.date(2020, 1, 1)] * len(X)),
        polars.Series([datetime.timedelta(1)] * len(X)),
        polars.Series([[1.0], [1.0, 2.0]] * (len(X) // 2)),
        polars.Series([{"a": 1, "b": "x"}] * len(X)),
    ):
        with pytest.raises(TypeError, match=r"^y (holds|cannot be read)"):
            trained(X, column, model=model)
    assert "X.collect()" in said(TypeError, model.predict, polars.DataFrame(X, schema=NAMES).lazy())


def test_an_index_orders_nothing():
    """Nor do two columns of one name, or names of two levels."""
    shuffled = np.random.default_rng(0).permutation(len(X))
    frame = pandas.DataFrame(X, columns=NAMES, index=shuffled)
    expected = trained(X, Y)
    assert trained(frame, pandas.Series(Y, index=shuffled[::-1])) == expected
    assert trained(pandas.DataFrame(X, columns=["a"] * 3), pandas.Index(Y)) == expected
    assert trained(pandas.DataFrame(X, columns=pandas.MultiIndex.from_product([["a"], NAMES])), Y) == expected
    assert trained(frame.iloc[::-1].iloc[::-1], Y) == expected
    assert (
        trained(polars.concat([polars.DataFrame(part, schema=NAMES) for part in (X[:7], X[7:])], rechunk=False), Y)
        == expected
    )


def test_columns_of_several_dtypes():
    frame = pandas.DataFrame(X, columns=NAMES).astype({"a": "int8", "b": "float32", "c": "Int64"})
    assert trained(frame, pandas.Series(Y).astype("category")) == trained(X, Y)
    assert trained(frame, pandas.get_dummies(pandas.Series(Y))) == trained(X, Y)
    mixed = polars.DataFrame({"a": X[:, 0].astype("i1"), "b": X[:, 1].astype("f4"), "c": X[:, 2] > 0})
    assert trained(mixed, Y) == trained(np.column_stack([X[:, :2], X[:, 2] > 0]), Y)


@pytest.mark.parametrize("make", [pandas_of, polars_of])
def test_a_table_s_model_goes_by_names(make):
    network = Model([3, 5, 2], seed=3)
    table = TableModel(network, tuple(NAMES), "y", np.array([4.0, 9.0]), Scale.of(X, NAMES))
    frame = make("float64" if make is pandas_of else polars.Float64, X)
    expected = table.predict(X).tolist()
    assert table.predict(frame).tolist() == table.predict(frame[["c", "a", "b"]]).tolist() == expected
    assert table.score(frame, make("int64" if make is pandas_of else polars.Int64, Y * 5.0 + 4)) == table.score(
        X, Y * 5 + 4
    )
    with pytest.raises(ValueError, match="X does not have the model's columns: b missing"):
        table.predict(frame[["c", "a"]])
    if make is pandas_of:
        twice = pandas.DataFrame(np.column_stack([X, X[:, 0]]), columns=[*NAMES, "a"])
        with pytest.raises(ValueError, match="X has two columns 'a': rename one"):
            table.predict(twice)


# ---------------------------------------------------------------------------------------------------------
# Estimators


@pytest.fixture
def estimators():
    pytest.importorskip("sklearn", "1.6", reason="scikit-learn is not installed, or older than 1.6")
    from fastmlp import MLPClassifier, MLPRegressor

    return MLPClassifier, MLPRegressor


def bits(made, x):
    return [w.tobytes() for w in (*made.coefs_, *made.intercepts_)], made.predict(x).astype(float).tobytes()


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer", "ignore:X does not have valid feature names")
@pytest.mark.parametrize(("make", "kind"), FRAMES)
@pytest.mark.parametrize("which", [0, 1], ids=["classifier", "regressor"])
def test_an_estimator_takes_them_everywhere(estimators, which, make, kind):
    """float32 is trained in float32, where scikit-learn tells it; a classifier's labels are no objects."""
    objects = which == 0 and (kind == "object" or str(kind).startswith("Decimal"))
    frame, weights = make(kind, X), 1 + np.arange(len(X)) % 3.0
    y = Y if objects else make(kind, Y.astype(float))
    first = {"classes": [0, 1]} if which == 0 else {}

    def new():
        return estimators[which](hidden_layer_sizes=4, max_iter=3, random_state=1)

    held = {"X_val": frame[:9], "y_val": y[:9], "sample_weight_val": make(kind, weights)[:9]}
    found = new().fit(frame, y, make(kind, weights), **held)
    x = X.astype(found.coefs_[0].dtype)
    assert x.dtype == "float64" or "32" in str(kind) or "float[" in str(kind)
    expected = new().fit(x, Y, weights, X_val=x[:9], y_val=Y[:9], sample_weight_val=weights[:9])
    assert list(found.feature_names_in_) == NAMES
    assert bits(found, frame) == bits(expected, x)
    assert found.validation_scores_ == pytest.approx(expected.validation_scores_, rel=1e-6)
    assert bits(new().partial_fit(frame, y, **first), frame) == bits(new().partial_fit(x, Y, **first), x)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("kind", TEXTS)
def test_a_classifier_takes_labels_of_text(estimators, kind):
    words = pandas.Series(np.array(["no", "yes"])[Y]).astype(kind)
    made = estimators[0](hidden_layer_sizes=4, max_iter=3, random_state=1).fit(X, words)
    assert list(made.classes_) == ["no", "yes"]
    assert set(made.predict(X)) <= {"no", "yes"}


@pytest.mark.parametrize(("make", "kind"), HOLES)
def test_an_estimator_refuses_a_hole(estimators, make, kind):
    good, frame = make(kind, X), with_hole(make, kind, X)
    weights = with_hole(make, kind, np.ones(len(X)))
    for which in estimators:
        made = which(hidden_layer_sizes=4, max_iter=3, random_state=1)
        for call in (
            lambda made=made: made.fit(frame, Y),
            lambda made=made: made.fit(good, with_hole(make, kind, Y.astype(float))),
            lambda made=made: made.fit(good, Y, weights),
            lambda made=made: made.fit(good, Y, X_val=frame, y_val=Y),
        ):
            with pytest.raises((ValueError, TypeError)):
                call()


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_dates_are_no_numbers_to_an_estimator(estimators):
    """scikit-learn would take the nanoseconds."""
    made = estimators[1](max_iter=1).fit(X, Y)
    dates = pandas.DataFrame({name: pandas.date_range("2020-01-01", periods=len(X)) for name in NAMES})
    for frame in (dates, polars.DataFrame(dates), dates.to_numpy()):
        with pytest.raises(TypeError, match=r"^X holds dates or times: turn it into ordinary numbers first"):
            estimators[1]().fit(frame, Y)
        with pytest.raises(TypeError, match=r"^X"):
            made.predict(frame)
    with pytest.raises(TypeError, match=r"^sample_weight holds dates"):
        estimators[1]().fit(X, Y, dates["a"])


def mixed(rows=20):
    """What `pandas.get_dummies` leaves: columns of bools among floats, and their numbers as one array."""
    random = np.random.RandomState(0)
    columns = {f"c{k}": random.rand(rows) < 0.5 if k % 3 else random.rand(rows) for k in range(9)}
    return columns, np.column_stack([*columns.values()]).astype(float)


@pytest.mark.parametrize("make", [pandas.DataFrame, polars.DataFrame])
def test_bools_among_floats(make, monkeypatch):
    """By columns: pandas would make a Python object of each number."""
    monkeypatch.setattr(arrays, "_from_objects", None)
    columns, x = mixed()
    y = np.arange(len(x)) % 2
    plain, framed = (Model([9, 4, 2], seed=0) for _ in range(2))
    plain.fit(x, y, epochs=3, learning_rate=0.1)
    framed.fit(make(columns), y, epochs=3, learning_rate=0.1)
    assert framed.digest() == plain.digest()
    np.testing.assert_array_equal(framed.predict_proba(make(columns)), plain.predict_proba(x))
    made = MLPClassifier((4,), max_iter=2, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made.fit(make(columns), y)
    for rows in (1, len(x)):
        p = made.predict_proba(make(columns)[:rows])
        np.testing.assert_array_equal(p[:, 1:], made._forward("outputs", x[:rows]))


def test_columns_of_several_kinds_keep_their_numbers():
    frame = pandas.DataFrame({"a": [True, False], "b": np.array([2**60 + 1, 3]), "c": np.array([1, 2], "uint8")})
    found = arrays.numeric_array(frame, "y")
    assert found.dtype == np.int64
    assert found.tolist() == [[1, 2**60 + 1, 1], [0, 3, 2]]
    assert arrays.by_column(frame[["b", "c"]]) is None  # NumPy's own way is as fast
    assert arrays.by_column(frame["a"]) is None
    assert arrays.by_column(frame.astype({"a": "boolean"})) is None  # which may have nothing in a row
    missing = frame.assign(c=[None, 1.5])
    with pytest.raises(ValueError, match=r"X has nan in row 0, column 2 \(c\): every value must be a finite number"):
        Model([3, 2]).predict(missing)
