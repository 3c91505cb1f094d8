"""The points of a sweep: products of lists, lists of points, and random draws. Imports NumPy and the checks."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import math
import operator
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from fastmlp.checks import scalars
from fastmlp.checks.arrays import counted
from fastmlp.checks.messages import cut, shown
from fastmlp.checks.messages import plain as printable
from fastmlp.sweep.names import check_names

Point = dict[str, Any]
MOST = 1_000_000  # points of a sweep
TUPLES = ("hidden", "width", "dropout")  # where a tuple is one value; for `layers`, any sequence of whole numbers


def points_of(grid: Any, draws: int | None, seed: int) -> list[Point]:
    """Returns the points that a grid, a list of grids and points, or random draws of them mean, in order.

    A grid's last name varies fastest. Raises TypeError or ValueError.
    """
    grids = [_alternatives_of(one) for one in _grids(grid)]
    if draws is None:
        for one in grids:
            for name, values in one.items():
                if not isinstance(values, list):
                    raise ValueError(f"{name} is a distribution, {shown(values)}: give draws, the number of points")
        count = sum(_size(one) for one in grids)
        if count > MOST:
            raise ValueError(f"the grid has {count} points, and {MOST} are the most: give draws, to try some of them")
        return [point for one in grids for point in _product(one)]
    return _drawn(grids, scalars.positive_int(draws, "draws", MOST), seed)


def _grids(grid: Any) -> list[Mapping[str, Any]]:
    """The dicts of what `Sweep` was given."""
    if isinstance(grid, Mapping):
        return [grid]
    one = isinstance(grid, (str, bytes)) or not isinstance(grid, Iterable)
    grids = [] if one else list(grid)
    for place, found in enumerate(grids):
        if not isinstance(found, Mapping):
            raise TypeError(f"grid[{place}] is {shown(found)}: give a dict, like {{'learning_rate': 0.1}}")
    if one:
        raise TypeError(
            f"grid={shown(grid)} is neither a dict of lists, like {{'learning_rate': [0.1, 0.01]}}, nor a list of dicts"
        )
    if not grids:
        raise ValueError("grid has no points: give a dict of lists, or a list of dicts")
    return grids


def _alternatives_of(grid: Mapping[str, Any]) -> dict[str, Any]:
    """{name: list of values, or a distribution}."""
    check_names(grid)
    return {str(name): _alternatives(str(name), value) for name, value in grid.items()}


def _alternatives(name: str, value: Any) -> Any:
    """The values that a name takes: a list; or a distribution, which has `rvs`."""
    if hasattr(value, "rvs"):
        if isinstance(value, type):
            raise TypeError(f"{name}={shown(value)} is a class: give an object, with its parameters")
        return value
    if isinstance(value, (set, frozenset)):
        raise TypeError(f"{name} is a set, which has no order: give a list")
    single = isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable)
    if single or (isinstance(value, np.ndarray) and not value.ndim):
        return [plain(value)]
    if name in TUPLES and isinstance(value, tuple):
        return [plain(value)]
    values = list(value)
    if not values:
        raise ValueError(f"{name} has no values: give at least one, or leave it out")
    if name == "layers" and all(_is_whole(size) for size in values):
        return [plain(values)]
    return [plain(one) for one in values]


def _is_whole(value: Any) -> bool:
    try:
        operator.index(value)
    except TypeError:
        return False
    return True


def plain(value: Any) -> Any:
    """A value with Python's own numbers and lists in place of NumPy's."""
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    if type(value) in (list, tuple):
        return type(value)(plain(one) for one in value)
    return value


def text_of(value: Any) -> str:
    """A value as tables and pictures have it; of an object, what differs from its defaults: "SGD(momentum=0.9)"."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.6g}"
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return repr(value)
    told = []
    for field in dataclasses.fields(value):
        own = getattr(value, field.name)
        required = field.default is field.default_factory is dataclasses.MISSING
        if required:
            told.append(text_of(own))
        elif field.repr and own != field.default:
            told.append(f"{field.name}={text_of(own)}")
    return f"{type(value).__name__}({', '.join(told)})"


def column_of(values: Iterable[Any], most: int) -> list[str]:
    """The texts of values, cut off after `most` characters, or later where different ones would then look equal."""
    texts = [printable(text_of(value)) for value in values]
    for width in (most, 2 * most, 4 * most):
        found = [cut(text, width) for text in texts]
        if len(set(found)) == len(set(texts)):
            break
    return found


def _size(grid: dict[str, Any]) -> int:
    return math.prod(len(values) for values in grid.values())


def _product(grid: dict[str, Any]) -> Iterator[Point]:
    for values in itertools.product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


# ---------------------------------------------------------------------------------------------------------
# Random draws


def _drawn(grids: list[dict[str, Any]], draws: int, seed: int) -> list[Point]:
    """So many random points: of lists alone, without repetition."""
    which = source(seed, "")
    if not all(isinstance(values, list) for grid in grids for values in grid.values()):
        sources: list[dict[str, np.random.RandomState]] = [{} for _ in grids]
        found = []
        for _ in range(draws):
            number = int(which.randint(len(grids)))
            found.append(_draw(grids[number], sources[number], seed))
        return found
    sizes = [_size(grid) for grid in grids]
    if draws > sum(sizes):
        raise ValueError(
            f"draws={draws} of a grid that has {counted(sum(sizes), 'point')}: leave draws out to take each of them"
        )
    return [_numbered(grids, sizes, number) for number in _distinct(which, sum(sizes), draws)]


def source(seed: int, name: str) -> np.random.RandomState:
    """The generator of a name's draws, whose stream NumPy has frozen. Other names do not change them."""
    digest = hashlib.sha256(f"fastmlp sweep {seed} {name}".encode()).digest()
    return np.random.RandomState(np.frombuffer(digest, "<u4"))


def _draw(grid: dict[str, Any], sources: dict[str, np.random.RandomState], seed: int) -> Point:
    point = {}
    for name, values in grid.items():
        if name not in sources:
            sources[name] = source(seed, name)
        if isinstance(values, list):
            point[name] = values[int(sources[name].randint(len(values)))]
        else:
            try:
                point[name] = plain(values.rvs(random_state=sources[name]))
            except TypeError as error:
                raise TypeError(
                    f"{name}={shown(values)} gave no value: give it its parameters, as loguniform(1e-4, 1) ({error})"
                ) from error
    return point


def _distinct(which: np.random.RandomState, size: int, draws: int) -> list[int]:
    """Different whole numbers below `size`, in the order drawn."""
    if size <= 4 * draws:
        return [int(number) for number in which.permutation(size)[:draws]]
    found: dict[int, None] = {}
    while len(found) < draws:
        found[int(which.random_sample() * size)] = None
    return list(found)


def _numbered(grids: list[dict[str, Any]], sizes: list[int], number: int) -> Point:
    """The point of this number of all grids, one after the other."""
    for grid, size in zip(grids, sizes, strict=True):
        if number < size:
            point = {}
            for name in reversed(grid):
                number, place = divmod(number, len(grid[name]))
                point[name] = grid[name][place]
            return {name: point[name] for name in grid}
        number -= size
    raise AssertionError
