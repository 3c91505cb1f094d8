"""The storms of tests/long with few rounds: races, kills, full disks, and loading that is disturbed."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "long"))
import cache_storm
import loading_storm

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="signals and forks of Unix")


@pytest.mark.parametrize(
    ("storm", "rounds", "seen"),
    [
        pytest.param("race", 1, "raced", marks=pytest.mark.slow),
        ("kills", 4, "killed"),
        pytest.param("starts", 0, "spawn", marks=pytest.mark.slow),
    ],
)
def test_the_cache_in_a_storm(storm, rounds, seen):
    count, wrong = getattr(cache_storm, storm)(rounds)
    assert wrong == []
    assert count[seen]


def test_a_full_disk():
    count, wrong = cache_storm.full_disk(1)
    assert wrong == []
    assert count["limited files"] == 1


@pytest.mark.parametrize("kind", ["a request to end", "the end of the process"])
def test_loading_in_a_storm(kind):
    """The other kinds, at given moments: tests/system/test_background.py and tests/fit/test_interrupts.py."""
    count, wrong = loading_storm.storm(1, [kind])
    assert wrong == []
    assert sum(count.values()) == 2


@pytest.mark.slow
def test_the_storm_sees_what_is_wrong(monkeypatch):
    monkeypatch.setattr(loading_storm, "COMMON", loading_storm.COMMON.replace("print(load() if", "print(0 if"))
    monkeypatch.setattr(loading_storm, "RUN", f"print({loading_storm.RIGHT!r})")
    _, wrong = loading_storm.storm(1, ["an alarm"])
    assert len(wrong) == 2
