"""`TableModel.fit` and `fastmlp train` on tables as they are: trained, saved, and predicted in another process."""

import csv
import io
import json
import re
import subprocess
import sys

import numpy as np
import pytest

from fastmlp import DivergenceError, Model, TableModel, cli
from fastmlp.fit import options as fit_options
from fastmlp.optimizers import AdamW
from fastmlp.schedules import CosineLog
from fastmlp.tables import train_options

pd = pytest.importorskip("pandas")

N = 60
RNG = np.random.default_rng(0)
A, B = RNG.normal(size=N).round(3), RNG.normal(50, 20, N).round(1)
SIDE = np.where(A > 0, 1, 0)
QUICK = {"epochs": 3, "hidden": 4, "threads": 1}
IDS = [1234567890123456789, 1234567890123456788, 1234567890123450000]


def frame(**columns):
    return pd.DataFrame({"a": A, "b": B, **columns})


def words(*values):
    return [values[k % len(values)] for k in range(N)]


HOLES = B.copy()
HOLES[::7] = np.nan
# name: (the table, rows to predict, what is predicted is among these)
CASES = {
    "words": (frame(y=words("Adelie", "Gentoo", "Chinstrap")), None, {"Adelie", "Gentoo", "Chinstrap"}),
    "odd words": (frame(y=words('said "no"', "naïve, but", "1", "")), None, {'said "no"', "naïve, but", "1"}),
    "booleans": (frame(y=SIDE.astype(bool)), None, {True, False}),
    "words for booleans": (frame(y=words("True", "False")), None, {True, False}),
    "yes and no": (frame(y=words("yes", "no")), None, {"yes", "no"}),
    "19 digits": (frame(y=words(*IDS)), None, set(IDS)),
    "beyond int64": (frame(y=np.array(words(2**63, 2**63 + 1), np.uint64)), None, {2**63, 2**63 + 1}),
    "19 digits and holes": (frame(y=pd.array(words(*IDS, None), "Int64")), None, set(IDS)),
    "-1 and 1": (frame(y=2 * SIDE - 1), None, {-1, 1}),
    "a column of words": (
        frame(town=words("Bonn", "Aalen"), y=SIDE),
        pd.DataFrame({"town": ["Bonn", "Celle", None], "b": [1.0, 2.0, 3.0], "a": [0.1, 0.2, 0.3]}),
        {0, 1},
    ),
    "each row a word of its own": (frame(name=[f"no {k}" for k in range(N)], y=SIDE), None, {0, 1}),
    "a boolean column": (frame(new=words(True, False), y=SIDE), None, {0, 1}),
    "a boolean column with holes": (frame(new=words(True, False, None), y=SIDE), None, {0, 1}),
    "dates": (frame(day=pd.date_range("2020-01-01", periods=N), y=SIDE), None, {0, 1}),
    "holes": (pd.DataFrame({"a": A, "b": HOLES, "y": SIDE}), None, {0, 1}),
    "holes in prediction alone": (
        frame(y=SIDE), pd.DataFrame({"a": [np.nan, 1.0], "b": [50.0, np.nan]}), {0, 1},
    ),
    "an empty column": (frame(nothing=[np.nan] * N, y=SIDE), None, {0, 1}),
    "a column that is empty in prediction": (
        frame(y=SIDE), pd.DataFrame({"a": [np.nan, np.nan], "b": [50.0, 40.0]}), {0, 1},
    ),
    "constant but for rounding": (frame(total=words(0.3, 0.1 * 3), y=SIDE), None, {0, 1}),
    "fractions that add up to 1": (frame(total=(A / 7 + B / 9) / (A / 7 + B / 9), y=SIDE), None, {0, 1}),
    "constant float32": (frame(total=np.float32(words(0.3, 0.30000004)), y=SIDE), None, {0, 1}),
    "a constant word": (frame(town=["Bonn"] * N, y=SIDE), None, {0, 1}),
    "targets with holes": (frame(y=words("one", "two", None)), None, {"one", "two"}),
    "nullable integers": (frame(count=pd.array(words(1, 2, None), "Int64"), y=SIDE), None, {0, 1}),
    "categories": (frame(size=pd.Categorical(words("S", "L", None)), y=SIDE), None, {0, 1}),
    "a quantity": (frame(y=A * 7e4 + 2e5), None, None),
    "a quantity with holes": (frame(y=np.where(np.arange(N) % 9, A * 7e4 + 2e5, np.nan)), None, None),
}  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """{name: (model, its file, the rows' file, predictions by another process)}"""
    folder, models = tmp_path_factory.mktemp("tables"), {}
    for number, (name, (table, rows, _)) in enumerate(CASES.items()):
        model = TableModel.fit(table, "y", **QUICK)
        model.save(folder / f"{number}.safetensors")
        rows = table if rows is None else rows
        rows.to_parquet(folder / f"{number}.parquet")
        models[name] = model, folder / f"{number}.safetensors", folder / f"{number}.parquet", rows
    script = (
        "import json, sys, warnings, fastmlp\nwarnings.simplefilter('ignore')\n"
        "found = []\n"
        "for model, rows in json.load(sys.stdin):\n"
        "    found.append(fastmlp.TableModel.load(model).predict(rows).tolist())\n"
        "json.dump(found, sys.stdout)\n"
    )
    asked = json.dumps([[str(model), str(rows)] for _, model, rows, _ in models.values()])
    ended = subprocess.run([sys.executable, "-c", script], input=asked, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    predicted = json.loads(ended.stdout)
    return {name: (*models[name], found) for name, found in zip(models, predicted, strict=True)}


@pytest.mark.parametrize("name", CASES)
def test_what_was_trained_is_predicted_elsewhere(trained, name):
    model, _, _, rows, elsewhere = trained[name]
    among = CASES[name][2]
    with pytest.warns(UserWarning, match="became the median") if "prediction" in name else _nothing():
        here = model.predict(rows)
    assert here.tolist() == elsewhere
    assert len(here) == len(rows)
    if among is None:
        assert np.isfinite(here).all()
        assert 1e5 < here.mean() < 3e5
    else:
        assert set(here.tolist()) <= among
        assert set(model.classes.tolist()) == among
        assert model.predict_proba(rows.fillna({"a": 0.0, "b": 0.0})).shape == (len(rows), len(among))


class _nothing:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False


def notes(name, trained):
    return "\n".join(trained[name][0].notes)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("holes", "missing numbers became the median, and a further column says where: b (9 rows: "),
        ("an empty column", "left out, since nothing is there: nothing"),
        ("constant but for rounding", "constant, and so of no use: total"),
        ("constant float32", "constant, and so of no use: total"),
        ("a constant word", "constant, and so of no use: town"),
        ("targets with holes", "left out, since nothing is there as 'y': 20 rows"),
        ("a quantity with holes", "left out, since nothing is there as 'y': 7 rows"),
        ("a column of words", "words became a column for each category: town (2)"),
        ("categories", "missing words became a category of their own: size (20 rows)"),
        ("dates", "dates became days since 1970: day"),
        ("each row a word of its own", "name (0 of 60)"),
        ("words", "3 classes (Adelie, Chinstrap, Gentoo)"),
        ("booleans", "2 classes (False True)"),
    ],
)
def test_what_was_done_is_said(trained, name, said):
    assert said in notes(name, trained)


