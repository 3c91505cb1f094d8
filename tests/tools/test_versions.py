"""The command that runs the tests on the oldest and newest versions, with a runner that installs nothing."""

import json
import signal
import sys

import pytest

from tools import versions
from tools.versions import ROOT, Ended, Missing, bounds, interpreters, main, resolve, series

LOWEST = {"numba": "0.64", "numpy": "1.24"}
WHEELS = {"numba": ["0.68.1", "0.64.0", "0.63.1"], "numpy": ["2.5.5", "2.4.6", "2.4.1", "2.1.2", "2.1.0", "2.6.0rc1"]}
SUMMARY = '<testsuites><testsuite tests="{}" failures="{}" errors="{}" skipped="{}"/></testsuites>'


def test_bounds_are_those_of_the_project():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    found = bounds(text)
    assert tuple(found) == versions.NAMES
    for name, version in found.items():
        assert f'"{name}>={version}' in text


def test_a_bound_that_is_not_there_is_said():
    with pytest.raises(ValueError, match="no lower bound of scikit-learn, tqdm"):
        bounds('dependencies = ["numpy>=1.24", "numba>=0.64", "safetensors>=0.3.1"]\nsklearn = []')


def test_an_upper_bound_may_follow():
    text = 'dependencies = ["numpy>=1.24,<3", "numba>=0.64,<0.70", "safetensors>=0.3.1", "tqdm>=4.60"]\n'
    assert bounds(text + 'sklearn = ["scikit-learn>=1.6"]')["numba"] == "0.64"


def test_series():
    assert series(WHEELS["numpy"], "1.24", "oldest") == ["2.1.0", "2.4.1", "2.5.5"]
    assert series(WHEELS["numpy"], "1.24", "newest") == ["2.5.5", "2.4.6", "2.1.2"]
    assert series(["1.10.0", "1.9.0", "1.8.0"], "1.9", "oldest") == ["1.9.0", "1.10.0"]


def no_numpy_from(bound, asked):
    """Numba as one that has an upper bound of NumPy; notes what it is asked."""

    def conflict(chosen):
        asked.append(dict(chosen))
        too_new = versions.key(chosen.get("numpy", "0")) >= versions.key(bound)
        return "numpy is too new" if "numba" in chosen and too_new else None

    return conflict


def test_the_oldest_are_asked_for_at_once():
    asked = []
    chosen = resolve("oldest", LOWEST, WHEELS.get, no_numpy_from("2.5", asked))
    assert asked == [chosen] == [{"numba": "0.64.0", "numpy": "2.1.0"}]


def test_numba_comes_before_numpy():
    assert resolve("newest", LOWEST, WHEELS.get, no_numpy_from("2.5", [])) == {"numba": "0.68.1", "numpy": "2.4.6"}


def test_what_does_not_resolve_has_a_reason():
    with pytest.raises(Missing, match=r"no numpy of .* goes with numba==0\.68\.1: numpy is too new"):
        resolve("newest", LOWEST, WHEELS.get, no_numpy_from("2.1", []))
    with pytest.raises(Missing, match=r"no wheel of numpy>=1\.24 for this Python"):
        resolve("oldest", LOWEST, {"numba": ["0.64.0"], "numpy": ["1.23.5"]}.get, no_numpy_from("9", []))


# ---------------------------------------------------------------------------------------------------------
# The whole command, on Pythons that are empty files


class Machine:
    """Runs nothing, and answers as Python, pip and pytest would. Attributes change what it answers."""

    def __init__(self, folder):
        self.folder, self.commands = folder, []
        self.summary, self.status, self.digests, self.broken, self.installed = (7, 0, 0, 2), 0, 105, set(), {}
        self.refused = ""
        self.wheels = {name: [bound + ".0", bound + ".1"] for name, bound in BOUNDS.items()}

    def python(self, version, folder="bin"):
        path = self.folder / folder / (f"python{version}" + (".exe" if sys.platform == "win32" else ""))
        path.parent.mkdir(exist_ok=True)
        path.touch()
        return path

    def __call__(self, command, folder=ROOT, settings=None):
        words = [str(word) for word in command]
        self.commands.append(words)
        if versions.PROBE in words:
            name = words[0].replace(".exe", "").rpartition("python")[2]
            return Ended(127, "not found") if words[0] in self.broken else Ended(0, f"{name} cpython\n")
        assert settings is not None
        assert not any(name.startswith(("NUMBA_", "PYTHONPATH")) for name in settings)
        if "index" in words:
            return Ended(0, f"WARNING: x\n{json.dumps({'versions': self.wheels[words[-1]]})}\n")
        if "install" in words and "-c" in words:
            self._constraints = words[words.index("-c") + 1]
            return Ended(int(bool(self.refused)), self.refused)
        if versions.INSTALLED in words:
            with open(self._constraints) as file:
                pins = dict(line.strip().split("==") for line in file)
            return Ended(0, json.dumps({"python": "3.11.9", "llvmlite": "0.46.0", **pins, **self.installed}))
        if "--check" in words:
            return Ended(int(self.digests != 105), f"{self.digests} of 105 digests are those of golden.json\n")
        if "pytest" in words:
            report = next(word.partition("=")[2] for word in words if word.startswith("--junitxml="))
            if self.summary:
                with open(report, "w") as file:
                    file.write(SUMMARY.format(*self.summary))
            return Ended(self.status, "FAILED tests/kernels/test_registry.py::test_x\n" if self.status else "")
        return Ended(0, "")


