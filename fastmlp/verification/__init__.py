"""Does this machine give the bits? Kernels and whole trainings against the vectors that the package ships.

`verify()` does it, and the command `fastmlp verify`. The vectors are in `fastmlp/vectors`. The command `python -m
tools.vectors` made them, by the reference alone.
"""

from fastmlp.verification.verification import Check, Verification, verify

__all__ = ["Check", "Verification", "verify"]
