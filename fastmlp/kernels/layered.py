"""The layered pass: several chunks' rows through one layer, then through the next. Lanes are units; for wide layers."""

from fastmlp.kernels import calls, tree
from fastmlp.kernels import plan as at
from fastmlp.kernels.memory import advance, pointer
from fastmlp.kernels.passes import begin_statistics, end_statistics, look_for_interrupt, loss_rows, set_tail
from fastmlp.kernels.registry import Floats, Int, Ints, kernel
from fastmlp.kernels.simd import helper, line_lanes
from fastmlp.kernels.team import part
from fastmlp.reference.arithmetic import CHUNK
from fastmlp.reference.random import DROPOUT


@helper
def outputs_of_chunk(plan, z, stride, first, rows, mode):
    """Writes the rows' outputs, or puts the deltas in place of the logits z, whose rows are `stride` apart."""
    J, tile_stride = plan[at.OUTPUTS], plan[at.STRIDE]
    tile = pointer(plan[at.Y_TILE], z)
    y = advance(tile, J * tile_stride)
    calls.transpose(plan, x=z, x_stride=stride, rows=rows, K=J, to=tile, stride=tile_stride)
    set_tail(tile, J, rows, tile_stride, 0.0)
    if mode & at.OUTPUT:
        if plan[at.OUTPUT_KERNEL] != 0:
            calls.output(plan, z=tile, J=J, rows=rows, stride=tile_stride)
        calls.scatter(plan, tile, stride=tile_stride, rows=rows, K=J, x=pointer(plan[at.RESULT], z), first=first)
    else:
        order, ordered = pointer(plan[at.ORDER], plan), int(plan[at.ORDER] != 0)
        columns = plan[at.COLUMNS]
        calls.gather(
            plan, x=pointer(plan[at.Y], z), order=order, ordered=ordered, first=first, rows=rows, K=columns, tile=y,
            stride=tile_stride,
        )  # fmt: skip
        begin_statistics(plan, z, mode, True)
        record = int(mode & at.RECORD != 0)
        loss_rows(plan, tile, y, pointer(plan[at.STATISTICS], z), J, rows, tile_stride, mode, record)
        end_statistics(plan, z, mode, True)
        if mode & at.BACKWARD:
            calls.transpose(plan, x=tile, x_stride=tile_stride, rows=J, K=rows, to=z, stride=stride)


@helper
def combine_scalars(plan, like, chunk, last):
    """Takes the loss and the weights of a chunk, behind the gradient, into their tree; the last leaves the sums."""
    scalars = pointer(plan[at.SCALARS], like)
    behind = advance(pointer(plan[at.GRADIENT], like), plan[at.PARAMETERS])
    level, waiting = 0, chunk
    while tree.goes_up(waiting, last):
        if waiting & 1:
            behind[0] = scalars[2 * level] + behind[0]
            behind[1] = scalars[2 * level + 1] + behind[1]
        level, waiting = level + 1, waiting >> 1
    scalars[2 * level] = behind[0]
    scalars[2 * level + 1] = behind[1]


@kernel(None)
def dropout(plan: Ints, a: Floats, layer: Int, first: Int, low: Int, rows: Int):
    """As `passes.dropout`, of a layer whose units lie row by row, for a span's rows `low` and on."""
    units, stride = plan[layer + at.LAYER_OUTPUTS], plan[layer + at.LAYER_STRIDE]
    factors = advance(pointer(plan[layer + at.LAYER_FACTORS], a), low * stride)
    stream = DROPOUT + (layer - at.FIELDS) // at.LAYER_FIELDS
    epoch = plan[at.EPOCHS_BEFORE] + plan[at.EPOCH]
    kept = pointer(plan[layer + at.LAYER_KEPT], a)[0]
    threshold = plan[layer + at.LAYER_THRESHOLD]
    seed = plan[at.DROPOUT_SEED]
    for n in range(rows):
        to = advance(factors, n * stride)
        calls.dropout_factors(
            plan, factors=to, seed=seed, stream=stream, epoch=epoch, first=first + low + n, units=units, rows=1,
            stride=1, threshold=threshold, kept=kept,
        )  # fmt: skip
    calls.multiply(plan, a, factors, units=rows, rows=units, stride=stride)
    if plan[layer + at.LAYER_SLOPE] != plan[layer + at.LAYER_FACTORS]:
        slope = advance(pointer(plan[layer + at.LAYER_SLOPE], a), low * stride)
        calls.multiply(plan, a=slope, factors=factors, units=rows, rows=units, stride=stride)


