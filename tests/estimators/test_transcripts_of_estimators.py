"""`fit(transcript=...)` of the estimators: no bit of the fit changes, and an audit trains all of it again."""

import json
import os

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastmlp
from fastmlp import CrossEntropy, Huber, MLPClassifier, MLPRegressor, Model, Transcript
from fastmlp.cli import main
from fastmlp.estimators import transcribing
from fastmlp.schedules import Cosine, ReduceOnPlateau
from fastmlp.storage import transcript

DRAWS = np.random.default_rng(0)
X = DRAWS.standard_normal((120, 4))
KINDS = np.array(["a", "b", "c"])[(X[:, 0] > 0).astype(int) + (X[:, 1] > 0)]
VALUES = X @ [1.0, -2.0, 0.5, 0.0]
WEIGHTS = np.arange(120) % 3 + 0.5
SMALL = {"hidden_layer_sizes": (6,), "max_iter": 12, "random_state": 3}
HELD = {"X_val": X[:30], "y_val": KINDS[:30], "sample_weight_val": WEIGHTS[:30]}
CASES = {  # name: the estimator, X, y, others of fit, what an audit is given
    "three classes": (MLPClassifier(**SMALL), X, KINDS, {}, {}),
    "two classes, early stopping": (
        MLPClassifier(**SMALL, early_stopping=True, class_weight="balanced", solver="sgd", learning_rate="adaptive"),
        X, KINDS == "a", {"sample_weight": WEIGHTS}, {"sample_weight": WEIGHTS, "class_weight": "balanced"},
    ),
    "several labels": (
        MLPClassifier(**{**SMALL, "random_state": np.random.RandomState(5)}, dropout=[0.2], batch_size=50),
        X, (X[:, :3] > 0).astype(int), {}, {},
    ),
    "validation, label smoothing": (
        MLPClassifier(**SMALL, loss=CrossEntropy(0.1), tol=0.5, n_iter_no_change=3), X, KINDS, HELD,
        {"validation": tuple(HELD.values())},
    ),
    "a regressor": (
        MLPRegressor(**{**SMALL, "random_state": None}, solver="sgd", learning_rate="invscaling", shuffle=False),
        X.astype(np.float32), VALUES, {}, {},
    ),
    "a plateau": (
        MLPRegressor(**SMALL, learning_rate=ReduceOnPlateau(0.01, patience=2), n_iter_no_change=np.inf,
                     activation=["silu"], loss=Huber(0.5)),
        sparse.csr_matrix(np.where(X > 0, X, 0)), np.column_stack([VALUES, -VALUES]), {}, {},
    ),
    "a callback ends it": (
        MLPRegressor(**SMALL, callbacks=lambda info: info.epoch == 7, learning_rate=Cosine(0.01, epochs=12)), X,
        (VALUES * 9).astype(int), {}, {},
    ),
}  # fmt: skip


def bits(estimator):
    parts = [*estimator.coefs_, *estimator.intercepts_]
    return [part.tobytes() for part in parts], estimator.loss_curve_


@pytest.fixture
def asked(tmp_path):
    return Transcript(tmp_path / "run.jsonl", every=5)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", CASES)
def test_it_changes_no_bit_and_is_audited(name, asked):
    made, x, y, options, given = CASES[name]
    np.random.seed(1)  # which random_state=None draws from
    plain = clone(made).fit(x, y, **options)
    np.random.seed(1)
    fitted = clone(made).fit(x, y, **options, transcript=asked)
    assert bits(fitted) == bits(plain)
    chain = transcript.read(asked.path)
    assert chain.ended
    assert [line["epoch"] for line in chain.states[:2]] == [0, 5]
    assert not os.path.exists(f"{asked.path}.d")
    found = fastmlp.audit(asked.path, x, y, model=fitted, **given)
    assert found.difference is None
    assert (found.segments, found.checked, found.compared) == (1, [1], len(chain.lines) - 2)
    other = clone(made).fit(x, y, **options)
    other.coefs_[0][0, 0] += 1
    assert "is not that of the model" in fastmlp.audit(asked.path, x, y, model=other, **given).difference


def test_the_chain_is_the_same_everywhere(asked):
    x = (np.arange(480) * 37 % 101 / 50 - 1).reshape(120, 4)
    MLPClassifier(**SMALL).fit(x, x[:, 0] > x[:, 1], X_val=x, y_val=x[:, 0] > x[:, 1], transcript=asked)
    assert transcript.read(asked.path).hash == "401d23259cad25f5585b7f44ba71c8e05d3764ebc582c203332f297d8bac6daf"


