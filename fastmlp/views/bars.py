"""Progress bars: tqdm's, imported when one is shown. Imports nothing of the package."""

from __future__ import annotations

import sys
import warnings
from typing import Any

PATIENCE = 1.0  # seconds that a run takes before a bar appears that nobody asked for


def in_notebook() -> bool:
    """Whether this runs in a kernel of Jupyter's."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if hasattr(ipython, "get_ipython") else None
    return "IPKernelApp" in getattr(shell, "config", ())


def is_wanted(wanted: bool | None) -> bool:
    """Whether a bar is to be shown. wanted: what the caller has asked for; None: where somebody is looking."""
    if sys.stderr is None or getattr(sys.stderr, "closed", False):
        return False
    return sys.stderr.isatty() or ("IPython" in sys.modules and in_notebook()) if wanted is None else wanted


def new_bar(epochs: int, wanted: bool | None, **shape: Any) -> Any:
    """A bar of so many epochs: on a terminal, or as a notebook's widget, or text where ipywidgets are not installed.

    As `tqdm.auto` chooses, which imports asyncio in any case (65 ms beside tqdm's 170), and warns without ipywidgets.
    """
    kind: Any = None
    if in_notebook():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from tqdm import notebook
        if notebook.IProgress is not None:
            kind = notebook.tqdm
        else:
            shape["file"] = Line()
    if kind is None:
        import tqdm

        kind = tqdm.tqdm
    delay = PATIENCE if wanted is None else 0.0
    if "ncols" not in shape:
        shape["dynamic_ncols"] = True
    return kind(total=epochs, unit="epoch", delay=delay, unit_scale=epochs >= 10_000, **shape)


def end(shown: Any) -> None:
    """Ends a bar before its last epoch: a widget would be red, as after an error."""
    shown.close()
    if hasattr(shown, "container"):
        _, filled, _ = shown.container.children
        filled.bar_style = "success"


class Line:
    """A file for a bar: a line of a notebook's output, which the next one that is written replaces."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self._shown: Any = None

    def write(self, text: str) -> None:
        """Shows a line."""
        from IPython.display import display

        if line := text.strip():
            data = {"text/plain": line}
            if self._shown is None:
                self._shown = display(data, raw=True, display_id=True)
            else:
                self._shown.update(data, raw=True)

    def flush(self) -> None:
        """Nothing: a line is shown at once."""
