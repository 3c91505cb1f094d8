"""One message for two faces: an argument of Python, `clip_norm`, is `--clip-norm` on the command line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

_OPTION = re.compile(r"(?<![\w-])--([a-z][a-z0-9]*(?:-[a-z0-9]+)*)")


def option(dest: str) -> str:
    """--clip-norm for clip_norm."""
    return "--" + dest.replace("_", "-")


def either(names: Sequence[str]) -> str:
    """'a, b or c'"""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


@contextmanager
def naming_options(names: Mapping[str, str]) -> Iterator[None]:
    """Lets a ValueError or TypeError inside name options where it names arguments. names: {argument: option}."""
    with _reworded(lambda message: in_options(message, names)):
        yield


@contextmanager
def naming_arguments() -> Iterator[None]:
    """Lets a ValueError or TypeError inside name arguments where it names options."""
    with _reworded(in_arguments):
        yield


@contextmanager
def _reworded(words: Callable[[str], str]) -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError  # others may not take a text
        raise kind(words(str(error))) from error


def in_options(message: str, names: Mapping[str, str]) -> str:
    """A message about arguments as one about options.

    A name with an underscore is replaced wherever it stands, a plain word only at the start and before "=" or "[".
    """
    message = re.sub(r" of optimizer=\w+\(\)", "", message)
    message = message.replace("resume=True", "--resume").replace('a Model of dtype="float64"', "--dtype float64")
    for name, text in names.items():
        ends = r"\b" if "_" in name else r"(?=[=\[])"
        message = re.sub(rf"(?<![\w(\-'\"]){name}{ends}", text, message)
        message = re.sub(rf"^{name}\b", text, message)
    return message


def in_arguments(message: str) -> str:
    """A message about options as one about arguments: clip_norm for --clip-norm."""
    return _OPTION.sub(lambda found: found[1].replace("-", "_"), message)
