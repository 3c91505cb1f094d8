"""What `fastmlp` says: one line for an error or a warning, whatever is in it, and in what the terminal can spell."""

import gzip
import importlib.util
import os
import subprocess
import sys
import warnings
import zipfile

import numpy as np
import pytest
from models import HERE

from fastmlp import cli
from fastmlp.cli import arguments
from fastmlp.errors import DivergenceError
from fastmlp.model import Model
from fastmlp.storage import container
from fastmlp.tables import reader

TEXT = "a,b,y\n" + "".join(f"{k},{k * 7 % 5},{k % 2}\n" for k in range(40))
TRAIN = ["--target", "y", "--epochs", 2, "--hidden", 3, "--threads", 1]


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(TEXT)
    return path


@pytest.fixture
def run(capsys):
    def run(*arguments):
        """(exit status, standard output, standard error)"""
        status = cli.main([str(argument) for argument in arguments])
        return status, *capsys.readouterr()

    return run


# ---------------------------------------------------------------------------------------------------------
# Warnings


@pytest.fixture
def warning_fit(monkeypatch):
    """A `Model.fit` that warns, twice, before it fits."""
    fit = Model.fit

    def warn_and_fit(self, *arguments, **named):
        for _ in range(2):
            warnings.warn("the loss ended far above where it began:\ntry a smaller learning_rate=0.1", stacklevel=2)
        return fit(self, *arguments, **named)

    monkeypatch.setattr(Model, "fit", warn_and_fit)


def test_a_warning_is_one_line(run, table, warning_fit):
    status, out, err = run("train", table, *TRAIN)
    assert status == 0
    assert "loss: " in out
    assert err == "fastmlp: warning: the loss ended far above where it began: try a smaller --learning-rate=0.1\n"
    assert run("train", table, *TRAIN)[2] == err  # each training says it again


def test_other_kinds_of_warnings(capsys):
    before = warnings.showwarning
    with arguments.warnings_as_lines(), warnings.catch_warnings():
        warnings.simplefilter("always")
        for kind in (RuntimeWarning, DeprecationWarning, UserWarning):
            warnings.warn("a\x1b[2Jb", kind, stacklevel=1)
        warnings.warn("another", stacklevel=1)
    assert capsys.readouterr().err == "fastmlp: warning: a\\x1b[2Jb\nfastmlp: warning: another\n"
    assert warnings.showwarning is before


def test_a_warning_is_shown_as_ever_afterwards():
    before = warnings.showwarning
    with pytest.raises(KeyError), arguments.warnings_as_lines():
        raise KeyError
    assert warnings.showwarning is before
    with pytest.warns(UserWarning, match="again"):
        warnings.warn("again", stacklevel=1)


# ---------------------------------------------------------------------------------------------------------
# Errors


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("a\nb\r\n  c", "a b c"),
        ("a\x1b[2J\x07\x00", "a\\x1b[2J\\x07\\x00"),
        ("\u202etxt", "\\u202etxt"),
        ("gr\u00f6\u00dfe \u9762", "gr\u00f6\u00dfe \u9762"),
        ("a" * 5000, "a" * 997 + "..."),
        ("", ""),
    ],
)
@pytest.mark.parametrize("kind", [ValueError, TypeError])
def test_an_error_is_one_line(run, table, monkeypatch, kind, message, line):
    def read(*_, **__):
        raise kind(message)

    monkeypatch.setattr(reader, "read", read)
    assert run("train", table, *TRAIN) == (2, "", f"fastmlp: {line or 'there is not enough memory'}\n")


def test_memory_that_ends_has_words(run, table, monkeypatch):
    def read(*_, **__):
        raise MemoryError

    monkeypatch.setattr(reader, "read", read)
    assert run("train", table, *TRAIN)[2] == "fastmlp: there is not enough memory\n"


def test_options_of_any_length(run, table):
    status, _, err = run("train", table, "--target", "y", "--epochs", "9" * 5000)
    assert (status, err.count("\n")) == (2, 1)
    assert len(err) < 1200
    assert err.startswith("fastmlp: argument --epochs: invalid int value: '999")
    for option, value in (("--class-weight", "9" * 5000 + ":1"), ("--hidden", "9" * 4000), ("--dropout", "9" * 5000)):
        status, _, err = run("train", table, "--target", "y", option, value)
        assert (status, err.count("\n")) == (2, 1)
        assert len(err) < 1200


