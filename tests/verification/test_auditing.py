"""`audit`: a true transcript passes, and each forgery is refused with its place."""

import json
import math
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from models import HERE

import fastmlp
from fastmlp import SGD, Adam, DivergenceError, EarlyStopping, Model, Transcript
from fastmlp.cli import main
from fastmlp.schedules import Cosine, ReduceOnPlateau, Step
from fastmlp.storage import checkpoints, transcript

DRAWS = np.random.default_rng(0)
X, Y = DRAWS.standard_normal((90, 4)), DRAWS.integers(0, 3, 90)
WEIGHTS = np.arange(90) % 4
OPTIONS = {  # name: (arguments of Model, a function that gives those of fit, what audit is given)
    "all rows": ({}, lambda: {"epochs": 12}, {}),
    "everything": (
        {"dtype": "float32", "input_scale": True},
        lambda: {"epochs": 12, "batch_size": 32, "dropout": [Cosine(0.3, epochs=12)], "l2": 0.01, "l1": 1e-3,
                 "clip_norm": 0.5, "sample_weight": WEIGHTS, "class_weight": "balanced", "validation": (X[:9], Y[:9]),
                 "rate_factors": {"bias": 0.5, "input_scale": 3}, "optimizer": "adamw", "record_every": 5},
        {"sample_weight": WEIGHTS, "class_weight": "balanced", "validation": (X[:9], Y[:9])},
    ),
    "weights of validation": (
        {}, lambda: {"epochs": 12, "batch_size": 32, "validation": (X[:9], Y[:9], WEIGHTS[:9]), "early_stopping": 2},
        {"validation": (X[:9], Y[:9], WEIGHTS[:9])},
    ),
    "early stopping with a plateau": (
        {"seed": lambda: np.random.default_rng(5)},
        lambda: {"epochs": 60, "batch_size": 16, "optimizer": Adam(ReduceOnPlateau(0.05, patience=2)),
                 "validation": 0.3, "early_stopping": EarlyStopping(7, "validation_accuracy")},
        {},
    ),
    "standardised": ({"standardize": True}, lambda: {"epochs": 8, "batch_size": 20, "target_loss": 0.5}, {}),
    "a callback ends it": ({}, lambda: {"epochs": 20, "callback": lambda info: info.epoch == 9}, {}),
}  # fmt: skip


def trained(path, every=2, arguments=(), **options):
    given = {k: v() if callable(v) else v for k, v in dict(arguments).items()}
    model = Model([4, 6, 3], **{"seed": 1, **given})
    try:
        model.fit(X, Y, **options, transcript=Transcript(path, every=every))
    except DivergenceError:
        pass
    return model


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    model = trained(folder / "run.jsonl", epochs=12, batch_size=32, optimizer="adam", learning_rate=0.01)
    model.save(folder / "model.safetensors")
    np.savez(folder / "rows.npz", X=X, y=Y)
    return folder


@pytest.fixture
def run(made, tmp_path):
    """A copy of a true transcript, to forge."""
    shutil.copytree(made, tmp_path / "copy")
    return tmp_path / "copy" / "run.jsonl"


@pytest.mark.parametrize("name", OPTIONS)
def test_true_transcripts_pass(name, tmp_path):
    arguments, options, given = OPTIONS[name]
    trained(tmp_path / "run.jsonl", arguments=arguments, **options())
    found = fastmlp.audit(tmp_path / "run.jsonl", X, Y, segments="all", **given)
    assert found.difference is None
    assert found.checked == [*range(1, found.segments + 1)]
    assert found.compared == found.lines - 2  # all but the head and the beginning


def test_the_reference_audits_too(run):
    found = fastmlp.audit(run, X, Y, segments=2, backend="reference", model=run.parent / "model.safetensors")
    assert found.equal
    assert len(found.checked) == 2


def test_a_divergence_is_audited(tmp_path):
    trained(tmp_path / "run.jsonl", epochs=40, learning_rate=1e200)
    assert fastmlp.audit(tmp_path / "run.jsonl", X, Y, segments="all").equal


