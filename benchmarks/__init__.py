"""The benchmarks. `python -m benchmarks` lists the commands.

Environment variables that slow a BLAS are removed before anything here imports NumPy.
"""

from . import fair

fair.free()
