"""From a kernel to a kernel, by name: each helper has the name of the kernel that it calls, by its address in the plan.

So a network compiles and links only the kernels that it uses (`plan.py` names the fields). A helper is copied into the
kernel that calls it: the machine code is that of a call through a pointer. Arguments have the names that they have in
the kernel's own signature; its docstring has the formula, and what it writes and destroys.

Where passes have kernels of their own for the same thing, `dense_forward` is `dense.py`'s, of the streamed pass;
`layered_dense_forward` is `layered_dense.py`'s, and `rowwise_dense_forward` is `rowwise_dense.py`'s.

K inputs, J outputs, N rows. All sizes, strides and offsets count numbers of the network's dtype, none counts bytes. A
tile (J, N) has unit j of row n at j * stride + n; rows (N, J) that lie one behind the other at n * stride + j. relu,
ordered, record and the like are 0 or 1.
"""

from fastmlp.kernels import plan as at
from fastmlp.kernels.memory import call
from fastmlp.kernels.simd import helper

# ---------------------------------------------------------------------------------------------------------
# Rows into buffers and back: layout.py


@helper
def gather(plan, x, order, ordered, first, rows, K, tile, stride):
    """tile (K, rows) = the rows order[first], order[first + 1], ... of x (N, K), or first and on if not ordered."""
    call(plan[at.GATHER], (x, order, ordered, first, rows, K, tile, stride))


@helper
def copy_rows(plan, x, order, ordered, first, rows, K, to, stride):
    """to (rows, K + 1) = the rows order[first], ... of x (N, K), each with a 1 behind it; or `predict.copy_rows`."""
    call(plan[at.COPY_ROWS], (x, order, ordered, first, rows, K, to, stride))


@helper
def transpose(plan, x, x_stride, rows, K, to, stride):
    """to (K, rows), its rows `stride` apart, = x (rows, K), whose rows are `x_stride` apart, transposed."""
    call(plan[at.TRANSPOSE], (x, x_stride, rows, K, to, stride))


@helper
def scatter(plan, tile, stride, rows, K, x, first):
    """The rows first, first + 1, ... of x (N, K) = tile (K, rows). Of labels: `scatter_labels`, `scatter_answers`."""
    call(plan[at.SCATTER], (tile, stride, rows, K, x, first))


# ---------------------------------------------------------------------------------------------------------
# Dense layers on a tile: dense.py, for the streamed pass


@helper
def dense_forward(plan, a, w, b, z, K, J, rows, stride, relu):
    """z (J, rows) = w (K, J), transposed, times a (K, rows), plus b (J)."""
    call(plan[at.DENSE_FORWARD], (a, w, b, z, K, J, rows, stride, relu))


@helper
def dense_backward_input(plan, dz, w, a, K, J, rows, stride, relu):
    """da (K, rows), in place of a, = w (K, J) times dz (J, rows); with relu, 0 where a <= 0."""
    call(plan[at.DENSE_BACKWARD_INPUT], (dz, w, a, K, J, rows, stride, relu))


@helper
def dense_backward_weights(plan, a, ones, dz, sums, dw, K, J, rows, stride, first, last):
    """dw (K + 1, J), db in its last row, = a (K, rows), and ones (rows), times dz (J, rows), transposed.

    sums ((K + 1) J lines): the lanes, which the chunk's first tile begins and its last one folds into dw.
    """
    call(plan[at.DENSE_BACKWARD_WEIGHTS], (a, ones, dz, sums, dw, K, J, rows, stride, first, last))


# ---------------------------------------------------------------------------------------------------------
# Dense layers on rows that lie one behind the other: layered_dense.py, for the layered pass


@helper
def layered_dense_forward(plan, a, w, b, z, panel, K, J, rows, a_stride, z_stride, relu):
    """z (rows, J) = a (rows, K) times w (K, J), plus b (J). panel: of packed weights."""
    call(plan[at.DENSE_FORWARD], (a, w, b, z, panel, K, J, rows, a_stride, z_stride, relu))


@helper
def layered_dense_backward_input(plan, dz, w, a, da, panel, sums, K, J, rows, dz_stride, stride, relu):
    """da (rows, K) = dz (rows, J) times w (K, J), transposed; with relu, 0 where a (rows, K) <= 0."""
    call(plan[at.DENSE_BACKWARD_INPUT], (dz, w, a, da, panel, sums, K, J, rows, dz_stride, stride, relu))


@helper
def layered_dense_backward_weights(plan, a, dz, packed, levels, dw, K, J, rows, a_stride, dz_stride, group):
    """dw (K + 1, J), db in its last row, = a (rows, K + 1), transposed, times dz (rows, J).

    packed, levels: to work in. group: how many units' dz is packed at once.
    """
    call(plan[at.DENSE_BACKWARD_WEIGHTS], (a, dz, packed, levels, dw, K, J, rows, a_stride, dz_stride, group))