def test_an_interrupted_one_passes_up_to_its_last_line(run):
    lines = run.read_bytes().splitlines(keepends=True)
    run.write_bytes(b"".join(lines[:-2]))
    found = fastmlp.audit(run, X, Y, segments="all")
    assert found.equal
    assert not found.ended
    assert "without its end" in found.last_line()


def test_the_probability_is_the_hypergeometric_one(run):
    found = fastmlp.audit(run, X, Y, segments=2, seed=3)
    assert found.segments == 6
    assert found.probability(1) == pytest.approx(2 / 6)
    assert found.probability(2) == pytest.approx(1 - math.comb(4, 2) / math.comb(6, 2))
    assert found.probability(5) == 1
    hits = [len({*_segments(seed, run)} & {2, 5}) > 0 for seed in range(200)]
    assert abs(np.mean(hits) - found.probability(2)) < 0.1
    with pytest.raises(ValueError, match="forged=7 is more than the 6 segments"):
        found.probability(7)


def _segments(seed, run):
    from fastmlp.verification.auditing import _drawn

    return _drawn(6, 2, seed)


# ---------------------------------------------------------------------------------------------------------
# Forgeries. The forger knows the format: hashes are computed again, where it says so.


def forge(path, number, change, again=True):
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    change(lines[number])
    done = lines if not again else []
    for line in lines if again else ():
        rest = {key: value for key, value in line.items() if key not in ("line", "before", "hash")}
        done.append(transcript.chained(rest, done[-1] if done else None))
    path.write_text("".join(transcript.text_of(line) + "\n" for line in done))


def difference(path, x=X, **options):
    return fastmlp.audit(path, x, Y, **{"segments": "all", **options}).difference


@pytest.mark.parametrize("name", ["parameters", "optimizer", "order", "history"])
def test_one_digest(name, run):
    whole = run.read_text()
    forge(run, 4, lambda line: line.update({name: "0" * 64}), again=False)
    assert difference(run) == "line 5: it does not have its hash: something in it was changed"
    run.write_text(whole)
    forge(run, 4, lambda line: line.update({name: "0" * 64}))
    found = difference(run)
    assert found.startswith("line 5, epoch 6: "), found
    assert found.endswith("is not what training again gives"), found


@pytest.mark.parametrize(
    ("number", "change", "said"),
    [
        (4, {"rate": 0.02}, "line 5, epoch 6: the learning rate is not"),
        (4, {"loss": 0.5}, "line 5, epoch 6: the loss is not"),
        (3, {"epochs": 5}, "line 4, epoch 4: the count of epochs is not"),
        (7, {"trained": 11}, "line 8, epoch 11: the epoch of the end is not"),
        (7, {"stopped": "it was good"}, "line 8, epoch 12: why the training stopped is not"),
        (7, {"parameters": "0" * 64}, "line 8, epoch 12: the digest of the parameters is not what training again"),
        (1, {"parameters": "0" * 64}, "line 2, epoch 0: the digest of the parameters is not that of its checkpoint"),
        (0, {"rows": 91}, "line 1: the number of rows"),
    ],
)
def test_other_lines(number, change, said, run):
    forge(run, number, lambda line: line.update(change))
    assert difference(run).startswith(said)


def test_one_rate(run):
    """In the head alone, and then in every checkpoint, too."""
    forge(run, 0, lambda line: line["fit"].update(learning_rate=0.02))
    assert difference(run) == "line 2, epoch 0: its checkpoint is of a fit with another learning_rate than line 1 says"
    for place in (run.parent / "run.jsonl.d").iterdir():
        moment = checkpoints.read(place)
        moment.asked["learning_rate"] = 0.02
        checkpoints.write(str(place), moment)
    assert difference(run) == "line 1: learning_rate is not what the fit has had"


