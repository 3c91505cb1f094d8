"""Mutants of files through the command line, in this process: what each of them comes to."""

import contextlib
import gzip
import importlib.util
import io
import os
import random
import signal
import sys
from collections import Counter
from pathlib import Path

import mutants
import numpy as np

from fastmlp import SGD, Model, cli
from fastmlp.schedules import Cosine, ReduceOnPlateau, WarmUp
from fastmlp.tables.table_model import TableModel

SECONDS = 20  # that a mutant may take: a good file takes some hundredths of one
MEMORY = 2**28  # bytes that a mutant may add to the most that this process has held: the files are of some kB
LINES, WIDTH = 4, 1500  # of what is said to the user
REPORT = 60  # lines of a report on predictions
TRAIN = ["--target", "y", "--hidden", "3", "--epochs", "1", "--no-progress", "--threads", "1"]


class Hang(BaseException):
    """So that no `except Exception` takes it."""


class Corpus:
    """Good files in a folder, and the mutants that are made of them by number."""

    def __init__(self, folder, seed):
        self.folder, self.seed = Path(folder), seed
        self.path = lambda name: str(self.folder / name)
        draws = np.random.default_rng(0)
        X, y = draws.normal(size=(30, 3)), draws.integers(0, 2, 30)
        np.savez(self.path("stored.npz"), X=X, y=y)
        np.savez_compressed(self.path("packed.npz"), X=X.astype("f4"), y=y.astype("u1"), y_2=np.eye(2)[y])
        rows = [",".join(map(repr, [*row, label])) for row, label in zip(X.tolist(), y.tolist(), strict=True)]
        self.table = self.write("table.csv", "\n".join(["a,b,c,y", *rows, ""]).encode())
        quoted = [f'"{row[0]:.3f}",{row[1]:g},{row[2]:.17g},"{label}"' for row, label in zip(X, y, strict=True)]
        self.write("quoted.csv", "\n".join(['a,"b",c,y', *quoted]).encode())
        self.write("table.csv.gz", gzip.compress(Path(self.table).read_bytes(), mtime=0))
        semicolons = Path(self.table).read_text().replace(",", ";").replace(".", ",")
        self.write("semicolons.txt", semicolons.encode("utf-16"))
        self.more_kinds(X, y)
        options = ["--optimizer", "adam", "--schedule", "cosine", "--class-weight", "balanced", "--dropout", "0.1"]
        for name, more in (("classes", options), ("values", ["--task", "regress", "--loss", "huber", "--l2", "0.1"])):
            status, _, said = called(["train", self.table, *TRAIN, *more, "-o", self.path(f"{name}.safetensors")])
            assert status == 0, said
        rates = [ReduceOnPlateau(0.1, patience=1), WarmUp(2, Cosine(0.1, 5)), 0.1]
        for number, rate in enumerate(rates):
            seed = [np.random.RandomState(1), np.random.default_rng(2), np.random.Generator(np.random.Philox(3))][
                number
            ]
            model = Model([3, 4, 2], seed=seed, dtype=("float64", "float32")[number % 2])
            model.fit(X, y, epochs=2, batch_size=10, optimizer=SGD(rate, momentum=0.9), threads=1)
            model.save(self.path(f"model{number}.safetensors"))
        np.save(self.path("array.npy"), X)
        self.contents = {path.name: path.read_bytes() for path in sorted(self.folder.iterdir())}
        self.X = X

    def more_kinds(self, X, y):
        """Files of the kinds that libraries read, if they are there."""
        if not importlib.util.find_spec("pandas") or not importlib.util.find_spec("pyarrow"):
            return
        import pandas

        frame = pandas.DataFrame({"a": X[:, 0], "b": X[:, 1], "c": X[:, 2], "y": y})
        frame.to_parquet(self.path("table.parquet"))
        frame.to_feather(self.path("table.feather"))
        frame.to_json(self.path("table.jsonl"), orient="records", lines=True)
        if importlib.util.find_spec("openpyxl"):
            frame.to_excel(self.path("table.xlsx"), index=False)

    def write(self, name, content):
        (self.folder / name).write_bytes(content)
        return self.path(name)

    def mutant(self, number):
        """(name of the good file, bytes)"""
        draws = random.Random(f"{self.seed}/{number}")
        name = draws.choice(sorted(self.contents))
        content, kind = self.contents[name], name.rpartition(".")[2]
        change = {
            "safetensors": "model",
            "npz": "npz",
            "npy": "npy",
            "csv": "csv",
            "gz": "packed",
            "txt": "spelled",
        }.get(kind, "bytes")
        if draws.random() < 0.25:
            change = "bytes"
        return name, getattr(mutants, f"{change}_changed")(draws, content)

    def run(self, number):
        """(what became of the mutant, what is wrong with that or None)"""
        name, content = self.mutant(number)
        path = self.write(f"mutant.{name.rpartition('.')[2]}", content)
        if name.startswith("model"):
            return model_of(path, self.X)
        if name.endswith("safetensors"):
            if number % 3 == 0:
                train = ["train", self.table, "--resume", path, "--epochs", "1", "--no-progress", "--threads", "1"]
                return command("resume", [*train, "-o", self.path("out")])
            return command("predict", ["predict", path, self.table, *["--probabilities"][: number % 2]])
        if number % 3 == 0:
            return command("predict", ["predict", self.path("classes.safetensors"), path])
        task = [[], ["--task", "classify"], ["--task", "regress"]][number % 3]
        return command("train", ["train", path, *TRAIN, *task, "-o", self.path("out")], self.path("out"))


