"""Curves as inline SVG, made here: a notebook needs neither matplotlib nor a script to show them. Imports NumPy."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

DECADES = 2  # values that span more are drawn on a logarithmic scale
MOST = 300  # points of a curve: of longer ones, the extremes of each stretch
WIDTH, HEIGHT = 420, 190  # pixels of a chart
LEFT, RIGHT, TOP, BOTTOM = 52, 18, 22, 32  # margins
BLUE, GREEN, ORANGE, GREY = "#1f77b4", "#2a8f3c", "#ff7f0e", "#808080"


@dataclass
class Curve:
    """Values over epochs, (R,) each. label: of a legend; "" for none."""

    epochs: np.ndarray
    values: np.ndarray
    color: str = BLUE
    label: str = ""
    dashed: bool = False
    opacity: float = 1.0

    def finite(self) -> Curve:
        """Without what is not finite, and thinned out to what is seen."""
        there = np.isfinite(self.values)
        epochs, values = _thinned(self.epochs[there], np.asarray(self.values, np.float64)[there])
        return Curve(epochs, values, self.color, self.label, self.dashed, self.opacity)


def chart(title: str, curves: Sequence[Curve], mark: float | None = None, fractions: bool = False) -> str:
    """An SVG of curves over epochs. mark: an epoch for a vertical line. fractions: an axis that ends at 1."""
    curves = [curve for curve in (curve.finite() for curve in curves) if len(curve.values)]
    if not curves:
        return ""
    values = np.concatenate([curve.values for curve in curves])
    epochs = np.concatenate([curve.epochs for curve in curves]).astype(np.float64)
    log = not fractions and bool(values.min() > 0) and math.log10(values.max()) - math.log10(values.min()) > DECADES
    low, high = (_floor(values), 1.0) if fractions else _ends(values, log)
    first, last = float(epochs.min()), float(epochs.max())
    place_x = _scale(first, last, LEFT, WIDTH - RIGHT)
    place_y = _scale(low, high, HEIGHT - BOTTOM, TOP)
    parts = [_text(LEFT, 14, title, "start", ' font-weight="bold"')]
    for value, label in _ticks_y(low, high, log):
        y = place_y(value)
        parts.append(_line(LEFT, y, WIDTH - RIGHT, y, 0.15))
        parts.append(_text(LEFT - 5, y + 4, label, "end"))
    for value in _whole_ticks(first, last):
        parts.append(_text(place_x(value), HEIGHT - BOTTOM + 15, f"{value:,.0f}", "middle"))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 3, "epoch", "middle"))
    parts.append(_line(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM, 0.6))
    if mark is not None:
        x = place_x(mark)
        parts.append(_line(x, TOP, x, HEIGHT - BOTTOM, 0.8, ' stroke-dasharray="2 3"'))
    for curve in curves:
        heights = np.log10(curve.values) if log else curve.values
        parts.append(_drawn(curve, [(place_x(x), place_y(y)) for x, y in zip(curve.epochs, heights, strict=True)]))
    parts.append(_legend(curves, mark))
    named = escape(f"{title} over epochs {first:.0f} to {last:.0f}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{named}" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11" fill="currentColor" '
        f'stroke-linecap="round">{"".join(parts)}</svg>'
    )


# ---------------------------------------------------------------------------------------------------------
# Parts


def _thinned(epochs: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most some MOST points: the least and the greatest value of each stretch, in their order, and both ends."""
    count = len(values)
    if count <= MOST:
        return epochs, values
    bounds = np.linspace(0, count, MOST // 2 + 1).astype(int)
    kept = {0, count - 1}
    for start, end in itertools.pairwise(bounds):
        stretch = values[start:end]
        kept |= {int(start + stretch.argmin()), int(start + stretch.argmax())}
    places = np.array(sorted(kept))
    return epochs[places], values[places]


def _ends(values: np.ndarray, log: bool) -> tuple[float, float]:
    """Both ends of the vertical axis: of values, or of their logarithms."""
    if log:
        return math.log10(values.min()), math.log10(values.max())
    low, high = float(values.min()), float(values.max())
    if low >= 0 and low < high / 3:
        low = 0.0
    if low == high:
        pad = abs(low) / 10 or 1.0
        return low - pad, high + pad
    return low, high


def _floor(values: np.ndarray) -> float:
    """The lower end of an axis of fractions."""
    return next(end for end in (0.9, 0.5, 0.0) if end <= values.min() or not end)


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    """The place of a value between two ends, in pixels; the middle where there is but one value."""
    if high / 2 - low / 2 <= 0:
        return lambda value: (start + end) / 2
    span = high / 2 - low / 2  # halves: the largest floats have a span, too
    return lambda value: start + (end - start) * (float(value / 2 - low / 2) / span)


def _step(span: float, most: int) -> float:
    """A step of 1, 2 or 5 times a power of ten, of which at most `most` fit into a span."""
    power = 10.0 ** math.floor(math.log10(span / most))
    return next(size * power for size in (1, 2, 5, 10) if span / (size * power) <= most)


def _ticks_y(low: float, high: float, log: bool) -> list[tuple[float, str]]:
    """(place, label) of the vertical axis."""
    if log:
        every = max(1, math.ceil((high - low) / 5))
        return [(power, f"1e{power}") for power in range(math.ceil(low), math.floor(high) + 1, every)]
    if not 1e-300 < high - low < 1e300:
        return [(value, f"{value:.3g}") for value in (low, high)]
    step = _step(high - low, 5)
    if step < 1e-9 * max(abs(low), abs(high)):  # labels would all look the same
        return [(low, f"{low:.6g}")]
    digits = max(2, 1 + math.floor(math.log10(max(abs(low), abs(high)))) - math.floor(math.log10(step)))
    ticks = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    return [(number * step, f"{number * step:.{digits}g}") for number in ticks]


def _whole_ticks(first: float, last: float) -> list[float]:
    """Epochs to label."""
    if first == last:
        return [first]
    step = max(1.0, _step(last - first, 5))
    inner = [number * step for number in range(math.ceil(first / step), math.floor(last / step) + 1)]
    return inner if first == 0 or inner[0] - first < step / 2 else [first, *inner]


def _drawn(curve: Curve, points: list[tuple[float, float]]) -> str:
    """The line; of few points, with dots."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dash = ' stroke-dasharray="5 3"' if curve.dashed else ""
    line = (
        f'<polyline points="{path}" fill="none" stroke="{curve.color}" stroke-width="1.6" '
        f'opacity="{curve.opacity:g}"{dash}/>'
    )
    if len(points) > 12:
        return line
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{curve.color}"/>' for x, y in points)
    return line + dots


def _legend(curves: Sequence[Curve], mark: float | None) -> str:
    """The labels of curves, from the right end of the top line to the left."""
    parts, x = [], float(WIDTH - RIGHT)
    if mark is not None:
        text = f"best: epoch {mark:.0f}"
        parts.append(_text(x, 14, text, "end"))
        x -= 6 * len(text) + 14
    for curve in reversed([curve for curve in curves if curve.label]):
        dash = ' stroke-dasharray="5 3"' if curve.dashed else ""
        parts.append(_text(x, 14, curve.label, "end"))
        x -= 6 * len(curve.label) + 22
        parts.append(
            f'<line x1="{x:.1f}" y1="10" x2="{x + 16:.1f}" y2="10" stroke="{curve.color}" stroke-width="1.6"{dash}/>'
        )
        x -= 8
    return "".join(parts)


def _line(x1: float, y1: float, x2: float, y2: float, opacity: float, more: str = "") -> str:
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} stroke="currentColor" opacity="{opacity:g}"{more}/>'


def _text(x: float, y: float, text: str, anchor: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{escape(text)}</text>'
