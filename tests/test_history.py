"""History: the records as arrays, and their picture."""

import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

from fastmlp import Model
from fastmlp.history import COLUMNS, History
from fastmlp.training import RECORD, records


def history_of(losses, accuracies=np.nan, **columns):
    """A history of epochs 1, 2, ...; columns: of RECORD, further ones than loss and accuracy."""
    history = History()
    made = records(np.arange(len(losses)) + 1, losses, accuracies)
    for name, values in columns.items():
        made[name] = values
    history.extend(made)
    return history


def validated():
    return history_of(
        [0.7, 0.25, 0.0123456],
        [0.5, 0.75, 1.0],
        validation_loss=[0.875, 0.5, 0.625],
        validation_accuracy=[0.25, 0.5, 0.75],
    )


def test_records_become_arrays():
    history = History()
    history.extend(records(1, 0.5, 0.5))
    history.extend(records([2, 3], [0.25, 0.125], [0.75, 1.0]))
    history.extend(records([], [], []))
    assert len(history) == 3
    assert history.latest() == "loss 0.125, accuracy 1"
    assert history.epoch.tolist() == [1, 2, 3]
    assert history.loss.tolist() == [0.5, 0.25, 0.125]
    assert history.accuracy.tolist() == [0.5, 0.75, 1.0]
    assert (history.epoch.dtype, history.loss.dtype, history.accuracy.dtype) == (np.int64, np.float64, np.float64)


def test_each_column_is_a_field_of_the_records():
    made = records([1, 2], [0.5, 0.25], [0.75, 1.0], [0.1, 0.05])
    assert np.isnan([made[name] for name in ("seconds", "validation_loss", "validation_accuracy")]).all()
    made["seconds"], made["validation_loss"], made["validation_accuracy"] = [3, 4], [5, 6], [7, 8]
    history = History()
    history.extend(made)
    found = {name: getattr(history, name).tolist() for name in COLUMNS}
    assert found == {
        "epoch": [1, 2], "loss": [0.5, 0.25], "accuracy": [0.75, 1.0], "learning_rate": [0.1, 0.05],
        "elapsed": [3, 4], "validation_loss": [5, 6], "validation_accuracy": [7, 8],
    }  # fmt: skip
    assert [getattr(history, name).dtype for name in COLUMNS] == [np.int64] + [np.float64] * 6
    assert len(COLUMNS) == len(RECORD.names)


def test_records_are_nan_where_nothing_is_said():
    assert np.isnan(records([1, 2], 0.5, 0.5)["learning_rate"]).all()
    assert records([], [], []).shape == (0,)


def test_a_history_keeps_a_copy():
    made = records(1, 0.5, 0.5)
    history = History()
    history.extend(made)
    made["loss"] = 7
    assert history.loss.tolist() == [0.5]


@pytest.mark.parametrize("backend", ["numba", "reference"])
def test_elapsed_grows_up_to_the_seconds_of_a_fit(backend):
    history = Model([2, 3, 2], backend=backend).fit([[0, 1], [1, 0]], [0, 1], epochs=50)
    assert history.elapsed.shape == (50,)
    assert history.elapsed[0] > 0
    assert (np.diff(history.elapsed) >= 0).all()
    assert history.elapsed[-1] <= history.seconds
    if backend == "reference":  # which tells each epoch as it ends
        assert (np.diff(history.elapsed) > 0).all()


def test_without_records():
    history = History()
    assert (len(history), history.stopped, history.seconds, history.best_epoch) == (0, None, 0.0, None)
    assert history.latest() == ""
    assert history.epoch.dtype == np.int64
    assert history.loss.shape == (0,)
    assert repr(history) == "History(no records)"


def test_repr_says_the_ends():
    history = history_of([0.7, 0.25, 0.0123456], [0.5, 0.75, 1.0])
    history.seconds = 1.2345
    assert repr(history) == "History(3 records, epoch 1 -> 3, loss 0.7 -> 0.01235, accuracy 0.5 -> 1, 1.23 s)"
    history = history_of([0.7])
    history.stopped = "Ctrl-C"
    assert repr(history) == "History(1 record, epoch 1, loss 0.7, 0 s, stopped: Ctrl-C)"


def test_repr_tells_of_validation():
    history = validated()
    history.best_epoch, history.stopped = 2, "no improvement"
    assert repr(history) == (
        "History(3 records, epoch 1 -> 3, loss 0.7 -> 0.01235, accuracy 0.5 -> 1, validation loss 0.875 -> 0.625, "
        "validation accuracy 0.25 -> 0.75, best epoch 2, 0 s, stopped: no improvement)"
    )
    holes = history_of([0.5] * 4, validation_loss=[np.nan, 0.5, 0.25, np.nan])
    assert repr(holes) == "History(4 records, epoch 1 -> 4, loss 0.5, validation loss 0.5 -> 0.25, 0 s)"


