"""Does a machine give the bits? This one, against the vectors that the package ships; or one that wrote a transcript.

`verify()` runs kernels and whole trainings, as the command `fastmlp verify` does. The vectors are in `fastmlp/vectors`.
The command `python -m tools.vectors` made them, by the reference alone. `audit()` checks a transcript that
`fit(transcript=...)` wrote, and `bisect()` says where two of them part.
"""

from __future__ import annotations

from fastmlp.verification.auditing import Audit, audit
from fastmlp.verification.bisecting import Bisection, bisect
from fastmlp.verification.places import Place
from fastmlp.verification.verification import Check, Verification, verify

__all__ = ["Audit", "Bisection", "Check", "Place", "Verification", "audit", "bisect", "verify"]