@helper
def gradient_of(plan, parameters, layer, a, a_stride, dz, dz_stride, rows, mode):
    """A layer's weight gradient, or a member's part of it; or the weights, where the mode descends.

    Of few outputs, inputs and outputs change places: what is summed are the rows of the transposed matrix.
    """
    K, J = plan[layer + at.LAYER_INPUTS], plan[layer + at.LAYER_OUTPUTS]
    turned, descends = plan[layer + at.LAYER_TURNED] != 0, mode & at.DESCENDS != 0
    count = K + 1
    if plan[at.TEAM] != 0:
        count = part(plan, K + 1, 4 * line_lanes(a) if turned else at.BLOCK_INPUTS)
    begin = plan[at.ME] * count
    if begin <= K:
        count = count if begin + count < K + 1 else K + 1 - begin
        packed, blocks, group = pointer(plan[at.PACKED], a), pointer(plan[at.BLOCKS], a), plan[at.GROUP]
        to = parameters if descends else pointer(plan[at.GRADIENT], a)
        to = advance(to, plan[layer + at.LAYER_OFFSET] + begin * J)
        x, x_stride, d, d_stride, inputs, outputs, made = advance(a, begin), a_stride, dz, dz_stride, count, J, to
        if turned:
            x, x_stride, d, d_stride, inputs, outputs = d, d_stride, x, x_stride, J, count
            made = advance(pointer(plan[at.TURNED], a), begin * J)
        if descends:
            numbers = pointer(plan[at.NUMBERS], a)
            scale, rate = numbers[at.JOB_SCALE], numbers[at.LEARNING_RATE]
            if turned:
                calls.transpose(plan, x=to, x_stride=J, rows=count, K=J, to=made, stride=count)
            calls.layered_dense_descend(
                plan, a=x, dz=d, packed=packed, levels=blocks, w=made, scale=scale, learning_rate=rate,
                K=inputs - 1, J=outputs, rows=rows, a_stride=x_stride, dz_stride=d_stride, group=group,
            )  # fmt: skip
        else:
            calls.layered_dense_backward_weights(
                plan, a=x, dz=d, packed=packed, levels=blocks, dw=made,
                K=inputs - 1, J=outputs, rows=rows, a_stride=x_stride, dz_stride=d_stride, group=group,
            )  # fmt: skip
        if turned:
            calls.transpose(plan, x=made, x_stride=count, rows=J, K=count, to=to, stride=J)


@helper
def read_rows(plan, parameters, first, low, own):
    """The span's rows of x, `first` and on: copied, a member's `own` from `low` on, or where they all lie already."""
    K, stride = plan[at.FIELDS + at.LAYER_INPUTS], plan[at.X_STRIDE]
    x = pointer(plan[at.X_TILE], parameters)
    if plan[at.COPY_ROWS] != 0:
        order, ordered = pointer(plan[at.ORDER], plan), int(plan[at.ORDER] != 0)
        calls.copy_rows(
            plan, x=pointer(plan[at.X], parameters), order=order, ordered=ordered, first=first + low, rows=own, K=K,
            to=advance(x, low * stride), stride=stride,
        )  # fmt: skip
    else:
        x = advance(x, first * stride)
    return x


@helper
def forward(plan, parameters, x, first, rows, low, own, mode, last_layer):
    """A member's rows through all layers, which leave a (rows, J) in LAYER_A. -> whether Ctrl-C was pressed.

    Behind the units of a row comes a 1, the input of the next layer's biases, where weight gradients will want it.
    """
    panel = pointer(plan[at.PANEL], parameters)
    a, a_stride = x, plan[at.X_STRIDE]
    layer = at.FIELDS
    while layer <= last_layer:
        K, J = plan[layer + at.LAYER_INPUTS], plan[layer + at.LAYER_OUTPUTS]
        w = advance(parameters, plan[layer + at.LAYER_OFFSET])
        z, stride = pointer(plan[layer + at.LAYER_A], parameters), plan[layer + at.LAYER_STRIDE]
        own_a, own_z = advance(a, low * a_stride), advance(z, low * stride)
        calls.layered_dense_forward(
            plan, a=own_a, w=w, b=advance(w, K * J), z=own_z, panel=panel,
            K=K, J=J, rows=own, a_stride=a_stride, z_stride=stride, relu=plan[layer + at.LAYER_RELU],
        )  # fmt: skip
        if plan[layer + at.LAYER_FORWARD] != 0:
            slope = advance(pointer(plan[layer + at.LAYER_SLOPE], parameters), low * stride)
            calls.activation_forward(plan, layer, z=own_z, slope=slope, units=own, rows=J, stride=stride)
        if mode & at.DROPS and plan[layer + at.LAYER_FACTORS] != 0:
            calls.layered_dropout(plan, a=own_z, layer=layer, first=first, low=low, rows=own)
        if mode & at.BACKWARD and layer < last_layer:
            for n in range(own):
                own_z[n * stride + J] = 1
        if plan[at.TEAM] == 0 and look_for_interrupt(plan, rows * K * J):
            return True
        a, a_stride = z, stride
        layer += at.LAYER_FIELDS
    return False


