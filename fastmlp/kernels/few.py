"""Batches of a few rows of small networks, in one kernel: at most a line of rows, 8 of float64 or 16 of float32.

There a kernel for each layer, way and loss costs more than its arithmetic: 2-2-1 with 4 rows takes 89 ns a step, and
152 by the streamed pass (float32: 76 and 146). Rows are the lanes of a tile, as they are there.
"""

from fastmlp.kernels import calls
from fastmlp.kernels import plan as at
from fastmlp.kernels.elementary import sigmoid, tanh
from fastmlp.kernels.memory import advance, load, pointer, store, sum_of_products
from fastmlp.kernels.passes import begin_statistics, end_statistics, look_for_interrupt
from fastmlp.kernels.registry import Floats, Int, Ints, kernel
from fastmlp.kernels.simd import alike, at_most, fill, fma, greater, helper, lanes, line_lanes, negative, select


@helper
def read_rows(plan, parameters, first, rows):
    """-> x (inputs, rows) and y (columns, rows): the epoch's rows `first` and on, in a tile."""
    if plan[at.X_TILES] != 0:
        x, y = pointer(plan[at.X_TILES], parameters), pointer(plan[at.Y_TILES], parameters)
    else:
        x, y = pointer(plan[at.X_TILE], parameters), pointer(plan[at.Y_TILE], parameters)
        stride, inputs, columns = plan[at.STRIDE], plan[at.FIELDS + at.LAYER_INPUTS], plan[at.COLUMNS]
        order, ordered = pointer(plan[at.ORDER], plan), int(plan[at.ORDER] != 0)
        rows_of = pointer(plan[at.X], parameters)
        calls.gather(plan, rows_of, order, ordered, first=first, rows=rows, K=inputs, tile=x, stride=stride)
        rows_of = pointer(plan[at.Y], parameters)
        calls.gather(plan, rows_of, order, ordered, first=first, rows=rows, K=columns, tile=y, stride=stride)
    return x, y


@helper
def unit_forward(a, w, z, slope, K, J, stride, n, relu, curve):
    """A unit's outputs for the rows from n on, a register; w: the unit's column. -> the outputs."""
    c = fill(w, w[K * J])
    for k in range(K):
        c = fma(load(a, k * stride + n), fill(w, w[k * J]), c)
    if curve == at.SIGMOID:
        c = sigmoid(c)
        store(slope, n, c * (1 - c))
    elif curve == at.TANH:
        c = tanh(c)
        store(slope, n, fma(negative(c), c, 1))
    elif relu:
        c = select(greater(alike(c, 0), c), 0, c)
    store(z, n, c)
    return c


@helper
def forward(plan, parameters, x, rows, by_kernel, last_layer):
    """The rows through all layers, which leave a (J, rows) in LAYER_A; of the last one logits, if by_kernel.

    -> the last unit's last register.
    """
    stride, line, step = plan[at.STRIDE], line_lanes(parameters), lanes(parameters)
    a, layer, c = x, at.FIELDS, fill(parameters, 0)
    while layer <= last_layer:
        K, J = plan[layer + at.LAYER_INPUTS], plan[layer + at.LAYER_OUTPUTS]
        w = advance(parameters, plan[layer + at.LAYER_OFFSET])
        z = pointer(plan[layer + at.LAYER_A], parameters)
        slope = pointer(plan[layer + at.LAYER_SLOPE], parameters)
        relu = plan[layer + at.LAYER_RELU]
        curve = at.STRAIGHT if by_kernel and layer == last_layer else plan[layer + at.LAYER_CURVE]
        for j in range(J):
            column, to = advance(w, j), j * stride
            for n in range(0, line, step):
                c = unit_forward(a, column, advance(z, to), advance(slope, to), K, J, stride, n, relu, curve)
        if curve == at.CALLED:
            calls.activation_forward(plan, layer, z, slope, units=J, rows=rows, stride=stride)
        a = z
        layer += at.LAYER_FIELDS
    return c


@helper
def output_deltas(plan, parameters, c, y, rows, mode, by_kernel, last_layer):
    """dz (J, rows) in the outputs' place, by the kernel of losses or, of one output, here. -> its last register.

    Where a register is a line, c holds all of one output's numbers, and so does what is returned: it need not go
    through memory, which takes 5 ns.
    """
    stride, line, step = plan[at.STRIDE], line_lanes(parameters), lanes(parameters)
    dz = pointer(plan[last_layer + at.LAYER_A], parameters)
    if by_kernel:
        ones, statistics = pointer(plan[at.ONES], parameters), pointer(plan[at.STATISTICS], parameters)
        J, record = plan[at.OUTPUTS], int(mode & at.RECORD != 0)
        begin_statistics(plan, parameters, mode, False)
        calls.loss(plan, dz, y, weights=ones, statistics=statistics, J=J, rows=rows, stride=stride, record=record)
        end_statistics(plan, parameters, mode, False)
    else:
        for n in range(0, line, step):
            p = c if step == line else load(dz, n)
            c = p - load(y, n)
            if plan[at.LOSS_CURVE] == at.SIGMOID:
                c = c * (p * (1 - p))
            store(dz, n, c)
    return c


