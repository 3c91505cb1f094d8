"""Labels keep all of their digits, or are refused: in arrays, tables, files, and the estimators."""

import json

import numpy as np
import pytest

from fastmlp import Model, cli
from fastmlp.checks import integers
from fastmlp.core import data
from fastmlp.spec import Spec
from fastmlp.storage import container
from fastmlp.tables import reader
from fastmlp.tables.table_model import TableModel

IDS = [1234567890123450000, 1234567890123456788, 1234567890123456789]  # the last two are one float64
BEYOND = [2**63 + 1, 2**63 + 2, 2**64 - 1]  # no int64


# ---------------------------------------------------------------------------------------------------------
# Arrays


@pytest.mark.parametrize(("dtype", "most"), [("float16", 2**11), ("float32", 2**24), ("float64", 2**53)])
def test_floats_up_to_where_each_is_one_number(dtype, most):
    assert integers.most_exact(np.dtype(dtype)) == most
    labels = np.array([most - 1, 1 - most], dtype)
    integers.check_exact(labels, "y")
    assert labels.astype(object).astype(int).tolist() == [most - 1, 1 - most]
    beyond = np.array([1, -most - 2], dtype)
    with pytest.raises(
        ValueError, match=f"^y has -{most + 2} in row 1, and {dtype} rounds whole numbers from {most} on, so"
    ):
        integers.check_exact(beyond, "y")


def test_float16_labels_of_many_classes():
    """3001 is 3000 in float16, and 3003 is 3004."""
    spec = Spec.build([2, 4000])
    y = np.array([5, 3001, 3003])
    assert data.targets(y, 3, spec).tolist() == [5, 3001, 3003]
    assert data.targets(y.astype("f4"), 3, spec).tolist() == [5, 3001, 3003]
    with pytest.raises(ValueError, match=r"^y has 3000 in row 1, and float16 rounds whole numbers from 2048 on"):
        data.targets(y.astype("f2"), 3, spec)
    assert data.targets(np.array([5, 2047], "f2"), 2, spec).tolist() == [5, 2047]


def test_float32_labels_of_a_very_wide_network():
    """Of arguments alone: a network of so many outputs takes 200 MB."""
    wide = {dtype: Spec.build([1, 2**24 + 10], dtype=dtype) for dtype in ("float64", "float32")}
    y = np.array([0, 2**24, 2**24 + 1])
    assert data.targets(y, 3, wide["float64"]).tolist() == y.tolist()
    assert data.targets(y[:2], 2, wide["float32"]).tolist() == y[:2].tolist()
    with pytest.raises(
        ValueError, match="y has label 16777217 in row 2, and a network of float32 tells labels up to 16777216"
    ):
        data.targets(y, 3, wide["float32"])
    with pytest.raises(ValueError, match="and float32 rounds whole numbers from 16777216 on"):
        data.targets(np.array([0, 2**24 + 2], "f4"), 2, wide["float64"])
    with pytest.raises(ValueError, match="labels up to 16777216 apart"):
        data.targets(np.array([0, 2**24 + 2]).tolist(), 2, wide["float32"])


def test_a_label_out_of_range_is_said_to_be_that():
    with pytest.raises(ValueError, match=r"y has label 9007199254740993 in row 1, and layers=\[2, 3\] ends in 3"):
        data.targets(np.array([0, 2**53 + 1]), 2, Spec.build([2, 3]))
    with pytest.raises(ValueError, match=r"y has label 1e\+300 in row 1"):
        data.targets([0, 1e300], 2, Spec.build([2, 3]))
    with pytest.raises(ValueError, match="y has label -128 in row 0"):
        data.targets(np.array([-128, 1], "i1"), 2, Spec.build([2, 3]))


def test_equal_numbers_of_different_kinds():
    ints, floats = np.array([2**53, 2**53 + 1, 3]), np.array([2.0**53, 2.0**53, 3.0])
    assert integers.same(ints, floats).tolist() == [True, False, True]
    assert integers.same(floats, ints).tolist() == [True, False, True]
    assert integers.same(np.array([2**63 + 1, 1], "u8"), np.array([-5, 1])).tolist() == [False, True]
    assert integers.same(ints, ints.copy()).tolist() == [True] * 3


