"""Features and targets of every kind, as `Model` takes and refuses them."""

import numpy as np
import pytest
from models import BACKENDS, OUTPUTS, XOR_X, XOR_Y, rows, said, targets, trained, whole_numbers

from fastmlp import Model


@pytest.mark.parametrize(
    ("x", "y", "error", "words"),
    [
        ([[0, 0, 0]], [0], ValueError, ["X has 3 columns", "layers=[2, 3, 2]"]),
        ([0, 1], [0], ValueError, ["X has shape (2,)", "reshape"]),
        ([[0, 1], [1]], [0, 1], ValueError, ["X is ragged"]),
        ([["a", "b"]], [0], TypeError, ["X holds text"]),
        ([[0, np.nan]], [0], ValueError, ["X has nan in row 0, column 1"]),
        ([[np.inf, 0]], [0], ValueError, ["X has inf in row 0, column 0"]),
        (np.zeros((0, 2)), [], ValueError, ["X has no rows"]),
        (None, [0], TypeError, ["X"]),
        ([[0, 1]], None, TypeError, ["y"]),
        ([[0, 1]], [], ValueError, ["y is empty"]),
        ([[0, 1]], [0, 1], ValueError, ["y has 2 rows and X has 1"]),
        ([[0, 1]], [2], ValueError, ["label 2 in row 0", "0 to 1"]),
        ([[0, 1]], [-1], ValueError, ["label -1 in row 0"]),
        ([[0, 1]], [0.5], ValueError, ["0.5 in row 0", "not a label"]),
        ([[0, 1]], [np.nan], ValueError, ["y has nan"]),
        ([[0, 1]], [[1, 1]], ValueError, ["not one-hot"]),
        ([[0, 1]], ["a"], TypeError, ["y holds text", "encode"]),
        ([[0, 1]], [[0, 1, 0]], ValueError, ["y has shape (1, 3)", "2 outputs"]),
    ],
)
@pytest.mark.parametrize("method", ["fit", "evaluate", "loss"])
def test_bad_data_is_refused_and_changes_nothing(method, x, y, error, words):
    model = Model([2, 3, 2])
    model.fit(XOR_X, XOR_Y, epochs=2)
    before = model.digest(), model.history
    message = said(error, getattr(model, method), x, y, **({"epochs": 3} if method == "fit" else {}))
    for word in words:
        assert word in message
    assert (model.digest(), model.history) == before


@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_bad_features_are_refused_by_predictions(method):
    predict = getattr(Model([2, 3, 2]), method)
    assert "X has 3 columns" in said(ValueError, predict, [[0, 1, 2]])
    assert "reshape" in said(ValueError, predict, [0, 1])
    assert "X has nan" in said(ValueError, predict, [[0, np.nan]])


# ---------------------------------------------------------------------------------------------------------
# fit: data of every kind


class Frame:
    """As much of a frame as anyone may count on: an array, and names."""

    def __init__(self, values):
        self.values = values
        self.columns = [f"c{k}" for k in range(np.shape(values)[1])]

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype)


def _strided(x):
    wide = np.full((3 * len(x), 2 * x.shape[1]), 77.0)
    wide[::3, ::2] = x
    return wide[::3, ::2]


def _read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


FEATURES = {
    "list": lambda x: x.tolist(),
    "tuples": lambda x: tuple(map(tuple, x.tolist())),
    "rows": list,
    "float32": lambda x: x.astype(np.float32),
    "float16": lambda x: x.astype(np.float16),
    "longdouble": lambda x: x.astype(np.longdouble),
    "int8": lambda x: x.astype(np.int8),
    "uint64": lambda x: x.astype(np.uint64),
    "big_endian": lambda x: x.astype(">f8"),
    "objects": lambda x: x.astype(object),
    "fortran": np.asfortranarray,
    "strided": _strided,
    "backwards": lambda x: x[::-1, ::-1].copy()[::-1, ::-1],
    "read_only": _read_only,
    "unaligned": lambda x: np.frombuffer(b"-" + x.tobytes(), np.uint8)[1:].view(x.dtype).reshape(x.shape),
    "frame": Frame,
    "matrix": lambda x: x.view(np.matrix),
}
LABELS = {
    "list": lambda y: y.tolist(),
    "int8": lambda y: y.astype(np.int8),
    "uint8": lambda y: y.astype(np.uint8),
    "bool": lambda y: y.astype(bool),
    "float32": lambda y: y.astype(np.float32),
    "column": lambda y: y[:, None],
    "one_hot": lambda y: np.eye(2)[y],
    "one_hot_int": lambda y: np.eye(2, dtype=np.int8)[y],
    "one_hot_fortran": lambda y: np.asfortranarray(np.eye(2)[y]),
    "strided": lambda y: np.repeat(y, 3)[::3],
    "column_of_a_table": lambda y: np.column_stack([1 - y, np.full(len(y), 9.0), y])[:, 2],
    "backwards": lambda y: y[::-1].astype(float)[::-1],
    "unaligned": lambda y: np.frombuffer(b"-" + y.astype(float).tobytes(), np.uint8)[1:].view(float),
    "read_only": _read_only,
    "objects": lambda y: y.astype(object),
}


