"""Transcripts: a training as a chain of digests in a file of JSON lines, with checkpoints in a folder beside it.

A line holds the hash of the line before it and its own, which is a SHA-256 of the rest: whoever knows the last hash
knows all of them. docs/transcripts.md describes the format. Lines are only ever added; a process that is killed leaves
at most a last line that is cut short. Whatever is wrong with a file is a ValueError that names the line.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import os
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np

from fastmlp.checks.messages import cut, shown
from fastmlp.core.network import Network
from fastmlp.spec import NUMERICS_VERSION
from fastmlp.storage import container

FORMAT = "fastmlp transcript"
FORMAT_VERSION = 1
KINDS = ("head", "epoch", "end")
APART = ("hash", "machine", "checkpoint")  # what a line's hash does not cover: it is the same on every machine
_FIELDS = {  # what a line has beside "record", "line", "before" and "hash"
    "head": {
        *("format", "version", "numerics", "spec", "fit", "rows", "begun", "first", "every", "seed", "standardize"),
        *("callback", "machine", "rate_begins"),
    },
    "epoch": {
        *("epoch", "epochs", "every", "parameters", "optimizer", "order", "rate", "plateau", "history", "loss", "best"),
        *("kept", "checkpoint"),
    },
}
_FIELDS["end"] = {*_FIELDS["epoch"], "trained", "stopped"}


class Broken(ValueError):
    """A transcript whose chain is broken: a line was changed, removed or damaged. what: without the file's name."""

    def __init__(self, name: str, what: str) -> None:
        super().__init__(f"{name}, {what}")
        self.name, self.what = name, what


def folder_of(path: str) -> str:
    """The folder of a transcript's checkpoints."""
    return f"{path}.d"


def checkpoint_of(path: str, line: dict[str, Any]) -> str:
    """Where the checkpoint of a line is."""
    return os.path.join(folder_of(path), f"{line['epoch']:09d}.safetensors")


# ---------------------------------------------------------------------------------------------------------
# Lines


def chained(line: dict[str, Any], before: dict[str, Any] | None) -> dict[str, Any]:
    """Returns a line with its number, the hash of the one before, and its own."""
    number, hash_before = (0, "") if before is None else (before["line"] + 1, before["hash"])
    line = {**line, "line": number, "before": hash_before}
    return {**line, "hash": hash_of(line)}


def hash_of(line: dict[str, Any]) -> str:
    """Returns the SHA-256, in hex, of a line's JSON, but for `APART`."""
    covered = {name: value for name, value in line.items() if name not in APART}
    return hashlib.sha256(text_of(covered).encode()).hexdigest()


def text_of(value: Any) -> str:
    """Returns a value's JSON in the one spelling that a transcript has: sorted keys, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def digest(*parts: Any) -> str:
    """Returns the SHA-256, in hex, of arrays (dtype, shape and bits, little-endian) and of values as JSON."""
    found = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            little = part.dtype.newbyteorder("<")
            found.update(f"{little.str}{list(part.shape)}\n".encode())
            found.update(np.ascontiguousarray(part).astype(little, copy=False).reshape(-1).view(np.uint8).data)
        else:
            found.update(f"{text_of(part)}\n".encode())
    return found.hexdigest()


def digest_of_parameters(network: Network) -> str:
    """The digest of a network's parameters, and of the scales that it has learnt."""
    scales = [of for scale in (network.scale, network.target_scale) if scale for of in (scale.mean, scale.deviation)]
    return digest(network.parameters, *scales)


def begin(path: str, line: dict[str, Any]) -> None:
    """Writes a file with its first line. Raises FileExistsError where there is one; and OSError, and leaves none."""
    with open(path, "xb", buffering=0) as file:
        try:
            _add(file, line)
        except BaseException:
            os.unlink(path)
            raise


def append(path: str, line: dict[str, Any]) -> None:
    """Adds a line, in one write. Raises OSError; then the file is what it was."""
    with open(path, "r+b", buffering=0) as file:  # not "a": a file that is gone is not to come again without its head
        _add(file, line)