def test_a_word_is_worth_what_a_person_s_own_columns_are():
    """One-hot columns of words train as columns of 0 and 1 in another table do, but for their scale."""
    model = TableModel.fit(frame(town=words("Bonn", "Aalen"), y=SIDE), "y", **QUICK)
    x, _ = model.encoder.encode(model._loaded(frame(town=words("Bonn", "Aalen"))).features)
    assert x[:4, 2:].tolist() == [[0, 1], [1, 0], [0, 1], [1, 0]]


def test_python_and_the_command_line_are_one(tmp_path, capsys):
    table = frame(town=words("Bonn", "Aalen", None), y=words("x", "y", "z"))
    table.to_csv(tmp_path / "t.csv", index=False)
    given = ["--target", "y", "--epochs", "4", "--hidden", "4,3", "--activation", "tanh,relu", "--validation", "0.2"]
    given += ["--early-stopping", "2", "--class-weight", "x:2,y:0.5", "--dropout", "0.1,0", "--l2", "0.001"]
    assert cli.main(["train", str(tmp_path / "t.csv"), *given, "-o", str(tmp_path / "m")]) == 0
    out = capsys.readouterr().out
    words_ = {"epochs": 4, "hidden": [4, 3], "activation": ["tanh", "relu"], "validation": 0.2, "early_stopping": 2}
    words_ |= {"class_weight": {"x": 2, "y": 0.5}, "dropout": [0.1, 0.0], "l2": 0.001}
    for source in (tmp_path / "t.csv", str(tmp_path / "t.csv"), table):
        model = TableModel.fit(source, target="y", **words_)
        assert f"digest: {model.model.digest()}" in out
        assert model.predict(table).tolist() == TableModel.load(tmp_path / "m").predict(table).tolist()
    assert [line for line in out.splitlines() if line.startswith("note: ")] == [
        line for line in model.notes if line.startswith("note: ")
    ]


