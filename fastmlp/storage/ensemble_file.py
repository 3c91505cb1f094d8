"""Several networks in one file: what `Ensemble.save` writes and `Ensemble.load` reads, by means of `model_file.py`.

Member k has its tensors under the names that a model's file gives them, after "members.k.". The header's `members` has,
for each, the entries of a model's header.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastmlp.checks.faults import only_faults
from fastmlp.checks.messages import cut, shown
from fastmlp.core.network import Network
from fastmlp.storage import container, model_file

KIND = "ensemble"
_NAME = re.compile(r"members\.(0|[1-9][0-9]{0,9})\.(.+)", re.ASCII)


def write(path: str | os.PathLike, networks: Sequence[Network], of_all: dict[str, Any]) -> None:
    """Writes networks to a file.

    Parameters
    ----------
    path : path
        The file's name.
    networks : sequence of Network
        The members.
    of_all : dict
        What belongs to all of them, for the header.

    Raises
    ------
    TypeError, ValueError, OSError
        As `container.write`.
    """
    members, tensors = [], {}
    for number, network in enumerate(networks):
        header, own = model_file.described(network)
        members.append(header)
        tensors.update({f"members.{number}.{name}": tensor for name, tensor in own.items()})
    container.write(path, tensors, {**model_file.versions(KIND), "ensemble": of_all, "members": members})


def read(path: str | os.PathLike) -> tuple[list[Network], dict[str, Any]]:
    """Reads networks from a file.

    Parameters
    ----------
    path : path
        The file's name.

    Returns
    -------
    networks : list of Network
        At least one.
    of_all : dict
        What belongs to all of them. Its values may be of any kind.

    Raises
    ------
    ValueError, OSError
        As `model_file.read`.
    """
    tensors, header = container.read(path)
    model_file.check_kind(path, header, KIND)
    try:
        return _networks(header, tensors), model_file.part(header, "ensemble")
    except Exception as error:
        only_faults(error)
        raise model_file.refusal(path, error) from error


def _networks(header: dict[str, Any], tensors: dict[str, np.ndarray]) -> list[Network]:
    """The networks of a header's `members`, which have all of the tensors."""
    members = header["members"]
    if not isinstance(members, list) or not members or not all(isinstance(member, dict) for member in members):
        raise ValueError(f"its members are {shown(members)}, not a list of headers")
    own: list[dict[str, np.ndarray]] = [{} for _ in members]
    for name, tensor in tensors.items():
        found = _NAME.fullmatch(name)
        if found is None or int(found[1]) >= len(members):
            raise ValueError(f"nothing of {len(members)} members is called {cut(name)}")
        own[int(found[1])][found[2]] = tensor
    networks = []
    for number, (member, rest) in enumerate(zip(members, own, strict=True)):
        networks.append(model_file.network_of(member, rest))
        if rest:
            raise ValueError(f"nothing of a model is called members.{number}.{cut(next(iter(rest)))}")
    return networks
