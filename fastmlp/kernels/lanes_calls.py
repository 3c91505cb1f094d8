"""From a kernel of a group to a kernel, by name, as `calls.py` has it for one model. Plans are `lanes_plan.py`'s."""

from fastmlp.kernels import lanes_plan as at
from fastmlp.kernels.memory import call
from fastmlp.kernels.simd import helper


@helper
def gather(plan, like, sources, order, places, rows, K, tile):
    """`lanes_rows.gather`: tile[n, k] = x[order[places[n]], k] of each model's own x. like: a pointer to numbers."""
    call(plan[at.GATHER], (sources, order, plan[at.MODELS], places, rows, K, tile, plan[at.UNIT]))


@helper
def pick(plan, x, order, places, rows, units, tile):
    """`lanes_rows.pick`: tile[n, k] = x[order[places[n]], k] of each model, where x is a tile of all rows."""
    count, apart = plan[at.ROWS], plan[at.ROWS_UNIT]
    call(plan[at.PICK], (x, order, plan[at.MODELS], count, apart, places, rows, units, tile, plan[at.UNIT]))


@helper
def forward(plan, a, w, z, K, J, rows, relu):
    """`lanes_dense.forward`: z (rows, J) = a (rows, K) times w (K, J), plus b, which lies behind w."""
    call(plan[at.FORWARD], (a, w, z, plan[at.MODELS], K, J, rows, plan[at.UNIT], relu))


@helper
def backward_input(plan, dz, w, a, slope, da, K, J, rows, way):
    """`lanes_dense.backward_input`: da (rows, K) = dz (rows, J) times w (K, J), transposed. way: what a does to it."""
    call(plan[at.BACKWARD_INPUT], (dz, w, a, slope, da, plan[at.MODELS], K, J, rows, plan[at.UNIT], way))


@helper
def backward_weights(plan, a, dz, to, rates, scale, K, J, rows):
    """`lanes_sums.backward_weights`, or `descend`: sums over the rows of a (rows, K) times dz (rows, J).

    That of whole batches may be one whose number of rows is written out: `backward_weights_4`.
    """
    ones, levels, models = plan[at.ONES], plan[at.LEVELS], plan[at.MODELS]
    arguments = (a, ones, dz, to, levels, rates, scale, models, K, J, rows, plan[at.UNIT])
    if rows == plan[at.BATCH]:
        call(plan[at.BACKWARD_WEIGHTS], arguments)
    else:
        call(plan[at.SHORT_WEIGHTS], arguments)


@helper
def activation_forward(plan, layer, z, slope, units, rows, stride):
    """a in place of z, and the slope: `tanh_forward`, `sigmoid_forward`, ... of `activations.py`."""
    call(plan[layer + at.LAYER_FORWARD], (z, slope, units, rows, stride))


@helper
def loss(plan, z, y, weights, statistics, J, rows, stride, record):
    """dz in place of the logits z (J, rows): a kernel of `losses.py`, such as `softmax_cross_entropy`."""
    call(plan[at.LOSS_KERNEL], (z, y, weights, statistics, J, rows, stride, record))


@helper
def parametrised_loss(plan, z, y, weights, statistics, parameter, J, rows, stride, record):
    """As `loss`, for a loss that takes a number: `identity_huber`, ..."""
    call(plan[at.LOSS_KERNEL], (z, y, weights, statistics, parameter, J, rows, stride, record))


@helper
def row_losses(plan, z, y, values, rights, J, rows, stride):
    """As `loss`, and each row's loss and whether it is right: `lanes_losses.softmax_cross_entropy`, ..."""
    call(plan[at.ROW_LOSSES_KERNEL], (z, y, values, rights, J, rows, stride))


@helper
def forward_batch(plan, parameters, first, rows, record):
    """`model_lanes.forward_batch`: the rows at the places `first` and on, up to the deltas of the outputs."""
    call(plan[at.FORWARD_BATCH], (plan, parameters, first, rows, record))


@helper
def backward_batch(plan, parameters, first, rows, scale):
    """`model_lanes.backward_batch`: from there back to the sums over rows, and the update."""
    call(plan[at.BACKWARD_BATCH], (plan, parameters, first, rows, scale))


@helper
def orders(plan, seeds, epochs, rows, order):
    """order [place][model] = rows [place][model], shuffled: `lanes_random.orders`."""
    call(plan[at.ORDERS], (seeds, epochs, plan[at.MODELS], plan[at.ROWS], rows, order))


@helper
def penalized(plan, gradient, parameters, scale):
    """`lanes_updates.penalized`: the sums times scale, and the penalties' slopes of each model."""
    call(plan[at.PENALIZED], (plan, gradient, parameters, scale))


@helper
def update(plan, parameters, gradient, scale, state, step, settings):
    """An optimizer's update of all models: `lanes_updates.momentum`, ... step: this update's own numbers."""
    count = plan[at.PARAMETERS]
    call(plan[at.UPDATE], (parameters, gradient, scale, state, step, settings, plan[at.MODELS], count))
