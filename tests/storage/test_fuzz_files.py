"""Mutants of files, the short form of `tests/long/fuzz_files.py`; and what it must catch."""

import time

import file_fuzz
import numpy as np
import pytest

from fastmlp import cli
from fastmlp.checks.arrays import numeric_array
from fastmlp.tables import npz, reader, table_model

COUNT = 400


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return file_fuzz.Corpus(tmp_path_factory.mktemp("corpus"), seed="short")


def test_mutants_of_files(corpus):
    counts, failures = file_fuzz.fuzz(corpus, range(COUNT))
    assert failures == []
    kinds = {outcome.partition(":")[0] for outcome in counts}
    assert kinds == {"train", "predict", "resume", "load"}
    assert sum(count for outcome, count in counts.items() if outcome.endswith("done")) > COUNT / 20, counts


def test_good_files_are_good(corpus):
    """Otherwise their mutants would be refused for another reason."""
    for name in corpus.contents:
        path = corpus.path(name)
        if name.startswith("model"):
            assert file_fuzz.model_of(path, corpus.X) == ("load: done", None)
        elif name.endswith("safetensors"):
            assert file_fuzz.command("predict", ["predict", path, corpus.table]) == ("predict: done", None)
        elif not name.endswith("npy"):
            train = ["train", path, *file_fuzz.TRAIN, "-o", corpus.path("out")]
            assert file_fuzz.command("train", train, corpus.path("out")) == ("train: done", None)


def test_mutants_are_those_of_their_numbers(corpus):
    assert corpus.mutant(7) == corpus.mutant(7)
    assert len({corpus.mutant(number) for number in range(100)}) > 90


def wrong(corpus, *arguments):
    return file_fuzz.command("train", ["train", corpus.table, *file_fuzz.TRAIN, *arguments])[1]


def test_it_catches_other_exceptions(corpus, monkeypatch):
    """As those of a reader that trusts zipfile."""

    def read(path, wanted):
        with np.load(path) as archive:
            return {name: archive[name] for name in wanted if name in archive.files}, archive.files

    monkeypatch.setattr(npz, "read", read)
    failures = file_fuzz.fuzz(corpus, [n for n in range(COUNT) if corpus.mutant(n)[0].endswith("npz")])[1]
    assert any(
        "EOFError" in failure or "zlib" in failure or "NotImplementedError" in failure for _, failure in failures
    )


def test_it_catches_a_traceback_and_too_many_words(corpus, monkeypatch):
    monkeypatch.setattr(cli, "cut", lambda message, most: message)
    for said in ("Traceback (most recent call last):", "a\n" * 9, "a" * 2000, "\x1b[2J"):
        monkeypatch.setattr(cli, "plain", lambda message, said=said: said)
        assert "said" in wrong(corpus, "--target", "nothing")


def test_it_catches_a_hang(corpus, monkeypatch):
    if not hasattr(file_fuzz.signal, "setitimer"):
        pytest.skip("this system has no timers that interrupt")
    monkeypatch.setattr(file_fuzz, "SECONDS", 0.2)
    monkeypatch.setattr(reader, "read", lambda *_, **__: [time.sleep(0.01) for _ in range(10_000)])
    assert wrong(corpus) == "Hang()"


@pytest.mark.slow
def test_it_catches_memory(corpus, monkeypatch):
    if not file_fuzz.held():
        pytest.skip("this system does not tell how much memory a process has held")
    monkeypatch.setattr(file_fuzz, "MEMORY", 2**25)
    taken = 2 * file_fuzz.held()  # the most that was held may be more than is held now

    def read(*_, **__):
        np.ones(taken // 8)
        raise ValueError("no")

    monkeypatch.setattr(reader, "read", read)
    number = next(n for n in range(COUNT) if corpus.mutant(n)[0].endswith("csv"))
    ((_, failure),) = file_fuzz.fuzz(corpus, [number])[1]
    assert "MB" in failure


def test_it_catches_what_is_not_finite(corpus, monkeypatch):
    model = corpus.path("values.safetensors")
    monkeypatch.setattr(table_model.TableModel, "predict_inputs", lambda self, z: np.full(len(z), np.nan))
    assert "printed" in file_fuzz.command("predict", ["predict", model, corpus.table])[1]


def test_numbers_of_a_pickle_are_never_made(tmp_path):
    """An .npz with objects is refused before anything in it runs."""
    ran = tmp_path / "ran"

    class Code:
        def __reduce__(self):
            return open, (str(ran), "w")

    objects = np.array([[Code()]], object)
    np.savez(tmp_path / "t.npz", X=objects, y=[1.0])
    with pytest.raises(ValueError, match="Python objects, which would run code to be read"):
        reader.read_table(tmp_path / "t.npz")
    assert not ran.exists()
    with pytest.raises(TypeError, match="X holds a Code in row 0"):
        numeric_array(objects, "X")
    np.load(tmp_path / "t.npz", allow_pickle=True)["X"]
    assert ran.exists()
