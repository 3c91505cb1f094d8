"""`ShownFigure`, in a file of its own, since it imports matplotlib."""

from __future__ import annotations

from typing import Any

import matplotlib
from matplotlib import pyplot
from matplotlib.figure import Figure


class ShownFigure(Figure):
    """A figure that a notebook shows once.

    Jupyter shows what a cell ends in, and then all figures that pyplot still has. So it leaves pyplot with the first.
    """

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """Nothing: Jupyter then takes its own picture of a figure. Called when it is shown."""
        if "inline" in str(matplotlib.get_backend()).lower():
            pyplot.close(self)
        return {}