@helper
def outputs_of_span(plan, parameters, first, rows, low, own, mode, last_layer):
    """Outputs, or deltas in the logits' place, chunk by chunk. Where the loss is summed, one thread does it for all."""
    a, stride = pointer(plan[last_layer + at.LAYER_A], parameters), plan[last_layer + at.LAYER_STRIDE]
    summed = mode & (at.RECORD | at.WEIGHED) != 0
    meets = summed and plan[at.TEAM] != 0
    if meets:
        calls.meet(plan)
    start, end = (0, rows if plan[at.ME] == 0 else 0) if summed else (low, low + own)
    while start < end:
        here = CHUNK if end - start > CHUNK else end - start
        outputs_of_chunk(plan, advance(a, start * stride), stride, first + start, here, mode)
        if summed:
            combine_scalars(plan, parameters, start // CHUNK, start + here == rows)
        start += here
    if meets:
        calls.meet(plan)


@helper
def backward(plan, parameters, x, rows, low, own, mode, last_layer):
    """From the logits' deltas down: those of the layer below, a member's rows; then the weights' gradient, or weights.

    So the weights are read before a gradient is taken from them. -> whether Ctrl-C was pressed.
    """
    alone = plan[at.TEAM] == 0
    panel, sums = pointer(plan[at.PANEL], parameters), pointer(plan[at.DELTAS], parameters)
    dz, dz_stride = pointer(plan[last_layer + at.LAYER_A], parameters), plan[last_layer + at.LAYER_STRIDE]
    layer = last_layer
    while layer >= at.FIELDS:
        K, J = plan[layer + at.LAYER_INPUTS], plan[layer + at.LAYER_OUTPUTS]
        below = layer - at.LAYER_FIELDS
        a, a_stride, da = x, plan[at.X_STRIDE], x
        if layer > at.FIELDS:
            a, a_stride = pointer(plan[below + at.LAYER_A], parameters), plan[below + at.LAYER_STRIDE]
            da = pointer(plan[below + at.LAYER_DELTAS], parameters)
            w = advance(parameters, plan[layer + at.LAYER_OFFSET])
            own_dz, own_a = advance(dz, low * dz_stride), advance(a, low * a_stride)
            own_da = advance(da, low * a_stride)
            calls.layered_dense_backward_input(
                plan, dz=own_dz, w=w, a=own_a, da=own_da, panel=panel, sums=sums,
                K=K, J=J, rows=own, dz_stride=dz_stride, stride=a_stride, relu=plan[below + at.LAYER_RELU],
            )  # fmt: skip
            if plan[below + at.LAYER_SLOPE] != 0:
                slope = advance(pointer(plan[below + at.LAYER_SLOPE], parameters), low * a_stride)
                calls.multiply(plan, a=own_da, factors=slope, units=own, rows=K, stride=a_stride)
        if not alone and (layer > at.FIELDS or layer == last_layer):
            calls.meet(plan)  # all deltas are there, and nobody needs the weights as they are
        gradient_of(plan, parameters, layer, a, a_stride, dz, dz_stride, rows, mode)
        dz, dz_stride = da, a_stride
        if alone and mode & at.DESCENDS == 0 and look_for_interrupt(plan, 2 * rows * K * J):
            return True
        layer = below
    return False


@kernel(None)
def span(plan: Ints, parameters: Floats, first: Int, rows: Int, mode: Int) -> int:
    """A span's rows, `first` and on, layer by layer: lanes are units. For wide layers.

    Does what `streamed.span` does, for several chunks at once. A member of a team does some rows of what goes row by
    row, `own` of them from `low` on, and some inputs' weight gradients.
    """
    own = rows if plan[at.TEAM] == 0 else part(plan, rows, at.BLOCK_ROWS)
    low = plan[at.ME] * own if plan[at.ME] * own < rows else rows
    own = own if low + own < rows else rows - low
    last_layer = at.FIELDS + (plan[at.LAYERS] - 1) * at.LAYER_FIELDS
    x = read_rows(plan, parameters, first, low, own)
    if forward(plan, parameters, x, first, rows, low, own, mode, last_layer):
        return at.INTERRUPTED
    outputs_of_span(plan, parameters, first, rows, low, own, mode, last_layer)
    if mode & at.BACKWARD and backward(plan, parameters, x, rows, low, own, mode, last_layer):
        return at.INTERRUPTED
    return at.DONE
