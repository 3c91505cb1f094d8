"""Which files a command may write over: those of the kind that it writes. Any other needs --force."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

MOST = 2**16  # bytes that are looked at
_PICTURES = (  # how files begin that matplotlib writes
    *(b"\x89PNG", b"%PDF", b"%!PS", b"<?xml", b"<svg", b"\xff\xd8\xff", b"RIFF", b"II*\0", b"MM\0*", b"GIF8"),
    *(b"%% Creator: Matplotlib", b"\x1f\x8b"),
)


def check_model(name: str, path: Path | None, force: bool) -> None:
    """Raises ValueError where a file is there that is no model of fastmlp's."""
    _check(name, path, force, _is_model, "a model of fastmlp's")


def check_picture(name: str, path: Path | None, force: bool) -> None:
    """Raises ValueError where a file is there that is no picture."""
    _check(name, path, force, lambda path: _beginning(path).lstrip().startswith(_PICTURES), "a picture")


def check_predictions(name: str, path: Path | None, force: bool, header: str) -> None:
    """Raises ValueError where a file is there that does not begin with this line of names."""

    def begins(path: Path) -> bool:
        return _beginning(path).removeprefix(b"\xef\xbb\xbf").startswith(header.encode("utf-8", "replace"))

    _check(name, path, force, begins, "what `fastmlp predict` has written of such a model")


def _check(name: str, path: Path | None, force: bool, of_the_kind: Callable[[Path], bool], kind: str) -> None:
    """Raises ValueError for a file with something in it that is not of the kind."""
    if path is None or force or not path.is_file() or not path.stat().st_size or of_the_kind(path):
        return
    raise ValueError(f"{name} {path} is there, and is not {kind}: name another file, or replace it with --force")


def _beginning(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(MOST)


def _is_model(path: Path) -> bool:
    """Whether a file is one of those that fastmlp writes, whole."""
    from fastmlp.storage import container

    try:
        container.read(path)
    except (ValueError, OSError):
        return False
    return True
