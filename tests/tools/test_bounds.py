"""tools/bounds: a kernel's accesses outside its buffers are seen, and no others. The faults: faulty_accesses.py."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WAYS = ("reads", "writes")
SEEN = {  # what is said of a wrong call: a regular expression for each load or store
    "one number too many": ["adds_up float64, .*: reads 8 bytes at byte 320 of an array of 320"],
    "of float32": ["adds_up float32, .*: reads 4 bytes at byte 20 of an array of 20"],
    "before the first": [f"copies float64, .*: {way} 8 bytes at byte -8 of an array of 320" for way in WAYS],
    "a stride too long": ["copies_units float64, .*: reads 8 bytes at byte 320 of an array of 320.* 3 times"],
    "half a register": [f"copies_registers .*: {way} .* at byte (288|304|312) of an array of 320" for way in WAYS],
    "masked lanes": ["puts_some float64, .*: writes .* at byte 64 of an array of (96|80|72)"],
    "a line": ["folds float64, .*: reads .* at byte 264 of an array of 320"],
    "another array": [f"copies float64, .*: {way} 8 bytes at byte .* of an array of 320" for way in WAYS],
    "an array that is gone": ["reads_by_address float64, .*: reads 8 bytes"],
    "an atomic": ["arrives float64, .*: writes 8 bytes at byte 16 of an array of 16"],
    "behind the spare lines": ["adds_up float64, .*: reads 8 bytes at byte 320 of an array of 320"],
    "a row that there is not": [r"layout.gather float64, layout.py:\d+: reads 8 bytes at byte 64 of an array of 64"],
}

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the checks take libc's malloc from the process")


def run(*command):
    return subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def faults():
    return run("tests/faulty_accesses.py")


def test_no_fault_is_forgotten(faults):
    assert faults.returncode == 0, faults.stdout + faults.stderr
    assert set(json.loads(faults.stdout.splitlines()[0])) == set(SEEN)


@pytest.mark.parametrize("name", SEEN)
def test_a_wrong_access_is_seen(name, faults):
    """And the right call before it, of the same kernel, is not."""
    right, wrong = json.loads(faults.stdout.splitlines()[0])[name]
    assert right == []
    assert len(wrong) == len(SEEN[name]), wrong
    for said, pattern in zip(wrong, SEEN[name], strict=True):
        assert re.match(pattern, said), said


def test_what_was_wrong_is_reported(faults):
    words = faults.stdout.splitlines()[1:]
    assert "violations   2 sites" in words
    assert sum("copies_registers" in line for line in words) == 2


@pytest.mark.slow  # one and a half minutes each; the faults above are seen in every run
@pytest.mark.parametrize(("spare", "status"), [(128, 0), (0, 1)])
def test_the_command(spare, status):
    """Of one network: kernels read behind a workspace's buffers, but not more than two lines."""
    done = run("-m", "tools.bounds", "--only", "predictions", "--every", "400", "--spare", str(spare))
    assert done.returncode == status, done.stdout + done.stderr
    assert ("violations   0 sites" in done.stdout) == (status == 0), done.stdout
    ran = re.search(r"^accesses +([\d,]+)", done.stdout, re.MULTILINE)
    assert status or int(ran.group(1).replace(",", "")) > 100_000
