"""Grids, lists of points and random draws; and what is said of those that are wrong."""

import warnings

import numpy as np
import pytest

from fastmlp import Adam, Model
from fastmlp.schedules import Cosine
from fastmlp.sweep import ImpossiblePoints, Sweep

X = np.arange(24.0).reshape(8, 3) % 5
y = np.arange(8) % 4


class Rates:
    """What has `rvs`, as scipy's distributions have."""

    def rvs(self, random_state=None):
        return 10 ** random_state.uniform(-3, 0)


class Unfrozen:
    """As a distribution of scipy whose parameters were not given."""

    def rvs(self, low, high, random_state=None):
        raise AssertionError


class Widths:
    def rvs(self, random_state=None):
        return np.int64(random_state.randint(1, 100))


def test_a_product_has_its_last_name_fastest():
    points = Sweep({"learning_rate": [0.1, 0.2], "seed": range(2)}).points
    assert points == [
        {"learning_rate": 0.1, "seed": 0}, {"learning_rate": 0.1, "seed": 1},
        {"learning_rate": 0.2, "seed": 0}, {"learning_rate": 0.2, "seed": 1},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("grid", "values"),
    [
        ({"layers": [3, 8, 4]}, [[3, 8, 4]]),
        ({"layers": [[3, 8, 4], (3, 2, 4)]}, [[3, 8, 4], (3, 2, 4)]),
        ({"hidden": "tanh"}, ["tanh"]),
        ({"hidden": ["tanh", ("relu", "tanh")]}, ["tanh", ("relu", "tanh")]),
        ({"hidden": ("relu", "tanh")}, [("relu", "tanh")]),
        ({"width": (8, 4)}, [(8, 4)]),
        ({"learning_rate": (0.1, 0.2)}, [0.1, 0.2]),
        ({"learning_rate": np.array([0.1, 0.2])}, [0.1, 0.2]),
        ({"learning_rate": Cosine(0.1, 5)}, [Cosine(0.1, 5)]),
        ({"class_weight": {0: 2.0}}, [{0: 2.0}]),
        ({"l2": 0.1}, [0.1]),
    ],
)
def test_what_are_values_and_what_is_one(grid, values):
    (name,) = grid
    assert [point[name] for point in Sweep(grid).points] == values


def test_points_and_grids_in_a_list():
    points = Sweep([{"width": 3}, {"depth": [0, 1], "l2": 0.1}]).points
    assert points == [{"width": 3}, {"depth": 0, "l2": 0.1}, {"depth": 1, "l2": 0.1}]


def test_draws():
    grid = {"learning_rate": Rates(), "width": Widths(), "hidden": ["relu", "tanh"]}
    points = Sweep(grid, draws=20, seed=1).points
    assert points == Sweep(grid, draws=20, seed=1).points
    assert Sweep(grid, draws=40, seed=1).points[:20] == points
    assert Sweep(grid, draws=20, seed=2).points != points
    assert {type(point["width"]) for point in points} == {int}
    others = Sweep({**grid, "l2": Rates()}, draws=20, seed=1).points
    assert [point["learning_rate"] for point in others] == [point["learning_rate"] for point in points]
    assert not {point["learning_rate"] for point in others} & {point["l2"] for point in others}


def test_draws_of_lists_differ():
    grid = [{"width": range(1, 1001), "seed": range(100)}, {"depth": [0]}]
    for draws in (10, 100_001):
        points = Sweep(grid, draws=draws).points
        assert len({tuple(point.items()) for point in points}) == draws
    with pytest.raises(ValueError, match="draws=3 of a grid that has 2 points"):
        Sweep({"width": [1, 2]}, draws=3)


def test_scipy_s_distributions():
    stats = pytest.importorskip("scipy.stats", reason="scipy is not installed: its distributions are missing")
    grid = {"learning_rate": stats.loguniform(1e-3, 1), "width": stats.randint(1, 9)}
    points = Sweep(grid, draws=5).points
    assert all(1e-3 <= point["learning_rate"] <= 1 and type(point["width"]) is int for point in points)
    assert Sweep(grid, draws=5).points == points


@pytest.mark.parametrize(
    ("grid", "options", "says"),
    [
        ({"lr": [1]}, {}, "the grid has 'lr', which is no option of a sweep: did you mean \"learning_rate\"?"),
        ({"learning_rates": [1]}, {}, 'did you mean "learning_rate"?'),
        ({"zzz": [1]}, {}, "the names are layers, hidden"),
        ({"validation": [0.1]}, {}, "the same for all points: give validation to fit"),
        ({"checkpoint": ["a"]}, {}, "give fit a folder"),
        ({"threads": [1, 2]}, {}, "does not change a result"),
        ({"width": []}, {}, "width has no values"),
        ({"width": {1, 2}}, {}, "a set, which has no order"),
        ({"width": Widths()}, {}, "width is a distribution"),
        ({"width": Widths}, {"draws": 2}, "width=.* is a class: give an object, with its parameters"),
        ({"width": Unfrozen()}, {"draws": 2}, "width=.* gave no value: give it its parameters"),
        ({"width": range(2000), "seed": range(2000)}, {}, "4000000 points, and 1000000 are the most"),
        ([], {}, "grid has no points"),
        ([3], {}, r"grid\[0\] is 3: give a dict"),
        (3, {}, "neither a dict of lists"),
        ({"width": [1]}, {"draws": 0}, "draws=0 is not positive"),
        ({"width": [1]}, {"base": {"epoch": 3}}, "base has 'epoch', .* did you mean \"epochs\""),
        ({"width": [1]}, {"seed": -1}, "seed=-1 is out of range"),
    ],
)
def test_wrong_grids(grid, options, says):
    with pytest.raises((TypeError, ValueError), match=says.replace("?", r"\?")):
        Sweep(grid, **options)