def test_names_in_a_file_are_only_names(run, tmp_path):
    """A terminal would obey some of them."""
    path = tmp_path / "t.csv"
    path.write_text('"\x1b[2J\x07","b\nc",y\n1,2,0\n')
    _, _, err = run("train", path, "--target", "z")
    assert "\\x1b[2J\\x07, b c, y" in err
    assert err.isascii()
    assert err[:-1].isprintable()


# ---------------------------------------------------------------------------------------------------------
# Files of other kinds


def gz(path):
    with gzip.open(path, "wt") as file:
        file.write(TEXT)


def xlsx(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>" * 40)


KINDS = {  # what is no table, and what is said
    "t.xlsx": (xlsx, "which is read by openpyxl, which is not installed: pip install openpyxl, or save it as CSV"),
    "t.npy": (lambda path: np.save(path, np.full((3, 3), np.pi)), "it looks like a NumPy array (.npy)"),
    "t.parquet": (lambda path: path.write_bytes(b"PAR1\x15\xff" + b"\xfe" * 99), "cannot be read as parquet, "),
    "t.csv.bz2": (lambda path: path.write_bytes(b"BZh91AY&SY\xff\xfe" * 9), "is a bzip2 file that cannot be unpacked"),
    "t.csv.xz": (lambda path: path.write_bytes(b"\xfd7zXZ\0\0\xff" * 9), "is an xz file that is damaged ("),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_table_that_is_none_is_told_what_it_is(run, tmp_path, name):
    make, words = KINDS[name]
    make(tmp_path / name)
    if name == "t.xlsx" and importlib.util.find_spec("openpyxl"):
        words = "cannot be read as a spreadsheet (.xlsx), "
    status, _, err = run("train", tmp_path / name, "--target", "y")
    assert status == 2
    assert err.startswith(f"fastmlp: {tmp_path / name} ")
    assert words in err
    assert err.count("\n") == 1


def test_a_packed_table_is_a_table(run, tmp_path):
    gz(tmp_path / "t.csv.gz")
    (tmp_path / "excel.csv").write_text(TEXT, encoding="utf-16")
    for name in ("t.csv.gz", "excel.csv"):
        assert run("train", tmp_path / name, *TRAIN)[0] == 0


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".lzma", ".GZ"])
def test_a_plain_table_of_such_a_name(run, tmp_path, suffix):
    """numpy.loadtxt would unpack it, and fail."""
    path = tmp_path / f"t.csv{suffix}"
    path.write_text(TEXT)
    assert run("train", path, *TRAIN)[0] == 0


def test_a_cell_without_an_end(run, tmp_path):
    (tmp_path / "t.csv").write_text('a,b,y\n1,"2,0\n' + "3,4,1\n" * 30_000)
    _, _, err = run("train", tmp_path / "t.csv", "--target", "y")
    assert "line " in err
    assert "a cell of more than 131072 characters; is a quote missing?" in err


def test_very_many_columns(run, tmp_path):
    """To compare each name with all others would take many seconds."""
    names = [f"c{k}" for k in range(6_000)]
    path = tmp_path / "t.csv"
    path.write_text(",".join([*names, "y"]) + "\n" + ",".join(["1"] * 6_001) + "\n")
    assert reader.read_table(path, "y").names == names
    assert reader.read_rows(path, names[::-1], "y")[0].shape == (1, 6_000)
    assert reader.places_of(names, names[::-1], "t")[0] == 5_999
    (tmp_path / "twice.csv").write_text(",".join([*names, "c7"]) + "\n")
    assert "two columns 'c7': rename one" in run("train", tmp_path / "twice.csv", "--target", "y")[2]


# ---------------------------------------------------------------------------------------------------------
# Standard output that spells little


def in_cp1252(*arguments):
    command = [sys.executable, "-m", "fastmlp", *map(str, arguments)]
    return subprocess.run(command, env={**HERE, "PYTHONIOENCODING": "cp1252"}, capture_output=True, timeout=120)