@pytest.mark.parametrize("kind", FEATURES)
@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_features_of_every_kind_train_alike(kind):
    x, y = whole_numbers()
    given = FEATURES[kind](x)
    model = Model([3, 5, 2], seed=3)
    assert trained(given, y, model=model, batch_size=16) == trained(x, y, batch_size=16)
    assert model.predict_proba(given).tobytes() == model.predict_proba(x).tobytes()
    assert model.loss(given, y) == model.loss(x, y)


def test_bools_are_zeros_and_ones():
    x, y = whole_numbers()
    assert trained(x > 1, y) == trained((x > 1).astype(float), y)


@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_every_kind_train_alike(kind):
    x, y = whole_numbers()
    given = LABELS[kind](y)
    model, plain = (Model([3, 5, 2], seed=3) for _ in range(2))
    assert trained(x, given, model=model, batch_size=16) == trained(x, y, model=plain, batch_size=16)
    assert model.evaluate(x, given) == plain.evaluate(x, y)
    assert trained(x, y, validation=(x, given)) == trained(x, y, validation=(x, y))


@pytest.mark.parametrize("output", ["sigmoid", "identity"])
def test_one_output_takes_a_vector_or_a_column(output):
    x, y = whole_numbers()
    one, other = (Model([3, 4, 1], output=output, seed=1) for _ in range(2))
    assert trained(x, y, model=one) == trained(x, y[:, None].astype(np.float32), model=other)
    assert one.evaluate(x, y) == other.evaluate(x, y[:, None])


def test_frames_and_series_of_pandas():
    import pandas

    x, y = whole_numbers()
    shuffled = np.random.default_rng(0).permutation(len(x))  # an index must not reorder the rows
    frame = pandas.DataFrame(x, columns=["a", "b", "c"], index=shuffled)
    series = pandas.Series(y, index=shuffled[::-1])
    assert trained(frame, series) == trained(x, y)
    mixed = frame.astype({"a": "int8", "b": "float32", "c": "Int64"})
    assert trained(mixed, series.astype("category")) == trained(x, y)
    assert trained(frame, pandas.get_dummies(series)) == trained(x, y)
    assert "column 1 (b)" in said(ValueError, trained, frame.replace({"b": {1.0: np.nan}}), series)


@pytest.mark.parametrize("batch_size", [None, 7, 1])
@pytest.mark.parametrize(("output", "loss", "outputs"), OUTPUTS)
def test_x_and_y_are_never_modified(output, loss, outputs, batch_size):
    x, y = rows(30, 3), targets(output, outputs, 30)
    given_x, given_y = x.copy(), y.astype(float)  # what is taken without a copy
    model = Model([3, 4, outputs], output=output, loss=loss)
    model.fit(given_x, given_y, epochs=3, batch_size=batch_size)
    model.evaluate(given_x, given_y)
    model.loss(given_x, given_y)
    result = model.predict(given_x)
    result[:] = 0
    if output != "identity":
        model.predict_proba(given_x)[:] = 0
    assert given_x.tobytes() == x.tobytes()
    assert given_y.tobytes() == y.astype(float).tobytes()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("output", "loss", "outputs"), OUTPUTS)
def test_one_row_and_one_column(output, loss, outputs, backend):
    model = Model([1, 1, outputs], output=output, loss=loss, backend=backend)
    y = targets(output, outputs, 1)
    history = model.fit([[0.5]], y, epochs=3)
    assert len(history) == 3
    assert np.shape(model.predict([[0.5]])) == ((1, outputs) if output != "softmax" and outputs > 1 else (1,))
    assert model.loss([[0.5]], y) < history.loss[0]