def test_one_row(run):
    other = X.copy()
    other[17, 2] = np.nextafter(other[17, 2], 9)
    assert difference(run, other) == "line 1: X is not the one that the transcript is of"
    other[17, 2] += 0.001  # one ulp of one row changes no bit of the first epochs' parameters
    asked = checkpoints.digest_of(other)
    forge(run, 0, lambda line: line["fit"].update(X=asked))  # with their digest in the head, and in the checkpoints
    for place in (run.parent / "run.jsonl.d").iterdir():
        moment = checkpoints.read(place)
        moment.asked["X"] = asked
        checkpoints.write(str(place), moment)
    assert difference(run, other).startswith("line 3, epoch 2: the digest of the parameters is not what training")


def test_a_checkpoint(run):
    """Its weights are no others than its line says; what its line says nothing of gives other lines after it."""
    place = run.parent / "run.jsonl.d" / "000000004.safetensors"
    moment, whole = checkpoints.read(place), place.read_bytes()
    moment.network.parameters[3] = np.nextafter(moment.network.parameters[3], 9)
    checkpoints.write(str(place), moment)
    assert difference(run) == "line 4, epoch 4: the digest of the parameters is not that of its checkpoint"
    moment = checkpoints.read(place)
    place.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert "line 4, epoch 4: its checkpoint cannot be read" in difference(run)
    place.unlink()
    assert "000000004.safetensors is missing" in difference(run)


# ---------------------------------------------------------------------------------------------------------
# What no line tells of before the first one

BEGINNINGS = {
    "velocity": {"epochs": 6, "batch_size": 32, "optimizer": SGD(momentum=0.9)},
    "best": {"epochs": 6, "validation": 0.3, "early_stopping": EarlyStopping(7)},
    "count": {"epochs": 6, "early_stopping": EarlyStopping(7, best_weights=False)},
    "plateau": {"epochs": 6, "optimizer": Adam(ReduceOnPlateau(0.05, patience=2))},
    "kept": {"epochs": 6},
    "records": {"epochs": 6},
    "stopped": {"epochs": 6},
}


def change_beginning(name, moment):
    network = moment.network
    if name == "velocity":
        network.run.state.vectors[:] = 0.5
    elif name == "best":
        moment.best = network.at_once()
        moment.best.parameters[:] = 0.25
        moment.stopping = {"best": 0.0, "best_epoch": 0, "waited": 0}
    elif name == "count":
        moment.stopping = {"best": 0.0, "best_epoch": 0, "waited": 3}
    elif name == "plateau":
        network.run.plateau = network.run.plateau.rule.start({**network.run.plateau.state(), "best": 0.0, "waited": 1})
    elif name == "kept":
        moment.kept = network.parameters + 1
    elif name == "records":
        moment.records = np.ones(1, moment.records.dtype)
    else:
        moment.stopped = "it was good"


@pytest.mark.parametrize("name", BEGINNINGS)
def test_a_beginning_that_is_none(name, tmp_path):
    """The forger trains from a first checkpoint of his own, and writes what that gives."""
    trained(tmp_path / "true.jsonl", **BEGINNINGS[name])
    assert difference(tmp_path / "true.jsonl") is None
    moment = checkpoints.read(tmp_path / "true.jsonl.d" / "000000000.safetensors")
    change_beginning(name, moment)
    checkpoints.write(str(tmp_path / "first.safetensors"), moment)
    model = Model.load(tmp_path / "first.safetensors")
    path = tmp_path / "run.jsonl"
    asked = Transcript(path, every=2)
    model.fit(X, Y, **BEGINNINGS[name], resume=tmp_path / "first.safetensors", transcript=asked)
    chain = transcript.read(path)
    assert chain.ended
    assert chain.head["first"] == 0
    if name == "stopped":
        assert chain.lines[-1]["stopped"] == "it was good"
    assert difference(path) == "line 2, epoch 0: its checkpoint is not of a training that begins"