@helper
def layered_dense_descend(
    plan, a, dz, packed, levels, w, scale, learning_rate, K, J, rows, a_stride, dz_stride, group
):  # fmt: skip
    """w (K + 1, J) -= learning_rate (scale dw), with dw as `layered_dense_backward_weights` has it."""
    call(
        plan[at.DENSE_DESCEND],
        (a, dz, packed, levels, w, scale, learning_rate, K, J, rows, a_stride, dz_stride, group),
    )


# ---------------------------------------------------------------------------------------------------------
# Dense layers on one row: rowwise_dense.py, for the rowwise pass


@helper
def rowwise_dense_forward(plan, a, w, b, z, K, J, relu):
    """z (J) = a (K) times w (K, J), plus b (J)."""
    call(plan[at.DENSE_FORWARD], (a, w, b, z, K, J, relu))


@helper
def rowwise_dense_backward_input(plan, dz, w, a, K, J, relu):
    """da (K), in place of a, = w (K, J) times dz (J); with relu, 0 where a <= 0."""
    call(plan[at.DENSE_BACKWARD_INPUT], (dz, w, a, K, J, relu))


@helper
def rowwise_dense_backward_weights(plan, a, dz, sums, K, J, first):
    """One lane's sums (K + 1, J) += a (K), and 1, times dz (J); its first row begins them."""
    call(plan[at.DENSE_BACKWARD_WEIGHTS], (a, dz, sums, K, J, first))


@helper
def rowwise_fold(plan, sums, total, count, size, rows):
    """total (count) = the sum of a line of lanes (or of `rows`, if fewer), each `size` after the one before."""
    call(plan[at.FOLD], (sums, total, count, size, rows))


# ---------------------------------------------------------------------------------------------------------
# Activations, dropout and losses: activations.py, random.py, losses.py


@helper
def activation_forward(plan, layer, z, slope, units, rows, stride):
    """a in place of z (units, rows), and the slope: `tanh_forward`, `sigmoid_forward`, ... layer: its table's place."""
    call(plan[layer + at.LAYER_FORWARD], (z, slope, units, rows, stride))


@helper
def multiply(plan, a, factors, units, rows, stride):
    """a (units, rows) times factors (units, rows), in place: deltas by slopes, and what dropout multiplies."""
    call(plan[at.MULTIPLY], (a, factors, units, rows, stride))


@helper
def dropout(plan, a, layer, first, rows, stride):
    """`passes.dropout`: draws the factors of a layer's tile, for the epoch's rows `first` and on, and multiplies."""
    call(plan[at.DROPOUT], (plan, a, layer, first, rows, stride))


@helper
def layered_dropout(plan, a, layer, first, low, rows):
    """`layered.dropout`: the same of the rows `low` and on of the span that begins with the epoch's row `first`."""
    call(plan[at.DROPOUT], (plan, a, layer, first, low, rows))


@helper
def dropout_factors(plan, factors, seed, stream, epoch, first, units, rows, stride, threshold, kept):
    """factors (units, rows) = 0 where a random word of 32 bits is below the threshold, else kept."""
    call(plan[at.DROPOUT_FACTORS], (factors, seed, stream, epoch, first, units, rows, stride, threshold, kept))


@helper
def loss(plan, z, y, weights, statistics, J, rows, stride, record):
    """dz in place of the logits z (J, rows): `softmax_cross_entropy`, `identity_squared_error`, ...

    y: targets; weights (rows); statistics (3 lines): with record, row losses and right rows are added to the lanes.
    For one output, `few` and `online` may do without (plan.LOSS_CURVE).
    """
    call(plan[at.LOSS_KERNEL], (z, y, weights, statistics, J, rows, stride, record))


@helper
def parametrised_loss(plan, z, y, weights, statistics, parameter, J, rows, stride, record):
    """As `loss`, for a loss that takes a number: `identity_huber`, `softmax_smooth_cross_entropy`, ..."""
    call(plan[at.LOSS_KERNEL], (z, y, weights, statistics, parameter, J, rows, stride, record))


@helper
def weigh(plan, dz, weights, sums, J, rows, stride):
    """dz (J, rows) times weights (rows), in place; sums (a line): the weights are added to its lanes."""
    call(plan[at.WEIGH_KERNEL], (dz, weights, sums, J, rows, stride))


@helper
def output(plan, z, J, rows, stride):
    """Outputs or labels in place of the logits z (J, rows): `softmax`, `sigmoid_output`, ..., `label`, `above_zero`."""
    call(plan[at.OUTPUT_KERNEL], (z, J, rows, stride))


# ---------------------------------------------------------------------------------------------------------
# Passes and batches: streamed.py, layered.py, rowwise.py, few.py, train.py


@helper
def span(plan, parameters, first, rows, mode):
    """The pass over the epoch's rows `first` and on: `streamed.span`, `layered.span`, ... -> DONE or INTERRUPTED."""
    return call(plan[at.PASS_KERNEL], (plan, parameters, first, rows, mode))