def test_the_latest_figures():
    assert validated().latest() == "loss 0.0123, accuracy 1, validation 0.625, 0.75"
    assert history_of([0.5], validation_loss=[0.25]).latest() == "loss 0.5, validation 0.25"
    assert history_of([0.5, 1.5]).latest() == "loss 1.5"


def test_pickles():
    history = history_of([0.5, 0.25], [0.5, 1.0])
    history.stopped, history.best_epoch = "target_loss", 2
    again = pickle.loads(pickle.dumps(history))
    assert (again.loss.tolist(), again.stopped, again.best_epoch) == ([0.5, 0.25], "target_loss", 2)


# ---------------------------------------------------------------------------------------------------------
# As plain numbers


def test_a_dictionary_has_everything():
    history = validated()
    history.seconds, history.loading, history.stopped, history.best_epoch = 1.5, 0.25, "interrupted", 2
    told = history.to_dict()
    assert told == {
        "epoch": [1, 2, 3],
        "loss": [0.7, 0.25, 0.0123456],
        "accuracy": [0.5, 0.75, 1.0],
        "validation_loss": [0.875, 0.5, 0.625],
        "validation_accuracy": [0.25, 0.5, 0.75],
        "seconds": 1.5,
        "loading": 0.25,
        "stopped": "interrupted",
        "best_epoch": 2,
    }
    assert json.loads(json.dumps(told, allow_nan=False)) == told


def test_a_dictionary_has_no_column_without_numbers_and_no_nan():
    told = history_of([0.5, 0.25, 0.125], seconds=[1, 2, 3], validation_loss=[np.nan, 4, np.inf]).to_dict()
    assert told == {
        "epoch": [1, 2, 3], "loss": [0.5, 0.25, 0.125], "elapsed": [1, 2, 3], "validation_loss": [None, 4, None],
        "seconds": 0.0, "loading": 0.0, "stopped": None, "best_epoch": None,
    }  # fmt: skip
    ends = {"seconds": 0.0, "loading": 0.0, "stopped": None, "best_epoch": None}
    assert History().to_dict() == {"epoch": [], "loss": [], **ends}


def test_a_dictionary_has_pythons_own_numbers():
    history = validated()
    history.seconds, history.best_epoch = np.float64(1.5), np.int64(2)
    told = history.to_dict()
    assert {type(number) for column in told.values() if isinstance(column, list) for number in column} == {int, float}
    assert (type(told["seconds"]), type(told["best_epoch"])) == (float, int)


# ---------------------------------------------------------------------------------------------------------
# Pictures


def test_a_plot_shows_loss_and_accuracy():
    figure = history_of([0.5, 0.25], [0.5, 1.0]).plot()
    loss, accuracy = figure.axes
    assert loss.get_lines()[0].get_xydata().tolist() == [[1, 0.5], [2, 0.25]]
    assert accuracy.get_lines()[0].get_xydata().tolist() == [[1, 0.5], [2, 1.0]]
    assert (loss.get_xlabel(), loss.get_ylabel()) == ("Epoch", "Loss")
    assert (accuracy.get_xlabel(), accuracy.get_ylabel()) == ("Epoch", "Accuracy")
    assert (loss.get_title(), accuracy.get_title()) == ("Training loss", "Training accuracy")
    assert loss.get_legend() is accuracy.get_legend() is None


def curves(axes):
    """{label: its points}"""
    return {line.get_label(): line.get_xydata().tolist() for line in axes.get_lines()}