@pytest.mark.parametrize("number", [0, 4])
def test_what_a_divergence_ends_with_is_in_the_lines(number, tmp_path):
    """The forger chooses the weights that a training is said to go back to."""
    path = tmp_path / "run.jsonl"
    options = {"epochs": 8, "record_every": 50}
    trained(path, **options)
    place = path.parent / "run.jsonl.d" / f"{number:09d}.safetensors"
    moment = checkpoints.read(place)
    moment.kept = moment.network.parameters + 1
    checkpoints.write(str(place), moment)
    where = f"line {number // 2 + 2}, epoch {number}"
    what = "the digest of the weights that a divergence ends with is not that of its checkpoint"
    assert difference(path) == f"{where}: {what}"


def test_early_stopping_s_count_is_in_the_lines(tmp_path):
    """Also where no weights are kept."""
    path = tmp_path / "run.jsonl"
    trained(path, epochs=12, early_stopping=EarlyStopping(7, best_weights=False))
    place = tmp_path / "run.jsonl.d" / "000000004.safetensors"
    moment = checkpoints.read(place)
    moment.stopping["waited"] += 6
    checkpoints.write(str(place), moment)
    assert "epoch 4: the digest of early stopping's state is not that of its checkpoint" in difference(path)


@pytest.mark.parametrize("name", ["epochs", "rate", "best_epoch", "held_out", "spoilt"])
def test_what_a_checkpoint_says_beside_numbers(name, tmp_path):
    """Of the best epoch, to which early stopping goes back, and of the run."""
    path = tmp_path / "run.jsonl"
    rate = Adam(ReduceOnPlateau(0.05, patience=2))
    trained(path, epochs=12, optimizer=rate, validation=0.2, early_stopping=EarlyStopping(7))
    place = tmp_path / "run.jsonl.d" / "000000004.safetensors"
    moment = checkpoints.read(place)
    run, best = moment.network.run, moment.best
    if name == "epochs":
        best.epochs += 1
    elif name == "rate":
        best.run.plateau = best.run.plateau.rule.start({**best.run.plateau.state(), "rate": 0.5})
    elif name == "best_epoch":
        moment.best_epoch = 1 if moment.best_epoch != 1 else 2
    elif name == "held_out":
        run.held_out = 0.5
    else:
        run.not_resumable_because = "it rains"
    checkpoints.write(str(place), moment)
    what = "the digest of early stopping's state is not that of its checkpoint"
    if name in ("held_out", "spoilt"):
        what = "its checkpoint is not of a training that goes on with the fit that line 1 tells of"
    assert difference(path) == f"line 4, epoch 4: {what}"


def test_a_schedule_that_is_shifted(tmp_path):
    """In a checkpoint where its rate is still the first one: nothing but the head tells."""
    path = tmp_path / "run.jsonl"
    trained(path, epochs=12, optimizer=SGD(Step(0.1, every=6)))
    place = tmp_path / "run.jsonl.d" / "000000004.safetensors"
    moment = checkpoints.read(place)
    moment.network.run.rate_begins = 2
    checkpoints.write(str(place), moment)
    assert difference(path) == "line 1: the epoch at which the learning rate's schedule begins is not the checkpoint's"


def test_a_first_state_without_its_checkpoint(run):
    """ "checkpoint" is not in the hash: what comes before the first one that is there would not be trained again."""
    forge(run, 1, lambda line: line.update(checkpoint=False))
    (run.parent / "run.jsonl.d" / "000000000.safetensors").unlink()
    assert difference(run).startswith("line 2, epoch 0: its checkpoint ")


def test_an_option_that_no_fit_has(run):
    for value in ("trained at CERN", None):
        forge(run, 0, lambda line, value=value: line["fit"].update(extra=value))
        for place in (run.parent / "run.jsonl.d").iterdir():
            moment = checkpoints.read(place)
            moment.asked["extra"] = value
            checkpoints.write(str(place), moment)
        assert difference(run) == "line 1: extra is not what the fit has had"