@pytest.mark.parametrize("classes", [[0.0, 5.0, 9.0], [0, 5, 9], IDS, BEYOND], ids=str)
@pytest.mark.parametrize("as_floats", [False, True])
def test_places_of_labels(classes, as_floats):
    kinds = np.array(classes)
    labels = [classes[2], classes[0], classes[1]]
    assert integers.places_in(kinds, np.array(labels, kinds.dtype))[0].tolist() == [2, 0, 1]
    unknown = kinds[1] + kinds.dtype.type(2)
    given = np.array([*labels, unknown, unknown], kinds.dtype)
    if as_floats:
        given = given.astype(object)
    assert integers.places_in(kinds, given)[1] == unknown


def test_integers_in_the_least_of_two_dtypes():
    assert integers.integers([5, -(2**63)]).dtype == np.int64
    assert integers.integers([0, 2**64 - 1]).dtype == np.uint64
    assert integers.integers([-1, 2**63]) is integers.integers([0, 2**64]) is None


# ---------------------------------------------------------------------------------------------------------
# Tables and their models


def write(tmp_path, kind, labels, name="t"):
    """A table of 10 rows for each label, which one feature tells."""
    x = np.column_stack([np.arange(10 * len(labels)) % len(labels), np.arange(10 * len(labels)) / 7.0])
    rows = [labels[int(row[0])] for row in x]
    path = tmp_path / f"{name}.{kind}"
    if kind == "npz":
        np.savez(path, X=x, y=np.array(rows))
    else:
        path.write_text("a,b,y\n" + "".join(f"{a!r},{b!r},{y}\n" for (a, b), y in zip(x.tolist(), rows, strict=True)))
    return path, rows


def called(capsys, *arguments):
    status = cli.main([str(argument) for argument in arguments])
    return status, *capsys.readouterr()


@pytest.mark.parametrize("kind", ["csv", "npz"])
@pytest.mark.parametrize("labels", [IDS, BEYOND, [-IDS[2], -IDS[1], 7]], ids=str)
def test_long_labels_through_the_command_line(tmp_path, capsys, kind, labels):
    """Trained, predicted, scored, weighed, and trained further: each label by all of its digits."""
    path, rows = write(tmp_path, kind, labels)
    model = tmp_path / "m"
    target = ["--target", "y"] if kind == "csv" else []
    weights = f"{labels[1]}:2,{labels[2]}:0.5"
    options = ["--hidden", 8, "--epochs", 800, "--learning-rate", 0.1, "--threads", 1]
    status, out, err = called(capsys, "train", path, *target, *options, "--class-weight", weights, "-o", model)
    assert (status, err) == (0, "")
    assert f"3 classes ({' '.join(map(str, sorted(labels)))})" in out
    assert "training accuracy: 1.0000" in out
    status, out, err = called(capsys, "predict", model, path)
    assert (status, out.splitlines()[1:]) == (0, [str(row) for row in rows])
    assert err.splitlines()[0] == f"accuracy: 1.0000 on {len(rows)} rows of {path.name}"
    assert all(any(line.split()[:1] == [str(label)] for line in err.splitlines()) for label in labels)
    _, out, _ = called(capsys, "predict", model, path, "--probabilities")
    assert out.splitlines()[0] == ",".join(f"p_{label}" for label in sorted(labels))
    status, out, _ = called(capsys, "train", path, "--resume", model, "--epochs", 1, "-o", model)
    assert status == 0
    loaded = TableModel.load(model)
    assert loaded.classes.tolist() == sorted(labels)
    assert loaded.score(loaded_x(path), np.array(rows)) == {"accuracy": 1.0}
    shifted = [label + (label == labels[1]) for label in rows]
    assert loaded.score(loaded_x(path), np.array(shifted))["accuracy"] == pytest.approx(2 / 3)


def loaded_x(path):
    return np.load(path)["X"] if path.suffix == ".npz" else np.loadtxt(path, delimiter=",", skiprows=1, usecols=(0, 1))


