"""`verify`: the kernels of this machine against the vectors, with a digest over all that they made."""

from __future__ import annotations

import hashlib
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fastmlp._version import __version__
from fastmlp.spec import NUMERICS_VERSION
from fastmlp.verification import vectors

WIDEST = 118  # columns of a difference in the table
FEATURES = ("avx512f", "avx2", "fma", "avx", "sse4.2", "neon", "sve", "fp-armv8")  # those that kernels use, if any


@dataclass(frozen=True)
class Check:
    """One comparison.

    Attributes
    ----------
    name : str
        The kernel, or what the training is.
    kind : str
        "pair", a kernel by itself, or "training".
    dtype : str
        "float64" or "float32".
    numbers : int
        How many numbers were compared, or stand behind the digests that were.
    digest : str
        The SHA-256, in hex, of what this machine made.
    difference : str or None
        None if every bit is equal; else the first difference, in words.
    """

    name: str
    kind: str
    dtype: str
    numbers: int
    digest: str
    difference: str | None = None


class Verification:
    """What `verify` found.

    Attributes
    ----------
    checks : list of Check
        All comparisons, in their order.
    machine : dict of str
        The processor, its features and the versions of what computes.
    kernels : int
        How many kernels were loaded, each in one dtype; `pairs` of them were compared by themselves.
    pairs : int
        How many kernels were compared by themselves.
    seconds : float
        How long it took.
    """

    def __init__(self, checks: list[Check], machine: dict[str, str], kernels: int, seconds: float) -> None:
        self.checks, self.machine, self.kernels, self.seconds = checks, machine, kernels, seconds
        self.pairs = len({(check.name, check.dtype) for check in checks if check.kind == "pair"})

    @property
    def equal(self) -> bool:
        """Whether every bit is that of the vectors."""
        return all(check.difference is None for check in self.checks)

    @property
    def numbers(self) -> int:
        """How many numbers were compared."""
        return sum(check.numbers for check in self.checks)

    def digest(self) -> str:
        """Returns a digest over all that this machine made.

        Returns
        -------
        str
            The SHA-256, in hex, of the checks' names, dtypes and digests. It is the same on every machine.
        """
        lines = "".join(f"{check.name} {check.dtype} {check.digest}\n" for check in self.checks)
        return hashlib.sha256(lines.encode()).hexdigest()

    def last_line(self) -> str:
        """Returns the verdict, which has nothing of the machine in it.

        Returns
        -------
        str
            "every bit equal", with what was compared, and the digest; or how many checks differ.
        """
        if not self.equal:
            wrong = sum(check.difference is not None for check in self.checks)
            return (
                f"NOT EQUAL: {wrong} of {len(self.checks)} checks differ, numerics {NUMERICS_VERSION}, {self.digest()}"
            )
        return f"every bit equal: {self.numbers:,} numbers, numerics {NUMERICS_VERSION}, {self.digest()}"

    def to_dict(self) -> dict[str, Any]:
        """Returns all of it as JSON can hold it.

        Returns
        -------
        dict
            "equal", "numbers", "pairs", "kernels", "numerics", "digest", "seconds", "machine", and "checks", a list
            with the fields of each Check.
        """
        return {
            "equal": self.equal,
            "numbers": self.numbers,
            "pairs": self.pairs,
            "kernels": self.kernels,
            "numerics": NUMERICS_VERSION,
            "digest": self.digest(),
            "seconds": round(self.seconds, 3),
            "machine": self.machine,
            "checks": [asdict(check) for check in self.checks],
        }

    def table(self) -> str:
        """Returns a table of the machine and of all checks; its last line is `last_line`.

        Returns
        -------
        str
        """
        lines = [f"{name:10}  {value}" for name, value in self.machine.items()]
        rows = [("checked", "dtype", "numbers", "sha256", "")]
        groups: dict[tuple[str, str], list[Check]] = {}
        for check in self.checks:
            what = check.name if check.kind == "training" else f"kernels of {check.name.partition('.')[0]}.py"
            groups.setdefault((what, check.dtype), []).append(check)
        for (what, dtype), checks in groups.items():
            digest = checks[0].digest if len(checks) == 1 else _digest_of(*(check.digest for check in checks))
            wrong = sum(check.difference is not None for check in checks)
            verdict = "equal" if not wrong else "DIFFERS" if len(checks) == 1 else f"{wrong} of {len(checks)} DIFFER"
            rows.append((what, dtype, f"{sum(check.numbers for check in checks):,}", digest[:16], verdict))
        width = [max(len(row[column]) for row in rows) for column in range(5)]
        lines += ["", *(_row(row, width).rstrip() for row in rows), ""]
        for check in self.checks:
            if check.difference is not None:
                lines += [f"{check.name}, {check.dtype}: {line}"[:WIDEST] for line in check.difference.splitlines()]
        lines += [f"{self.pairs} kernels by themselves, {self.kernels} in all, {self.seconds:.1f} s", self.last_line()]
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.table()

    def __repr__(self) -> str:
        return f"<Verification: {self.last_line()}>"


