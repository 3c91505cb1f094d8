"""Online gradient descent: batches of one row, and plain updates. Lanes are a layer's units.

What a batch of one row asks of memory is each weight, read and written; so all that is done to a weight is done in one
go. An update waits until the next row's way forward, which reads the weight anyway: what it needs, the activations and
deltas of the row before, is kept. In a copy of the parameters each row of w, and b behind them, fills whole registers,
so that no register is read that was written in two parts; and a second copy of w by columns, updated alike, serves the
way back. `unpack` makes the waiting updates and writes the parameters.
"""

from fastmlp.kernels import calls
from fastmlp.kernels import plan as at
from fastmlp.kernels.elementary import sigmoid, tanh
from fastmlp.kernels.epochs import begin_epoch, end_epoch, is_recorded
from fastmlp.kernels.memory import advance, load, pointer, spread, store
from fastmlp.kernels.registry import Float, Floats, Int, Ints, kernel
from fastmlp.kernels.simd import (
    alike,
    at_most,
    equal,
    fill,
    fma,
    greater,
    helper,
    lane_numbers,
    lanes,
    line_lanes,
    negative,
    rotated,
    select,
    spread_first,
    spread_number,
)
from fastmlp.reference import train as reference


@helper
def updated(w, product, scale, rate):
    """w - learning_rate (scale (product + 0)), rate being -learning_rate. The lanes without a row add the +0."""
    return fma(rate, (product + 0) * scale, w)


@kernel(None)
def sweep(
    w: Floats, now: Floats, before: Floats, deltas: Floats, sums: Floats,
    count: Int, stride: Int, scale: Float, learning_rate: Float,
):  # fmt: skip
    """w[i, :] is updated by before[i] deltas[:], and sums[:] = fma(now[i], w[i, :], sums[:]), for each i in turn.

    Forward, w's rows by the inputs and deltas of the row before; on the way back, its columns by the deltas and inputs.
    """
    s = lanes(w)
    factor, rate = fill(w, scale), negative(fill(w, learning_rate))
    j = 0
    while j < stride:
        if j + 4 * s <= stride:
            d0, d1, d2, d3 = load(deltas, j), load(deltas, j + s), load(deltas, j + 2 * s), load(deltas, j + 3 * s)
            c0, c1, c2, c3 = load(sums, j), load(sums, j + s), load(sums, j + 2 * s), load(sums, j + 3 * s)
            for i in range(count):
                x, was, to = spread(now, i), spread(before, i), i * stride + j
                w0 = updated(load(w, to), was * d0, factor, rate)
                w1 = updated(load(w, to + s), was * d1, factor, rate)
                w2 = updated(load(w, to + 2 * s), was * d2, factor, rate)
                w3 = updated(load(w, to + 3 * s), was * d3, factor, rate)
                store(w, to, w0)
                store(w, to + s, w1)
                store(w, to + 2 * s, w2)
                store(w, to + 3 * s, w3)
                c0, c1, c2, c3 = fma(x, w0, c0), fma(x, w1, c1), fma(x, w2, c2), fma(x, w3, c3)
            store(sums, j, c0)
            store(sums, j + s, c1)
            store(sums, j + 2 * s, c2)
            store(sums, j + 3 * s, c3)
            j += 4 * s
        else:
            c = sweep_register(advance(w, j), now, before, load(deltas, j), load(sums, j), count, stride, factor, rate)
            store(sums, j, c)
            j += s


@helper
def sweep_register(w, now, before, deltas, c, count, stride, scale, rate):
    """As `sweep`, one register of sums."""
    for i in range(count):
        x = updated(load(w, i * stride), spread(before, i) * deltas, scale, rate)
        store(w, i * stride, x)
        c = fma(spread(now, i), x, c)
    return c


@helper
def sweep_lanes(w, now, before, deltas, c, count, stride, scale, rate):
    """As `sweep_register`, with now[i] in lane i: from a register to memory and back takes 3 ns."""
    for i in range(count):
        x = updated(load(w, i * stride), spread(before, i) * deltas, scale, rate)
        store(w, i * stride, x)
        c = fma(spread_first(now), x, c)
        now = rotated(now)
    return c