def test_a_label_that_is_one_off_is_no_class_of_the_model(tmp_path, capsys):
    path, _ = write(tmp_path, "csv", IDS)
    other, _ = write(tmp_path, "csv", [IDS[0], IDS[1], IDS[2] + 1], "other")
    train = ["--epochs", 1, "--hidden", 3, "-o", tmp_path / "m"]
    assert called(capsys, "train", path, "--target", "y", *train)[0] == 0
    status, _, err = called(capsys, "train", other, "--resume", tmp_path / "m", "--epochs", 1)
    assert status == 2
    assert err.startswith(
        f"fastmlp: 'y' holds {IDS[2] + 1}, which is none of the classes of {tmp_path / 'm'} ({IDS[0]} "
    )
    status, _, err = called(capsys, "train", path, "--target", "y", *train[:-2], "--class-weight", f"{IDS[2] + 1}:2")
    assert (status, f": {IDS[2] + 1} is none of the classes" in err) == (2, True)
    assert called(capsys, "predict", tmp_path / "m", other)[2] != ""


def test_classes_that_are_all_large_go_on_beside_small_ones(tmp_path, capsys):
    """A model of int64 classes, and a table whose labels are floats."""
    path, _ = write(tmp_path, "csv", [1, IDS[1], IDS[2]])
    small = tmp_path / "small.csv"
    small.write_text("a,b,y\n" + "0,1,1\n" * 20)
    called(capsys, "train", path, "--target", "y", "--epochs", 1, "-o", tmp_path / "m")
    status, out, err = called(capsys, "train", small, "--resume", tmp_path / "m", "--epochs", 1)
    assert (status, err) == (0, "")
    assert "3 classes" in out
    assert called(capsys, "predict", tmp_path / "m", small)[0] == 0


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (["1e300", "2e300", "3"], 3),  # these are exactly so many
        (["9007199254740993.5", "1", "2"], "line 2, which float64 rounds to 9007199254740994"),
        (["100000000000000000001", "100000000000000000002", "3"], "which float64 rounds to 1e+20"),
        (["-1", "18446744073709551615", "2"], "line 3, which float64 rounds to 1.8446744073709552e+19"),
        (["1e16", "1.0000000000000001e16", "2"], 3),
        (["9007199254740992", "9007199254740992.0", "2"], 2),
        (["9007199254740993", "1e-99999999999999999999", "0e99999999999999999999"], 2),
        (["9007199254740993", "0e999999999", "-0"], 2),
    ],
)
def test_cells_that_no_integer_holds(tmp_path, labels, words):
    path, _ = write(tmp_path, "csv", labels)
    table = reader.read_table(path, "y")
    if isinstance(words, int):  # so many classes
        assert len(np.unique(table.labels().astype(object))) == words
        return
    with pytest.raises(ValueError, match="'y' has") as caught:
        table.labels()
    assert words in str(caught.value)
    assert "--task regress" in str(caught.value)


@pytest.mark.parametrize(("dtype", "value"), [("f8", 2**53 + 2), ("f4", 2**24 + 2), ("f2", 2050)])
def test_floats_of_an_npz_that_may_have_been_rounded(tmp_path, capsys, dtype, value):
    path, _ = write(tmp_path, "npz", list(np.array([1, 2, value], dtype)))
    status, _, err = called(capsys, "train", path, "--epochs", 1)
    assert status == 2
    assert err.startswith(f"fastmlp: 'y' has {value} in row 2, and float")
    assert err.endswith("--task regress takes it for a quantity\n")
    status, out, _ = called(capsys, "train", path, "--epochs", 1, "--task", "regress")
    assert (status, "a quantity to predict" in out) == (0, True)