def _add(file: BinaryIO, line: dict[str, Any]) -> None:
    content, whole = text_of(line).encode() + b"\n", file.seek(0, os.SEEK_END)
    try:
        if file.write(content) != len(content):  # a disk that becomes full takes a part
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError:
        file.truncate(whole)
        raise


# ---------------------------------------------------------------------------------------------------------
# Reading


@dataclass(frozen=True)
class Chain:
    """A transcript that was read, whose hashes are right.

    whole: the number of its bytes up to the last whole line; what follows was cut short as a process ended.
    """

    path: str
    lines: list[dict[str, Any]]
    whole: int
    cut_short: bool = field(default=False)

    @property
    def head(self) -> dict[str, Any]:
        """The first line: what was trained."""
        return self.lines[0]

    @property
    def states(self) -> list[dict[str, Any]]:
        """The others, of which each tells of one state of the training."""
        return self.lines[1:]

    @property
    def ended(self) -> bool:
        """Whether the training came to its end."""
        return bool(self.lines[-1]["record"] == "end")

    @property
    def hash(self) -> str:
        """The chain's head: the last line's hash."""
        return str(self.lines[-1]["hash"])

    def segments(self) -> list[tuple[int, int]]:
        """The places, in `states`, of a checkpoint and of the next, or of the last line: what can be trained again."""
        states = self.states
        starts = [at for at, line in enumerate(states) if (line["checkpoint"] or not at) and line["record"] == "epoch"]
        return [pair for pair in itertools.pairwise([*starts, len(states) - 1]) if pair[0] < pair[1]]


def read(path: str | os.PathLike) -> Chain:
    """Reads a transcript, and checks its chain.

    Parameters
    ----------
    path : path
        The file.

    Returns
    -------
    Chain

    Raises
    ------
    Broken
        If a line is damaged, missing, out of its order, or not the one whose hash is in the chain.
    ValueError
        If it is no transcript, no regular file, of a later version or of another numerics version.
    OSError
        If there is no such file, or it cannot be read.
    """
    name = container.name_to_read(path)
    with open(name, "rb") as file:
        content = file.read()
    whole = content.rfind(b"\n") + 1
    texts = content[:whole].split(b"\n")[:-1]
    if not texts:
        raise ValueError(f"{name} is no transcript: it has no whole line; remove it if its fit did not begin")
    lines: list[dict[str, Any]] = []
    for number, text in enumerate(texts):
        try:
            line = _parsed(text)
            if number == 0:
                _check_head(line, name)
            _check_spelling(line, text)
            _check_fields(line, number)
            _check_link(line, lines[-1] if lines else None, number)
        except _Wrong as error:
            if not number and not text.startswith(b"{"):
                raise ValueError(f"{name} is no transcript: {error}") from None
            raise Broken(name, f"line {number + 1}: {error}") from None
        lines.append(line)
    return Chain(name, lines, whole, whole < len(content))


class _Wrong(ValueError):
    """What is wrong with a line."""


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        line = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise _Wrong(f"it is not JSON ({cut(str(error), 100)}): the file is damaged, or no transcript") from None
    if not isinstance(line, dict):
        raise _Wrong(f"it is {shown(line)}, not a JSON object: the file is damaged, or no transcript")
    return line


def _check_spelling(line: dict[str, Any], text: bytes) -> None:
    """Raises _Wrong where a line is not in its one spelling: who reads it is to see what its hash is of."""
    try:
        own = text_of(line).encode()
    except (ValueError, RecursionError):  # NaN
        own = b""
    if own != text:
        raise _Wrong("it is not spelt as a transcript is (sorted keys, none twice, no spaces): it was changed")


