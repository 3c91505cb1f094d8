"""Bars in notebooks, by a kernel's stand-in: a widget, or a line of text without a warning. On terminals: tests/fit."""

import sys
import types
import warnings

import pytest

from fastmlp import Model
from fastmlp.sweep import train_many
from fastmlp.views import bars

X, Y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]


class Handle:
    """What `display` returns: takes what is shown later in the same place."""

    def __init__(self, shown):
        self.shown = shown

    def update(self, data, raw):
        assert raw
        self.shown.append(data["text/plain"])


@pytest.fixture
def kernel(monkeypatch):
    """A kernel of Jupyter's, without ipywidgets. -> [texts of each output]"""
    outputs = []

    def display(data, raw, display_id):
        assert raw
        assert display_id
        outputs.append([data["text/plain"]])
        return Handle(outputs[-1])

    shell = types.SimpleNamespace(config={"IPKernelApp": {}})
    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: shell
    ipython.display = types.ModuleType("IPython.display")
    ipython.display.display = display
    for name, module in {"IPython": ipython, "IPython.display": ipython.display}.items():
        monkeypatch.setitem(sys.modules, name, module)
    notebook = types.ModuleType("tqdm.notebook")
    notebook.IProgress = None
    import tqdm

    monkeypatch.setitem(sys.modules, "tqdm.notebook", notebook)
    monkeypatch.setattr(tqdm, "notebook", notebook, raising=False)
    return outputs


def test_in_a_notebook_a_bar_is_one_line_that_changes(kernel, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Model([2, 3, 2]).fit(X, Y, epochs=70, progress=True, record_every=7)
        train_many([Model([2, 3, 2], seed=seed) for seed in range(3)], X, Y, epochs=20, progress=True)
    assert len(kernel) == 2
    assert "| 70/70 [" in kernel[0][-1]
    assert "loss 0." in kernel[0][-1]
    assert "| 60/60 [" in kernel[1][-1]
    assert "3/3 models" in kernel[1][-1]
    assert not any("\r" in text or "\n" in text for output in kernel for text in output)
    assert capfd.readouterr() == ("", "")


def test_in_a_notebook_long_runs_have_a_bar(kernel, monkeypatch):
    Model([2, 3, 2]).fit(X, Y, epochs=5)
    assert kernel == []
    monkeypatch.setattr(bars, "PATIENCE", 1e-9)
    Model([2, 3, 2]).fit(X, Y, epochs=5)
    Model([2, 3, 2]).fit(X, Y, epochs=5, progress=False)
    assert len(kernel) == 1


def test_a_widget_that_ends_early_is_not_red(kernel, monkeypatch):
    """tqdm's own has the colour of an error wherever it ends before its last step."""
    filled = types.SimpleNamespace(bar_style="")

    class Widget:
        container = types.SimpleNamespace(children=(None, filled, None))

        def __init__(self, **options):
            made.append(options)

        def close(self):
            filled.bar_style = "danger"

    made = []
    monkeypatch.setattr(sys.modules["tqdm.notebook"], "IProgress", object)
    monkeypatch.setattr(sys.modules["tqdm.notebook"], "tqdm", Widget, raising=False)
    shown = bars.new_bar(300, True)
    bars.end(shown)
    assert filled.bar_style == "success"
    assert made == [{"total": 300, "unit": "epoch", "delay": 0.0, "unit_scale": False, "dynamic_ncols": True}]
    assert kernel == []


@pytest.mark.parametrize("shell", [None, types.SimpleNamespace(config={}), types.SimpleNamespace()])
def test_elsewhere_is_no_notebook(kernel, monkeypatch, shell):
    assert bars.in_notebook()
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: shell)
    assert not bars.in_notebook()
    assert not bars.is_wanted(None)
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))  # half imported
    assert not bars.in_notebook()