def test_names_that_the_output_cannot_spell(run, tmp_path):
    """As redirected on Windows: training goes on, and predictions are not written under another name."""
    path = tmp_path / "\u043d\u0430\u0431\u043b\u044e\u0434\u0435\u043d\u0438\u044f.csv"
    path.write_text(TEXT.replace("y\n", "\u4ef7\u683c\n", 1), encoding="utf-8")
    done = in_cp1252("train", path, "--target", "\u4ef7\u683c", *TRAIN[2:], "-o", tmp_path / "m")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"\\u043d\\u0430\\u0431")
    done = in_cp1252("predict", tmp_path / "m", path)
    assert done.returncode == 2
    assert done.stdout == b""
    assert b"cp1252, which cannot spell the column '\\u4ef7\\u683c': write to a file with -o FILE" in done.stderr
    assert in_cp1252("predict", tmp_path / "m", path, "-o", tmp_path / "p.csv").returncode == 0
    assert (tmp_path / "p.csv").read_text(encoding="utf-8").splitlines()[0] == "\u4ef7\u683c"


# ---------------------------------------------------------------------------------------------------------
# Advice


def test_counts_that_are_too_large_are_named(run, tmp_path):
    (tmp_path / "t.csv").write_text("a,y\n" + "".join(f"{k},{10 ** (k % 6)}\n" for k in range(30)))
    options = ["--target", "y", "--loss", "poisson", "--learning-rate", 10, "--epochs", 20, "--threads", 1]
    status, _, err = run("train", tmp_path / "t.csv", *options)
    assert status == 2
    assert err.startswith("fastmlp: training diverged: the loss was ")
    assert err.endswith(", or divide 'y', which goes up to 1e+05, by a number\n")


def test_the_divergence_is_told_whatever_is_advised(run, table, monkeypatch):
    said = (
        "training diverged: the loss was nan in epoch 3. Scale y, whose values go up to 9. The model holds its weights"
    )

    def fit(*_):
        raise DivergenceError(said)

    fitted = Model.fit
    monkeypatch.setattr(Model, "fit", lambda *given, **named: (fitted(*given, **named), fit()))
    _, _, err = run("train", table, *TRAIN, "--learning-rate", 0.5)
    assert err == (
        "fastmlp: training diverged: the loss was nan in epoch 3; try a smaller --learning-rate than 0.5, "
        "or --clip-norm 1\n"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("batch_size", value) for value in ("8", 8.0, True, [8], {})],
        *[("held_out", value) for value in (1, 5.0, -0.1, "0.2", 10**400, [])],
        *[("validation", value) for value in (1.0, "x", {})],
        *[("sample_weight", value) for value in (["a"], {}, 3)],
        *[("dropout", value) for value in (0.2, ["0.2"])],
        *[("class_weight", value) for value in ({"0": 1.0}, 2)],
        *[("shuffle", value) for value in (1, "yes")],
        *[(name, value) for name in ("l1", "l2", "clip_norm", "clip_value") for value in ("0.1", [])],
        ("table", ["a"]),
    ],
)
def test_options_in_a_file_that_no_training_wrote(run, table, tmp_path, name, value):
    assert run("train", table, *TRAIN, "-o", tmp_path / "m")[0] == 0
    tensors, header = container.read(tmp_path / "m")
    header["table"]["settings"][name] = value
    container.write(tmp_path / "m", tensors, header)
    status, out, err = run("train", table, "--resume", tmp_path / "m", "--epochs", 1)
    assert (status, out) == (2, "")
    assert err.startswith(f"fastmlp: --resume {tmp_path / 'm'}: its --{name.replace('_', '-')} is ")
    assert len(err) < 300 + 2 * len(str(tmp_path))


@pytest.mark.skipif(os.name != "posix", reason="descriptors of POSIX")
def test_a_table_by_a_pipe(table, tmp_path):
    """`fastmlp predict MODEL <(...)`."""
    train = [sys.executable, "-m", "fastmlp", "train", "/dev/stdin", *map(str, TRAIN), "-o", str(tmp_path / "m")]
    done = subprocess.run(train, env=HERE, input=TEXT, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("stdin: 40 rows, 2 features, 2 classes (0 1)\n")
    predict = [sys.executable, "-m", "fastmlp", "predict", str(tmp_path / "m"), "/dev/stdin"]
    piped = subprocess.run(predict, env=HERE, input=TEXT, capture_output=True, text=True, timeout=120)
    filed = subprocess.run([*predict[:-1], str(table)], env=HERE, capture_output=True, text=True, timeout=120)
    assert piped.returncode == filed.returncode == 0
    assert piped.stdout == filed.stdout
    assert piped.stdout.count("\n") == 41
