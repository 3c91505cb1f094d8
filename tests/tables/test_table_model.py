"""A network with its table's columns, labels and scales: the same answers from a file, and what does not fit."""

import dataclasses

import numpy as np
import pytest

from fastmlp import Model
from fastmlp.storage import container, model_file
from fastmlp.tables.reader import Scale
from fastmlp.tables.table_model import TableModel

ROWS = np.random.default_rng(0).normal(5, 2, size=(30, 2))


def made(classes=None, outputs=3, dtype="float64", scaled=True, **model):
    """A table model of two features, in reference arithmetic."""
    output = "identity" if classes is None else "softmax"
    network = Model([2, 4, outputs], output=output, dtype=dtype, backend="reference", **model)
    values = np.column_stack([ROWS[:, 0] * (k + 1) + 7 for k in range(outputs)])
    target_scale = Scale.of(values, ["y"] * outputs) if classes is None and scaled else None
    labels = None if classes is None else np.array(classes, np.float64)
    return TableModel(network, ("a", "b"), "y", labels, Scale.of(ROWS, ["a", "b"]), target_scale, {"l2": 0.5})


def test_classes_come_back_as_labels():
    model = made([-3, 4, 10])
    z = model.scale.forward(ROWS)
    assert model.predict(ROWS).tolist() == np.array([-3, 4, 10])[model.model.predict(z)].tolist()
    assert model.predict(ROWS).dtype == np.int64
    assert model.predict_proba(ROWS).tobytes() == model.model.predict_proba(z).tobytes()


def test_labels_that_no_int64_holds_stay_what_they_are():
    assert set(made([0, 1e300, 2e300]).predict(ROWS)) <= {0.0, 1e300, 2e300}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("outputs", [1, 2])
def test_quantities_come_back_in_their_units(outputs, dtype):
    model = made(outputs=outputs, dtype=dtype)
    scaled = model.model.predict(model.scale.forward(ROWS)).astype(np.float64).reshape(30, outputs)
    expected = scaled * model.target_scale.deviation + model.target_scale.mean
    found = model.predict(ROWS)
    assert found.shape == ((30,) if outputs == 1 else (30, 2))
    assert found.dtype == np.float64
    assert found.tobytes() == expected.tobytes()


def test_quantities_without_a_scale_are_the_network_s():
    model = made(outputs=1, scaled=False)
    assert model.predict(ROWS).tobytes() == model.model.predict(model.scale.forward(ROWS)).tobytes()


@pytest.mark.parametrize(
    "model", [made([0, 1, 2]), made(outputs=1), made(outputs=2, dtype="float32"), made(scaled=False)]
)
def test_a_file_holds_all_of_it(tmp_path, model):
    model.save(tmp_path / "m")
    read = TableModel.load(tmp_path / "m", backend="reference")
    assert read.predict(ROWS).tobytes() == model.predict(ROWS).tobytes()
    assert read.model.digest() == model.model.digest()
    assert (read.names, read.target, read.settings) == (("a", "b"), "y", {"l2": 0.5})
    assert read.model.backend == "reference"
    read.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "m").read_bytes()


def test_a_file_goes_on_where_it_was(tmp_path):
    model, whole = made([0, 1, 2]), made([0, 1, 2])
    x, y = model.scale.forward(ROWS), np.arange(30) % 3
    words = {"batch_size": 7, "optimizer": "adam"}
    whole.model.fit(x, y, epochs=5, **words)
    model.model.fit(x, y, epochs=2, **words)
    model.save(tmp_path / "m")
    read = TableModel.load(tmp_path / "m", backend="reference")
    read.model.fit(x, y, epochs=3, resume=True, **words)
    assert read.model.digest() == whole.model.digest()


class Frame:
    """What a pandas frame has."""

    def __init__(self, columns, values):
        self.columns, self.values = columns, values

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values, dtype)


def test_a_frame_goes_by_its_names():
    model = made(outputs=1)
    assert model.predict(Frame(["b", "a"], ROWS[:, ::-1])).tobytes() == model.predict(ROWS).tobytes()
    with pytest.raises(ValueError, match="X does not have the model's columns: b missing"):
        model.predict(Frame(["a", "c"], ROWS))


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.ones((3, 3)), "X has 3 columns, and the model takes 2: a, b"),
        (np.ones(2), "rows of features are needed"),
        ([[1, np.nan]], "X has nan in row 0, column 1"),
        ([[1e308, 1.0]], None),
    ],
)
def test_rows_that_do_not_fit_are_refused(x, words):
    model = made(outputs=1)
    if words is None:
        model = dataclasses.replace(model, scale=Scale(np.zeros(2), np.full(2, 1e-5)))
        words = "X has inf in row 0, column 0"
    with pytest.raises(ValueError, match=words):
        model.predict(x)


def test_quantities_have_no_probabilities():
    with pytest.raises(ValueError, match="'y' is a quantity, which has no probabilities: use predict"):
        made(outputs=1).predict_proba(ROWS)


