"""History: the records as arrays, and their picture."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

from fastmlp.history import History


def history_of(losses, accuracies=None):
    history = History()
    accuracies = [np.nan] * len(losses) if accuracies is None else accuracies
    history.extend(list(zip(range(1, len(losses) + 1), losses, accuracies, strict=True)))
    return history


def test_records_become_arrays():
    history = History()
    history.extend([(1, 0.5, 0.5)])
    history.extend([(2, 0.25, 0.75), (3, 0.125, 1.0)])
    history.extend([])
    assert len(history) == 3
    assert history.latest() == "loss 0.125, accuracy 1"
    assert history.epoch.tolist() == [1, 2, 3]
    assert history.loss.tolist() == [0.5, 0.25, 0.125]
    assert history.accuracy.tolist() == [0.5, 0.75, 1.0]
    assert (history.epoch.dtype, history.loss.dtype, history.accuracy.dtype) == (np.int64, np.float64, np.float64)


def test_without_records():
    history = History()
    assert (len(history), history.stopped, history.seconds) == (0, None, 0.0)
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


def test_pickles():
    history = history_of([0.5, 0.25], [0.5, 1.0])
    history.stopped = "target_loss"
    again = pickle.loads(pickle.dumps(history))
    assert (again.loss.tolist(), again.stopped) == ([0.5, 0.25], "target_loss")


def test_a_plot_shows_loss_and_accuracy():
    figure = history_of([0.5, 0.25], [0.5, 1.0]).plot()
    loss, accuracy = figure.axes
    assert loss.get_lines()[0].get_xydata().tolist() == [[1, 0.5], [2, 0.25]]
    assert accuracy.get_lines()[0].get_xydata().tolist() == [[1, 0.5], [2, 1.0]]
    assert (loss.get_xlabel(), loss.get_ylabel()) == ("Epoch", "Loss")
    assert (accuracy.get_xlabel(), accuracy.get_ylabel()) == ("Epoch", "Accuracy")


def test_a_plot_without_accuracy_shows_loss_alone():
    assert len(history_of([0.5, 0.25]).plot().axes) == 1


@pytest.mark.parametrize(
    ("losses", "scale"),
    [([1.0, 0.011], "linear"), ([1.0, 0.009], "log"), ([1.0, 0.0], "linear"), ([1.0, 1.0], "linear")],
)
def test_the_loss_is_logarithmic_beyond_two_decades(losses, scale):
    assert history_of(losses).plot().axes[0].get_yscale() == scale


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
    assert "pip install matplotlib" in said


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
        history.extend([(epoch, 1 / epoch, 0.5)])
        assert history.latest() == f"loss {1 / epoch:.4g}, accuracy 0.5"
    assert len(history._parts) == 199
    assert history.epoch.tolist() == list(range(1, 200))
    assert len(history._parts) == 1
