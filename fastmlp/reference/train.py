"""Forward pass, gradient and training loop. Imports NumPy and the reference only.

The fast twin is `fastmlp/kernels/train.py`. x (N, K) are rows; parameters (P,) are one flat vector (see `Spec.views`).
y are the targets as the loss takes them: labels (N,) for softmax, else (N, J). Where those of softmax are probabilities
(N, J), spec is `Spec.of_targets`.
"""

from dataclasses import dataclass

import numpy as np

from fastmlp.reference import activations, gradients, input_scale, losses
from fastmlp.reference.arithmetic import row_sum
from fastmlp.reference.dense import dense_backward_input, dense_backward_weights, dense_forward


@dataclass(frozen=True)
class Sums:
    """The sums over a batch's rows: loss, gradient (P,), the rows' weights, and the number of rows predicted right."""

    loss: np.floating
    gradient: np.ndarray
    weight: np.floating | None  # None if rows have no weights
    right: int


@dataclass(frozen=True)
class Record:
    """What is known of an epoch: its loss, the fraction of rows predicted right, and the parameters before it."""

    epoch: int
    loss: np.floating
    accuracy: float
    parameters: np.ndarray


def layers_of(spec, parameters):
    """Each layer's (w, b), with the input scale folded into the first w."""
    layers = spec.views(parameters)
    if spec.input_scale:
        w, b = layers[0]
        layers[0] = input_scale.folded(w, spec.scale_of(parameters)), b
    return layers


def forward(spec, parameters, x, factors=None):
    """Computes the activations of all layers.

    Parameters
    ----------
    spec : Spec
    parameters : ndarray of shape (P,)
    x : ndarray of shape (N, K)
    factors : list of ndarray or None
        Dropout's factors (N, units) for each hidden layer; an entry is None if the layer drops nothing.

    Returns
    -------
    values : list of ndarray
        x, the activations of each hidden layer, and the logits.
    slopes : list of ndarray or None
        What da is multiplied by in the backward pass: slopes, for activations that have them; dropout's factors; or
        their product. None where there is neither.
    """
    values, slopes = [x], [None]
    dropped = [*(factors or [None] * len(spec.hidden)), None]
    for (w, b), name, factor in zip(layers_of(spec, parameters), (*spec.hidden, "identity"), dropped, strict=True):
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
    """The last layer's sums, before the output function. -> (N, J)."""
    return forward(spec, parameters, x)[0][-1]


def outputs(spec, parameters, x):
    """Probabilities (softmax, sigmoid), values (identity) or means (exponential). -> (N, J)."""
    z = logits(spec, parameters, x)
    return z if spec.output_kernel is None else getattr(losses, spec.output_kernel)(z)


def loss_rows(spec, z, y, bound=None):
    """dz (N, J), loss (N,) and right (N,) of the spec's loss at the logits z (N, J). bound: see `train`."""
    if bound is not None:
        return getattr(losses, f"{spec.output}_bounded_{spec.loss}")(z, y, z.dtype.type(bound))
    loss = getattr(losses, spec.loss_kernel)
    return loss(z, y) if spec.loss_parameter is None else loss(z, y, z.dtype.type(spec.loss_parameter))


def loss_and_gradient(spec, parameters, x, y, weights=None, factors=None, bound=None):
    """Computes the Sums over a batch: forward pass, loss, backward pass.

    Parameters
    ----------
    spec, parameters, x, y
        As in the module docstring.
    weights : ndarray of shape (N,) or None
        The rows' weights.
    factors : list of ndarray or None
        Dropout's factors, see `forward`.
    bound : float or None
        See `train`.

    Returns
    -------
    Sums
    """
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
    if spec.input_scale:
        (w, _), (dw, _) = layers[0]
        dw[:], spec.scale_of(gradient)[:] = input_scale.unfolded(dw, w, spec.scale_of(parameters))
    weight = None if weights is None else row_sum(weights)
    return Sums(row_sum(loss), gradient, weight, int(right.sum()))


