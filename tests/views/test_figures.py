"""Figures: pyplot knows those that are shown, and not those of files."""

import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("agg")
from matplotlib import pyplot  # noqa: E402

from fastmlp import History, study  # noqa: E402
from fastmlp.sweep import Sweep  # noqa: E402
from fastmlp.training import records  # noqa: E402
from fastmlp.views import figures  # noqa: E402

X, Y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]


@pytest.fixture(autouse=True)
def _no_figures():
    pyplot.close("all")
    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def plots():
    """What has a plot: a history, a sweep's results and a study."""
    history = History()
    history.extend(records(np.arange(1, 4), 0.5, 0.5))
    result = Sweep({"learning_rate": [0.1, 0.2]}).fit(X, Y, epochs=2)
    return history, result, study.run("xor", epochs=2, quick=True)


@pytest.mark.parametrize("which", range(3), ids=["history", "sweep", "study"])
def test_a_new_figure_is_pyplots_and_that_of_a_file_is_not(plots, which, tmp_path):
    plots[which].plot(tmp_path / "a.png")
    assert pyplot.get_fignums() == []
    figure = plots[which].plot()
    assert [pyplot.figure(number) for number in pyplot.get_fignums()] == [figure]
    figure.savefig(tmp_path / "b.svg")


def test_in_a_notebook_a_figure_is_shown_once(plots, monkeypatch):
    """The end of a cell shows the figure; and then Jupyter shows those that pyplot has."""
    figure = plots[0].plot()
    assert figure._repr_mimebundle_(include=None, exclude=None) == {}
    assert pyplot.get_fignums() == [figure.number]  # another backend shows it in a window
    monkeypatch.setattr(matplotlib, "get_backend", lambda: "module://matplotlib_inline.backend_inline")
    assert figure._repr_mimebundle_() == {}
    assert pyplot.get_fignums() == []


def test_where_no_window_can_be_made_there_is_a_figure(monkeypatch, plots):
    def refuses(**_):
        raise ImportError("Cannot load backend 'TkAgg'")

    monkeypatch.setattr(pyplot, "figure", refuses)
    assert plots[0].plot().axes
    monkeypatch.undo()
    made = []
    thread = threading.Thread(target=lambda: made.append(plots[0].plot()))
    thread.start()
    thread.join()
    assert made[0].axes
    assert pyplot.get_fignums() == []


def test_figures_are_pickled(plots):
    figure = pickle.loads(pickle.dumps(figures.new_figure(False, figsize=(2, 1))))
    assert figure.get_size_inches().tolist() == [2, 1]


STUB = """
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
class FigureManager(FigureManagerBase):
    def show(self): print("shown", *[axes.get_title() for axes in self.canvas.figure.axes])
    @classmethod
    def start_main_loop(cls): print("loop")
class FigureCanvas(FigureCanvasAgg):
    manager_class = FigureManager
FigureManager.canvas_class = FigureCanvas
"""
SCRIPT = """
import numpy as np
from fastmlp import History
from fastmlp.training import records
history = History()
history.extend(records(np.arange(1, 4), 0.5, 0.5))
history.plot()
from matplotlib import pyplot
pyplot.show()
"""


def test_a_script_shows_it_in_a_window(tmp_path):
    """With a backend that says what it would show."""
    (tmp_path / "stub_windows.py").write_text(STUB)
    script = f"import sys, matplotlib\nsys.path.insert(0, {str(tmp_path)!r})\n"
    script += f"matplotlib.use('module://stub_windows')\n{SCRIPT}"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == ["shown Training loss Training accuracy", "loop"]
