"""Several models of one task, which train at once and predict together: `Ensemble`."""

from fastmlp.ensemble.ensemble import Ensemble

__all__ = ["Ensemble"]