@kernel(None)
def pack(plan: Ints, parameters: Floats):
    """Copies the parameters as a training wants them; no update waits."""
    for number_of in range(plan[at.LAYERS]):
        layer = at.FIELDS + number_of * at.LAYER_FIELDS
        K, J, stride = plan[layer + at.LAYER_INPUTS], plan[layer + at.LAYER_OUTPUTS], plan[layer + at.LAYER_STRIDE]
        w = advance(parameters, plan[layer + at.LAYER_OFFSET])
        rows = pointer(plan[layer + at.LAYER_ROWS], parameters)
        deltas = pointer(plan[layer + at.LAYER_DELTAS], parameters)
        for k in range(K + 1):
            for j in range(0, stride, lanes(w)):
                store(rows, k * stride + j, load(w, k * J + j))
        for j in range(0, 2 * stride, lanes(w)):
            store(deltas, j, fill(w, 0))
        if number_of > 0:
            columns = pointer(plan[layer + at.LAYER_COLUMNS], parameters)
            below = plan[layer - at.LAYER_FIELDS + at.LAYER_STRIDE]
            for j in range(J):
                for k in range(K):
                    columns[j * below + k] = w[k * J + j]


@kernel(None)
def unpack(plan: Ints, parameters: Floats, scale: Float, learning_rate: Float):
    """Makes the updates that wait, and writes the parameters."""
    s = lanes(parameters)
    factor, rate = fill(parameters, scale), negative(fill(parameters, learning_rate))
    before = advance(pointer(plan[at.X], parameters), plan[at.ROW_BEFORE] * plan[at.FIELDS + at.LAYER_INPUTS])
    below = 0
    for number_of in range(plan[at.LAYERS]):
        layer = at.FIELDS + number_of * at.LAYER_FIELDS
        K, J, stride = plan[layer + at.LAYER_INPUTS], plan[layer + at.LAYER_OUTPUTS], plan[layer + at.LAYER_STRIDE]
        w = advance(parameters, plan[layer + at.LAYER_OFFSET])
        rows = pointer(plan[layer + at.LAYER_ROWS], parameters)
        deltas = advance(pointer(plan[layer + at.LAYER_DELTAS], parameters), plan[at.BEFORE] * stride)
        # what a register writes too much, the next row or layer writes again
        for k in range(K + 1):
            x = spread(before, k) if k < K else fill(w, 1)
            for j in range(0, stride, s):
                row = updated(load(rows, k * stride + j), x * load(deltas, j), factor, rate)
                store(rows, k * stride + j, row)
                store(w, k * J + j, row)
        columns = pointer(plan[layer + at.LAYER_COLUMNS], parameters)
        for j in range(J if below > 0 else 0):
            for k in range(0, below, s):
                product = spread(deltas, j) * load(before, k)
                store(columns, j * below + k, updated(load(columns, j * below + k), product, factor, rate))
        for j in range(0, stride, s):
            store(deltas, j, fill(w, 0))
        before = advance(pointer(plan[layer + at.LAYER_A], parameters), plan[at.BEFORE] * stride)
        below = stride


# A row's step: forward, loss, backward. The updates of the row before are made on the way: forward reads each weight
# once, updates it and goes on with it, and so does backward with the copy by columns. A weight is then read and written
# once a step, where a pass, a sum and an update take 1.7 to 7 times as long. A layer whose units fill one register is
# narrow: its outputs, and its deltas, go from that register to the next layer, and those of the first layer wait there
# for the next row. What goes through memory can be read again after 3 ns: a step of 2-2-1 takes 72 ns, and not 82.


@helper
def now_and_before(plan, field, stride, now, like):
    """-> where a layer's activations or deltas, whose address is this field, are of this row and of the row before."""
    of_two_rows = pointer(plan[field], like)
    return advance(of_two_rows, now * stride), advance(of_two_rows, (1 - now) * stride)


# Forward


