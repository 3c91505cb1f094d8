"""What a user gets: a light import, one version, types, and a README whose commands are those of .ci/run."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import fastmlp
from fastmlp._moved import MOVED

ROOT = Path(__file__).parents[1]


def imported_by(code):
    script = f"{code}\nimport sys\nprint(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(ended.stdout.split())


@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        ("import fastmlp", {"numpy", "numba", "llvmlite", "tqdm", "matplotlib"}),
        ("from fastmlp import Spec, History, DivergenceError", {"numba", "llvmlite", "tqdm", "matplotlib"}),
        ("from fastmlp import Model", {"tqdm", "matplotlib"}),
        ("import fastmlp.cli", {"numba", "llvmlite", "tqdm", "matplotlib"}),
        ("import fastmlp.reference.train", {"numba", "llvmlite", "tqdm", "matplotlib"}),
    ],
)
def test_imports_are_light(code, heavy):
    assert not imported_by(code) & heavy


def test_help_is_light():
    code = "from fastmlp.cli import main\nimport contextlib, io\n"
    code += "with contextlib.redirect_stdout(io.StringIO()): main(['train', '--help'])"
    assert not imported_by(code) & {"numba", "llvmlite", "tqdm", "matplotlib"}


def test_the_version_is_that_of_the_project():
    stated = re.search(r'^version = "(.*?)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE).group(1)
    assert fastmlp.__version__ == stated
    assert f"## [{stated}]" in (ROOT / "CHANGELOG.md").read_text()


def test_public_names_load():
    for name in fastmlp.__all__:
        assert getattr(fastmlp, name) is not None
        assert name in dir(fastmlp)
    assert fastmlp.Model is fastmlp.Model


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'fastmlp' has no attribute 'Modle': did you mean 'Model'"):
        fastmlp.Modle  # noqa: B018


def test_only_public_names_are_listed(monkeypatch):
    """`help` reads all that `dir` lists, so that without scikit-learn it must not list what needs it."""
    assert dir(fastmlp) == sorted(fastmlp.__all__)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert set(fastmlp.__all__) - set(dir(fastmlp)) == {
        "MLPClassifier", "MLPRegressor", "TabularClassifier", "TabularRegressor",
    }  # fmt: skip
    assert {name for name in vars(fastmlp) if name[0] not in "_@"} <= {*fastmlp.__all__, *submodules(), *MOVED}


def submodules():
    return {path.stem for path in Path(fastmlp.__file__).parent.iterdir()} | {"annotations", "TYPE_CHECKING", "Any"}


def test_types_are_shipped():
    assert (Path(fastmlp.__file__).parent / "py.typed").exists()
    assert '"tests/typed.py"' in (ROOT / "pyproject.toml").read_text()  # mypy reads it: errors that users are to see


def test_the_readme_holds_the_commands():
    readme = (ROOT / "README.md").read_text()
    stated = re.search(r"^test_command='(.*)'$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE).group(1)
    assert f"```sh\n{stated}\n```" in readme
    start = r"```sh\ngit clone URL .* python3 -m venv .*\npip install \. && fastmlp demo xor\n```\n"
    assert re.search(start, readme)
    assert readme.count("<!-- timing -->") == readme.count("<!-- /timing -->") == 1


def test_every_python_version_has_a_classifier():
    text = (ROOT / "pyproject.toml").read_text()
    minors = [int(minor) for minor in re.findall(r"Python :: 3\.(\d+)", text)]
    assert minors == list(range(min(minors), max(minors) + 1))
    assert f'requires-python = ">=3.{min(minors)}"' in text