@helper
def sum_batch(plan, parameters, first, rows, mode):
    """A batch's sums: `train.sum_batch` or `few.sum_batch`. -> DONE or INTERRUPTED."""
    return call(plan[at.SUM_BATCH], (plan, parameters, first, rows, mode))


@helper
def train(plan, parameters, batches):
    """The training loop: `train.train` or `online.train`. -> DONE, MORE, REACHED, DIVERGED or INTERRUPTED."""
    return call(plan[at.LOOP], (plan, parameters, batches))


@helper
def permutation(plan, seed, epoch, count, order):
    """order (count int64) = an epoch's random order of rows."""
    call(plan[at.PERMUTATION], (seed, epoch, count, order))


@helper
def checked_or_scored(function, plan, parameters):
    """`predict.checked` or `predict.scored`, at the address `function`. -> DONE, DIVERGED or INTERRUPTED."""
    return call(function, (plan, parameters))


# ---------------------------------------------------------------------------------------------------------
# Batches of one row: online.py


@helper
def pack(plan, parameters):
    """Copies the parameters to rows of whole registers, and to columns."""
    call(plan[at.PACK], (plan, parameters))


@helper
def unpack(plan, parameters, scale, learning_rate):
    """Makes the updates that wait, and copies the parameters back."""
    call(plan[at.UNPACK], (plan, parameters, scale, learning_rate))


@helper
def sweep(plan, w, now, before, deltas, sums, count, stride, scale, learning_rate):
    """Updates w (count, stride) by before (count) times deltas (stride); sums (stride) += now (count) times w."""
    call(plan[at.SWEEP], (w, now, before, deltas, sums, count, stride, scale, learning_rate))


# ---------------------------------------------------------------------------------------------------------
# From a batch's sum to the update: train.py, gradients.py, optimizers.py


@helper
def record_objective(plan, parameters, rows):
    """Adds a batch's objective to the epoch's loss; rows: a number of the network's dtype."""
    call(plan[at.RECORD_OBJECTIVE], (plan, parameters, rows))


@helper
def step(plan, parameters, scale):
    """`train.step`: penalties, clipping and an optimizer's update. scale: from the batch's sum to its mean."""
    call(plan[at.STEP_KERNEL], (plan, parameters, scale))


@helper
def scaled(plan, g, scale, count):
    """g (count) times scale, in place."""
    call(plan[at.SCALED], (g, scale, count))


@helper
def penalized(plan, g, w, l2, l1, count):
    """g (count) plus the slopes of the penalties on w (count), in place."""
    call(plan[at.PENALIZED], (g, w, l2, l1, count))


@helper
def sum_of_squares(plan, w, scratch, count):
    """scratch[0] = the sum of the squares of w (count)."""
    call(plan[at.SQUARES], (w, scratch, count))


@helper
def folded(plan, w, s, to, K, J):
    """to (K, J) = s (K) times w (K, J), row by row: `input_scale.folded`."""
    call(plan[at.FOLDED], (w, s, to, K, J))


@helper
def unfolded(plan, dw, w, s, ds, K, J):
    """ds (K), and dw (K, J) in place, of the gradient dw by folded weights: `input_scale.unfolded`."""
    call(plan[at.UNFOLDED], (dw, w, s, ds, K, J))


@helper
def clipped_by_value(plan, g, limit, count):
    """g (count) held between -limit and limit, in place."""
    call(plan[at.CLIPPED_BY_VALUE], (g, limit, count))


@helper
def clipped_by_norm(plan, g, scratch, limit, count):
    """g (count) scaled to a norm of at most the limit, in place."""
    call(plan[at.CLIPPED_BY_NORM], (g, scratch, limit, count))


@helper
def gradient_descent(plan, p, total, scale, learning_rate, count):
    """p (count) -= learning_rate (scale total)."""
    call(plan[at.UPDATE], (p, total, scale, learning_rate, count))


@helper
def optimizer_update(plan, p, total, scale, state, step, settings, count):
    """An optimizer's update of p (count) by scale total: `momentum`, `adam`, ... step: this update's own numbers.

    state: the optimizer's vectors, each in whole lines; settings: the numbers of all updates.
    """
    call(plan[at.UPDATE], (p, total, scale, state, step, settings, count))


# ---------------------------------------------------------------------------------------------------------
# A team of threads: team.py


@helper
def meet(plan):
    """Waits for the team's other members."""
    call(plan[at.MEET], (plan,))


@helper
def together(plan, parameters, job, first, rows, mode):
    """Has the team do a job, PASS, UPDATE_PARAMETERS or LEAVE, and does the leader's part; the rest is PASS's."""
    call(plan[at.TOGETHER], (plan, parameters, job, first, rows, mode))


@helper
def own_part(plan, parameters):
    """A member's part of the job that is ordered."""
    call(plan[at.OWN_PART], (plan, parameters))


@helper
def share(plan, parameters, first, rows, mode):
    """A member's part of a batch: `team.share_chunks` of the streamed pass, or else the pass itself, `layered.span`."""
    call(plan[at.SHARE], (plan, parameters, first, rows, mode))
