"""Dense layers: z = a w + b, and its gradients. Imports NumPy only; the fast twin is `fastmlp/kernels/dense.py`.

N rows, K inputs, J outputs: a (N, K), w (K, J), b (J,), z and dz (N, J), da (N, K).
"""

import numpy as np

from fastmlp.reference.arithmetic import fma, row_products, row_sum
from fastmlp.reference.optimizers import gradient_descent


def dense_forward(a, w, b):
    """z[n, j] = b[j] + sum over k of a[n, k] w[k, j]: from b[j], k ascending, by fma."""
    z = np.broadcast_to(b, (len(a), len(b))).copy()
    for k in range(len(w)):
        z = fma(a[:, k, None], w[k], z)
    return z


def dense_backward_input(dz, w):
    """da[n, k] = sum over j of dz[n, j] w[k, j]: from +0, j ascending, by fma."""
    da = np.zeros((len(dz), len(w)), dz.dtype)
    for j in range(w.shape[1]):
        da = fma(dz[:, j, None], w[:, j], da)
    return da


def dense_backward_weights(a, dz):
    """dw[k, j] = sum over rows of a[n, k] dz[n, j]; db[j] = sum over rows of dz[n, j]."""
    return row_products(a, dz), row_sum(dz)


def dense_descend(a, dz, p, scale, learning_rate):
    """p, a layer's w and behind it b, after an update of gradient descent by their gradients' sums times scale."""
    dw, db = dense_backward_weights(a, dz)
    return gradient_descent(p, np.append(dw, db), scale, learning_rate)