def test_every_option_of_the_command_line_is_one_here():
    actions = cli._parser()._subparsers._group_actions[0].choices["train"]._actions
    defaults = {action.dest: action.default for action in actions}
    for name in ("help", "data", "output", "plot", "force", "json", "quiet"):
        defaults.pop(name, None)
    assert defaults == train_options.DEFAULTS
    assert set(train_options._WHOLE_NUMBERS) == {action.dest for action in actions if action.type is int}
    assert set(fit_options.NAMES) - {"callback", "rate_factors"} <= set(defaults)


def test_schedules_and_decays_of_recipes():
    words_ = {"schedule": "cosine_log", "cycles": 2, "optimizer": "adamw", "decay_biases": False, **QUICK}
    model = TableModel.fit(frame(town=words("Bonn", "Aalen", "Ulm"), y=words("x", "y", "z")), "y", **words_).model
    optimizer = model._network.run.optimizer
    assert optimizer == AdamW(CosineLog(0.001, epochs=QUICK["epochs"], cycles=2), decay_biases=False)


def test_it_goes_on_and_has_checkpoints(tmp_path):
    table = frame(town=words("Bonn", "Aalen", None), y=words("x", "y", "z"))
    whole = TableModel.fit(table, "y", **{**QUICK, "epochs": 6})
    half = TableModel.fit(table, "y", **QUICK)
    half.save(tmp_path / "m")
    rest = TableModel.fit(table, resume=tmp_path / "m", epochs=3, threads=1)
    assert rest.model.digest() == whole.model.digest()
    assert rest.columns == whole.columns
    parts = TableModel.fit(table, "y", checkpoint=tmp_path / "c", checkpoint_every=1, **QUICK)
    assert parts.model.digest() == half.model.digest()
    again = TableModel.fit(table, "y", checkpoint=tmp_path / "c", **QUICK)  # it has ended
    assert again.model.digest() == half.model.digest()
    new = table.assign(y=words("x", "w", "z"))
    with pytest.raises(ValueError, match=r"'y' holds w, which is none of the classes of .*m \(x, y, z\)"):
        TableModel.fit(new, resume=tmp_path / "m", epochs=1)


def test_rows_have_weights():
    table = frame(w=np.arange(N) % 3, y=words("x", "y"))
    model = TableModel.fit(table, "y", sample_weight="w", **QUICK)
    assert model.names == ("a", "b")
    assert model.model.digest() != TableModel.fit(table, "y", **QUICK).model.digest()
    for column, said in (([None, *[1.0] * 59], "row 0, column 'w': nothing there"), (["x", *"y" * 59], "no numbers")):
        with pytest.raises(ValueError, match=said):
            TableModel.fit(table.assign(w=column), "y", sample_weight="w", **QUICK)


