"""Forward pass, gradient and training loop. Imports NumPy and the spec only.

The fast twin is `fastmlp/kernels/train.py`. Rows lie in x (N, K); parameters in one flat vector (see `Spec.views`).
"""

from dataclasses import dataclass

import numpy as np

from fastmlp.reference import activations, gradients, losses
from fastmlp.reference.arithmetic import row_sum
from fastmlp.reference.dense import dense_backward_input, dense_backward_weights, dense_forward


@dataclass(frozen=True)
class Sums:
    """What a batch's rows add up to: the loss, its gradient (P,), the rows' weights, and how many rows are right."""

    loss: np.floating
    gradient: np.ndarray
    weight: np.floating | None  # None: no row is weighed
    right: int


@dataclass(frozen=True)
class Record:
    """What is known of an epoch: its loss, the share of right rows, and the parameters that it began with."""

    epoch: int
    loss: np.floating
    accuracy: float
    parameters: np.ndarray


def forward(spec, parameters, x, factors=None):
    """The activations of every layer, x first, the last being the logits; and what their deltas are multiplied by.

    The latter are slopes, for activations that have them; dropout's factors (a list, one for each hidden layer, None
    where nothing is dropped); or their product; else None.
    """
    values, slopes = [x], [None]
    dropped = [*(factors or [None] * len(spec.hidden)), None]
    for (w, b), name, factor in zip(spec.views(parameters), (*spec.hidden, "identity"), dropped, strict=True):
        z = dense_forward(values[-1], w, b)
        if name in ("relu", "identity"):
            a, slope = getattr(activations, f"{name}_forward")(z), None
        else:
            a, slope = getattr(activations, f"{name}_forward")(z)
        if factor is not None:
            a = activations.multiply(a, factor)
            slope = factor if slope is None else activations.multiply(slope, factor)
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


def loss_rows(spec, z, y, bound=None):
    """dz (N, J), loss (N,) and right (N,) of the spec's loss, at logits z; bound: as for `train`."""
    if bound is not None:
        return getattr(losses, f"{spec.output}_bounded_{spec.loss}")(z, y, z.dtype.type(bound))
    loss = getattr(losses, spec.loss_kernel)
    return loss(z, y) if spec.loss_parameter is None else loss(z, y, z.dtype.type(spec.loss_parameter))


def loss_and_gradient(spec, parameters, x, y, weights=None, factors=None, bound=None):
    """The Sums over the rows of a batch: weights (N,) or None; factors: dropout's, as for `forward`."""
    values, slopes = forward(spec, parameters, x, factors)
    dz, loss, right = loss_rows(spec, values[-1], y, bound)
    if weights is not None:
        dz, loss = losses.weigh(dz, loss, weights)
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
            if slopes[layer] is not None:
                dz = activations.multiply(dz, slopes[layer])
    weight = None if weights is None else row_sum(weights)
    return Sums(row_sum(loss), gradient, weight, int(right.sum()))


def prepare(spec, parameters, total, scale, *, l2=0, l1=0, of_sum=False, clip_value=None, clip_norm=None):
    """The gradient of a batch's mean loss and penalties, from the sum over its rows; clipped.

    The penalty is l2 / 2 times the weights' squares and l1 times their sizes; biases have none. It is added to the mean
    loss; or, of_sum, to the sum, and so divided with it.
    """
    g = total.copy() if of_sum else gradients.scaled(total, scale)
    if l2 or l1:
        for (w, _), (dw, _) in zip(spec.views(parameters), spec.views(g), strict=True):
            dw[:] = gradients.penalized(dw, w, l2, l1)
    if of_sum:
        g = gradients.scaled(g, scale)
    if clip_value is not None:
        g = gradients.clipped_by_value(g, clip_value)
    if clip_norm is not None:
        g = gradients.clipped_by_norm(g, clip_norm)
    return g