BOUNDS = bounds((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture
def machine(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    monkeypatch.setattr(versions.Path, "home", lambda: tmp_path / "home")
    machine = Machine(tmp_path)
    machine.python("3.11")
    return machine


def test_a_run_that_passes(machine, capsys):
    file = machine.folder / "rows.json"
    assert main(["--json", str(file)], machine) == 0
    shown = capsys.readouterr().out
    rows = json.loads(file.read_text())
    assert [(row["python"], row["which"]) for row in rows if "missing" not in row] == [
        ("3.11.9", "oldest"), ("3.11.9", "newest"),
    ]  # fmt: skip
    oldest, newest = (row for row in rows if "missing" not in row)
    assert (oldest["passed"], oldest["failed"], oldest["skipped"], oldest["digests"]) == (5, 0, 2, "105 of 105")
    assert oldest["numpy"] == BOUNDS["numpy"] + ".0"
    assert newest["numpy"] == BOUNDS["numpy"] + ".1"
    assert "no python3.14 on PATH" in shown
    assert "2 of 2 combinations passed, 8 could not be had" in shown
    assert f"numba>={BOUNDS['numba']}: ran {BOUNDS['numba']}.0" in shown
    line = next(line for line in shown.splitlines() if line.startswith("oldest  3.11.9"))
    assert line.split()[-6:] == ["0", "2", "0", "105", "of", "105"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (dict(summary=(7, 1, 0, 2), status=1), "FAILED tests/kernels/test_registry.py::test_x"),
        (dict(summary=(7, 0, 1, 0)), "pytest exited with 0"),
        (dict(summary=(2, 0, 0, 2)), "pytest exited with 0"),  # nothing passed
        (dict(summary=None, status=-11), "pytest exited with -11"),
        (dict(status=5), "pytest exited with 5"),
        (dict(digests=104), "104 of 105"),
        (
            dict(refused="ERROR: no fastmlp"),
            "does not go with this: -m pip --disable-pip-version-check: ERROR: no fastmlp",
        ),
        (dict(installed={"numba": "0.99.0"}), "numba 0.99.0 is not the"),
    ],
)
def test_a_run_that_fails(machine, capsys, change, said):
    for name, value in change.items():
        setattr(machine, name, value)
    assert main(["--only", "3.11", "--which", "oldest"], machine) == 1
    shown = capsys.readouterr().out
    assert said in shown
    assert "0 of 1 combinations passed" in shown


def test_a_report_of_an_earlier_run_does_not_count(machine, capsys):
    arguments = ["--only", "3.11", "--which", "oldest", "--keep", str(machine.folder / "kept")]
    assert main(arguments, machine) == 0
    machine.summary = None
    assert main(arguments, machine) == 1


def test_nothing_to_run_is_a_failure(machine, capsys):
    assert main(["--only", "3.13"], machine) == 1
    machine.wheels["numba"] = ["0.1.0"]
    assert main(["--only", "3.11"], machine) == 1
    assert "no wheel of numba" in capsys.readouterr().out


def test_all_and_list(machine, capsys):
    assert main(["--only", "3.11", "--which", "oldest", "--list"], machine) == 0
    assert f"numpy=={BOUNDS['numpy']}.0" in capsys.readouterr().out
    assert not any("pytest" in words for words in machine.commands)
    assert main(["--only", "3.11", "--which", "oldest", "--all"], machine) == 0
    (tests,) = (words for words in machine.commands if "pytest" in words)
    assert not any(word.startswith("tests/") for word in tests)


def test_tests_of_control_c_can_be_interrupted(machine, monkeypatch, capsys):
    seen = []
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # which commands would inherit
    monkeypatch.setattr(versions, "check", lambda *_: seen.append(signal.getsignal(signal.SIGINT)) or dict(wrong=[]))
    try:
        assert main(["--only", "3.11", "--which", "oldest"], machine) == 0
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [signal.default_int_handler]


def test_the_short_selection_is_there():
    for name in versions.SHORT:
        file, _, function = name.partition("::")
        place = ROOT / "tests" / file
        assert place.exists() if not function else f"def {function}" in place.read_text(encoding="utf-8")


# ---------------------------------------------------------------------------------------------------------
# Interpreters


def test_a_shim_that_does_not_work_is_passed_over(machine, monkeypatch):
    shim, real = machine.python("3.12", "shims"), machine.python("3.12")
    monkeypatch.setenv("PATH", f"{shim.parent}{versions.os.pathsep}{real.parent}")
    machine.broken = {str(shim)}
    assert interpreters(["3.12"], (), machine) == {"3.12": real}
    machine.broken.add(str(real))
    assert "does not work: not found" in str(interpreters(["3.12"], (), machine)["3.12"])


def test_the_newest_patch_of_pyenv(machine):
    for patch in ("3.13.2", "3.13.10", "3.1.3"):
        path = machine.folder / "home" / ".pyenv" / "versions" / patch / "bin" / "python"
        path.parent.mkdir(parents=True)
        path.touch()
    assert [path.parts[-3] for path in versions.candidates(13)] == ["3.13.10", "3.13.2"]


def test_a_given_interpreter_comes_first(machine, capsys):
    given = machine.python("3.11", "given")
    assert interpreters(["3.11"], [given], machine) == {"3.11": given}
    assert main(["--python", str(machine.python("3.9"))], machine) == 2
    assert "is Python 3.9, and fastmlp needs 3.10" in capsys.readouterr().err
    machine.broken = {str(given)}
    assert main(["--python", str(given)], machine) == 2