def in_legend(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_a_plot_shows_validation_and_the_best_epoch():
    history = validated()
    history.best_epoch = 2
    loss, accuracy = history.plot().axes
    assert curves(loss) == {
        "training": [[1, 0.7], [2, 0.25], [3, 0.0123456]],
        "validation": [[1, 0.875], [2, 0.5], [3, 0.625]],
        "best": [[2, 0], [2, 1]],  # 0 to 1 of the height
    }
    assert curves(accuracy) == {
        "training": [[1, 0.5], [2, 0.75], [3, 1.0]],
        "validation": [[1, 0.25], [2, 0.5], [3, 0.75]],
        "best": [[2, 0], [2, 1]],
    }
    assert in_legend(loss) == in_legend(accuracy) == ["training", "validation", "best"]
    assert (loss.get_title(), accuracy.get_title()) == ("Loss", "Accuracy")


def test_a_plot_of_the_best_epoch_of_training():
    history = history_of([0.5, 0.25])
    history.best_epoch = 2
    assert in_legend(history.plot().axes[0]) == ["training", "best"]


def test_curves_differ_without_colours():
    """By their line, and by a fifth of the way from black to white."""
    from matplotlib.colors import to_rgb

    for axes in validated().plot().axes:
        training, validation = axes.get_lines()
        assert training.get_linestyle() != validation.get_linestyle()
        greys = [np.dot(to_rgb(line.get_color()), (0.299, 0.587, 0.114)) for line in (training, validation)]
        assert abs(greys[1] - greys[0]) > 0.2
        assert max(greys) < 0.7  # on white


def test_a_plot_connects_what_is_recorded_now_and_then():
    """A hole in a curve would hide records that stand alone."""
    history = history_of([4.0, 3.0, 2.0, 1.0], validation_loss=[np.nan, 5, np.nan, 6])
    assert curves(history.plot().axes[0])["validation"] == [[2, 5], [4, 6]]
    history = history_of([4.0, 3.0], validation_accuracy=[np.nan, 0.5])
    assert curves(history.plot().axes[1])["validation"] == [[2, 0.5]]


def test_a_plot_of_one_record_has_its_epoch_below(tmp_path):
    figure = history_of([0.5], [0.5], validation_loss=[0.25]).plot(tmp_path / "one.png")
    for axes in figure.axes:
        low, high = axes.get_xlim()
        assert [tick for tick in axes.get_xticks() if low <= tick <= high] == [1]
        assert {line.get_marker() for line in axes.get_lines()} == {"o"}


def test_a_plot_without_accuracy_shows_loss_alone():
    assert len(history_of([0.5, 0.25]).plot().axes) == 1


@pytest.mark.parametrize(
    ("losses", "scale"),
    [([1.0, 0.011], "linear"), ([1.0, 0.009], "log"), ([1.0, 0.0], "linear"), ([1.0, 1.0], "linear")],
)
def test_the_loss_is_logarithmic_beyond_two_decades(losses, scale):
    assert history_of(losses).plot().axes[0].get_yscale() == scale


@pytest.mark.parametrize(
    ("losses", "scale"),
    [([0.5, 0.009], "log"), ([0.5, 0.011], "linear"), ([np.nan, 0.009], "log"), ([np.inf, 0.5], "linear"),
     ([-0.5, 0.001], "linear"), ([0.0, 0.001], "linear")],
)  # fmt: skip
def test_validation_counts_for_the_decades(losses, scale):
    assert history_of([1.0, 0.9], validation_loss=losses).plot().axes[0].get_yscale() == scale


@pytest.mark.parametrize("kind", [str, lambda path: path])
@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_a_plot_in_a_file(tmp_path, ending, kind):
    path = tmp_path / f"training.{ending}"
    history_of([0.5, 0.25], [0.5, 1.0]).plot(kind(path))
    start = path.read_bytes()[:64]
    assert {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[ending] in start


def test_a_plot_in_axes_of_the_callers():
    figure = Figure()
    axes = figure.subplots(1, 2)
    history = history_of([0.5, 0.25], [0.5, 1.0])
    assert history.plot(axes) is figure
    assert history.plot(list(axes)) is figure
    assert [len(one.get_lines()) for one in axes] == [2, 2]
    assert history.plot(axes[0]) is figure
    assert [len(one.get_lines()) for one in axes] == [3, 2]


@pytest.mark.parametrize("wrong", [3, [], ["a.png"], Figure().subplots(1, 3)], ids=["int", "none", "names", "three"])
def test_a_plot_elsewhere_is_refused(wrong):
    with pytest.raises(TypeError, match="neither a path nor one or two matplotlib axes"):
        history_of([0.5, 0.25]).plot(wrong)


def test_a_plot_of_nothing_is_empty(tmp_path):
    History().plot(tmp_path / "empty.png")
    assert (tmp_path / "empty.png").stat().st_size


def test_without_matplotlib_the_error_says_what_to_install():
    script = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from fastmlp.history import History\n"
        "try: History().plot()\n"
        "except ImportError as error: print(error)\n"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert 'pip install "fastmlp[plot]", or in a clone pip install ".[plot]"' in said


def test_plots_leave_pyplot_alone(tmp_path):
    script = (
        "import sys\nfrom fastmlp.history import History\n"
        f"History().plot({str(tmp_path / 'a.png')!r})\nprint('matplotlib.pyplot' in sys.modules)\n"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "False"


def test_the_latest_record_costs_no_join_of_all():
    """The progress bar asks at every step: joining all records each time made long runs quadratic."""
    history = History()
    for epoch in range(1, 200):
        history.extend(records(epoch, 1 / epoch, 0.5))
        assert history.latest() == f"loss {1 / epoch:.3g}, accuracy 0.5"
    assert len(history._parts) == 199
    assert history.epoch.tolist() == list(range(1, 200))
    assert len(history._parts) == 1