@helper
def forward_narrow(plan, layer, a, before, c, held, first_deltas, now, curve, factor, rate):
    """a w + b of a layer of one register, and the activation unless it is CALLED; w and b are updated. -> the register.

    a (K): the inputs, or c, where these are held in a register; before (K): those of the row before.
    """
    K, stride = plan[layer + at.LAYER_INPUTS], plan[layer + at.LAYER_STRIDE]
    rows = pointer(plan[layer + at.LAYER_ROWS], a)
    b = advance(rows, K * stride)
    _, deltas = now_and_before(plan, layer + at.LAYER_DELTAS, stride, now, a)
    slope = pointer(plan[layer + at.LAYER_SLOPE], a)
    d = first_deltas if layer == at.FIELDS else load(deltas, 0)
    bias = updated(load(b, 0), d, factor, rate)
    store(b, 0, bias)
    if held:
        c = sweep_lanes(rows, c, before, d, bias, K, stride, factor, rate)
    else:
        c = sweep_register(rows, a, before, d, bias, K, stride, factor, rate)
    if curve == at.SIGMOID:
        c = sigmoid(c)
        store(slope, 0, c * (1 - c))
    elif curve == at.TANH:
        c = tanh(c)
        store(slope, 0, fma(negative(c), c, 1))
    elif plan[layer + at.LAYER_RELU] != 0:
        c = select(greater(alike(c, 0), c), 0, c)
    return c


@helper
def forward_wide(plan, layer, a, before, z, now, scale, learning_rate):
    """z (J) = a (K) w + b of a layer of several registers, and relu; w and b are updated. before (K): as a."""
    K, stride = plan[layer + at.LAYER_INPUTS], plan[layer + at.LAYER_STRIDE]
    factor, rate = fill(a, scale), negative(fill(a, learning_rate))
    rows = pointer(plan[layer + at.LAYER_ROWS], a)
    b = advance(rows, K * stride)
    _, deltas = now_and_before(plan, layer + at.LAYER_DELTAS, stride, now, a)
    for j in range(0, stride, lanes(a)):
        bias = updated(load(b, j), load(deltas, j), factor, rate)
        store(b, j, bias)
        store(z, j, bias)
    calls.sweep(
        plan, w=rows, now=a, before=before, deltas=deltas, sums=z, count=K, stride=stride, scale=scale,
        learning_rate=learning_rate,
    )  # fmt: skip
    if plan[layer + at.LAYER_RELU] != 0:
        for j in range(0, stride, lanes(a)):
            c = load(z, j)
            store(z, j, select(greater(alike(c, 0), c), 0, c))


@helper
def forward(plan, like, x, first_deltas, now, last_layer, by_tile, scale, learning_rate):
    """A row x (K) through all layers, each weight updated on the way. -> the outputs, logits if by_tile: where they are
    (J), and those of a narrow layer.

    first_deltas: the waiting ones of a narrow first layer.
    """
    factor, rate = fill(like, scale), negative(fill(like, learning_rate))
    a, layer = x, at.FIELDS
    before = advance(pointer(plan[at.X], like), plan[at.ROW_BEFORE] * plan[layer + at.LAYER_INPUTS])
    c = fill(like, 0)
    narrow_below = False
    while layer <= last_layer:
        stride = plan[layer + at.LAYER_STRIDE]
        z, z_before = now_and_before(plan, layer + at.LAYER_A, stride, now, like)
        curve = at.STRAIGHT if by_tile and layer == last_layer else plan[layer + at.LAYER_CURVE]
        if stride == lanes(like):
            c = forward_narrow(plan, layer, a, before, c, narrow_below, first_deltas, now, curve, factor, rate)
            store(z, 0, c)
            narrow_below = True
        else:
            forward_wide(plan, layer, a, before, z, now, scale, learning_rate)
            narrow_below = False
        if curve == at.CALLED:
            slope, J = pointer(plan[layer + at.LAYER_SLOPE], like), plan[layer + at.LAYER_OUTPUTS]
            calls.activation_forward(plan, layer, z, slope, units=1, rows=J, stride=stride)
            c = load(z, 0)
        a, before = z, z_before
        layer += at.LAYER_FIELDS
    return a, c


# Loss