def _check_head(line: dict[str, Any], name: str) -> None:
    """Raises ValueError where a file's first line is none of a transcript that this version reads."""
    if line.get("format") != FORMAT or line.get("record") != "head":
        raise ValueError(f"{name} is no transcript of fastmlp's: its first line does not say so")
    version = line.get("version")
    if type(version) is int and version > FORMAT_VERSION:
        raise ValueError(
            f"{name} has format version {version}, and this fastmlp reads {FORMAT_VERSION}: update fastmlp"
        )
    if version != FORMAT_VERSION or type(version) is not int:
        raise ValueError(f"{name} has format version {shown(version)}, which is none: the file is damaged")
    if line.get("numerics") != NUMERICS_VERSION or type(line["numerics"]) is not int:
        raise ValueError(
            f"{name} is of numerics version {shown(line.get('numerics'))}, and this fastmlp computes by version "
            f"{NUMERICS_VERSION}, which gives other bits: use the fastmlp that wrote it"
        )


def _check_fields(line: dict[str, Any], number: int) -> None:
    """Raises _Wrong where a line does not have what one of its kind has."""
    kind = line.get("record")
    if kind not in KINDS or (kind == "head") != (number == 0):
        raise _Wrong(f"its record is {shown(kind)}, and no line of a transcript there")
    wanted = {*_FIELDS[kind], "record", "line", "before", "hash"}
    if odd := sorted({*line} ^ wanted):
        what = "is missing" if odd[0] in wanted else "does not belong there"
        raise _Wrong(f"{shown(odd[0])} {what}: it was changed or damaged")
    counts = {"head": ("rows", "begun", "first", "every", "rate_begins"), "epoch": ("epoch", "epochs", "every")}
    for name in (*counts.get(kind, counts["epoch"]), *(("trained",) if kind == "end" else ())):
        if type(line[name]) is not int or line[name] < (name == "every"):
            raise _Wrong(f"its {name} is {shown(line[name])}, not a count: it was changed or damaged")
    if kind == "head":
        if not all(isinstance(line[name], dict) for name in ("fit", "spec", "seed", "machine")):
            raise _Wrong("its fit, spec, seed or machine is no object: it was changed or damaged")
        if type(line["callback"]) is not bool:
            raise _Wrong(f"its callback is {shown(line['callback'])}, neither true nor false")
        if line["begun"] > line["first"]:
            raise _Wrong("the run's epochs before the fit are more than those before the transcript: it was changed")
    elif type(line["checkpoint"]) is not bool:
        raise _Wrong(f"its checkpoint is {shown(line['checkpoint'])}, neither true nor false")


def _check_link(line: dict[str, Any], before: dict[str, Any] | None, number: int) -> None:
    """Raises _Wrong where a line is not the next one of the chain."""
    if line["line"] != number:
        raise _Wrong(f"its number is {shown(line['line'])}, and should be {number}: a line is missing, or was moved")
    try:
        own = hash_of(line)
    except ValueError:
        own = ""
    if line["hash"] != own:
        raise _Wrong("it does not have its hash: something in it was changed")
    if line["before"] != ("" if before is None else before["hash"]):
        raise _Wrong("it does not follow the line before it, which was changed, removed or put in between")
    if before is None:
        return
    if before["record"] == "head":
        if line["record"] == "epoch" and (line["epoch"], line["every"]) != (before["first"], before["every"]):
            raise _Wrong("its epoch, or its interval, is not what line 1 says")
        return
    if before["record"] == "end":
        raise _Wrong("it comes after the training's end")
    last, since = line["trained"] if line["record"] == "end" else line["epoch"], before["epoch"]
    due = since - since % before["every"] + before["every"]
    if line["record"] == "epoch" and last != due:
        raise _Wrong(f"it is of epoch {last}, and epoch {due} is the next: a line is missing")
    most = last if line.get("stopped") == "diverged" else due  # no line is written of what is not finite
    if line["record"] == "end" and not since <= last <= most:
        raise _Wrong(f"it ends after epoch {last}, and epoch {due} is the next: a line is missing")
