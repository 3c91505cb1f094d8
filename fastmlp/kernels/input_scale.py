"""A learnable scale of each input, folded into the first weights: the twin of `fastmlp/reference/input_scale.py`.

Both go through the weights once for each batch, in place of its rows.
"""

from fastmlp.kernels.registry import Floats, Int, kernel
from fastmlp.kernels.simd import fma, helper, number
from fastmlp.reference import input_scale as reference

BLOCK = 8  # sums side by side: each waits 4 cycles for its own last fma, and a core makes two in a cycle


@kernel(reference.folded)
def folded(w: Floats, s: Floats, to: Floats, K: Int, J: Int):
    """to (K, J) = s (K) times w (K, J), row by row. Writes no more than that."""
    for k in range(K):
        scale = s[k]
        for i in range(k * J, (k + 1) * J):
            to[i] = scale * w[i]


@kernel(reference.unfolded)
def unfolded(dw: Floats, w: Floats, s: Floats, ds: Floats, K: Int, J: Int):
    """ds (K) = the sums over j of dw w, (K, J); dw = s dw, row by row. Writes no more than dw and ds."""
    whole = K // BLOCK * BLOCK
    for k in range(0, whole, BLOCK):
        sums_of_block(dw, w, ds, k, J)
    for k in range(whole, K):
        total = number(dw, 0)
        for i in range(k * J, (k + 1) * J):
            total = fma(dw[i], w[i], total)
        ds[k] = total
    for k in range(K):
        scale = s[k]
        for i in range(k * J, (k + 1) * J):
            dw[i] = scale * dw[i]


@helper
def sums_of_block(dw, w, ds, k, J):
    """ds[k] ... ds[k + 7]."""
    zero = number(dw, 0)
    a, b, c, d, e, f, g, h = zero, zero, zero, zero, zero, zero, zero, zero
    first = k * J
    for i in range(first, first + J):
        a = fma(dw[i], w[i], a)
        b = fma(dw[i + J], w[i + J], b)
        c = fma(dw[i + 2 * J], w[i + 2 * J], c)
        d = fma(dw[i + 3 * J], w[i + 3 * J], d)
        e = fma(dw[i + 4 * J], w[i + 4 * J], e)
        f = fma(dw[i + 5 * J], w[i + 5 * J], f)
        g = fma(dw[i + 6 * J], w[i + 6 * J], g)
        h = fma(dw[i + 7 * J], w[i + 7 * J], h)
    ds[k], ds[k + 1], ds[k + 2], ds[k + 3] = a, b, c, d
    ds[k + 4], ds[k + 5], ds[k + 6], ds[k + 7] = e, f, g, h
