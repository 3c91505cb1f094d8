"""Where an exported file goes, and what it is called. Imports the checks and the storage."""

from __future__ import annotations

import os
from pathlib import Path

from fastmlp.checks.messages import shown
from fastmlp.storage import whole_files


def place_of(path: str | os.PathLike, suffix: str, name: str) -> Path:
    """Returns the file to write: the path itself if it ends in the suffix, or a file in a folder.

    Raises TypeError for what is no path, ValueError for another suffix or none, FileNotFoundError for a missing folder.
    """
    try:
        place = Path(os.fsdecode(path))
    except (TypeError, ValueError):
        raise TypeError(f"path={shown(path)} is not a path: give a file's name, as 'wine{suffix}'") from None
    if not os.fsdecode(path):
        raise ValueError(f"path='' is empty: give a file's name, as 'wine{suffix}', or '.' for this folder")
    if place.is_dir():
        return place / f"{name}{suffix}"
    if place.suffix != suffix:
        raise ValueError(
            f"path={shown(str(path))} does not end in {suffix}, and is no folder: give a name like wine{suffix}"
        )
    if not place.parent.is_dir():
        raise FileNotFoundError(2, "there is no such folder, make it first", str(place.parent))
    return place


def write_together(texts: dict[Path, str | bytes]) -> None:
    """Writes each text (ASCII) or bytes to its file, as `whole_files.write_together` does; or OSError."""
    whole_files.write_together(
        [(place, [text.encode("ascii") if isinstance(text, str) else text]) for place, text in texts.items()]
    )


def word(text: str) -> str:
    """Returns a name in C made of a file's name: each character that cannot be in one becomes _."""
    made = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in text)[:40]
    return made if made[:1].isalpha() else f"model_{made}"[:40]