def prepare(spec, parameters, total, scale, *, l2=0, l1=0, of_sum=False, clip_value=None, clip_norm=None):
    """Computes the gradient for an update from the sum over a batch's rows: scaled, penalised, clipped.

    Parameters
    ----------
    spec : Spec
    parameters : ndarray of shape (P,)
    total : ndarray of shape (P,)
        The sum over the batch's rows.
    scale : number of the dtype
        Turns `total` into the gradient of the mean loss.
    l2, l1 : number of the dtype
        The penalty is l2 / 2 times the sum of the weights' squares, and l1 times that of their absolute values. Biases
        are not penalised.
    of_sum : bool
        Whether the penalty is added to the sum, and so scaled with it, not to the mean.
    clip_value : number of the dtype or None
        The largest absolute value of a component.
    clip_norm : number of the dtype or None
        The largest norm.

    Returns
    -------
    ndarray of shape (P,)
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


def evaluate(spec, parameters, x, y, weights=None):
    """The mean loss, by the rows' weights (N,) if there are some, and the fraction of rows predicted right."""
    dz, loss, right = loss_rows(spec, logits(spec, parameters, x), y)
    weight = None
    if weights is not None:
        _, loss = losses.weigh(dz, loss, weights)
        weight = row_sum(weights)
    return row_sum(loss) / _terms(spec, len(x), weight), int(right.sum()) / len(x)


def batch_loss(spec, parameters, sums, rows, share, half_l2):
    """What a batch adds to the sum of an epoch's objective: the number of its rows times its own objective.

    That is share * (the rows' loss) + half_l2 * (the sum of the weights' squares, layer by layer). If rows have
    weights, it is divided by their sum and multiplied by the number of rows; it is 0 where their sum is 0.
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
    """Trains parameters and the optimizer's state in place; yields a Record for each epoch.

    With one batch in an epoch, the Record comes before the update, so that a caller who stops there keeps the
    parameters that were measured. With more, it comes at the epoch's end.

    An epoch's loss is the sum over its batches, in their order, divided by the number of terms. With a `share`, the
    epoch's loss is the sum of the `batch_loss` of its batches, divided by the number of rows; and the gradient's mean
    is over rows alone, without the factor 2 of squares.

    Parameters
    ----------
    spec : Spec
    parameters : ndarray of shape (P,)
        Changed in place.
    state : list of ndarray
        The optimizer's vectors (P,); changed in place.
    x : ndarray of shape (N, K)
    y : ndarray of shape (N,) or (N, J)
    weights : ndarray of shape (N,) or None
        The rows' weights.
    epochs : iterable of int
        The epochs' numbers.
    batch_size : int
        Rows in a batch; the last batch may be shorter.
    order : callable
        order(epoch) returns the order of the rows (N,) in that epoch.
    factors : callable
        factors(epoch, places) returns dropout's factors for the rows at these places of the order.
    update : callable
        update(parameters, state, total, scale, epoch, batch) returns the new parameters and state. total (P,) is the
        sum over the batch's rows; scale turns it into the gradient of the mean loss.
    share : number of the dtype or None
        The fraction of the rows' loss that an objective records; None for the mean loss.
    bound : float or None
        The smallest probability that a recorded cross-entropy is computed from; 1 - bound is the largest.
    half_l2 : number of the dtype
        l2 / 2 of an objective.
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
    """The factor that turns a batch's sum into the gradient of its mean loss; 0 if all its weights are 0."""
    if weight is not None and weight == 0:
        return weight
    return np.dtype(spec.dtype).type(spec.gradient_factor) / _terms(spec, rows, weight)


def row_scale(rows, weight):
    """The factor that turns a batch's sum into the mean over its rows, or over their weights; 0 if these are 0."""
    count = rows if weight is None else weight
    return count.dtype.type(1) / count if count > 0 else count


def _terms(spec, rows, weight=None):
    """The number of terms in the mean, in the network's dtype (rounded once if it is large); or their total weight."""
    kind = np.dtype(spec.dtype).type
    return kind(rows * spec.loss_terms) if weight is None else weight * kind(spec.loss_terms)
