"""JAX without vmap: all models in one jitted call, one after another, by `lax.map`."""

from __future__ import annotations

from . import jax_vmap

IMPORTS = jax_vmap.IMPORTS
available, versions, products = jax_vmap.available, jax_vmap.versions, jax_vmap.products


class Contestant(jax_vmap.Contestant):
    stacked = False
    mapped = True