def test_scores():
    model = made([2, 5, 7])
    right = model.predict(ROWS)
    assert model.score(ROWS, right) == {"accuracy": 1.0}
    assert model.score(ROWS, np.where(np.arange(30) < 6, 3, right)) == {"accuracy": 0.8}
    quantity = made(outputs=1)
    y = np.arange(30.0)
    r2 = 1 - ((quantity.predict(ROWS) - y) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    assert quantity.score(ROWS, y)["r2"] == pytest.approx(r2, rel=1e-12)
    for asked, y in ((quantity, np.ones(3)), (model, np.ones((30, 2))), (model, np.ones((30, 3)))):
        with pytest.raises(ValueError, match="y has shape"):
            asked.score(ROWS, y)


def test_one_hot_rows_are_scored_by_their_places():
    model = made([0, 1, 2])
    assert model.score(ROWS, np.eye(3)[model.predict(ROWS)]) == {"accuracy": 1.0}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"names": ("a",)}, r"names has 1 entries, and layers=\[2, 4, 1\] needs 2"),
        ({"classes": np.array([0.0, 1.0])}, "classes need a network with output"),
        ({"scale": Scale(np.zeros(3), np.ones(3))}, "scale has 3 entries"),
        ({"target_scale": Scale(np.zeros(2), np.ones(2))}, "target_scale has 2 entries"),
    ],
)
def test_parts_that_do_not_fit_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        dataclasses.replace(made(outputs=1), **changes)


def test_the_number_of_classes_is_that_of_outputs():
    with pytest.raises(ValueError, match="classes has 2 entries"):
        made([0, 1])


def test_a_table_model_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        made().target = "z"


def test_files_of_the_other_kind_say_what_to_use(tmp_path):
    made().save(tmp_path / "table")
    made().model.save(tmp_path / "model")
    with pytest.raises(ValueError, match=r"`fastmlp predict`, or fastmlp\.TableModel\.load"):
        Model.load(tmp_path / "table")
    with pytest.raises(ValueError, match=r"holds a model, not a table: load it with fastmlp\.Model\.load"):
        TableModel.load(tmp_path / "model")


@pytest.mark.parametrize("part", ["names", "classes", "scale", "settings"])
def test_a_file_without_a_part_is_refused(tmp_path, part):
    made().save(tmp_path / "m")
    tensors, header = container.read(tmp_path / "m")
    del header["table"][part]
    container.write(tmp_path / "m", tensors, header)
    with pytest.raises(ValueError, match=f"m has parts that do not fit together: it has no '{part}'"):
        TableModel.load(tmp_path / "m")


def test_a_file_with_a_tensor_too_many_is_refused(tmp_path):
    made().save(tmp_path / "m")
    tensors, header = container.read(tmp_path / "m")
    container.write(tmp_path / "m", {**tensors, "more": np.ones(1)}, header)
    with pytest.raises(
        ValueError, match="m has parts that do not fit together: nothing of a table's model is called more"
    ):
        TableModel.load(tmp_path / "m")


def test_a_file_without_a_table_is_refused(tmp_path):
    model_file.write(tmp_path / "m", made().model._network, "table")
    with pytest.raises(ValueError, match="m has parts that do not fit together"):
        TableModel.load(tmp_path / "m")


def test_other_columns_may_hold_anything(tmp_path):
    """They are not read: lists, infinite numbers, and words among numbers."""
    pandas = pytest.importorskip("pandas")
    rows = np.random.default_rng(0).normal(size=(40, 2))
    frame = pandas.DataFrame({"a": rows[:, 0], "b": rows[:, 1], "y": (rows[:, 0] > 0).astype(int)})
    model = TableModel.fit(frame, "y", epochs=2)
    expected = model.predict(frame)
    odd = frame.assign(list=[[1]] * 40, far=np.inf, mixed=["x" if k == 30 else str(k) for k in range(40)])
    assert model.predict(odd).tolist() == expected.tolist()
    odd.drop(columns="list").to_csv(tmp_path / "t.csv", index=False)
    assert model.predict(tmp_path / "t.csv").tolist() == expected.tolist()
    with pytest.raises(ValueError, match="not a finite number"):
        model.predict(odd.assign(b=np.inf))


def test_a_file_without_names(tmp_path):
    rows = np.random.default_rng(0).integers(0, 9, (40, 3))
    rows[:, 2] = rows[:, 0] > 4
    np.savetxt(tmp_path / "t.csv", rows, "%d", ",")
    model = TableModel.fit(tmp_path / "t.csv", "2", epochs=2, no_header=True)
    expected = model.predict(rows[:, :2])
    assert model.predict(tmp_path / "t.csv", no_header=True).tolist() == expected.tolist()
    assert model.score(tmp_path / "t.csv", no_header=True) == {"accuracy": float((expected == rows[:, 2]).mean())}
    assert len(model.predict_proba(tmp_path / "t.csv", no_header=True)) == 40
    with pytest.raises(TypeError, match="no_header is for files"):
        model.predict(rows[:, :2], no_header=True)


def test_unknown_categories_are_warned_of():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"town": ["x", "y"] * 20, "y": [0, 1] * 20})
    model = TableModel.fit(frame, "y", epochs=2)
    with pytest.warns(UserWarning, match=r"not in training: town 'z' \(1 row\): their inputs are 0"):
        model.predict(pandas.DataFrame({"town": ["x", "z"]}))
