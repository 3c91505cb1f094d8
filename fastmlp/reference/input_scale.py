"""A learnable scale of each input, folded into the first layer's weights. Imports NumPy only.

The fast twin is `fastmlp/kernels/input_scale.py`. A diagonal layer before the first one, x[n, k] s[k], gives the
products x[n, k] s[k] w[k, j]. Here s w is made once for all rows, so that nothing else knows of a scale: the forward
pass and the backward pass are those of a network whose first weights are s w, and the gradient by them gives those by
w and s.
"""

import numpy as np

from fastmlp.reference.arithmetic import fma


def folded(w, s):
    """s[k] w[k, j]. w (K, J), s (K,). -> (K, J)."""
    return s[:, None] * w


def unfolded(dw, w, s):
    """The gradients by w and by s, of that by the folded weights. dw, w (K, J), s (K,). -> (K, J), (K,).

    dw[k, j] becomes s[k] dw[k, j]; ds[k] begins as +0, and then, for j = 0, 1, ..., is fma(dw[k, j], w[k, j], ds[k]).
    """
    ds = np.zeros_like(s)
    for j in range(w.shape[1]):
        ds = fma(dw[:, j], w[:, j], ds)
    return s[:, None] * dw, ds