def command(what, arguments, made=None):
    """(what became of it, what is wrong or None) of a command. made: the model that it writes."""
    if made and os.path.exists(made):
        os.unlink(made)
    try:
        status, out, said = called(arguments)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return f"{what}: {type(error).__name__}", repr(error)
    lines = said.splitlines()
    most = REPORT if what == "predict" and status == 0 else LINES
    if len(lines) > most or any(len(line) > WIDTH for line in lines) or "Traceback" in said or "\x1b" in said:
        return f"{what}: {status}", f"said {len(lines)} lines: {said[:2000]!r}"
    if status == 2:
        good = lines and lines[-1].startswith("fastmlp: ") and len(lines[-1]) > len("fastmlp: ")
        return f"{what}: refused", None if good else f"said {said!r}"
    if status:
        return f"{what}: {status}", f"exit status {status}, said {said!r}"
    if what == "predict":
        cells = [cell for line in out.splitlines()[1:] for cell in line.split(",")]
        wrong = None if cells and np.isfinite([float(cell) for cell in cells]).all() else f"printed {out[:500]!r}"
        return "predict: done", wrong
    return f"{what}: done", None if made is None or TableModel.load(made) else "unreachable"


def model_of(path, X):
    """The same of a file of `Model.save`."""
    try:
        with limited():
            model = Model.load(path)
            found = model.predict_proba(X[:, :1].repeat(model.spec.inputs, axis=1))
            model.fit(X, np.arange(30) % 2, epochs=1, resume=True, threads=1)
    except (ValueError, OSError, ArithmeticError) as error:
        said = str(error)
        wrong = (
            not said or len(said) > WIDTH or (isinstance(error, ArithmeticError) and type(error) is not ArithmeticError)
        )
        diverged = type(error).__name__ == "DivergenceError"
        return ("load: diverged" if diverged else "load: refused"), repr(error) if wrong and not diverged else None
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return f"load: {type(error).__name__}", repr(error)
    return "load: done", None if np.isfinite(found).all() else "predictions are not finite"


def called(arguments):
    """(exit status, standard output, standard error) of the command line, in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), limited():
        status = cli.main([str(argument) for argument in arguments])
    return status, out.getvalue(), err.getvalue()


@contextlib.contextmanager
def limited():
    """Raises Hang inside after SECONDS, where the system has such signals."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def hang(*_):
        raise Hang

    before = signal.signal(signal.SIGALRM, hang)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def held():
    """The most bytes that this process has held; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def fuzz(corpus, numbers, say=lambda line: None):
    """(Counter of what became of the mutants, [(number, what is wrong)])"""
    counts, failures = Counter(), []
    most = held()
    for number in numbers:
        outcome, wrong = corpus.run(number)
        grown, most = held() - most, max(most, held())
        if wrong is None and grown > MEMORY + 16 * len(corpus.mutant(number)[1]):
            wrong = f"took {grown >> 20} MB"
        counts[outcome] += 1
        if wrong is not None:
            failures.append((number, f"{corpus.mutant(number)[0]}, {outcome}: {wrong}"))
            say(f"mutant {number}: {failures[-1][1]}")
    return counts, failures