@helper
def input_deltas(dz, w, J, stride, n):
    """An input's deltas for the rows from n on; w: from the input to each unit."""
    d = fill(w, 0)
    for j in range(J):
        d = fma(load(dz, j * stride + n), fill(w, w[j]), d)
    return d


@helper
def deltas_below(plan, w, a, dz, da, layer, c, held):
    """da (K, rows) = w (K, J) times dz (J, rows), times the slope of the activations a (K, rows) below.

    held: whether there is one unit, whose deltas are c.
    """
    stride, line, step = plan[at.STRIDE], line_lanes(w), lanes(w)
    K, J = plan[layer + at.LAYER_INPUTS], plan[layer + at.LAYER_OUTPUTS]
    below = layer - at.LAYER_FIELDS
    slope = pointer(plan[below + at.LAYER_SLOPE], w)
    curved, relu = plan[below + at.LAYER_CURVE] != at.STRAIGHT, plan[below + at.LAYER_RELU]
    for k in range(K):
        for n in range(0, line, step):
            d = fma(c, fill(w, w[k]), 0) if held else input_deltas(dz, advance(w, k * J), J, stride, n)
            if relu:
                d = select(at_most(load(a, k * stride + n), 0), 0, d)
            elif curved:
                d = d * load(slope, k * stride + n)
            store(da, k * stride + n, d)


@helper
def sum_rows(w, gradient, i, x, d, rows, descends, scale, rate):
    """Parameter i's gradient, the sum of x[n] d[n], or what becomes of the parameter; rate: -learning_rate."""
    if rows <= 4:  # the fewer lanes, the shorter the chain of halves
        total = sum_of_products(x, d, rows, 4)
    elif rows <= 8:
        total = sum_of_products(x, d, rows, 8)
    else:
        total = sum_of_products(x, d, rows, 16)
    if descends:
        w[i] = fma(rate, total * scale, w[i])
    else:
        gradient[i] = total


@helper
def backward(plan, parameters, x, c, rows, mode, by_kernel, last_layer):
    """From the outputs' deltas down: all deltas of the layer below, then a layer's gradient, or its new parameters.

    The update is made where the gradient is summed, and all deltas come first, as they need the old weights: that takes
    4 ns off a step of 2-2-1. c: the register of `output_deltas`.
    """
    stride, line, step = plan[at.STRIDE], line_lanes(parameters), lanes(parameters)
    ones, numbers = pointer(plan[at.ONES], parameters), pointer(plan[at.NUMBERS], parameters)
    gradient = pointer(plan[at.GRADIENT], parameters)
    descends = mode & at.DESCENDS != 0
    scale, rate = numbers[at.JOB_SCALE], -numbers[at.LEARNING_RATE]
    dz = pointer(plan[last_layer + at.LAYER_A], parameters)
    layer = last_layer
    while layer >= at.FIELDS:
        K, J = plan[layer + at.LAYER_INPUTS], plan[layer + at.LAYER_OUTPUTS]
        below = layer - at.LAYER_FIELDS
        w = advance(parameters, plan[layer + at.LAYER_OFFSET])
        g = advance(gradient, plan[layer + at.LAYER_OFFSET])
        a = da = x
        if layer > at.FIELDS:
            a, da = pointer(plan[below + at.LAYER_A], w), pointer(plan[below + at.LAYER_DELTAS], w)
            held = step == line and layer == last_layer and not by_kernel
            deltas_below(plan, w, a, dz, da, layer, c, held)
        for j in range(J):
            sum_rows(w, g, K * J + j, ones, advance(dz, j * stride), rows, descends, scale, rate)
        for k in range(K):
            for j in range(J):
                x_k = advance(a, k * stride)
                sum_rows(w, g, k * J + j, x_k, advance(dz, j * stride), rows, descends, scale, rate)
        dz = da
        layer = below


@kernel(None)
def sum_batch(plan: Ints, parameters: Floats, first: Int, rows: Int, mode: Int) -> int:
    """`train.sum_batch` for a few rows, forward and back. Returns INTERRUPTED (nothing is done) or DONE.

    Where the mode DESCENDS, it makes the update, too.
    """
    if look_for_interrupt(plan, 3 * rows * plan[at.PARAMETERS]):
        return at.INTERRUPTED
    plan[at.BATCH_RIGHT] = 0
    last_layer = at.FIELDS + (plan[at.LAYERS] - 1) * at.LAYER_FIELDS
    by_kernel = mode & at.RECORD != 0 or plan[at.LOSS_CURVE] == at.CALLED
    x, y = read_rows(plan, parameters, first, rows)
    c = forward(plan, parameters, x, rows, by_kernel, last_layer)
    c = output_deltas(plan, parameters, c, y, rows, mode, by_kernel, last_layer)
    backward(plan, parameters, x, c, rows, mode, by_kernel, last_layer)
    return at.DONE