def evaluate(spec, parameters, x, y):
    """The mean loss and the share of right rows."""
    _, loss, right = loss_rows(spec, logits(spec, parameters, x), y)
    return row_sum(loss) / _terms(spec, len(x)), int(right.sum()) / len(x)


def batch_loss(spec, parameters, sums, rows, share, half_l2):
    """What a batch of so many rows adds to the sum of an epoch's objective: its rows times its own objective.

    That is share times its rows' loss, and half_l2 times the weights' squares, layer by layer; with weights of rows,
    that by their sum, times the rows: 0 where their sum is.
    """
    loss = share * sums.loss
    if half_l2:
        squares = parameters.dtype.type(0)
        for w, _ in spec.views(parameters):
            squares = squares + gradients.sum_of_squares(w.reshape(-1))
        loss = loss + half_l2 * squares
    if sums.weight is None:
        return loss
    return loss / sums.weight * rows if sums.weight > 0 else sums.weight


def train(
    spec, parameters, state, x, y, weights=None, *, epochs, batch_size, order, factors, update,
    share=None, bound=None, half_l2=0,
):  # fmt: skip
    """Trains parameters (P,) and the optimizer's state (a list of vectors) in place; yields a Record each epoch.

    epochs: their numbers. order(epoch) gives the order of the rows in that epoch, which is cut into batches of
    batch_size, the last one perhaps shorter. factors(epoch, places) gives dropout's factors for the rows at these
    places of the order. update(parameters, state, total, scale, epoch, batch) gives the new parameters and state;
    `scale` makes `total`, the sum over the batch's rows, the gradient of its mean loss.

    An epoch's loss is the sum over its batches, in their order, divided by the number of terms. With a share (see
    `batch_loss`), the gradient's mean is over the rows alone, without the factor 2 of squares; and an epoch's loss is
    the sum of its `batch_loss`, divided by the rows. bound: the least probability that a loss is made of, and the
    largest but for it; None: any. With one batch an epoch, the Record comes before the update, so that a caller who
    stops there keeps the parameters that were measured; with more, it comes when the epoch is done.
    """
    kind = parameters.dtype.type
    whole = batch_size >= len(x)
    for epoch in epochs:
        start_parameters = parameters.copy()
        total, weight, right = kind(0), None if weights is None else kind(0), 0
        rows = order(epoch)
        for number, start in enumerate(range(0, len(x), batch_size)):
            batch = rows[start : start + batch_size]
            sums = loss_and_gradient(
                spec, parameters, x[batch], y[batch], None if weights is None else weights[batch],
                factors(epoch, np.arange(start, start + len(batch))), bound,
            )  # fmt: skip
            right = right + sums.right
            if share is None:
                total = total + sums.loss
                weight = None if weights is None else weight + sums.weight
                terms, scale = _terms(spec, len(x), weight), _scale(spec, len(batch), sums.weight)
            else:
                total = total + batch_loss(spec, parameters, sums, kind(len(batch)), share, half_l2)
                terms, scale = kind(len(x)), row_scale(kind(len(batch)), sums.weight)
            record = Record(epoch, total / terms, right / len(x), start_parameters)
            if whole:
                yield record
            parameters[:], state[:] = update(parameters, state, sums.gradient, scale, epoch, number)
        if not whole:
            yield record


def _scale(spec, rows, weight):
    """What makes the sum over a batch's rows the gradient of its mean loss: 0 where all of its weights are 0."""
    if weight is not None and weight == 0:
        return weight
    return np.dtype(spec.dtype).type(spec.gradient_factor) / _terms(spec, rows, weight)


def row_scale(rows, weight):
    """What makes a batch's sum a mean over its rows, or their weights, alone: 0 where these are 0."""
    count = rows if weight is None else weight
    return count.dtype.type(1) / count if count > 0 else count


def _terms(spec, rows, weight=None):
    """The number of terms in the mean, in the network's dtype (rounded once where it is large); or their weight."""
    kind = np.dtype(spec.dtype).type
    return kind(rows * spec.loss_terms) if weight is None else weight * kind(spec.loss_terms)
