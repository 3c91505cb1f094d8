"""Models of tables with words and holes as ONNX: what ONNX Runtime makes of cells, beside what `TableModel` does."""

import dataclasses
import warnings

import numpy as np
import pytest
from models import said

from fastmlp import Model, TableModel
from fastmlp.core.preprocess import RobustScale, Scale
from fastmlp.export.onnx_nodes import Graph
from fastmlp.tables.encoder import Encoder, Feature

onnx = pytest.importorskip("onnx", reason="onnx is not installed: no ONNX file is written")
onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed: no ONNX file is run")
pandas = pytest.importorskip("pandas", reason="pandas is not installed: tables with words are not read")

ROWS = 240


def frame(seed=0, rows=ROWS):
    """Numbers, integers, booleans and words, with holes in each; words that are rare, and a column with nothing."""
    draws = np.random.default_rng(seed)

    def holes(values, fraction=0.2):
        return np.where(draws.random(rows) < fraction, None, np.asarray(values, object))

    zoo = np.array(["ape", "bee", "cow", "dodo", "Ähre"])
    return pandas.DataFrame(
        {
            "size": draws.normal(3, 40, rows),
            "z0": pandas.to_numeric(pandas.Series(holes(draws.lognormal(0, 3, rows)))),
            "label": pandas.Series(holes(zoo[draws.choice(5, rows, p=[0.3, 0.3, 0.2, 0.19, 0.01])]), dtype=object),
            "count": draws.integers(-3, 9, rows),
            "code": zoo[draws.integers(0, 3, rows)],
            "wet": draws.random(rows) < 0.5,
            "nothing": np.full(rows, np.nan),
            "rare": [f"only {place}" if place < 20 else "ape" if place < 130 else "bee" for place in range(rows)],
            "y": np.where(draws.random(rows) < 0.5, "no", "yes"),
        }
    )


@pytest.fixture(scope="module")
def tables():
    """{whether columns are clipped smoothly: a TableModel}."""
    options = {"target": "y", "backend": "reference", "hidden": [6], "epochs": 2, "seed": 1}
    return {robust: TableModel.fit(frame(), recipe=robust, **options) for robust in (False, True)}