@helper
def loss_by_tile(plan, z, y, dz, record):
    """dz (J) by the kernel of losses, to which z (J) and y (columns) are tiles of one row. -> its last register."""
    J, tile = plan[at.OUTPUTS], plan[at.STRIDE]
    logits = pointer(plan[at.Y_TILE], z)
    targets, ones = advance(logits, J * tile), pointer(plan[at.ONES], z)
    statistics = pointer(plan[at.STATISTICS], z)
    for j in range(J):
        store(logits, j * tile, spread(z, j))
    for j in range(plan[at.COLUMNS]):
        store(targets, j * tile, spread(y, j))
    if record:
        for i in range(0, 2 * line_lanes(z), lanes(z)):
            store(statistics, i, fill(z, 0))
    calls.loss(plan, z=logits, y=targets, weights=ones, statistics=statistics, J=J, rows=1, stride=tile, record=record)
    d = fill(z, 0)
    for first in range(0, J, lanes(z)):
        for j in range(first, J if J - first < lanes(z) else first + lanes(z)):
            d = select(equal(lane_numbers(z), spread_number(z, j - first)), spread(logits, j * tile), d)
        store(dz, first, d)
    return d


@helper
def output_deltas(plan, a, p, y, dz, numbers, by_tile, record):
    """dz (J), by_tile of the logits a (J), or else of one output, which p holds. -> its last register.

    With record, adds to the epoch's loss and right rows.
    """
    if by_tile:
        d = loss_by_tile(plan, a, y, dz, int(record))
        if record:
            statistics = pointer(plan[at.STATISTICS], a)
            numbers[at.TOTAL] += statistics[0]
            plan[at.EPOCH_RIGHT] += int(statistics[line_lanes(statistics)])
    else:
        d = p - spread(y, 0)
        if plan[at.LOSS_CURVE] == at.SIGMOID:
            d = d * (p * (1 - p))
        store(dz, 0, d)
    return d


# Backward


@helper
def backward_narrow(plan, layer, d, like, now, factor, rate):
    """The deltas of the layer below, of one register; the layer's w by columns is updated. -> the register.

    d: the layer's own deltas, where they are one register.
    """
    below = layer - at.LAYER_FIELDS
    J, stride, to = plan[layer + at.LAYER_OUTPUTS], plan[layer + at.LAYER_STRIDE], plan[below + at.LAYER_STRIDE]
    dz, dz_before = now_and_before(plan, layer + at.LAYER_DELTAS, stride, now, like)
    a, a_before = now_and_before(plan, below + at.LAYER_A, to, now, like)
    da, _ = now_and_before(plan, below + at.LAYER_DELTAS, to, now, like)
    columns = pointer(plan[layer + at.LAYER_COLUMNS], like)
    slope = pointer(plan[below + at.LAYER_SLOPE], like)
    curved, relu = plan[below + at.LAYER_CURVE] != at.STRAIGHT, plan[below + at.LAYER_RELU]
    was, zero = load(a_before, 0), fill(like, 0)
    if stride == lanes(like):
        d = sweep_lanes(columns, d, dz_before, was, zero, J, to, factor, rate)
    else:
        d = sweep_register(columns, dz, dz_before, was, zero, J, to, factor, rate)
    if curved:
        d = d * load(slope, 0)
    elif relu:
        d = select(at_most(load(a, 0), 0), 0, d)
    store(da, 0, d)
    return d


@helper
def backward_wide(plan, layer, like, now, scale, learning_rate):
    """The deltas da (K) of the layer below, of several registers; the layer's w by columns is updated."""
    below = layer - at.LAYER_FIELDS
    J, stride, to = plan[layer + at.LAYER_OUTPUTS], plan[layer + at.LAYER_STRIDE], plan[below + at.LAYER_STRIDE]
    dz, dz_before = now_and_before(plan, layer + at.LAYER_DELTAS, stride, now, like)
    a, a_before = now_and_before(plan, below + at.LAYER_A, to, now, like)
    da, _ = now_and_before(plan, below + at.LAYER_DELTAS, to, now, like)
    columns = pointer(plan[layer + at.LAYER_COLUMNS], like)
    slope = pointer(plan[below + at.LAYER_SLOPE], like)
    curved, relu = plan[below + at.LAYER_CURVE] != at.STRAIGHT, plan[below + at.LAYER_RELU]
    for k in range(0, to, lanes(like)):
        store(da, k, fill(like, 0))
    calls.sweep(
        plan, w=columns, now=dz, before=dz_before, deltas=a_before, sums=da, count=J, stride=to, scale=scale,
        learning_rate=learning_rate,
    )  # fmt: skip
    for k in range(0, to, lanes(like)):
        d = load(da, k)
        if curved:
            d = d * load(slope, k)
        elif relu:
            d = select(at_most(load(a, k), 0), 0, d)
        store(da, k, d)


