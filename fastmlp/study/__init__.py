"""Learning rate, initialisation, depth and width: many small networks, a table, a figure, and what is seen.

`run()` trains on xor, circles and two spirals, or on rows of your own, and returns a `Study`. The command is
`fastmlp study`.
"""

from fastmlp.study.runs import Run
from fastmlp.study.study import Study, run

__all__ = ["Run", "Study", "run"]