def test_scores_and_frames_of_any_order_and_more():
    table = frame(town=words("Bonn", "Aalen"), y=words("x", "y"))
    model = TableModel.fit(table, "y", **{**QUICK, "epochs": 40})
    found = model.predict(table)
    shuffled = table[["y", "town", "b", "a"]].assign(more="text")
    assert model.predict(shuffled).tolist() == found.tolist()
    expected = {"accuracy": float((found == table["y"].to_numpy()).mean())}
    assert model.score(table) == model.score(shuffled, table["y"]) == model.score(table, list(table["y"])) == expected
    with pytest.raises(ValueError, match="X does not have the model's columns: town missing"):
        model.predict(table[["a", "b"]])
    doubled = pd.concat([table, table[["a"]]], axis=1)
    with pytest.raises(ValueError, match="X has two columns 'a'"):
        model.predict(doubled)
    with pytest.raises(ValueError, match="X has two columns 'a'"):
        TableModel.fit(doubled, "y", **QUICK)
    with pytest.raises(ValueError, match="X has no column 'y': give y"):
        model.score(table.drop(columns="y"))
    rows = [[0.1, 50.0, "Bonn"], [0.2, None, "Aalen"]]
    assert len(model.predict(rows)) == 2
    assert model.predict(np.array(rows, object)).tolist() == model.predict(rows).tolist()


@pytest.mark.parametrize(
    ("columns", "options", "said"),
    [
        ({"y": [None] * N}, {}, "'y' has nothing in any row"),
        ({"y": [np.nan] * N}, {}, "'y' has nothing in any row"),
        ({"y": ["x"] * N}, {}, "'y' is x in every row: there is nothing to tell apart"),
        ({"y": [True] * N}, {}, "'y' is True in every row"),
        ({"y": ["x"] + [None] * (N - 1)}, {}, "has one row: at least 2 are needed"),
        ({"y": [f"no {k}" for k in range(N)]}, {}, r"'y' holds 60 different texts in 60 rows \('no 0'\)"),
        ({"y": words("x", "y")}, {"task": "regress"}, "task regress: 'y' holds text, which is no quantity"),
        ({"y": pd.date_range("2020-01-01", periods=N)}, {}, "'y' holds dates"),
        ({"y": words("x", "y")}, {"class_weight": {"z": 2}}, r"class_weight=.*: z is none of the classes \(x, y\)"),
        ({"y": words("x", "y")}, {"epoch": 2}, "fit has no argument 'epoch': did you mean \"epochs\"?"),
        ({"y": words("x", "y")}, {"epochs": 2.5}, "epochs=2.5 is no whole number"),
        ({"y": words("x", "y")}, {"epochs": 0}, "epochs=0 is not positive"),
        ({"y": words("x", "y")}, {"held_out": 1}, r"held_out=1\.0 is not a fraction"),
        ({"y": words("x", "y")}, {"loss": "mse"}, "loss='mse' is not known: use cross_entropy"),
        ({"y": words("x", "y")}, {"learning_rate": "fast"}, "learning_rate='fast' is no number"),
        ({"y": words("x", "y")}, {"hidden": [4, 0]}, "hidden=0 is not positive"),
        ({"y": words("x", "y")}, {"target": "z"}, "X has no column 'z': it has a, b, y"),
    ],
)
def test_what_is_refused_names_arguments(columns, options, said):
    arguments = {"target": "y", **QUICK, **options}
    with pytest.raises((ValueError, TypeError), match=said) as found:
        TableModel.fit(frame(**columns), **arguments)
    assert "--" not in str(found.value)


def test_all_columns_are_empty():
    with pytest.raises(ValueError, match="X has no feature: nothing is there in any of its columns"):
        TableModel.fit(pd.DataFrame({"a": [None] * N, "y": words("x", "y")}), "y", **QUICK)


def test_a_training_that_diverges_says_so():
    with pytest.raises(DivergenceError, match=r"training diverged: .*; try a smaller learning_rate than 1e"):
        TableModel.fit(frame(y=A), "y", **{**QUICK, "epochs": 30, "learning_rate": 1e200})


