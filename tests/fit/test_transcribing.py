"""`fit(transcript=...)`: a chain of digests that is the same on every machine, and that changes no bit of training."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from models import HERE

import fastmlp
from fastmlp import Adam, DivergenceError, EarlyStopping, Model, Transcript
from fastmlp.fit import transcribing
from fastmlp.schedules import ReduceOnPlateau
from fastmlp.storage import checkpoints, transcript

DRAWS = np.random.default_rng(0)
X, Y = DRAWS.standard_normal((90, 4)), DRAWS.integers(0, 3, 90)
OPTIONS = {  # name: (arguments of Model, a function that gives those of fit)
    "all rows": ({}, lambda: {"epochs": 12}),
    "batches, dropout": ({"dtype": "float32"}, lambda: {"epochs": 9, "batch_size": 32, "dropout": 0.3, "l2": 0.01}),
    "a generator": (
        {"seed": lambda: np.random.RandomState(3)},
        lambda: {"epochs": 9, "batch_size": 32, "validation": 0.2, "optimizer": "adam"},
    ),
    "early stopping with a plateau": (
        {"seed": lambda: np.random.default_rng(5)},
        lambda: {"epochs": 60, "batch_size": 16, "optimizer": Adam(ReduceOnPlateau(0.05, patience=2)),
                 "validation": 0.3, "early_stopping": EarlyStopping(7, "validation_accuracy")},
    ),
    "a target": ({}, lambda: {"epochs": 40, "target_loss": 1.0, "batch_size": 30}),
    "standardised": ({"standardize": True}, lambda: {"epochs": 5, "sample_weight": np.arange(90) % 4}),
}  # fmt: skip


def new(arguments=(), **others):
    given = {k: v() if callable(v) else v for k, v in dict(arguments).items()}
    return Model([4, 6, 3], **{"seed": 1, **given, **others})


def trained(path, every=2, arguments=(), backend="numba", **options):
    model = new(arguments, backend=backend)
    model.fit(X, Y, **options, transcript=Transcript(path, every=every))
    return model


@pytest.mark.parametrize("name", OPTIONS)
def test_it_changes_no_bit_and_is_the_same_by_the_reference(name, tmp_path):
    arguments, options = OPTIONS[name]
    model, plain = trained(tmp_path / "a.jsonl", arguments=arguments, **options()), new(arguments)
    plain.fit(X, Y, **options())
    assert model.digest() == plain.digest()
    assert model.history.to_dict()["loss"] == plain.history.to_dict()["loss"]
    other = trained(tmp_path / "b.jsonl", arguments=arguments, backend="reference", **options())
    assert other.digest() == model.digest()
    one, two = (transcript.read(tmp_path / f"{name}.jsonl") for name in "ab")
    assert one.hash == two.hash
    assert one.ended
    assert one.head["machine"] != two.head["machine"]  # which is no part of the chain


def test_lines_come_at_the_multiples_of_the_interval(tmp_path):
    trained(tmp_path / "run.jsonl", every=4, epochs=18, batch_size=40)
    states = transcript.read(tmp_path / "run.jsonl").states
    assert [line["epoch"] for line in states] == [0, 4, 8, 12, 16, 18]
    assert [line["record"] for line in states] == ["epoch"] * 5 + ["end"]
    names = [transcript.checkpoint_of(str(tmp_path / "run.jsonl"), line) for line in states if line["checkpoint"]]
    assert len(names) == 5
    assert all(os.path.exists(name) for name in names)


def test_the_end_is_the_model_s(tmp_path):
    model = trained(tmp_path / "run.jsonl", epochs=5)
    last = transcript.read(tmp_path / "run.jsonl").lines[-1]
    assert last["parameters"] == transcript.digest_of_parameters(model.snapshot())
    assert len(os.listdir(tmp_path / "run.jsonl.d")) == 3  # none of the end, which the caller may save


def test_one_that_has_ended_is_not_continued(tmp_path):
    trained(tmp_path / "run.jsonl", epochs=5)
    with pytest.raises(ValueError, match="has its end already"):
        new().fit(X, Y, epochs=5, resume=True, transcript=Transcript(tmp_path / "run.jsonl", every=2))


def test_a_short_training_has_two_states(tmp_path):
    """Its interval is chosen by the work: a line takes as long as hundreds of such epochs."""
    new().fit(X, Y, epochs=50, transcript=tmp_path / "run.jsonl")
    chain = transcript.read(tmp_path / "run.jsonl")
    assert [line["record"] for line in chain.states] == ["epoch", "end"]
    assert chain.head["every"] & (chain.head["every"] - 1) == 0


def test_an_existing_file_or_folder_is_refused(tmp_path):
    trained(tmp_path / "run.jsonl", epochs=3)
    before = (tmp_path / "run.jsonl").read_bytes()
    with pytest.raises(FileExistsError, match="exists, and is not written over"):
        trained(tmp_path / "run.jsonl", epochs=3)
    assert (tmp_path / "run.jsonl").read_bytes() == before
    folder = tmp_path / "other.jsonl.d"
    folder.mkdir()
    (folder / "something").touch()
    with pytest.raises(FileExistsError, match=r"other.jsonl.d exists, without its transcript(?!.*resume)"):
        trained(tmp_path / "other.jsonl", epochs=3)
    (folder / "something").unlink()
    trained(tmp_path / "other.jsonl", epochs=3)
    assert transcript.read(tmp_path / "other.jsonl").ended
    with pytest.raises(FileNotFoundError, match="no such folder"):
        trained(tmp_path / "nowhere" / "run.jsonl", epochs=3)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((3,), "transcript=3 is no path"),
        (("",), "transcript is empty: give a file's name"),
        (("a\0b",), "transcript=.* cannot be a file's name"),
        (("a", 0), "every=0"),
        (("a", 2, 3), "checkpoint_every=3 is no multiple of every=2"),
        (("a", None, 3), "no multiple of every=None"),
    ],
)
def test_wrong_arguments(arguments, said):
    with pytest.raises((TypeError, ValueError), match=said):
        Transcript(*arguments)


def test_where_lines_take_too_long_they_become_rarer(tmp_path, monkeypatch):
    """An interval that nobody asked for: line and checkpoint say what it is, and the training is the same."""

    def plan(own, fit, last):
        own.every = own.checkpoint_every = 1
        return 1

    monkeypatch.setattr(transcribing.Transcriber, "plan", plan)
    monkeypatch.setattr(transcribing, "SOON", 0)
    monkeypatch.setattr(transcribing, "PART", 1e-9)
    model, plain = new(), new()
    model.fit(X, Y, epochs=40, batch_size=30, transcript=tmp_path / "run.jsonl")
    plain.fit(X, Y, epochs=40, batch_size=30)
    assert model.digest() == plain.digest()
    chain = transcript.read(tmp_path / "run.jsonl")
    assert [line["epoch"] for line in chain.states[1:-1]] == [1, 2, 4, 8, 16, 32]
    assert fastmlp.audit(chain.path, X, Y, segments="all").equal


def test_a_fit_that_continues_another_begins_there(tmp_path):
    model = new()
    model.fit(X, Y, epochs=3, optimizer="adam", batch_size=20)
    model.fit(X, Y, epochs=4, resume=True, batch_size=20, transcript=Transcript(tmp_path / "a", every=2))
    chain = transcript.read(tmp_path / "a")
    assert (chain.head["begun"], [line["epoch"] for line in chain.states]) == (3, [3, 4, 6, 7])
    assert fastmlp.audit(tmp_path / "a", X, Y, segments="all").equal
    options = {"epochs": 12, "checkpoint": tmp_path / "c", "checkpoint_every": 5}
    interrupted(tmp_path / "gone", 8, (), **options)
    new().fit(X, Y, **options, resume=True, transcript=Transcript(tmp_path / "b", every=2))
    chain = transcript.read(tmp_path / "b")
    assert (chain.head["begun"], chain.head["first"]) == (0, 5)
    assert [line["epoch"] for line in chain.states] == [5, 6, 8, 10, 12]
    assert fastmlp.audit(tmp_path / "b", X, Y, segments="all").equal


# ---------------------------------------------------------------------------------------------------------
# Interrupted


class Stop(Exception):
    pass


def interrupted(path, at, arguments, **options):
    """A fit that an exception ends in this epoch."""

    def stop(info):
        if info.epoch == at:
            raise Stop

    model = new(arguments)
    with pytest.raises(Stop):
        model.fit(X, Y, **options, callback=stop, transcript=Transcript(path, every=2, checkpoint_every=4))


@pytest.mark.parametrize("name", ["batches, dropout", "a generator", "early stopping with a plateau"])
@pytest.mark.parametrize("tail", [b"", b'{"record": "ep'])
def test_an_interrupted_fit_continues(name, tail, tmp_path):
    arguments, options = OPTIONS[name]
    path, whole = tmp_path / "run.jsonl", tmp_path / "whole.jsonl"
    interrupted(path, 8, arguments, **options())
    assert not transcript.read(path).ended
    with open(path, "ab") as file:
        file.write(tail)
    model, other = new(arguments, seed=9), new(arguments)  # the seed comes from the checkpoint
    asked = {"callback": lambda info: None, **options()}
    if name != "batches, dropout":
        model = new(arguments)
    model.fit(X, Y, **asked, resume=True, transcript=Transcript(path, every=2, checkpoint_every=4))
    other.fit(X, Y, **asked, transcript=Transcript(whole, every=2, checkpoint_every=4))
    assert transcript.read(path).hash == transcript.read(whole).hash
    assert model.digest() == other.digest()
    assert model.history.to_dict()["loss"] == other.history.to_dict()["loss"]


def test_it_continues_from_a_checkpoint_of_the_user_s(tmp_path):
    path = tmp_path / "run.jsonl"
    options = {"epochs": 12, "checkpoint": tmp_path / "c", "checkpoint_every": 3}
    interrupted(path, 8, (), **options)
    new().fit(X, Y, **options, resume=True, transcript=Transcript(path, every=2))
    new().fit(X, Y, epochs=12, callback=lambda info: None, transcript=Transcript(tmp_path / "w", every=2))
    lines, whole = (transcript.read(one).lines for one in (path, tmp_path / "w"))
    assert [line["parameters"] for line in lines[1:]] == [line["parameters"] for line in whole[1:]]


def test_a_resumed_fit_that_differs_from_before_is_refused(tmp_path, monkeypatch):
    """Lines that an interrupted fit has written are compared, not written again."""
    path = tmp_path / "run.jsonl"
    interrupted(path, 8, (), epochs=12)
    real = transcript.digest_of_parameters
    monkeypatch.setattr(transcript, "digest_of_parameters", lambda network: real(network)[::-1])
    with pytest.raises(ValueError, match="digest of the parameters after epoch 4 is not that of the checkpoint"):
        new().fit(X, Y, epochs=12, resume=True, transcript=Transcript(path, every=2))
    monkeypatch.undo()

    def changed(network):
        return "0" * 64 if network.run.epochs == 6 else real(network)

    monkeypatch.setattr(transcript, "digest_of_parameters", changed)
    with pytest.raises(ValueError, match="the digest of the parameters after epoch 6 is not what it was before"):
        new().fit(X, Y, epochs=12, resume=True, transcript=Transcript(path, every=2))


@pytest.mark.parametrize(
    ("options", "said"),
    [({"l2": 0.5}, "fit's l2 differs"), ({"every": 3}, "its every differs"), ({"X": X[::-1]}, "fit's X differs")],
)
def test_another_fit_does_not_continue_it(options, said, tmp_path):
    path = tmp_path / "run.jsonl"
    interrupted(path, 8, (), epochs=12)
    every, rows = options.pop("every", 2), options.pop("X", X)
    with pytest.raises(ValueError, match=said):
        new().fit(rows, Y, epochs=12, resume=True, transcript=Transcript(path, every=every), **options)


def test_a_disk_that_is_full_ends_the_transcript_and_not_the_training(tmp_path, monkeypatch):
    def full(path, line):
        raise OSError(28, "No space left on device")

    plain = new()
    plain.fit(X, Y, epochs=6)
    real = transcript.append
    monkeypatch.setattr(transcript, "append", lambda path, line: (full if line["epoch"] else real)(path, line))
    with pytest.warns(UserWarning, match="was not written after epoch 2: .*No space left"):
        model = trained(tmp_path / "run.jsonl", epochs=6)
    assert model.digest() == plain.digest()
    monkeypatch.undo()
    new().fit(X, Y, epochs=6, resume=True, transcript=Transcript(tmp_path / "run.jsonl", every=2))
    assert transcript.read(tmp_path / "run.jsonl").ended


@pytest.mark.parametrize("what", ["head", "folder", "checkpoint", "state"])
def test_a_beginning_that_fails_leaves_nothing(what, tmp_path, monkeypatch):
    """So that the same fit can be tried again, once there is room."""

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    where = {"head": (transcript, "_add"), "folder": (os, "makedirs"), "checkpoint": (checkpoints, "write")}
    with monkeypatch.context() as patch:
        patch.setattr(*where.get(what, (transcript, "append")), full)
        with pytest.raises(OSError, match="No space left"):
            trained(tmp_path / "run.jsonl", epochs=4)
    assert os.listdir(tmp_path) == []
    trained(tmp_path / "run.jsonl", epochs=4)
    assert fastmlp.audit(tmp_path / "run.jsonl", X, Y, segments="all").equal


def test_a_short_write_leaves_whole_lines(tmp_path, monkeypatch):
    """As where the disk becomes full in the middle of a line."""
    path = tmp_path / "run.jsonl"
    real = transcript._add

    class Short:
        def __init__(self, file):
            self.file = file

        def __getattr__(self, name):
            return getattr(self.file, name)

        def write(self, content):
            return self.file.write(content[:40])

    monkeypatch.setattr(
        transcript, "_add", lambda file, line: real(file if line.get("epoch") != 4 else Short(file), line)
    )
    with pytest.warns(UserWarning, match="was not written after epoch 4: .*No space left"):
        trained(path, epochs=8)
    monkeypatch.undo()
    assert path.read_bytes().endswith(b"\n")
    assert [line["epoch"] for line in transcript.read(path).states] == [0, 2]


def test_a_first_line_alone_is_written_again(tmp_path):
    """The fit was killed as it began. Without resume, and of another fit, nothing is touched."""
    path = tmp_path / "run.jsonl"
    trained(path, epochs=6)
    whole = path.read_bytes()
    path.write_bytes(whole.splitlines(keepends=True)[0] + b'{"be')
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match="is not written over"):
        trained(path, epochs=6)
    with pytest.raises(ValueError, match="is of another fit, its fit's epochs differs"):
        trained(path, epochs=7, resume=True)
    assert path.read_bytes() == before
    trained(path, epochs=6, resume=True)
    assert path.read_bytes().splitlines()[1:] == whole.splitlines()[1:]
    assert fastmlp.audit(path, X, Y, segments="all").equal


@pytest.mark.filterwarnings("ignore:.*older checkpoint")
def test_a_damaged_newest_checkpoint_is_passed_over(tmp_path):
    path, whole = tmp_path / "run.jsonl", tmp_path / "whole.jsonl"
    interrupted(path, 11, (), epochs=14)
    new().fit(X, Y, epochs=14, callback=lambda info: None, transcript=Transcript(whole, every=2, checkpoint_every=4))
    places = sorted((tmp_path / "run.jsonl.d").iterdir())
    assert [place.stem for place in places] == ["000000000", "000000004", "000000008"]
    places[-1].write_bytes(b"")
    options = {"epochs": 14, "callback": lambda info: None, "resume": True}
    with pytest.warns(UserWarning, match="000000008.*: the fit continues from an older checkpoint"):
        new().fit(X, Y, **options, transcript=Transcript(path, every=2, checkpoint_every=4))
    assert transcript.read(path).hash == transcript.read(whole).hash
    assert fastmlp.audit(path, X, Y, segments="all").equal  # it was written again
    for place in (tmp_path / "run.jsonl.d").iterdir():
        place.write_bytes(b"")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))
    with (
        pytest.warns(UserWarning, match="000000000"),
        pytest.raises(ValueError, match="without a checkpoint to continue from"),
    ):
        new().fit(X, Y, **options, transcript=Transcript(path, every=2, checkpoint_every=4))


def test_an_ended_checkpoint_needs_an_ended_transcript(tmp_path):
    """Nothing is trained, and so nothing would write the transcript."""
    path = tmp_path / "run.jsonl"
    options = {"epochs": 6, "checkpoint": tmp_path / "c", "checkpoint_every": 3}
    trained(path, **options)
    whole = path.read_bytes()
    trained(path, **options, resume=True)
    assert path.read_bytes() == whole
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))
    with pytest.raises(ValueError, match="has ended, and the transcript has no end: give resume=PATH"):
        trained(path, **options, resume=True)
    with pytest.raises(ValueError, match="has ended, and there is no such transcript: leave it out"):
        trained(tmp_path / "other.jsonl", **options, resume=True)
    last = tmp_path / "run.jsonl.d" / "000000004.safetensors"
    trained(path, epochs=6, resume=last)
    assert path.read_bytes() == whole


def test_a_transcript_that_ended_before_its_checkpoint_did(tmp_path, monkeypatch):
    """The fit was killed between the two: what is trained again is compared with all that is there."""
    path = tmp_path / "run.jsonl"
    options = {"epochs": 7, "checkpoint": tmp_path / "c", "checkpoint_every": 3}
    real = checkpoints.write

    def killed(place, moment, sync=True):
        if moment.ended:
            raise Stop
        real(place, moment, sync)

    monkeypatch.setattr(checkpoints, "write", killed)
    with pytest.raises(Stop):
        trained(path, **options)
    monkeypatch.undo()
    whole = path.read_bytes()
    assert transcript.read(path).ended
    trained(path, **options, resume=True)
    assert path.read_bytes() == whole
    assert checkpoints.read(tmp_path / "c").ended


def test_what_is_no_regular_file_is_no_transcript(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="is a device or a pipe"):
        transcript.read(tmp_path / "pipe")
    with pytest.raises(IsADirectoryError):
        transcript.read(tmp_path)
    trained(tmp_path / "run.jsonl", epochs=2)
    name = os.fsencode(tmp_path / "run.jsonl")
    assert transcript.read(name).path == os.fsdecode(name)


def test_a_training_that_diverges_has_its_end(tmp_path):
    with pytest.raises(DivergenceError):
        trained(tmp_path / "run.jsonl", epochs=40, learning_rate=1e200, optimizer="sgd")
    last = transcript.read(tmp_path / "run.jsonl").lines[-1]
    assert (last["record"], last["stopped"]) == ("end", "diverged")


# ---------------------------------------------------------------------------------------------------------
# The file


def rewritten(path, number, change):
    """Changes a line in place, and nothing else."""
    lines = path.read_text().splitlines()
    line = json.loads(lines[number])
    change(line)
    lines[number] = transcript.text_of(line)
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("number", "change", "said"),
    [
        (2, {"parameters": "0" * 64}, "line 3: it does not have its hash"),
        (0, {"rows": 91}, "line 1: it does not have its hash"),
        (3, {"line": 4}, "line 4: its number is 4, and should be 3"),
        (3, {"epoch": "6"}, "line 4: its epoch is '6', not a count"),
        (2, {"more": 1}, "line 3: 'more' does not belong there"),
        (2, {"record": "end"}, "line 3: 'stopped' is missing"),
        (0, {"format": "other"}, "no transcript of fastmlp's"),
        (0, {"version": 2}, "format version 2"),
        (0, {"numerics": 2}, "numerics version 2"),
    ],
)
def test_a_changed_line_is_named(number, change, said, tmp_path):
    path = tmp_path / "run.jsonl"
    trained(path, epochs=8)
    transcript.read(path)
    rewritten(path, number, lambda line: line.update(change))
    with pytest.raises(ValueError, match=said):
        transcript.read(path)


def test_missing_lines_are_named(tmp_path):
    path = tmp_path / "run.jsonl"
    trained(path, epochs=8)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3] + lines[4:]))
    with pytest.raises(ValueError, match="line 4: its number is 4, and should be 3"):
        transcript.read(path)
    path.write_bytes(b"".join(lines[:4]) + b"\xff\n")
    with pytest.raises(ValueError, match="line 5: it is not JSON"):
        transcript.read(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="no whole line"):
        transcript.read(path)
    path.write_bytes(b"PK\x03\x04\n")
    with pytest.raises(ValueError, match="is no transcript: it is not JSON"):
        transcript.read(path)
    gone = [json.loads(line) for line in lines]
    kept = gone[:3]
    for line in gone[4:]:
        kept.append(transcript.chained({k: v for k, v in line.items() if k not in ("line", "before")}, kept[-1]))
    path.write_text("".join(transcript.text_of(line) + "\n" for line in kept))
    with pytest.raises(ValueError, match="line 4: it is of epoch 6, and epoch 4 is the next: a line is missing"):
        transcript.read(path)


def test_a_fit_without_a_transcript_imports_none_of_it():
    """Its start and its path are those of before."""
    code = (
        "import sys; from fastmlp import Model; Model([2, 3, 2]).fit([[0, 1], [1, 0]], [0, 1], epochs=2); "
        "print([name for name in sys.modules if 'transcri' in name])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=HERE)
    assert said.stdout.strip() == "[]"


def test_checkpoints_are_those_of_fits(tmp_path):
    trained(tmp_path / "run.jsonl", epochs=5)
    assert checkpoints.read(tmp_path / "run.jsonl.d" / "000000002.safetensors").network.epochs == 2