@pytest.mark.parametrize(
    ("number", "change", "said"),
    [
        (0, {"callback": 1}, "line 1: its callback is 1, neither true nor false"),
        (0, {"numerics": True}, "is of numerics version True"),
        (0, {"numerics": 1.0}, "is of numerics version 1.0"),
        (0, {"machine": "mine"}, "line 1: its fit, spec, seed or machine is no object"),
        (0, {"every": 1}, "line 2: its epoch, or its interval, is not what line 1 says"),
        (0, {"first": 1}, "line 2: its epoch, or its interval, is not what line 1 says"),
        (0, {"begun": 1}, "line 1: the run's epochs before the fit are more than"),
        (0, {"standardize": 0}, "line 2, epoch 0: its checkpoint is of another network than line 1"),
        (2, {"rate": True}, "line 3, epoch 2: the learning rate is not"),
    ],
)
def test_values_of_another_kind(number, change, said, run):
    forge(run, number, lambda line: line.update(change))
    try:
        found = difference(run)
    except ValueError as error:
        found = str(error)
    assert said in found


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(b'"before":', b'"before": ', 1),
        lambda text: text.replace(b"{", b'{"epochs":7,', 1),  # twice: who reads it takes one of the two
        lambda text: text.replace(b"}\n", b"}\r\n"),
        lambda text: text.replace(b'"before"', b'"\\u0062efore"', 1),
    ],
    ids=["space", "twice", "CRLF", "escape"],
)
def test_a_line_has_one_spelling(change, run):
    lines = run.read_bytes().splitlines(keepends=True)
    lines[3] = change(lines[3])
    run.write_bytes(b"".join(lines))
    assert difference(run).startswith("line 4: it is not spelt as a transcript is")


def test_a_model_of_the_same_numbers(run):
    """With another activation, or without the scale that it standardizes by."""
    network = Model.load(run.parent / "model.safetensors").snapshot()
    other = Model([4, 6, 3], hidden="relu" if network.spec.hidden[0] != "relu" else "tanh").snapshot()
    other.parameters[:] = network.parameters
    Model.from_snapshot(other).save(run.parent / "other.safetensors")
    found = difference(run, model=run.parent / "other.safetensors")
    assert found == f"line 1: the model {run.parent / 'other.safetensors'} is of another network"


def test_what_was_before_is_taken_as_given(tmp_path):
    model = Model([4, 6, 3], seed=1)
    model.fit(X, Y, epochs=3)
    model.fit(X, Y, epochs=4, resume=True, transcript=Transcript(tmp_path / "run.jsonl", every=2))
    found = fastmlp.audit(tmp_path / "run.jsonl", X, Y, segments="all")
    assert found.equal
    assert ", from epoch 3 of a run that is taken as given, numerics" in found.last_line()
    assert found.to_dict()["first"] == 3


# ---------------------------------------------------------------------------------------------------------
# Anything

ODD = (None, pytest.param(-1, marks=pytest.mark.slow), pytest.param([], marks=pytest.mark.slow), {"a": 1}, 2**70)
REFUSED = "(is no transcript of fastmlp's|has format version|is of numerics version)"
NOT_GIVEN = "(validation|sample_weight or class_weight)(:| is not given, and) the transcript's fit had"
WRONG = (
    "((it|its .*) (ends|is|should be) .*(changed|not a count|neither true nor false|no line of|line is missing)"
    "|it does not have its hash|its seed is not|the run's epochs before|the number of rows|the epoch at which the)"
)
OF_LINE_1 = r"its (checkpoint is of (another network|a fit with another \w+)|epoch, or its interval,)"
DIFFERS = "(the|why) .* is not what training again gives"
FREE = {"machine", "checkpoint", "callback", "every"}  # on which no bit of the training depends