def test_large_quantities_are_no_labels(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,y\n" + "".join(f"{k},{10**17 + k * 10**13 + 0.5}\n" for k in range(300)))
    table = reader.read_table(path, "y")
    assert reader.as_classes(table.y if table.whole is None else table.whole) is None


def test_a_file_says_its_classes_in_integers_only_where_it_has_to(tmp_path):
    network = Model([2, 3, 3], backend="reference")
    scale = reader.Scale(np.zeros(2), np.ones(2))
    for classes, kind in (([0.0, 1.0, 2.0], float), (IDS, int), (BEYOND, int)):
        made = TableModel(network, ("a", "b"), "y", np.array(classes), scale)
        made.save(tmp_path / "m")
        header = container.read(tmp_path / "m")[1]
        assert [type(value) for value in header["table"]["classes"]] == [kind] * 3
        assert header["table"]["classes"] == classes
        assert json.dumps(header)
        again = TableModel.load(tmp_path / "m", backend="reference")
        assert (again.classes.dtype, again.classes.tolist()) == (np.array(classes).dtype, classes)
        found = again.predict([[0.5, 0.5]])
        assert found.tolist()[0] in classes
        assert found.dtype.kind in "iu"


def test_scores_do_not_merge_labels():
    network = Model([2, 3, 2], backend="reference")
    made = TableModel(network, ("a", "b"), "y", np.array(IDS[1:]), reader.Scale(np.zeros(2), np.ones(2)))
    x = np.ones((4, 2))
    (right,) = set(made.predict(x).tolist())
    assert made.score(x, np.full(4, right)) == {"accuracy": 1.0}
    assert made.score(x, np.full(4, right + 1)) == {"accuracy": 0.0}
    with pytest.raises(ValueError, match="y has 1234567890123456768 in row 0, and float64 rounds"):
        made.score(x, np.full(4, float(right)))
    with pytest.raises(ValueError, match="y has nan in row 0"):
        made.score(x, np.full(4, np.nan))


# ---------------------------------------------------------------------------------------------------------
# Estimators

X = np.random.default_rng(0).normal(size=(12, 2))


@pytest.fixture
def classifier():
    pytest.importorskip("sklearn", "1.6", reason="scikit-learn is not installed, or older than 1.6")
    from fastmlp import MLPClassifier

    return MLPClassifier(hidden_layer_sizes=4, max_iter=2, random_state=1)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_an_estimator_keeps_integers(classifier):
    for labels in (IDS, BEYOND):
        y = np.array(labels)[np.arange(12) % 3]
        assert classifier.fit(X, y).classes_.tolist() == sorted(labels)
        assert set(classifier.predict(X).tolist()) <= set(labels)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize(("dtype", "most"), [("f4", 2**24), ("f8", 2**53)])
def test_an_estimator_refuses_floats_that_may_have_been_rounded(classifier, dtype, most):
    good = np.array([0, 1, most - 1], dtype)[np.arange(12) % 3]
    bad = np.array([0, 1, most + 2], dtype)[np.arange(12) % 3]
    assert classifier.fit(X, good).classes_.tolist() == [0, 1, most - 1]
    words = f"y has {most + 2} in row 2, and float"
    for refused in (
        lambda: classifier.fit(X, bad),
        lambda: classifier.fit(X, bad.tolist() if dtype == "f8" else [*bad]),
        lambda: type(classifier)().partial_fit(X, bad, classes=[0, 1, most - 1, most + 1, most + 2]),
    ):
        with pytest.raises(ValueError, match=words):
            refused()
    with pytest.raises(ValueError, match=f"classes has {most + 2} in row 2"):
        type(classifier)().partial_fit(X, good, classes=np.array([0, 1, most + 2], dtype))
    with pytest.raises(ValueError, match=f"y_val has {most + 2} in row 2"):
        classifier.fit(X, good, X_val=X, y_val=bad)


def test_a_float_is_no_integer_that_it_was_rounded_from(classifier):
    """16777217 is 16777216 in float32, which is another of the classes."""
    classes = np.array([5, 2**24, 2**24 + 1])
    y = classes[np.arange(12) % 3]
    made = type(classifier)(4).partial_fit(X, y, classes=classes)
    made.partial_fit(X, y)
    made.partial_fit(X, np.full(12, 5, "f4"))
    with pytest.raises(ValueError, match="y has 16777220 in row 0"):
        made.partial_fit(X, np.full(12, 2**24 + 3, "f4"))


def test_float32_has_no_place_for_so_many_classes():
    from fastmlp.estimators.problem import Rows

    spec = Spec.build([1, 2**24 + 5], dtype="float32")
    with pytest.raises(ValueError, match="y has 16777221 classes, more than float32 tells apart: give X as float64"):
        Rows.of(spec, np.ones((1, 1)), np.broadcast_to(True, (1, 2**24 + 5)), None)
