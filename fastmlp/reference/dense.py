"""Dense layers: z = a w + b, and its gradients. Imports NumPy only.

The fast twins are in `fastmlp/kernels/`: `dense.py`, `layered_dense.py` and `rowwise_dense.py`, one for each pass.

N rows, K inputs, J outputs: a (N, K), w (K, J), b (J,), z and dz (N, J), da (N, K).
"""

import numpy as np

from fastmlp.reference.arithmetic import fma, row_products, row_sum
from fastmlp.reference.optimizers import gradient_descent


def dense_forward(a, w, b):
    """z[n, j] = b[j] + sum over k of a[n, k] w[k, j]. It starts from b[j]; k ascends, by fma."""
    z = np.broadcast_to(b, (len(a), len(b))).copy()
    for k in range(len(w)):
        z = fma(a[:, k, None], w[k], z)
    return z


def dense_backward_input(dz, w):
    """da[n, k] = sum over j of dz[n, j] w[k, j]. It starts from +0; j ascends, by fma."""
    da = np.zeros((len(dz), len(w)), dz.dtype)
    for j in range(w.shape[1]):
        da = fma(dz[:, j, None], w[:, j], da)
    return da


def dense_backward_weights(a, dz):
    """dw[k, j] = sum over n of a[n, k] dz[n, j], and db[j] = sum over n of dz[n, j]. -> (K, J), (J,)."""
    return row_products(a, dz), row_sum(dz)


def dense_descend(a, dz, p, scale, learning_rate):
    """Updates a layer by plain gradient descent. p (K J + J,): the weights, row by row, then the biases. -> p."""
    dw, db = dense_backward_weights(a, dz)
    return gradient_descent(p, np.append(dw, db), scale, learning_rate)