@pytest.mark.parametrize("odd", [*ODD, pytest.param("x" * 999, marks=pytest.mark.slow), True])
def test_odd_values_with_right_hashes_are_no_crash(odd, tmp_path):
    """Whoever writes a transcript may write anything into it."""
    path = tmp_path / "run.jsonl"
    trained(path, every=1, epochs=2)
    whole = path.read_text()
    lines = [json.loads(line) for line in whole.splitlines()]
    places = [(number, None, name) for number in (0, 2, 3) for name in lines[number]]
    places += [(0, part, name) for part in ("fit", "spec") for name in lines[0][part]]
    for number, part, name in places:
        path.write_text(whole)
        if (lines[number][part] if part else lines[number])[name] == odd:
            continue

        def change(line, part=part, name=name):
            (line[part] if part else line)[name] = odd

        forge(path, number, change, again=name not in ("line", "before", "hash"))
        try:
            found = difference(path)
        except ValueError as error:
            found = str(error)
            assert re.match(rf"({re.escape(str(path))} {REFUSED}|{NOT_GIVEN})", found), found
        else:
            assert found is not None or name in FREE, (number, part, name)
            said = rf"line {number + 1}, epoch \d+: {DIFFERS}|line {number + 1}: {WRONG}"
            assert found is None or re.match(said if number else f"{said}|line 2(, epoch 0)?: {OF_LINE_1}", found), (
                found
            )
        assert len(found or "") < 1500


def test_another_model(run, tmp_path):
    Model([4, 6, 3], seed=1).save(tmp_path / "other")
    assert "is not that of the model" in difference(run, model=tmp_path / "other")


def test_weights_that_no_training_gives(run):
    """The forger changes a weight at epoch 6, trains on from there, and writes all digests of that."""
    moment = checkpoints.read(run.parent / "run.jsonl.d" / "000000006.safetensors")
    moment.network.parameters[0] = 0.25
    other = run.parent / "other.safetensors"
    checkpoints.write(str(other), moment)
    model = Model.load(other)
    model.fit(
        X, Y, epochs=12, batch_size=32, optimizer="adam", learning_rate=0.01, resume=other,
        transcript=Transcript(run.parent / "tail.jsonl", every=2),
    )  # fmt: skip
    lines = [json.loads(line) for line in run.read_text().splitlines()]
    tail = [json.loads(line) for line in (run.parent / "tail.jsonl").read_text().splitlines()]
    tail[1]["history"] = lines[4]["history"]
    done = []
    for line in lines[:4] + tail[1:]:
        rest = {key: value for key, value in line.items() if key not in ("line", "before", "hash")}
        done.append(transcript.chained(rest, done[-1] if done else None))
    run.write_text("".join(transcript.text_of(line) + "\n" for line in done))
    for place in (run.parent / "tail.jsonl.d").iterdir():
        shutil.copy(place, run.parent / "run.jsonl.d" / place.name)
    assert difference(run) == "line 5, epoch 6: the digest of the parameters is not what training again gives"
    found = [fastmlp.audit(run, X, Y, segments=3, seed=seed).equal for seed in range(12)]
    assert 0 < sum(found) < 12  # one forged segment of six: half of such audits see it


# ---------------------------------------------------------------------------------------------------------
# The command, and errors


