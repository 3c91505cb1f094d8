"""fastmlp.testing.plugin: what is stored is compared, in sessions of pytest of their own."""

import json
import subprocess
import sys

import numpy  # noqa: F401 - a session forgets what it imported
import pytest

import fastmlp.spec
import fastmlp.testing

pytest_plugins = ["pytester"]

MODULE = """
import numpy as np
import pytest

class Digested:
    def digest(self):
        return "{seed}"

class TestBits:
    def test_it(self, stored_bits):
        stored_bits("sums", np.array([0.1, {number}, np.nan]))
        stored_bits("many", np.arange({count}) / 7)
        stored_bits("model", Digested())

@pytest.mark.numerics({numerics})
def test_of_a_version():
    pass
"""


@pytest.fixture(autouse=True)
def no_other_plugins(monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # which each session would import again


@pytest.fixture
def session(pytester):
    def run(*arguments, number=0.3, count=100, seed=1, numerics=fastmlp.spec.NUMERICS_VERSION):
        text = MODULE.format(number=number, count=count, seed=seed, numerics=numerics)
        pytester.makepyfile(test_mine=text)
        return pytester.inline_run("-p", "fastmlp.testing.plugin", "-p", "no:cacheprovider", *arguments)

    return run


def said(ended):
    return "\n".join(str(report.longrepr) for report in ended.getfailures())


def test_what_is_stored_is_compared(session, pytester):
    assert "run this test with --write-bits" in said(session())
    session("--write-bits").assertoutcome(passed=2)
    session().assertoutcome(passed=2)
    (stored,) = json.loads((pytester.path / "bits" / "test_mine.json").read_text()).values()
    assert stored["sums"]["values"] == [(0.1).hex(), (0.3).hex(), "nan"]
    assert "values" not in stored["many"]
    assert "sums[1]: 3fd3333333333334 (0.30000000000000004), expected" in said(session(number=0.1 + 0.2))
    assert "many: shape [101], stored [100], digest " in said(session(count=101))
    assert "model: digest 2, stored 1" in said(session(seed=2))
    session(numerics=2).assertoutcome(passed=1, skipped=1)


def test_what_is_refused(pytester):
    pytester.makepyfile(
        test_mine="""
        import pytest

        def test_text(stored_bits):
            stored_bits("a", ["text"])

        def test_twice(stored_bits):
            stored_bits("a", [1.0])
            stored_bits("a", [1.0])

        @pytest.mark.numerics
        def test_none():
            pass
        """
    )
    text = said(pytester.inline_run("-p", "fastmlp.testing.plugin", "-p", "no:cacheprovider", "--write-bits"))
    for words in ("an array of dtype <U4 cannot be stored", "'a' was given twice", "takes one number"):
        assert words in text


def test_pytest_starts_without_the_package():
    """It is imported in each session of everybody who has fastmlp installed."""
    script = (
        "import sys, fastmlp.testing.plugin\nprint(sorted({'numpy', 'fastmlp.model', 'fastmlp.spec'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
