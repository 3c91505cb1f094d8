"""Curves as inline SVG: whatever the values are, it is XML within its frame, and small."""

import re
import warnings
import xml.etree.ElementTree as xml

import numpy as np
import pytest

from fastmlp.views.curves import HEIGHT, MOST, WIDTH, Curve, chart

NAN = np.nan


def svg_of(values, epochs=None, **options):
    """(the tree, texts) of a chart of one curve."""
    values = np.asarray(values, np.float64)
    epochs = np.arange(1, len(values) + 1) if epochs is None else np.asarray(epochs)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        text = chart("Loss", [Curve(epochs, values)], **options)
    tree = xml.fromstring(text)
    return tree, ["".join(one.itertext()) for one in tree.iter() if one.tag.endswith("text")]


def points_of(tree):
    lines = [one.get("points") for one in tree.iter() if one.tag.endswith("polyline")]
    return [[tuple(map(float, point.split(","))) for point in line.split()] for line in lines]


def test_a_curve_runs_from_left_to_right_and_down():
    tree, texts = svg_of([0.8, 0.4, 0.2, 0.1])
    ((*points,),) = points_of(tree)
    assert points == sorted(points)
    assert [y for _, y in points] == sorted(y for _, y in points)  # pixels count from the top
    assert {"Loss", "epoch", "1", "4"} <= set(texts)
    assert tree.get("aria-label") == "Loss over epochs 1 to 4"
    assert len([one for one in tree.iter() if one.tag.endswith("circle")]) == 4


@pytest.mark.parametrize(
    "values",
    [
        [0.5], [0.0], [-3.0, -2.0], [1e308, -1e308], [1.7e308, 1e-320], [5e-324, 1e-323], [1e-300, 1e300], [0.5, 0.5],
        [1e15, 1e15 + 1], [NAN, 0.5, np.inf, 0.25], [0.1 + 1e-17, 0.1], list(10.0 ** np.arange(-12, 9)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("fractions", [False, True])
def test_every_value_has_a_place_in_the_frame(values, fractions):
    if fractions:
        values = np.clip(values, 0, 1)
    tree, texts = svg_of(values, fractions=fractions)
    for line in points_of(tree):
        assert len(line) == np.isfinite(values).sum()
        assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in line)
    assert len(texts) < 20
    scale = [one.text for one in tree.iter() if one.get("text-anchor") == "end"]
    assert len(set(scale)) == len(scale) >= 1


def test_what_spans_decades_is_logarithmic():
    assert {"1e-3", "1e-2", "1e-1"} <= set(svg_of([0.5, 0.05, 0.005, 0.0005])[1])
    assert "1e-1" not in svg_of([0.5, 0.05])[1]


@pytest.mark.parametrize(("values", "lowest"), [([0.2, 0.9], "0"), ([0.6, 0.9], "0.5"), ([0.95, 1.0], "0.9")])
def test_fractions_end_at_one(values, lowest):
    texts = svg_of(values, fractions=True)[1]
    assert {lowest, "1"} <= set(texts)


def test_long_curves_keep_their_extremes_and_stay_small():
    values = np.random.default_rng(0).random(200_000) + 1
    values[77_777], values[123_456] = 9.0, -5.0
    text = chart("Loss", [Curve(np.arange(200_000), values)])
    ((*points,),) = points_of(xml.fromstring(text))
    assert len(text) < 8000
    assert MOST / 2 < len(points) <= MOST + 2
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    heights = [y for _, y in points]
    assert heights[np.argmin(heights)] < heights[0] - 50
    assert heights[np.argmax(heights)] > heights[0] + 50


def test_without_values_there_is_no_chart():
    assert chart("Loss", []) == ""
    assert chart("Loss", [Curve(np.arange(2), np.array([NAN, np.inf]))]) == ""


def test_titles_and_labels_are_escaped():
    text = chart("<b>&", [Curve(np.arange(2), np.arange(2.0), label="<script>")], mark=1)
    tree = xml.fromstring(text)
    assert "<script>" not in text
    assert {"<b>&", "<script>", "best: epoch 1"} <= {"".join(one.itertext()) for one in tree.iter()}
    assert not re.search(r"\bid=|<script|<style|href", text)  # nothing that meets another output of the page