def test_the_command(run, made, capsys):
    rows = ["--data", str(made / "rows.npz")]
    assert main(["audit", str(run), *rows, "--segments", "2", "--model", str(made / "model.safetensors")]) == 0
    said = capsys.readouterr().out.splitlines()
    chain = transcript.read(run)
    assert said[-1] == f"every bit equal: 2 of 6 segments, numerics 1, {chain.hash}"
    assert said[1] == f"head of the chain  {chain.hash}"
    assert "1 forged segment would have been found with a probability of 0.333" in said[3]
    assert main(["audit", str(run), *rows, "--segments", "all", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["equal"], found["segments"], found["found_if"]["1"]) == (True, 6, 1.0)
    forge(run, 4, lambda line: line.update(parameters="0" * 64))
    assert main(["audit", str(run), *rows, "--segments", "all"]) == 1
    assert capsys.readouterr().out.splitlines()[-1].startswith("NOT EQUAL: line 5, epoch 6: the digest of the para")


def test_the_command_reads_tables(run, tmp_path, capsys):
    table = np.column_stack([X, Y])
    lines = [",".join([*(repr(float(value)) for value in row[:-1]), str(int(row[-1]))]) for row in table]
    (tmp_path / "rows.csv").write_text("\n".join(["a,b,c,d,kind", *lines]) + "\n")
    assert main(["audit", str(run), "--data", str(tmp_path / "rows.csv"), "--target", "kind"]) == 0
    (tmp_path / "words.csv").write_text("a,kind\n1,x\n2,y\n")
    assert main(["audit", str(run), "--data", str(tmp_path / "words.csv"), "--target", "kind"]) == 2
    assert "column 'kind' is not of numbers alone" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--segments", "some"], "'some' is neither a number of segments nor all"),
        (["--segments", "0"], "--segments"),
        (["--seed", "x"], "invalid int value"),
    ],
)
def test_wrong_options_are_one_line(arguments, said, run, made, capsys):
    assert main(["audit", str(run), "--data", str(made / "rows.npz"), *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_wrong_files(run, made, tmp_path, capsys):
    np.savez(tmp_path / "half.npz", X=X)
    assert main(["audit", str(run), "--data", str(tmp_path / "half.npz")]) == 2
    assert "has no array y, but X" in capsys.readouterr().err
    assert main(["audit", str(made / "rows.npz"), "--data", str(made / "rows.npz")]) == 2
    assert "is no transcript" in capsys.readouterr().err
    with pytest.raises(ValueError, match="validation is given, and the transcript's fit had no rows for it"):
        fastmlp.audit(run, X, Y, validation=(X, Y))
    with pytest.raises(ValueError, match="sample_weight or class_weight: the transcript's fit had none"):
        fastmlp.audit(run, X, Y, sample_weight=WEIGHTS)
    with pytest.raises(ValueError, match="X has 3 columns"):
        fastmlp.audit(run, X[:, :3], Y)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"segments": "some"}, ValueError, "segments='some' is not known: give \"all\", or how many"),
        ({"segments": 0}, ValueError, "segments=0 is not positive"),
        ({"segments": 2.5}, TypeError, "segments=2.5 is not a whole number"),
        ({"segments": np.zeros(3)}, TypeError, "segments=.* is not a whole number"),
        ({"segments": None}, TypeError, "segments=None is not a whole number"),
        ({"seed": "a"}, TypeError, "seed='a' is not a whole number"),
        ({"seed": True, "segments": "all"}, TypeError, "seed=True is not a whole number"),
        ({"model": 3}, TypeError, "model=3 is no path"),
        ({"path": 3}, TypeError, "path=3 is no path"),
        ({"path": ""}, ValueError, "path is empty"),
    ],
)
def test_wrong_arguments_are_named(options, error, said, run):
    with pytest.raises(error, match=f"^{said}"):
        fastmlp.audit(**{"path": run, "X": X, "y": Y, **options})


def test_an_audit_needs_no_compiler():
    """Kernels come from the cache: Numba takes half a second to import."""
    code = "import sys, fastmlp; fastmlp.audit, fastmlp.bisect, fastmlp.verify; print('numba' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=HERE)
    assert said.stdout.strip() == "False"


def test_the_command_reads_the_weights_of_validation(tmp_path):
    """All are compared with the transcript's digests: other weights, or none, are other data."""
    trained(tmp_path / "run.jsonl", epochs=4, validation=(X[:9], Y[:9], WEIGHTS[:9]))
    rows = {"X": X, "y": Y, "X_validation": X[:9], "y_validation": Y[:9]}
    for weights, status in ((WEIGHTS[:9], 0), (WEIGHTS[1:10], 1), (None, 1)):
        more = {} if weights is None else {"sample_weight_validation": weights}
        np.savez(tmp_path / "rows.npz", **rows, **more)
        assert main([*map(str, ("audit", tmp_path / "run.jsonl", "--data", tmp_path / "rows.npz"))]) == status
