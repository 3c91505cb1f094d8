"""The benchmarks. `python -m benchmarks` lists the commands.

Nobody's BLAS is held back: the variables that do that are gone before anything here imports NumPy.
"""

from . import fair

fair.free()
