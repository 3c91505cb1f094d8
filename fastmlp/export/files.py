"""Files that belong together: each is whole, and old ones stay until all are written. Imports the checks."""

from __future__ import annotations

import os
from pathlib import Path

from fastmlp.checks.messages import shown


def place_of(path: str | os.PathLike, suffix: str, name: str) -> Path:
    """Returns the file to write: the path itself if it ends in the suffix, or a file in a folder.

    Raises TypeError for what is no path, ValueError for another suffix, FileNotFoundError for a missing folder.
    """
    try:
        place = Path(os.fsdecode(path))
    except (TypeError, ValueError):
        raise TypeError(f"path={shown(path)} is not a path: give a file's name, as 'wine{suffix}'") from None
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
    """Writes each text (ASCII) or bytes to its file, by other names that are renamed once all are whole; or OSError."""
    made: dict[Path, Path] = {}
    try:
        for place, text in texts.items():
            made[place] = place.with_name(f".fastmlp-{os.getpid()}-{os.urandom(8).hex()}.new")
            with open(made[place], "xb") as file:
                file.write(text.encode("ascii") if isinstance(text, str) else text)
        for place, temporary in made.items():
            os.replace(temporary, place)
    except BaseException:
        for temporary in made.values():
            temporary.unlink(missing_ok=True)
        raise


def word(text: str) -> str:
    """Returns a name in C made of a file's name: each character that cannot be in one becomes _."""
    made = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in text)[:40]
    return made if made[:1].isalpha() else f"model_{made}"[:40]
