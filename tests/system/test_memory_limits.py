"""Little memory: a MemoryError with a message, where LLVM would end the process. tests/long/memory_limits.py tries
more.
"""

import sys

import pytest
from models import in_another_process

from fastmlp.system import memory_limits

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="address space is limited, and seen, in Linux's way")
# Children of one process, each with another limit over what the process has; prints how many ended how.
LIMITED = r"""
import collections, os, resource, sys
import numpy
from fastmlp import Model
from fastmlp.kernels import registry
case, kind, *limits = sys.argv[1:]
def load():
    for kernel in (("layout.scatter", "float32"), ("layout.gather", "float64")):
        registry.begin(*kernel)
        assert registry.address(*kernel)
if case == "cached" and os.fork() == 0:  # in a child, which fills the cache: none of it is linked in this process
    load()
    os._exit(0)
elif case == "cached":
    os.wait()
if case != "cold":
    registry.address("layout.scatter", "float64")
assert case == "cached" or ("numba" in sys.modules) is (case == "numba")
count = collections.Counter()
for limit in limits:
    child = os.fork()
    if child == 0:
        field = {"AS": "VmSize", "DATA": "VmData"}[kind]
        used = [int(line.split()[1]) << 10 for line in open("/proc/self/status") if line.startswith(field)][0]
        resource.setrlimit(getattr(resource, "RLIMIT_" + kind), (used + (int(limit) << 10), resource.RLIM_INFINITY))
        try:
            load()
            status = 0
        except MemoryError as error:
            status = 3 if "memory" in str(error) or not str(error) else 4
        except BaseException as error:
            os.write(2, f"{limit}: {error!r}\n".encode())
            status = 5
        os._exit(status)
    count[os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])] += 1
print(*(f"{status}:{count[status]}" for status in sorted(count)))
"""
FITS, WORDS = 0, 3  # exit statuses: a MemoryError with words, or Python's own without


def ended(tmp_path, case, kind, limits):
    """{exit status: count} of children with so many KB more than they have."""
    said = in_another_process(LIMITED, case, kind, *limits, FASTMLP_CACHE_DIR=str(tmp_path))
    return {int(status): int(count) for status, count in (one.split(":") for one in said.split())}


@pytest.mark.parametrize("kind", ["AS", "DATA"])
def test_little_memory_while_kernels_are_linked(kind, tmp_path):
    assert ended(tmp_path, "cached", kind, [*range(0, 2048, 128), 200_000]) == {WORDS: 16, FITS: 1}


@pytest.mark.parametrize(
    ("kind", "case"),
    [
        ("AS", "cold"), ("DATA", "numba"),
        pytest.param("DATA", "cold", marks=pytest.mark.slow), pytest.param("AS", "numba", marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_little_memory_while_kernels_are_compiled(case, kind, tmp_path):
    """With Numba yet to be imported, and not."""
    limits = [0, 1000, 9000, *range(10_000, 120_000, 20_000)]
    assert ended(tmp_path, case, kind, limits) == {WORDS: len(limits)}


def test_what_is_asked_for_is_given_back():
    def mapped():
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmSize"))

    before = mapped()
    for _ in range(50):
        memory_limits.need(64 << 20, "nothing", code=64 << 20)
    assert mapped() < before + (64 << 10)


def test_what_there_cannot_be():
    with pytest.raises(MemoryError, match=r"a kernel takes up to 1099511627776 MB of memory, .*ulimit -v"):
        memory_limits.need(1 << 60, "a kernel")