def test_predictions_of_the_command_line_are_words(tmp_path, capsys):
    table = frame(town=words("Bonn", "Aalen"), y=words('said "no"', "naïve, but"))
    table.to_csv(tmp_path / "t.csv", index=False)
    TableModel.fit(table, "y", **QUICK).save(tmp_path / "m")
    rows = pd.DataFrame({"town": ["Celle", "Bonn", "Bonn"], "a": [1, None, 3], "b": [5.0, 6.0, 7.0], "y": None})
    rows.to_csv(tmp_path / "n.csv", index=False)
    assert cli.main(["predict", str(tmp_path / "m"), str(tmp_path / "n.csv")]) == 0
    out, err = capsys.readouterr()
    cells = [row[0] for row in csv.reader(io.StringIO(out))]
    assert cells[0] == "y"
    assert set(cells[1:]) <= {'said "no"', "naïve, but"}
    assert err.splitlines() == [
        "note: missing numbers became the median of training: a (1 row)",
        "note: categories that were not in training: town 'Celle' (1 row)",
        "not scored: column 'y' is empty",
    ]
    assert cli.main(["predict", str(tmp_path / "m"), str(tmp_path / "t.csv"), "--probabilities"]) == 0
    out, err = capsys.readouterr()
    assert next(csv.reader(io.StringIO(out))) == ["p_naïve, but", 'p_said "no"']
    assert err.startswith("accuracy: ")


def test_older_models_take_no_holes(tmp_path):
    """A file without `columns` is of numbers, each an input, and says so where one is missing."""
    from fastmlp.core.preprocess import Scale

    model = TableModel(Model([2, 2]), ("a", "b"), "y", np.array([0.0, 1.0]), Scale(np.zeros(2), np.ones(2)))
    model.save(tmp_path / "m")
    read = TableModel.load(tmp_path / "m")
    assert read.columns is None
    assert read.predict(frame()).tolist() == read.predict(np.column_stack([A, B])).tolist()
    with pytest.raises(ValueError, match="row 0, column 'b': nothing there"):
        read.predict(pd.DataFrame({"a": [1.0, 2.0], "b": [None, 3.0]}))


def test_an_npz_has_words_and_holes_too(tmp_path):
    x = np.column_stack([A, HOLES])
    np.savez(tmp_path / "t.npz", X=x, y=np.array(words("one", "two")))
    model = TableModel.fit(tmp_path / "t.npz", **QUICK)
    assert set(model.predict(tmp_path / "t.npz").tolist()) <= {"one", "two"}
    assert "1 (9 rows: " in "\n".join(model.notes)
    assert model.predict(x).tolist() == model.predict(tmp_path / "t.npz").tolist()
    assert 0 <= model.score(tmp_path / "t.npz")["accuracy"] <= 1
    np.savez(tmp_path / "wrong.npz", X=x, y=np.ones((N, 2)))
    with pytest.raises(ValueError, match=r"X has nan in row 0, column 1"):
        TableModel.fit(tmp_path / "wrong.npz", **QUICK)


def rows_of_two(town):
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame({"a": np.arange(40.0) % 7, "town": [town(k) for k in range(40)], "y": ["x", "z"] * 20})


@pytest.mark.parametrize(
    ("town", "words"),
    [
        (lambda k: f"${k}.5", r"taken for words, for what stands beside their digits.*town \('\$0.5'\)"),
        (lambda k: f"{k} %", "their digits"),
        (lambda k: f"{k},5 kg", "their digits"),
        (lambda k: f"\u2212{k}", "their digits"),
        (lambda k: f"({k}.25)", "their digits"),
        (lambda k: f"{1 + k % 12}/{1 + k % 11}/2020", "taken for words, since day and month.*'1/1/2020'"),
    ],
)
def test_words_that_look_like_something_else_are_said(town, words):
    notes = " ".join(TableModel.fit(rows_of_two(town), "y", epochs=1).notes)
    assert re.search(words, notes), notes


@pytest.mark.parametrize("town", [lambda k: f"p{k}", lambda k: f"A/5 {k}", lambda k: f"{k % 9} kg", lambda k: f"x{k}y"])
def test_other_words_are_no_numbers(town):
    assert "taken for words" not in " ".join(TableModel.fit(rows_of_two(town), "y", epochs=1).notes)