@pytest.fixture(scope="module")
def true(tmp_path_factory):
    path = tmp_path_factory.mktemp("true") / "run.jsonl"
    MLPClassifier(**SMALL).fit(X, KINDS, transcript=Transcript(path, every=5))
    return path


@pytest.fixture
def run(true, tmp_path):
    """A copy of a true transcript, to forge."""
    (tmp_path / "run.jsonl").write_bytes(true.read_bytes())
    return tmp_path / "run.jsonl"


pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def forge(path, number, change):
    """The forger computes all hashes again."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    change(lines[number])
    done = []
    for line in lines:
        rest = {key: value for key, value in line.items() if key not in ("line", "before", "hash")}
        done.append(transcript.chained(rest, done[-1] if done else None))
    path.write_text("".join(transcript.text_of(line) + "\n" for line in done))


def difference(path, x=X, y=KINDS, **options):
    return fastmlp.audit(path, x, y, **options).difference


@pytest.mark.parametrize("number", [1, 2, 4])
@pytest.mark.parametrize("name", ["parameters", "optimizer", "history", "best", "rate", "loss", "epochs", "order"])
def test_each_value_of_a_line_is_compared(name, number, run):
    forge(run, number, lambda line: line.update({name: 3 if name == "epochs" else 0.25}))
    epoch = {1: 0, 2: 5, 4: 12}[number]
    assert difference(run).startswith(f"line {number + 1}, epoch {epoch}: the ")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda head: head["fit"]["parameters"].update(alpha=0.1), "line 2, epoch 0|line 3, epoch 5"),
        (lambda head: head["fit"]["parameters"].update(max_iter=13), "line 5, epoch 12"),
        (lambda head: head["fit"]["parameters"].update(gamma=1), "parameters cannot be those of a fit"),
        (lambda head: head["fit"]["parameters"].update(alpha="x"), "parameters cannot be those of a fit"),
        (lambda head: head["fit"]["parameters"].pop("alpha"), "line 1: parameters is not what the fit has had"),
        (
            lambda head: head["fit"]["parameters"].update(hidden_layer_sizes=[10**6, 10**6]),
            "its network takes 3.2e+04 GB",
        ),
        (
            lambda head: head["fit"]["parameters"].update(hidden_layer_sizes=[2.5]),
            "parameters cannot be those of a fit",
        ),
        (lambda head: head["fit"].update(parameters=None), "parameters cannot be those of a fit"),
        (lambda head: head["fit"].update(estimator="MLPRegressor"), "line 1: "),
        (lambda head: head["fit"].update(estimator="Ridge"), "its estimator is none that fastmlp has"),
        (lambda head: head["fit"].update(classes=["b", "a", "c"]), "line 1: classes is not what the fit has had"),
        (lambda head: head["fit"].update(place="CERN"), "line 1: place is not what the fit has had"),
        (lambda head: head["fit"].update(y="0" * 64), "line 1: y is not the one that the transcript is of"),
        (lambda head: head.update(seed={"kind": "int", "seed": 4}), "line 2, epoch 0: the digest of the parameters"),
        (lambda head: head.update(seed={"kind": "int", "seed": 2**40}), "parameters cannot be those of a fit"),
        (lambda head: head.update(seed={"kind": "CERN"}), "parameters cannot be those of a fit"),
        (lambda head: head.update(rows=121), "line 1: its rows is not that of the fit"),
        (lambda head: head.update(callback=True), None),  # which never asks for the end
        (lambda head: head["spec"].update(hidden=["tanh"]), "line 1: its spec is not that of the fit"),
    ],
)
def test_what_the_first_line_says_is_compared(change, said, run):
    forge(run, 0, change)
    found = difference(run)
    assert found == said or any(part in found for part in said.split("|")), found


def test_rows_and_ends(run):
    other = X.copy()
    other[17, 2] = np.nextafter(other[17, 2], 9)
    assert difference(run, other) == "line 1: X is not the one that the transcript is of"
    assert difference(run, X, KINDS[::-1]) == "line 1: y is not the one that the transcript is of"
    forge(run, 4, lambda line: line.update(stopped="it was good"))
    assert difference(run) == "line 5, epoch 12: why the training stopped is not what training again gives"
    forge(run, 4, lambda line: line.update(stopped=None, trained=11, epoch=11))
    assert difference(run).startswith("line 5, epoch 11: the ")
    run.write_bytes(b"".join(run.read_bytes().splitlines(keepends=True)[:-1]))
    found = fastmlp.audit(run, X, KINDS)
    assert found.equal
    assert "without its end" in found.last_line()


def test_what_an_audit_of_estimators_does_not_take(run):
    with pytest.raises(ValueError, match="backend='reference' is not for estimators"):
        fastmlp.audit(run, X, KINDS, backend="reference")
    with pytest.raises(ValueError, match="sample_weight or class_weight: the transcript's fit had none"):
        fastmlp.audit(run, X, KINDS, sample_weight=WEIGHTS)
    with pytest.raises(TypeError, match="model of an estimator's transcript is a fitted MLPClassifier or MLPRegressor"):
        fastmlp.audit(run, X, KINDS, model="model.safetensors")
    with pytest.raises(TypeError, match="model of an estimator's transcript is a fitted"):
        fastmlp.audit(run, X, KINDS, model=MLPClassifier())
    labels = MLPClassifier(**SMALL).fit(X, np.char.upper(KINDS))  # of the same numbers
    assert difference(run, model=labels) == "line 1: the model is of another network, or of other classes"


def test_two_are_compared(run, true):
    assert fastmlp.bisect(run, true, X, KINDS).equal
    forge(run, 3, lambda line: line.update(parameters="0" * 64))
    found = fastmlp.bisect(run, true, X, KINDS)
    assert (found.last_common, found.epoch, found.place, found.agrees) == (5, 10, None, None)
    assert found.last_line() == "they differ: epoch 10, the digest of the parameters"


def test_the_command(run, tmp_path, capsys):
    places = np.unique(KINDS, return_inverse=True)[1]
    MLPClassifier(**SMALL).fit(X, places, transcript=Transcript(tmp_path / "numbers.jsonl", every=5))
    np.savez(tmp_path / "rows.npz", X=X, y=places)
    Model([4, 6, 3], seed=1).save(tmp_path / "model")
    asked = ["audit", str(tmp_path / "numbers.jsonl"), "--data", str(tmp_path / "rows.npz")]
    assert main(asked) == 0
    assert "every bit equal: 1 of 1 segments, numerics 1, " in capsys.readouterr().out
    assert main([*asked, "--model", str(tmp_path / "model")]) == 2
    assert "of an estimator's transcript is a fitted MLPClassifier or MLPRegressor" in capsys.readouterr().err
    forge(tmp_path / "numbers.jsonl", 3, lambda line: line.update(parameters="0" * 64))
    assert main(asked) == 1
    assert capsys.readouterr().out.splitlines()[-1].startswith("NOT EQUAL: line 4, epoch 10: the digest of the para")


def test_in_a_pipeline(asked):
    pipe = make_pipeline(StandardScaler(), MLPClassifier(**SMALL))
    pipe.fit(X, KINDS, mlpclassifier__transcript=asked)
    assert difference(asked.path, pipe[:-1].transform(X), model=pipe[-1]) is None
    assert difference(asked.path) == "line 1: X is not the one that the transcript is of"


def test_by_default_few_lines_are_written(tmp_path):
    MLPClassifier((6,), max_iter=40, random_state=1).fit(X, KINDS, transcript=tmp_path / "run.jsonl")
    lines = transcript.read(tmp_path / "run.jsonl").lines
    assert len(lines) == 3
    assert lines[0]["every"] > 40


@pytest.mark.parametrize(
    ("estimator", "options", "error", "said"),
    [
        (MLPClassifier(solver="lbfgs"), {}, ValueError, 'transcript goes with solver="sgd" and "adam"'),
        (
            MLPClassifier(**{**SMALL, "random_state": np.random.RandomState(np.random.PCG64(1))}),
            {},
            TypeError,
            "random_state is a RandomState over PCG64, whose state cannot be kept",
        ),
        (MLPClassifier(**SMALL), {"transcript": 3}, TypeError, "transcript=3 is no path"),
        (MLPClassifier(**SMALL), {"transcript": "nowhere/run"}, FileNotFoundError, "there is no such folder"),
        (MLPClassifier(**SMALL), {"transcript": "there"}, FileExistsError, "exists, and is not written over"),
        (MLPClassifier(**SMALL), {"transcript": Transcript("a", 2, 4)}, ValueError, "fit has no checkpoints"),
    ],
)
def test_wrong_arguments(estimator, options, error, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").touch()
    with pytest.raises(error, match=said):
        clone(estimator).fit(X, KINDS, **{"transcript": "run.jsonl", **options})
    assert os.listdir(tmp_path) == ["there"]


def test_a_fit_that_goes_on_has_none(asked):
    made = MLPClassifier(**SMALL, warm_start=True).fit(X, KINDS, transcript=asked)
    assert difference(asked.path, model=made) is None
    with pytest.raises(ValueError, match="leave it out, or warm_start"):
        made.fit(X, KINDS, transcript=f"{asked.path}2")

    class Other(MLPClassifier):
        pass

    with pytest.raises(ValueError, match="and not with Other, which an audit does not know"):
        Other(**SMALL).fit(X, KINDS, transcript=f"{asked.path}2")


def test_a_fit_that_does_not_come_to_its_end(tmp_path):
    """Ctrl-C, a callback that raises, and a divergence: what was written stays."""

    def interrupt(info):
        if info.epoch == 8:
            raise KeyboardInterrupt

    def fail(info):
        if info.epoch == 8:
            raise RuntimeError("stop")

    with pytest.warns(UserWarning, match="interrupted by user"):
        MLPClassifier(**SMALL, callbacks=interrupt).fit(X, KINDS, transcript=Transcript(tmp_path / "a", every=3))
    with pytest.raises(RuntimeError, match="stop"):
        MLPClassifier(**SMALL, callbacks=fail).fit(X, KINDS, transcript=Transcript(tmp_path / "b", every=3))
    with pytest.raises(ValueError, match="non-finite"):
        MLPRegressor(**SMALL, solver="sgd", learning_rate_init=1e3).fit(
            X, VALUES, transcript=Transcript(tmp_path / "c", every=1)
        )
    for name in "abc":
        chain = transcript.read(tmp_path / name)
        assert not chain.ended
        assert difference(tmp_path / name, X, VALUES if name == "c" else KINDS) is None
    assert [line["epoch"] for line in transcript.read(tmp_path / "a").states] == [0, 3, 6]


def test_a_divergence_with_better_weights_before_it(asked):
    made = MLPRegressor(**SMALL, solver="sgd", learning_rate_init=0.5, early_stopping=True)
    made.fit(X * 3, VALUES * 30, transcript=asked)
    assert np.isnan(made.loss_curve_[-1])
    assert transcript.read(asked.path).lines[-1]["stopped"] == "diverged"
    assert difference(asked.path, X * 3, VALUES * 30, model=made) is None


def test_a_disk_that_is_full(asked, monkeypatch):
    def full(path, line):
        raise OSError(28, "No space left on device")

    real = transcript.append
    monkeypatch.setattr(transcript, "append", lambda path, line: (full if line.get("epoch") == 5 else real)(path, line))
    with pytest.warns(UserWarning, match="was not written after epoch 5: .*Training continues without it$"):
        MLPClassifier(**SMALL).fit(X, KINDS, transcript=asked)
    monkeypatch.setattr(transcript, "append", full)
    os.unlink(asked.path)
    with pytest.raises(OSError, match="No space left"):
        MLPClassifier(**SMALL).fit(X, KINDS, transcript=asked)
    assert not os.path.exists(asked.path)


def test_descriptions_come_back():
    for made, *_ in CASES.values():
        given = {name: of for name, of in made.get_params().items() if name not in transcribing.APART}
        description = json.loads(json.dumps(transcribing.described(made), allow_nan=False))
        again = transcribing.parameters_of(description)
        assert {name: list(of) if isinstance(of, tuple) else of for name, of in given.items()} == again
    with pytest.raises(TypeError, match=r"activation=<object .* cannot be written into a transcript"):
        transcribing.described(MLPClassifier(activation=object()))


ODD = (None, {"a": 1}, 2**70, *(pytest.param(odd, marks=pytest.mark.slow) for odd in ("x", True, [], -1)))


@pytest.mark.parametrize("odd", ODD)
def test_odd_values_with_right_hashes_are_no_crash(odd, run):
    """Whoever writes a transcript may write anything into it."""
    whole = run.read_text()
    asked = json.loads(whole.splitlines()[0])["fit"]
    for part, name in [*((None, name) for name in asked), *(("parameters", name) for name in asked["parameters"])]:
        run.write_text(whole)
        if (asked[part] if part else asked)[name] == odd:
            continue

        def change(line, part=part, name=name):
            (line["fit"][part] if part else line["fit"])[name] = odd

        forge(run, 0, change)
        try:
            found = difference(run)
        except ValueError as error:
            found = str(error)
        assert found is not None or part, name  # another parameter may give the same bits
        assert len(found or "") < 1500
