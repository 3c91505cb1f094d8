"""Figures of matplotlib's, which is imported when one is made."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from fastmlp.checks.messages import lacks

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def new_figure(to_file: bool, **options: Any) -> Figure:
    """A figure that notebooks and `plt.show()` show; one for a file is not known to pyplot, which would keep it.

    Raises ImportError where matplotlib is not installed. A backend whose display is not there, or a thread in which
    windows cannot be made, gives a figure that is not shown, which can still be saved.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(lacks("plots need", "matplotlib", "plot")) from error
    if to_file or threading.current_thread() is not threading.main_thread():
        return Figure(**options)
    from matplotlib import pyplot

    from fastmlp.views.shown_figure import ShownFigure

    try:
        return pyplot.figure(FigureClass=ShownFigure, **options)
    except (ImportError, RuntimeError):
        return Figure(**options)