def verify(*, progress: Callable[[int, int, str], None] | None = None) -> Verification:
    """Compares the kernels of this machine with the vectors that fastmlp ships, bit for bit.

    Single kernels (elementary functions, activations, losses, optimizers, random numbers), whole trainings by each
    pass, predictions, a model that is saved, loaded and resumed, and models that are trained together. Kernels that are
    not in the cache yet are compiled, which takes most of the time. The reference made the vectors; it does not run.

    Parameters
    ----------
    progress : callable, optional
        Called with the number of checks done, the number of all, and what comes next.

    Returns
    -------
    Verification
        `equal` says whether every bit is; `str` of it is a table.

    Raises
    ------
    OSError, ValueError
        If the vectors are not there or cannot be read.

    Examples
    --------
    >>> import fastmlp
    >>> found = fastmlp.verify()
    >>> found.equal
    True
    """
    from fastmlp.kernels import registry

    began = time.perf_counter()
    pairs = [entry for name in vectors.FILES[:3] for entry in vectors.read(name) if "pair" in entry]
    trainings = vectors.read("trainings")
    total = len(pairs) + len(trainings)
    checks: list[Check] = []
    registry.load_all()
    for check, entry in zip((_pair, _training), (pairs, trainings), strict=True):
        for one in entry:
            if progress is not None:
                progress(len(checks), total, one.get("pair") or one["name"])
            checks.append(check(one))
    if progress is not None:
        progress(total, total, "done")
    return Verification(checks, machine(), registry.count_linked(), time.perf_counter() - began)


def _pair(entry: dict[str, Any]) -> Check:
    """A kernel by itself."""
    from fastmlp.testing.bits import assert_same_bits
    from fastmlp.verification import pairs

    made, difference, numbers = [], None, 0
    for what, got, expected in pairs.results(entry):
        numbers += got.size
        made.append(_bits_of(got))
        try:
            assert_same_bits(got, expected, what)
        except AssertionError as error:
            difference = difference or str(error)
    return Check(entry["pair"], "pair", entry["dtype"], numbers, _digest_of(*made), difference)


def _training(entry: dict[str, Any]) -> Check:
    """A whole training. A divergence is a difference, too."""
    from fastmlp.errors import DivergenceError
    from fastmlp.verification import trainings

    try:
        results, numbers = trainings.run(entry, "numba")
    except DivergenceError as error:
        results, numbers = {"loss": [], "digest": str(error)}, 0
    parts = [f"{key} {value}" for key, value in results.items()]
    difference = None
    if results != entry["results"]:
        difference = "; ".join(
            _words(key, results.get(key), value) for key, value in entry["results"].items() if results.get(key) != value
        )
    return Check(entry["name"], "training", entry["dtype"], numbers, _digest_of(*parts), difference)


def _words(key: str, got: Any, expected: Any) -> str:
    """A difference between results of a training."""
    if isinstance(expected, list):
        places = [i for i, value in enumerate(expected) if got is None or i >= len(got) or got[i] != value]
        return (
            f"{key}: {len(places)} of {len(expected)} differ, the first is number {places[0] + 1}"
            if places
            else f"{key} differ"
        )
    return f"{key}: {str(got)[:20]}, expected {str(expected)[:20]}"


def _bits_of(x: np.ndarray) -> str:
    """The bits of an array, little-endian, in hex; all NaN count as one."""
    if x.dtype.kind == "f":
        x = np.where(np.isnan(x), np.array(np.nan, x.dtype), x)
    return np.ascontiguousarray(x).astype(x.dtype.newbyteorder("<")).tobytes().hex()


def _digest_of(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _row(row: tuple[str, ...], width: list[int]) -> str:
    what, dtype, numbers, digest, verdict = row
    return f"{what:{width[0]}}  {dtype:{width[1]}}  {numbers:>{width[2]}}  {digest:{width[3]}}  {verdict}"


def machine() -> dict[str, str]:
    """Returns what computes here.

    Returns
    -------
    dict of str
        "processor", "features", "system" and "versions".
    """
    import importlib.metadata

    from fastmlp.system.cpu import target

    found = target()
    flags = {part[1:] for part in found.features.split(",") if part.startswith("+")}
    features = [name for name in FEATURES if name in flags]
    versions = [f"fastmlp {__version__}", f"numerics {NUMERICS_VERSION}", f"Python {platform.python_version()}"]
    versions += [f"{name} {importlib.metadata.version(name)}" for name in ("numpy", "numba", "llvmlite")]
    return {
        "processor": f"{found.name}, {platform.machine()}, {os.cpu_count()} cores",
        "features": f"{', '.join(features) or 'none that are named'}; registers of {found.register} bytes",
        "system": f"{platform.system()} {platform.release()}",
        "versions": ", ".join(versions),
    }