@helper
def backward(plan, like, d, now, last_layer, scale, learning_rate):
    """From the outputs' deltas to all others', each weight's other copy updated on the way. -> a narrow first layer's.

    d: the outputs', where they are one register.
    """
    factor, rate = fill(like, scale), negative(fill(like, learning_rate))
    layer = last_layer
    while layer > at.FIELDS:
        below = layer - at.LAYER_FIELDS
        if plan[below + at.LAYER_STRIDE] == lanes(like):
            d = backward_narrow(plan, layer, d, like, now, factor, rate)
        else:
            backward_wide(plan, layer, like, now, scale, learning_rate)
        layer = below
    return d


# Training


@helper
def step(plan, parameters, row, d, numbers, last_layer, by_tile, record, scale, learning_rate):
    """A row of x and y, forward and back, with the updates of the row before; its own wait.

    d: the deltas of a narrow first layer that wait. -> those of this row.
    """
    x = advance(pointer(plan[at.X], parameters), row * plan[at.FIELDS + at.LAYER_INPUTS])
    y = advance(pointer(plan[at.Y], parameters), row * plan[at.COLUMNS])
    now = 1 - plan[at.BEFORE]
    a, p = forward(plan, parameters, x, d, now, last_layer, by_tile, scale, learning_rate)
    dz, _ = now_and_before(plan, last_layer + at.LAYER_DELTAS, plan[last_layer + at.LAYER_STRIDE], now, parameters)
    d = output_deltas(plan, a, p, y, dz, numbers, by_tile, record)
    d = backward(plan, parameters, d, now, last_layer, scale, learning_rate)
    plan[at.ROW_BEFORE] = row
    plan[at.BEFORE] = now
    return d


@helper
def epochs(plan, parameters, batches):
    """As `train.train`, which see. Leaves updates waiting."""
    numbers, order = pointer(plan[at.NUMBERS], parameters), pointer(plan[at.ORDER], plan)
    scale, learning_rate = numbers[at.SCALE], numbers[at.LEARNING_RATE]
    rows, last_layer = plan[at.ROWS], at.FIELDS + (plan[at.LAYERS] - 1) * at.LAYER_FIELDS
    d = fill(parameters, 0)  # deltas of a narrow first layer that wait
    while plan[at.EPOCH] <= plan[at.EPOCHS]:
        record = is_recorded(plan)
        if batches <= 0 or plan[at.RECORDS] == plan[at.RECORD_CAPACITY]:
            return at.MORE
        if plan[at.START] == 0:
            if record:
                calls.unpack(plan, parameters, scale, learning_rate)
                d = fill(parameters, 0)
            begin_epoch(plan, parameters, numbers, record)
        by_tile = record or plan[at.LOSS_CURVE] == at.CALLED
        start, end = plan[at.START], rows if rows - plan[at.START] < batches else plan[at.START] + batches
        batches -= end - start
        for n in range(start, end):
            row = order[n] if plan[at.ORDER] != 0 else n
            d = step(plan, parameters, row, d, numbers, last_layer, by_tile, record, scale, learning_rate)
        plan[at.START] = end
        if end < rows:
            return at.MORE
        if record:
            calls.unpack(plan, parameters, scale, learning_rate)
            d = fill(parameters, 0)
        ended = end_epoch(plan, parameters, numbers, record)
        if ended != at.DONE:
            return ended
    return at.DONE


@kernel(reference.train)
def train(plan: Ints, parameters: Floats, batches: Int) -> int:
    """`train.train` for batches of one row of several, plain gradient descent at one rate, and no options."""
    numbers = pointer(plan[at.NUMBERS], parameters)
    plan[at.RECORDS] = 0
    calls.pack(plan, parameters)
    ended = epochs(plan, parameters, batches)
    calls.unpack(plan, parameters, scale=numbers[at.SCALE], learning_rate=numbers[at.LEARNING_RATE])
    return ended