def run(path, table):
    """{name: what ONNX Runtime gives} of the rows of a frame, whose columns are the inputs, or together X."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    given = {}
    for place in session.get_inputs():
        if place.name == "X":
            given["X"] = table.to_numpy(np.float64)
        else:
            cells = table[[place.name.removesuffix("_")]]
            texts = place.type == "tensor(string)"
            given[place.name] = cells.fillna("").to_numpy(str) if texts else cells.to_numpy(np.float64)
            assert place.shape == ["N", 1]
    return dict(zip([made.name for made in session.get_outputs()], session.run(None, given), strict=True))


def seen_by_the_network(table):
    """The same columns before a network that gives what it is given: its values are its inputs, exactly."""
    width = table.model.spec.inputs
    same = Model([width, width], output="identity")
    same.set_weights([(np.eye(width), np.zeros(width))])
    return dataclasses.replace(table, model=same, classes=None, target_scale=None)


def quietly(function, *arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of words and holes that training rows had none of
        return function(*arguments)


def of_columns(features, scale=None, output="identity"):
    """A TableModel of columns, before a network that gives what it is given."""
    encoder = Encoder(tuple(features))
    scale = scale or Scale(np.zeros(encoder.width), np.ones(encoder.width))
    model = Model([encoder.width, 2], output=output)
    table = TableModel(model, tuple(encoder.names), "y", None, scale, None, {}, encoder)
    return seen_by_the_network(table)


def ulps(found, expected, dtype):
    """The most units in the last place of 1."""
    assert found.shape == expected.shape
    return np.abs(found.astype(float) - expected).max() / np.finfo(dtype).eps


@pytest.mark.parametrize("robust", [False, True])
def test_the_network_sees_the_same_numbers(tmp_path, tables, robust):
    """New rows have words that training did not have, holes where there were none, and outliers."""
    new = frame(5)
    new.loc[3, "size"], new.loc[4, "size"], new.loc[5, ["size", "count"]] = 1e300, -1e9, np.nan
    new.loc[6:9, "code"], new.loc[10:14, "code"] = "eft", ["", "NA", "?", "nan", "null"]
    new.loc[6:9, "label"], new.loc[10:12, "label"], new.loc[5:8, "rare"] = (
        "eft",
        ["NA", "N/A", ""],
        [None, "", "NA", "x"],
    )
    table = seen_by_the_network(tables[robust])
    assert [type(table.scale), table.encoder.features[2].flagged] == [RobustScale if robust else Scale, True]
    expected = quietly(table.predict, new)
    found = run(table.to_onnx(tmp_path), new)["values"]
    assert np.isfinite(expected).all()
    assert found.dtype == np.float64
    assert (found == expected).all()
    assert len(np.unique(expected, axis=0)) == ROWS


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("robust", [False, True])
def test_probabilities_and_labels(tmp_path, tables, robust, dtype):
    new, table = frame(7), tables[robust]
    found = run(table.to_onnx(tmp_path, dtype=dtype), new)
    assert found["probabilities"].dtype == dtype
    kind = "float32" if "float32" in (dtype, table.model.spec.dtype) else "float64"
    assert ulps(found["probabilities"], table.predict_proba(new), kind) <= 8  # 2 were seen
    assert found["label"].tolist() == table.predict(new).tolist()


def test_quantities(tmp_path):
    data = frame().assign(y=np.random.default_rng(3).normal(1000, 30, ROWS))
    table = TableModel.fit(data, target="y", backend="reference", hidden=[6], epochs=2, seed=1)
    new = frame(9)
    expected = table.predict(new)
    assert ulps(run(table.to_onnx(tmp_path), new)["values"] / 1000, expected / 1000, "float64") <= 8


def test_numbers_with_holes_are_one_input(tmp_path):
    """X has the columns in their order; of one in which nothing was, any number is ignored."""
    features = (
        Feature("a", "number", 2.5, True),
        Feature("b", "number", left_out=True),
        Feature("c", "integer", 7.0),
        Feature("d", "bool", 1.0, True),
        Feature("e", "number"),
    )
    x = np.array([[1, 2, 3, 0, 5], [np.nan, np.nan, np.nan, np.nan, 5], [-1, 4, np.nan, 1, 1e300]])
    data = pandas.DataFrame(x, columns=list("abcde"))
    table = of_columns(features, Scale(np.arange(6.0), np.array([1, 2, 3, 4, 5, 0.0])))
    found = run(table.to_onnx(tmp_path), data)["values"]
    assert (found == quietly(table.predict, data)).all()
    assert found[1].tolist() == [2.5, 0, 5 / 3, -0.5, -0.6, 0]
    plain = of_columns([Feature("a", "number"), Feature("b", "number")])  # as of older files: no median is known
    assert np.isnan(run(plain.to_onnx(tmp_path), pandas.DataFrame([[np.nan, 1.0]]))["values"][0, 0])


WORDS = {
    "others": Feature("w", "text", None, False, ("a", "b"), True),
    "flagged": Feature("w", "text", None, True, ("a", "b")),
    "both": Feature("w", "text", None, True, ("a", "b"), True),
    "neither": Feature("w", "text", None, False, ("a", "b")),
    "others alone": Feature("w", "text", None, False, (), True),
    "a mark that is a category": Feature("w", "text", None, True, ("NA", "a")),
}


@pytest.mark.parametrize("kind", WORDS)
def test_words_alone(tmp_path, kind):
    cells = ["a", "b", "c", "", "NA", "ä", "A", " ", "a b"]
    table = of_columns([WORDS[kind], Feature("v", "text", None, False, ("x",))])
    data = pandas.DataFrame({"w": cells, "v": "x"})
    found = run(table.to_onnx(tmp_path), data)["values"]
    if "mark" in kind:
        assert found[:, 0].tolist() == [text == "NA" for text in cells]
        return
    stripped = pandas.DataFrame({"w": [text.strip() for text in cells], "v": "x"})
    rows = [place for place, text in enumerate(cells) if text == text.strip()]
    assert (found[rows] == quietly(table.predict, stripped)[rows]).all()


def test_columns_called_as_outputs_and_nodes_are(tmp_path):
    nodes = ["w0", "z0", "logits", "mean", "rows_1", "labelencoder_0", "order", "medians"]
    names = ["label", "values", "values_", *nodes, "X", ""]
    features = [
        Feature(name, "text", None, False, ("x",)) if place % 2 else Feature(name, "number", 1.0, True)
        for place, name in enumerate(names)
    ]
    table = of_columns(features)
    data = pandas.DataFrame({f.name: ["x", "y"] if f.kind == "text" else [3.0, np.nan] for f in features})
    expected = quietly(table.predict, data)
    session = onnxruntime.InferenceSession(str(table.to_onnx(tmp_path)), providers=["CPUExecutionProvider"])
    given = [place.name for place in session.get_inputs()]
    assert given == ["label_", "values__", *names[2:-1], "_"]
    cells = [data[[name]].to_numpy(str if f.kind == "text" else float) for name, f in zip(names, features, strict=True)]
    assert (session.run(["values"], dict(zip(given, cells, strict=True)))[0] == expected).all()


def test_what_is_refused(tmp_path):
    dates = of_columns([Feature("day", "time", 3.0), Feature("w", "text", None, False, ("x",))])
    assert "column 'day' has dates, which ONNX has no type for" in said(ValueError, dates.to_onnx, tmp_path)
    for text in ("\ud800", "a\0b"):
        named, word = Feature(text, "text", None, False, ("x",)), Feature("w", "text", None, False, ("x", text))
        for feature in (named, word):
            assert "that a text in ONNX may not have" in said(ValueError, of_columns([feature]).to_onnx, tmp_path)
        labels = TableModel(Model([1, 2]), ("a",), "y", np.array(["x", text], object), Scale(np.zeros(1), np.ones(1)))
        assert "that a text in ONNX may not have" in said(ValueError, labels.to_onnx, tmp_path)
    model = Model([1, 2], standardize=True, seed=1)
    model.fit(np.arange(8.0)[:, None], np.arange(8) % 2, epochs=1)
    words = Encoder((WORDS["others alone"],))
    twice = TableModel(model, ("w",), "y", np.array([0.0, 1.0]), Scale(np.zeros(1), np.ones(1)), None, {}, words)
    assert "standardises rows once more" in said(ValueError, twice.to_onnx, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("robust", [False, True])
@pytest.mark.parametrize("fault", ["LabelEncoder", "Where", "order", "medians", "deviation", "mean"])
def test_a_fault_is_seen(tmp_path, tables, monkeypatch, fault, robust):
    """Unknown words that are the first category; holes kept; columns in another order; numbers one ulp away."""
    node, constant = Graph.node, Graph.constant

    def other_node(self, operator, *inputs, **more):
        if operator == fault == "LabelEncoder":
            more["default_int64"] = 0
        if operator == fault == "Where":
            return inputs[2]
        return node(self, operator, *inputs, **more)

    def other_constant(self, value, name=None, kind=None):
        if name == fault:
            value = value[::-1] if name == "order" else np.nextafter(value, 1e9)
        return constant(self, value, name, kind)

    monkeypatch.setattr(Graph, "node", other_node)
    monkeypatch.setattr(Graph, "constant", other_constant)
    with pytest.raises(AssertionError):
        test_the_network_sees_the_same_numbers(tmp_path, tables, robust)
