"""Forward pass, gradient and training loop. Imports NumPy and the spec only.

The fast twin is `fastmlp/kernels/train.py`. Rows lie in x (N, K); parameters in one flat vector (see `Spec.views`).
"""

from dataclasses import dataclass

import numpy as np

from fastmlp.reference import activations, losses
from fastmlp.reference.arithmetic import row_sum
from fastmlp.reference.dense import dense_backward_input, dense_backward_weights, dense_forward
from fastmlp.reference.optimizers import gradient_descent


@dataclass(frozen=True)
class Record:
    """What is known of an epoch: its loss, the share of right rows, and the parameters that it began with."""

    epoch: int
    loss: np.floating
    accuracy: float
    parameters: np.ndarray


def forward(spec, parameters, x):
    """The activations of every layer, x first, the last being the logits; and the slopes of those that have them."""
    values, slopes = [x], [None]
    for (w, b), name in zip(spec.views(parameters), (*spec.hidden, "identity"), strict=True):
        z = dense_forward(values[-1], w, b)
        if name in ("relu", "identity"):
            a, slope = getattr(activations, f"{name}_forward")(z), None
        else:
            a, slope = getattr(activations, f"{name}_forward")(z)
        values.append(a)
        slopes.append(slope)
    return values, slopes


def logits(spec, parameters, x):
    """The last layer's sums, before softmax, sigmoid or e^z. -> (N, J)."""
    return forward(spec, parameters, x)[0][-1]


def outputs(spec, parameters, x):
    """Probabilities (softmax, sigmoid), values (identity) or means (exponential). -> (N, J)."""
    z = logits(spec, parameters, x)
    return z if spec.output_kernel is None else getattr(losses, spec.output_kernel)(z)


def loss_rows(spec, z, y):
    """dz (N, J), loss (N,) and right (N,) of the spec's loss, at logits z."""
    loss = getattr(losses, spec.loss_kernel)
    return loss(z, y) if spec.loss_parameter is None else loss(z, y, z.dtype.type(spec.loss_parameter))


def loss_and_gradient(spec, parameters, x, y):
    """The sums over rows of the loss and of its gradient, and the number of right rows. No mean is taken here."""
    values, slopes = forward(spec, parameters, x)
    dz, loss, right = loss_rows(spec, values[-1], y)
    gradient = np.zeros_like(parameters)
    layers = list(zip(spec.views(parameters), spec.views(gradient), strict=True))
    for layer in reversed(range(len(layers))):
        (w, _), (dw, db) = layers[layer]
        a = values[layer]
        dw[:], db[:] = dense_backward_weights(a, dz)
        if layer:
            dz = dense_backward_input(dz, w)
            if spec.hidden[layer - 1] == "relu":
                dz = activations.relu_backward(a, dz)
            elif slopes[layer] is not None:
                dz = activations.backward(dz, slopes[layer])
    return row_sum(loss), gradient, int(right.sum())


def evaluate(spec, parameters, x, y):
    """The mean loss and the share of right rows."""
    _, loss, right = loss_rows(spec, logits(spec, parameters, x), y)
    return row_sum(loss) / _terms(spec, len(x)), int(right.sum()) / len(x)


def train(spec, parameters, x, y, *, epochs, learning_rate, batch_size, order):
    """Gradient descent, in place; yields a Record each epoch.

    order(epoch) gives the order of the rows in that epoch, which is cut into batches of batch_size, the last one
    perhaps shorter. An epoch's loss is the sum over its batches, in their order, divided by the number of terms.
    With one batch an epoch, the Record comes before the update, so that a caller who stops there keeps the
    parameters that were measured; with more, it comes when the epoch is done.
    """
    kind = parameters.dtype.type
    whole = batch_size >= len(x)
    for epoch in range(1, epochs + 1):
        start_parameters = parameters.copy()
        total, right = kind(0), 0
        rows = order(epoch)
        for start in range(0, len(x), batch_size):
            batch = rows[start : start + batch_size]
            batch_loss, gradient, batch_right = loss_and_gradient(spec, parameters, x[batch], y[batch])
            total, right = total + batch_loss, right + batch_right
            record = Record(epoch, total / _terms(spec, len(x)), right / len(x), start_parameters)
            if whole:
                yield record
            scale = kind(spec.gradient_factor) / _terms(spec, len(batch))
            parameters[:] = gradient_descent(parameters, gradient, scale, kind(learning_rate))
        if not whole:
            yield record


def _terms(spec, rows):
    """The number of terms in the mean, in the network's dtype (rounded once where it is large)."""
    return np.dtype(spec.dtype).type(rows * spec.loss_terms)
