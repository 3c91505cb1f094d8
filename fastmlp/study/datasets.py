"""Small data sets for `fastmlp study` and `fastmlp demo`, by fastmlp's own generator: the same bits on every machine.

Imports the reference.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fastmlp.checks.messages import either, shown
from fastmlp.reference.random import normal
from fastmlp.reference.schedules import half_cosine

STREAM = 0xDA7A0000  # of the generator: far from those of weights, shuffles and dropout
POINTS = 96  # of circles and spirals
NOISE = 0.1  # standard deviation from a circle, whose radius is 0.8 or 1.6
RADII = 0.8, 1.6
TURNS, SPREAD, BLUR = 1.5, 1.5, 0.045  # of a spiral: turns, the radius at its end, standard deviation of its points

Data = tuple[np.ndarray, np.ndarray]


def xor(seed: int) -> Data:
    """The four points of the exercise. They do not depend on the seed."""
    return np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.array([0, 1, 1, 0])


def circles(seed: int) -> Data:
    """A circle within a circle, 48 points each at random angles, with noise."""
    direction = normal(seed, STREAM, 0, 2 * POINTS).reshape(POINTS, 2)
    direction /= np.sqrt(direction[:, :1] ** 2 + direction[:, 1:] ** 2)
    y = np.arange(POINTS) % 2
    return direction * np.array(RADII)[y][:, None] + NOISE * normal(seed, STREAM, 1, 2 * POINTS).reshape(POINTS, 2), y


def spirals(seed: int) -> Data:
    """Two spirals of 48 points each and one and a half turns, one the other's mirror image, with noise."""
    place = np.sqrt((np.arange(POINTS // 2) + 0.5) / (POINTS // 2))  # points at even distances
    turn = 2.0 * TURNS * place  # in half turns
    arm = SPREAD * place[:, None] * np.stack([_cosine(turn), _cosine(turn - 0.5)], axis=1)
    x = np.concatenate([arm, -arm]) + BLUR * normal(seed, STREAM, 2, 2 * POINTS).reshape(POINTS, 2)
    return x, np.repeat([0, 1], POINTS // 2)


def moons(seed: int) -> Data:
    """Two half circles of 48 points each, one within reach of the other, with noise."""
    turn = np.arange(POINTS // 2) / (POINTS // 2 - 1)  # in half turns
    arc = np.stack([_cosine(turn), _cosine(turn - 0.5)], axis=1)
    x = np.concatenate([arc, np.array([1.0, 0.5]) - arc])
    return x + NOISE * normal(seed, STREAM, 3, 2 * POINTS).reshape(POINTS, 2), np.repeat([0, 1], POINTS // 2)


def sine(seed: int) -> Data:
    """96 points of a sine from -1 to 1, X (N, 1), with noise: quantities, y (N,) float64."""
    x = np.linspace(-1.0, 1.0, POINTS)
    return x[:, None], _cosine(x - 0.5) + NOISE * normal(seed, STREAM, 4, POINTS)


DATASETS: dict[str, Callable[[int], Data]] = {"xor": xor, "circles": circles, "spirals": spirals}  # of a study
ALL: dict[str, Callable[[int], Data]] = {
    "xor": xor,
    "circles": circles,
    "moons": moons,
    "spirals": spirals,
    "sine": sine,
}


def named(name: str, seed: int = 0) -> Data:
    """Returns X (N, 2) and y (N,) of "xor", "circles" or "spirals". Raises ValueError for another name."""
    if name not in DATASETS:
        raise ValueError(f"there is no data set {shown(name)}: use {either(tuple(DATASETS))}")
    return DATASETS[name](seed)


def _cosine(half_turns: np.ndarray) -> np.ndarray:
    """cos(pi t), by the definition's own cosine, since those of C libraries differ."""
    return 2.0 * half_cosine(np.abs((half_turns + 1.0) % 2.0 - 1.0)) - 1.0