def test_numbers_that_are_asked_for_as_words_are_no_mistake():
    model = TableModel.fit(rows_of_two(lambda k: f"{k % 20:05d}"), "y", epochs=1, words="town")
    assert model.model.spec.inputs > 2
    assert "taken for words" not in " ".join(model.notes)


def test_some_marks_among_many_numbers_are_errors():
    """And not 40 categories."""
    with pytest.raises(ValueError, match=r"row 0, column 'town': 'unknown' is not a number, as 30 other cells"):
        TableModel.fit(rows_of_two(lambda k: "unknown" if k % 4 == 0 else str(k / 8)), "y", epochs=1)
    sizes = [f"{k}" for k in range(36, 48)] + ["S", "M", "L"]
    assert "town (13 of 15)" in " ".join(TableModel.fit(rows_of_two(lambda k: sizes[k % 15]), "y", epochs=1).notes)


def test_columns_that_are_words_whatever_they_look_like(tmp_path):
    table = rows_of_two(lambda k: f"{k % 3:05d}")
    table.to_csv(tmp_path / "t.csv", index=False)
    model = TableModel.fit(tmp_path / "t.csv", "y", epochs=1, words="town")
    assert model.model.spec.inputs == 1 + 3
    assert model.predict(tmp_path / "t.csv").tolist() == model.predict(table).tolist()
    model.save(tmp_path / "m.safetensors")
    for options, words in [
        ({"words": ["city"]}, "--words city: it is none of the columns|words city: it is none"),
        ({"words": 1.5}, "is no name"),
        ({"words": "town", "resume": tmp_path / "m.safetensors"}, "beside --resume|beside resume"),
    ]:
        with pytest.raises((TypeError, ValueError), match=words):
            TableModel.fit(tmp_path / "t.csv", "y", epochs=1, **options)
    np.savez(tmp_path / "t.npz", X=np.eye(4), y=[0, 1, 0, 1])
    with pytest.raises(ValueError, match=r"columns of an \.npz are numbers"):
        TableModel.fit(tmp_path / "t.npz", epochs=1, words="0")


# ---------------------------------------------------------------------------------------------------------
# The recipe


@pytest.mark.parametrize("y", [words("small", "big"), A * 3 + 1])
def test_the_recipe_trains_saves_and_predicts(y, tmp_path):
    table = frame(town=words("Bonn", "Aalen", None), y=y)
    options = {"recipe": True, "hidden": 4, "epochs": 3, "batch_size": 16}
    made = TableModel.fit(table, "y", **options)
    spec = made.model.spec
    classifies = made.classes is not None
    assert (spec.hidden, spec.dtype, spec.input_scale) == (("selu" if classifies else "mish",), "float32", True)
    assert spec.loss_parameter == (0.1 if classifies else None)
    assert made.model.history.validation_loss.shape == (3,)
    assert repr(made.model.optimizer.learning_rate) == repr(CosineLog(0.04 if classifies else 0.07, epochs=3))
    assert any("falls four times" in note for note in made.notes)
    assert abs(made.inputs(made._loaded(table))).max() < 3
    made.save(tmp_path / "m.safetensors")
    again = TableModel.load(tmp_path / "m.safetensors")
    assert (again.predict(table) == made.predict(table)).all()
    assert TableModel.fit(table, "y", backend="reference", **options).model.digest() == made.model.digest()
    with pytest.raises(ValueError, match=r"was trained by .*recipe"):
        TableModel.fit(table, "y", resume=tmp_path / "m.safetensors")
    with pytest.raises(ValueError, match=r"clipped smoothly|has words|missing cells"):
        made.to_c(tmp_path / "m.c")


@pytest.mark.parametrize("other", [{"optimizer": "sgd"}, {"activation": "relu"}, {"early_stopping": 3}])
def test_what_the_recipe_decides_is_not_given_beside_it(other):
    with pytest.raises(ValueError, match=rf"{next(iter(other))}.* beside .*recipe, which decides on it"):
        TableModel.fit(frame(y=SIDE), "y", recipe=True, **other)
