"""`Transcript`: which transcript a fit is to write. `transcribing.py` writes it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import ClassVar

from fastmlp.checks import scalars


@dataclass(frozen=True)
class Transcript:
    """What `fit(transcript=...)` writes, where a path alone would not say it.

    Parameters
    ----------
    path : path
        The file to write, of JSON lines; checkpoints go into a folder of this name and ".d". Neither may exist, unless
        the fit resumes what is there.
    every : int or None, default=None
        A line is written after each multiple of so many epochs of the run. None chooses a power of two by the size of
        the network and of the data, so that lines and checkpoints take at most some 2 % of the training's time.
    checkpoint_every : int or None, default=None
        How many epochs lie between two checkpoints, a multiple of `every`. `fastmlp audit` trains again from one of
        them to the next. None keeps up to 32.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong; the error names it.

    Examples
    --------
    >>> from fastmlp import Transcript
    >>> Transcript("run.jsonl", every=10)
    Transcript(path='run.jsonl', every=10, checkpoint_every=None)
    """

    path: str | os.PathLike
    every: int | None = None
    checkpoint_every: int | None = None
    repeats: ClassVar[bool] = False  # whether resume=True may also repeat the end of one that has its end

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", scalars.path(self.path, "transcript"))
        for name in ("every", "checkpoint_every"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, scalars.positive_int(value, name))
        if self.checkpoint_every is not None and (self.every is None or self.checkpoint_every % self.every):
            raise ValueError(
                f"checkpoint_every={self.checkpoint_every} is no multiple of every={self.every}: a checkpoint goes "
                "with a line, so give both"
            )