@pytest.mark.parametrize(
    ("grid", "options", "says"),
    [
        ({"layers": [[3, 4], [2, 4]]}, {}, r"point 1 \(layers=\[2, 4\]\): X has 3 columns"),
        ({"layers": [[3, 3]]}, {}, "y has label 3 in row 3"),
        ({"width": [4], "layers": [3, 4]}, {}, "width is given beside layers"),
        ({"width": [(4, 4)], "depth": [3]}, {}, "2 hidden layers"),
        ({"depth": [-1, 1.5]}, {}, "depth=-1 is no number of hidden layers"),
        ({"epochs": [0]}, {}, "epochs=0 is not positive"),
        ({"init": ["he"]}, {}, "init='he' is not known"),
        ({"seed": [-1]}, {}, "seed=-1 is out of range"),
        ({"learning_rate": [1e-60], "dtype": ["float32"]}, {}, "rounds to 0"),
        ({"output": ["identity"], "loss": ["huber"], "target_accuracy": [0.5]}, {}, "target_accuracy needs labels"),
        ({"optimizer": ["adm", Adam]}, {}, "optimizer=Adam is a class"),
        ({"early_stopping": [0]}, {}, "early_stopping=0"),
        ({"class_weight": [{9: 1.0}]}, {}, "class_weight has the label 9"),
        ({"backend": ["cuda"]}, {}, "backend='cuda' is not known"),
    ],
)
def test_impossible_points(grid, options, says):
    sweep = Sweep(grid)
    with pytest.raises(ImpossiblePoints, match=says):
        sweep.fit(X, y, **({} if "epochs" in grid else {"epochs": 1}), **options)


@pytest.mark.parametrize(
    ("options", "kind", "says"),
    [
        ({"epochs": 1, "width": 3}, TypeError, "give it to Sweep"),
        ({"epochs": 1, "lr": 3}, TypeError, 'did you mean "learning_rate"'),
        ({"epochs": 1, "seed": 3}, TypeError, "no argument 'seed'"),
        ({"epochs": 1, "callback": print}, TypeError, "no argument 'callback': a sweep calls none: use Model.fit"),
        ({"epochs": 1, "resume": True}, TypeError, "no argument 'resume': a sweep has no checkpoints"),
        ({"epochs": 1, "zzz": 3}, TypeError, "no argument 'zzz': its arguments are epochs, learning_rate"),
        ({"epochs": 1, "l2": 0.1}, ValueError, "each point has its own"),
        ({"epochs": 1, "keep": "some"}, ValueError, 'use "all", "best" or "none"'),
        ({"epochs": 1, "backend": "dask"}, ValueError, 'use "joblib"'),
        ({"epochs": 1, "client": 3}, TypeError, "client=3 is not a dask.distributed.Client"),
        ({"epochs": 1, "validation": 2.0}, ValueError, "no fraction of the rows"),
        ({"epochs": 1, "sample_weight": [1.0]}, ImpossiblePoints, "sample_weight has shape"),
    ],
)
def test_wrong_calls(options, kind, says):
    if "client" in options:
        pytest.importorskip("distributed", reason="dask.distributed is not installed: there are no clients")
    with pytest.raises(kind, match=says.replace("(", r"\(")):
        Sweep({"l2": [0.0, 0.1]}).fit(X, y, **options)


def test_sizes_come_from_the_data():
    models = Sweep([{}, {"depth": 0}, {"width": (7, 5)}, {"output": "identity"}]).fit(X, y, epochs=1).models
    assert [list(model.spec.layers) for model in models] == [[3, 32, 4], [3, 4], [3, 7, 5, 4], [3, 32, 1]]
    two = Sweep({"output": "sigmoid"}).fit(X, np.eye(8)[:, :2], epochs=1).models[0]
    assert two.spec.layers == (3, 32, 2)


def test_quantities_taken_for_labels_are_told():
    prices = np.arange(8) * 1000
    with pytest.warns(
        UserWarning, match="labels up to 7000 in 8 rows, .* 7001 outputs: if these are quantities"
    ) as told:
        Sweep({"seed": range(3)}).plan(X, prices, epochs=1)
    assert len(told) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Sweep({"seed": range(3)}, base={"output": "identity"}).plan(X, prices, epochs=1)
        Sweep({"layers": [[3, 7001]]}).plan(X, prices, epochs=1)
        Sweep({"seed": [0]}).plan(X, y + 12, epochs=1)


def test_generators_as_seeds_are_each_point_s_own():
    found = Sweep({"seed": [np.random.default_rng(3)], "width": [4, 5]}).fit(X, y, epochs=2, batch_size=3)
    for result, width in zip(found, (4, 5), strict=True):
        model = Model([3, width, 4], seed=np.random.default_rng(3))
        model.fit(X, y, epochs=2, batch_size=3)
        assert result.digest == model.digest()


def test_values_that_are_equal_are_told_apart():
    with pytest.raises(
        ImpossiblePoints, match=r"1 of 2 points is impossible.*\n  point 1 \(shuffle=1\): shuffle=1 is not"
    ):
        Sweep({"shuffle": [True, 1]}).fit(X, y, epochs=1)
