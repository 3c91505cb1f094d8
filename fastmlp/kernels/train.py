"""Passes over rows, and the training loop: the twin of `fastmlp/reference/train.py`.

These kernels order the others' work, which they reach by addresses in a plan (`fastmlp/plan.py`), so that a network
compiles only what it uses. Nothing is allocated. The numbers that are made here are sums of chunks (`combine`) and an
epoch's mean loss.
"""

from fastmlp import plan as at
from fastmlp.kernels.memory import advance, call, fold, interrupted, load, pointer, store
from fastmlp.kernels.simd import helper, lanes, line_lanes, number
from fastmlp.kernels.team import part
from fastmlp.pairs import Float, Floats, Int, Ints, kernel
from fastmlp.reference import train as reference
from fastmlp.reference.arithmetic import CHUNK
from fastmlp.reference.random import DROPOUT

SHARED_UPDATE = 100_000  # parameters, from which a team updates them together
INTERRUPT_WORK = 300_000_000  # multiplications between two looks for Ctrl-C: some 10 ms, where a look takes 0.1 us


@helper
def set_tail(x, units, rows, stride, value):
    """Writes `value` to each unit's padding: the rows from `rows` to the end of their group."""
    group = 2 * lanes(x)
    end = (rows + group - 1) // group * group
    for start in range(0, units * stride, stride):
        for n in range(start + rows, start + end):
            x[n] = value


@helper
def look_for_interrupt(plan, work):
    """Whether Ctrl-C was pressed, asked only after INTERRUPT_WORK multiplications."""
    plan[at.WORK] += work
    if plan[at.WORK] < INTERRUPT_WORK:
        return False
    plan[at.WORK] = 0
    return interrupted() != 0


@helper
def loss_rows(plan, z, y, statistics, J, rows, stride, mode, record):
    """Calls the loss, with its setting if it has one: dz in place of z, times the rows' weights where there are any."""
    weights = pointer(plan[at.ONES], z)
    if mode & at.WEIGHED:
        weights = advance(y, (plan[at.COLUMNS] - 1) * stride)
    if mode & at.LOSS_IS_SET:
        parameter = pointer(plan[at.LOSS_PARAMETER], z)[0]
        call(plan[at.LOSS_KERNEL], (z, y, weights, statistics, parameter, J, rows, stride, record))
    else:
        call(plan[at.LOSS_KERNEL], (z, y, weights, statistics, J, rows, stride, record))
    if mode & at.WEIGHED:
        call(plan[at.WEIGH_KERNEL], (z, weights, advance(statistics, 2 * line_lanes(z)), J, rows, stride))


@helper
def begin_statistics(plan, like, mode, options):
    """Empties the lanes in which a chunk's losses, right rows and weights gather."""
    line = line_lanes(like)
    statistics = pointer(plan[at.STATISTICS], like)
    if mode & at.RECORD:
        for i in range(2 * line):
            statistics[i] = 0
    if options and mode & at.WEIGHED:
        for i in range(2 * line, 3 * line):
            statistics[i] = 0


@helper
def end_statistics(plan, like, mode, options):
    """Leaves a chunk's loss and the sum of its weights behind its gradient, and adds its right rows."""
    line = line_lanes(like)
    statistics = pointer(plan[at.STATISTICS], like)
    behind = advance(pointer(plan[at.GRADIENT], like), plan[at.PARAMETERS])
    if mode & at.RECORD:
        behind[0] = fold(statistics, 0)
        for i in range(line, 2 * line):
            plan[at.BATCH_RIGHT] += int(statistics[i])
    if options and mode & at.WEIGHED:
        behind[1] = fold(statistics, 2 * line)


@kernel(None)
def dropout(plan: Ints, a: Floats, layer: Int, first: Int, rows: Int, stride: Int):
    """Draws the factors of a layer's dropout for the epoch's rows `first` and on, and multiplies a and the slopes.

    layer: where its table begins in the plan. A stride of 1 stands for one row, whose units lie side by side.
    """
    units = plan[layer + at.LAYER_OUTPUTS]
    factors = pointer(plan[layer + at.LAYER_FACTORS], a)
    stream = DROPOUT + (layer - at.FIELDS) // at.LAYER_FIELDS
    epoch = plan[at.EPOCHS_BEFORE] + plan[at.EPOCH]
    kept = pointer(plan[layer + at.LAYER_KEPT], a)[0]
    threshold = plan[layer + at.LAYER_THRESHOLD]
    call(
        plan[at.DROPOUT_FACTORS],
        (factors, plan[at.DROPOUT_SEED], stream, epoch, first, units, rows, stride, threshold, kept),
    )
    lines, width = (1, units) if stride == 1 else (units, rows)
    call(plan[at.MULTIPLY], (a, factors, lines, width, stride))
    if plan[layer + at.LAYER_SLOPE] != plan[layer + at.LAYER_FACTORS]:
        call(plan[at.MULTIPLY], (pointer(plan[layer + at.LAYER_SLOPE], a), factors, lines, width, stride))


# Each pass is made twice: one knows nothing of weights, dropout and losses with a setting, whose questions alone would
# cost the smallest batches 4 % of their time. `options` is a constant to the compiler.


def _streamed(options):
    def streamed(plan: Ints, parameters: Floats, first: Int, rows: Int, mode: Int) -> int:
        """A chunk's rows, `first` and on, tile by tile through all layers: a tile and its activations stay in cache.

        Does what `mode` says: OUTPUT writes the rows' outputs; RECORD adds to the statistics; BACKWARD leaves the
        chunk's gradient. Returns INTERRUPTED (the chunk is then unfinished) or DONE.
        """
        layers = plan[at.LAYERS]
        tile, stride = plan[at.TILE], plan[at.STRIDE]
        ones = pointer(plan[at.ONES], parameters)
        sums = pointer(plan[at.SUMS], parameters)
        gradient = pointer(plan[at.GRADIENT], parameters)
        statistics = pointer(plan[at.STATISTICS], parameters)
        inputs = plan[at.FIELDS + at.LAYER_INPUTS]
        last_layer = at.FIELDS + (layers - 1) * at.LAYER_FIELDS
        group = 2 * lanes(parameters)
        begin_statistics(plan, parameters, mode, options)
        done = 0
        while done < rows:
            n = tile if tile < rows - done else rows - done
            ragged = n % group != 0
            if plan[at.X_TILES] != 0:
                slot = first // CHUNK * ((CHUNK + tile - 1) // tile) + done // tile
                x = advance(pointer(plan[at.X_TILES], parameters), slot * inputs * stride)
                y = advance(pointer(plan[at.Y_TILES], parameters), slot * plan[at.COLUMNS] * stride)
            else:
                x = pointer(plan[at.X_TILE], parameters)
                y = pointer(plan[at.Y_TILE], parameters)
                order, ordered = pointer(plan[at.ORDER], plan), int(plan[at.ORDER] != 0)
                rows_of = pointer(plan[at.X], parameters)
                call(plan[at.GATHER], (rows_of, order, ordered, first + done, n, inputs, x, stride))
                if mode != at.OUTPUT:
                    rows_of = pointer(plan[at.Y], parameters)
                    call(plan[at.GATHER], (rows_of, order, ordered, first + done, n, plan[at.COLUMNS], y, stride))
            # forward
            a = x
            layer = at.FIELDS
            while layer <= last_layer:
                K, J = plan[layer + at.LAYER_INPUTS], plan[layer + at.LAYER_OUTPUTS]
                w = advance(parameters, plan[layer + at.LAYER_OFFSET])
                z = pointer(plan[layer + at.LAYER_A], parameters)
                call(plan[at.DENSE_FORWARD], (a, w, advance(w, K * J), z, K, J, n, stride, plan[layer + at.LAYER_RELU]))
                if plan[layer + at.LAYER_FORWARD] != 0:
                    slope = pointer(plan[layer + at.LAYER_SLOPE], parameters)
                    call(plan[layer + at.LAYER_FORWARD], (z, slope, J, n, stride))
                if options and mode & at.DROPS and plan[layer + at.LAYER_FACTORS] != 0:
                    call(plan[at.DROPOUT], (plan, z, layer, first + done, n, stride))
                if ragged and mode & at.BACKWARD and layer < last_layer:
                    set_tail(z, J, n, stride, 0.0)
                if look_for_interrupt(plan, n * K * J):
                    return at.INTERRUPTED
                a = z
                layer += at.LAYER_FIELDS
            J = plan[at.OUTPUTS]
            if mode & at.OUTPUT:
                if plan[at.OUTPUT_KERNEL] != 0:
                    call(plan[at.OUTPUT_KERNEL], (a, J, n, stride))
                call(plan[at.SCATTER], (a, stride, n, J, pointer(plan[at.RESULT], parameters), first + done))
            else:
                record = int(mode & at.RECORD != 0)
                if options:
                    loss_rows(plan, a, y, statistics, J, n, stride, mode, record)
                else:
                    call(plan[at.LOSS_KERNEL], (a, y, ones, statistics, J, n, stride, record))
            # backward: the deltas of a layer take the place of its activations
            if mode & at.BACKWARD:
                dz = a
                begins, ends = int(done == 0), int(done + n == rows)
                layer = last_layer
                while layer >= at.FIELDS:
                    K, J = plan[layer + at.LAYER_INPUTS], plan[layer + at.LAYER_OUTPUTS]
                    offset = plan[layer + at.LAYER_OFFSET]
                    below = layer - at.LAYER_FIELDS
                    a = x if layer == at.FIELDS else pointer(plan[below + at.LAYER_A], parameters)
                    if ragged:
                        set_tail(dz, J, n, stride, -0.0)  # a sum that takes in -0 stays what it is
                    lines = sums if begins and ends else advance(sums, offset * line_lanes(parameters))
                    to = advance(gradient, offset)
                    call(plan[at.DENSE_BACKWARD_WEIGHTS], (a, ones, dz, lines, to, K, J, n, stride, begins, ends))
                    if layer > at.FIELDS:
                        w = advance(parameters, offset)
                        relu = plan[below + at.LAYER_RELU]
                        call(plan[at.DENSE_BACKWARD_INPUT], (dz, w, a, K, J, n, stride, relu))
                        if plan[below + at.LAYER_SLOPE] != 0:
                            slope = pointer(plan[below + at.LAYER_SLOPE], parameters)
                            call(plan[at.MULTIPLY], (a, slope, K, n, stride))
                    dz = a
                    if look_for_interrupt(plan, 2 * n * K * J):
                        return at.INTERRUPTED
                    layer = below
            done += n
        end_statistics(plan, parameters, mode, options)
        return at.DONE

    return streamed


def _rowwise(options):
    def rowwise(plan: Ints, parameters: Floats, first: Int, rows: Int, mode: Int) -> int:
        """A chunk's rows, `first` and on, one by one: lanes are a layer's units. For batches of one row or a few.

        Does what `streamed` does. A row's lane in the sums is a whole vector of parameters; these vectors fold last.
        """
        layers = plan[at.LAYERS]
        stride = plan[at.STRIDE]
        sums = pointer(plan[at.SUMS], parameters)
        logits = pointer(plan[at.Y_TILE], parameters)  # the outputs as a tile of one row, for the kernels of losses
        statistics = pointer(plan[at.STATISTICS], parameters)
        inputs, J = plan[at.FIELDS + at.LAYER_INPUTS], plan[at.OUTPUTS]
        targets = advance(logits, J * stride)
        order = pointer(plan[at.ORDER], plan)
        last_layer = at.FIELDS + (layers - 1) * at.LAYER_FIELDS
        line = line_lanes(parameters)
        size = (plan[at.PARAMETERS] + 1 + line) // line * line
        begin_statistics(plan, parameters, mode, options)
        for n in range(rows):
            row = order[first + n] if plan[at.ORDER] != 0 else first + n
            lane = n % line
            x = advance(pointer(plan[at.X], parameters), row * inputs)
            # forward
            a = x
            layer = at.FIELDS
            while layer <= last_layer:
                K, J = plan[layer + at.LAYER_INPUTS], plan[layer + at.LAYER_OUTPUTS]
                w = advance(parameters, plan[layer + at.LAYER_OFFSET])
                z = pointer(plan[layer + at.LAYER_A], parameters)
                call(plan[at.DENSE_FORWARD], (a, w, advance(w, K * J), z, K, J, plan[layer + at.LAYER_RELU]))
                if plan[layer + at.LAYER_FORWARD] != 0:
                    slope = pointer(plan[layer + at.LAYER_SLOPE], parameters)
                    call(plan[layer + at.LAYER_FORWARD], (z, slope, 1, J, stride))
                if options and mode & at.DROPS and plan[layer + at.LAYER_FACTORS] != 0:
                    call(plan[at.DROPOUT], (plan, z, layer, first + n, 1, 1))
                if look_for_interrupt(plan, K * J):
                    return at.INTERRUPTED
                a = z
                layer += at.LAYER_FIELDS
            J = plan[at.OUTPUTS]
            for j in range(J):
                logits[j * stride] = a[j]
            if mode & at.OUTPUT:
                if plan[at.OUTPUT_KERNEL] != 0:
                    call(plan[at.OUTPUT_KERNEL], (logits, J, 1, stride))
                result = advance(pointer(plan[at.RESULT], parameters), (first + n) * J)
                for j in range(J):
                    result[j] = logits[j * stride]
            else:
                y = advance(pointer(plan[at.Y], parameters), row * plan[at.COLUMNS])
                for j in range(plan[at.COLUMNS]):
                    targets[j * stride] = y[j]
                # statistics from this row's lane on: only that lane is written, as a tile of one row has one real lane
                place = advance(statistics, lane)
                record = int(mode & at.RECORD != 0)
                if options:
                    loss_rows(plan, logits, targets, place, J, 1, stride, mode, record)
                else:
                    ones = pointer(plan[at.ONES], parameters)
                    call(plan[at.LOSS_KERNEL], (logits, targets, ones, place, J, 1, stride, record))
                for j in range(J):
                    a[j] = logits[j * stride]
            # backward
            if mode & at.BACKWARD:
                dz = a
                layer = last_layer
                while layer >= at.FIELDS:
                    K, J = plan[layer + at.LAYER_INPUTS], plan[layer + at.LAYER_OUTPUTS]
                    offset = plan[layer + at.LAYER_OFFSET]
                    below = layer - at.LAYER_FIELDS
                    a = x if layer == at.FIELDS else pointer(plan[below + at.LAYER_A], parameters)
                    to = advance(sums, lane * size + offset)
                    call(plan[at.DENSE_BACKWARD_WEIGHTS], (a, dz, to, K, J, int(n < line)))
                    if layer > at.FIELDS:
                        w = advance(parameters, offset)
                        call(plan[at.DENSE_BACKWARD_INPUT], (dz, w, a, K, J, plan[below + at.LAYER_RELU]))
                        if plan[below + at.LAYER_SLOPE] != 0:
                            slope = pointer(plan[below + at.LAYER_SLOPE], parameters)
                            call(plan[at.MULTIPLY], (a, slope, 1, K, stride))
                    dz = a
                    if look_for_interrupt(plan, 2 * K * J):
                        return at.INTERRUPTED
                    layer = below
        if mode & at.BACKWARD:
            call(plan[at.FOLD_ROWS], (sums, pointer(plan[at.GRADIENT], parameters), plan[at.PARAMETERS], size, rows))
        end_statistics(plan, parameters, mode, options)
        return at.DONE

    return rowwise


def _with_options(function):
    function.__name__ += "_with_options"
    return function


streamed = kernel(None)(_streamed(options=False))
streamed_with_options = kernel(None)(_with_options(_streamed(options=True)))
rowwise = kernel(None)(_rowwise(options=False))
rowwise_with_options = kernel(None)(_with_options(_rowwise(options=True)))


@helper
def outputs_of_chunk(plan, z, stride, first, rows, mode):
    """Writes the rows' outputs, or puts the deltas in place of the logits z, whose rows are `stride` apart."""
    J, tile_stride = plan[at.OUTPUTS], plan[at.STRIDE]
    tile = pointer(plan[at.Y_TILE], z)
    y = advance(tile, J * tile_stride)
    call(plan[at.TRANSPOSE], (z, stride, rows, J, tile, tile_stride))
    set_tail(tile, J, rows, tile_stride, 0.0)
    if mode & at.OUTPUT:
        if plan[at.OUTPUT_KERNEL] != 0:
            call(plan[at.OUTPUT_KERNEL], (tile, J, rows, tile_stride))
        call(plan[at.SCATTER], (tile, tile_stride, rows, J, pointer(plan[at.RESULT], z), first))
    else:
        order, ordered = pointer(plan[at.ORDER], plan), int(plan[at.ORDER] != 0)
        columns = plan[at.COLUMNS]
        call(plan[at.GATHER], (pointer(plan[at.Y], z), order, ordered, first, rows, columns, y, tile_stride))
        begin_statistics(plan, z, mode, True)
        record = int(mode & at.RECORD != 0)
        loss_rows(plan, tile, y, pointer(plan[at.STATISTICS], z), J, rows, tile_stride, mode, record)
        end_statistics(plan, z, mode, True)
        if mode & at.BACKWARD:
            call(plan[at.TRANSPOSE], (tile, tile_stride, J, rows, z, stride))


@helper
def combine_scalars(plan, like, chunk, last):
    """Takes the loss and the weights of a chunk, behind the gradient, into their tree; the last leaves the sums."""
    scalars = pointer(plan[at.SCALARS], like)
    behind = advance(pointer(plan[at.GRADIENT], like), plan[at.PARAMETERS])
    level, waiting = 0, chunk
    while waiting & 1 or (last and waiting > 0):
        if waiting & 1:
            behind[0] = scalars[2 * level] + behind[0]
            behind[1] = scalars[2 * level + 1] + behind[1]
        level += 1
        waiting >>= 1
    scalars[2 * level] = behind[0]
    scalars[2 * level + 1] = behind[1]


@kernel(None)
def dropout_by_rows(plan: Ints, a: Floats, layer: Int, first: Int, low: Int, rows: Int):
    """As `dropout`, of a layer whose units lie row by row, for a span's rows `low` and on."""
    units, stride = plan[layer + at.LAYER_OUTPUTS], plan[layer + at.LAYER_STRIDE]
    factors = advance(pointer(plan[layer + at.LAYER_FACTORS], a), low * stride)
    stream = DROPOUT + (layer - at.FIELDS) // at.LAYER_FIELDS
    epoch = plan[at.EPOCHS_BEFORE] + plan[at.EPOCH]
    kept = pointer(plan[layer + at.LAYER_KEPT], a)[0]
    threshold = plan[layer + at.LAYER_THRESHOLD]
    seed, draw = plan[at.DROPOUT_SEED], plan[at.DROPOUT_FACTORS]
    for n in range(rows):
        to = advance(factors, n * stride)
        call(draw, (to, seed, stream, epoch, first + low + n, units, 1, 1, threshold, kept))
    call(plan[at.MULTIPLY], (a, factors, rows, units, stride))
    if plan[layer + at.LAYER_SLOPE] != plan[layer + at.LAYER_FACTORS]:
        slope = advance(pointer(plan[layer + at.LAYER_SLOPE], a), low * stride)
        call(plan[at.MULTIPLY], (slope, factors, rows, units, stride))


@kernel(None)
def layered(plan: Ints, parameters: Floats, first: Int, rows: Int, mode: Int) -> int:
    """A span's rows, `first` and on, layer by layer: lanes are units. For wide layers.

    Does what `streamed` does, for several chunks at once. A member of a team does some rows of what goes row by row,
    and some inputs' weight gradients; the main thread the loss.
    """
    layers = plan[at.LAYERS]
    alone, leads = plan[at.TEAM] == 0, plan[at.ME] == 0
    own = rows if alone else part(plan, rows, at.BLOCK_ROWS)
    low = plan[at.ME] * own if plan[at.ME] * own < rows else rows
    own = own if low + own < rows else rows - low
    gradient, panel = pointer(plan[at.GRADIENT], parameters), pointer(plan[at.PANEL], parameters)
    deltas = pointer(plan[at.DELTAS], parameters)
    packed, blocks = pointer(plan[at.PACKED], parameters), pointer(plan[at.BLOCKS], parameters)
    inputs, x_stride = plan[at.FIELDS + at.LAYER_INPUTS], plan[at.X_STRIDE]
    last_layer = at.FIELDS + (layers - 1) * at.LAYER_FIELDS
    x = pointer(plan[at.X_TILE], parameters)
    if plan[at.COPY_ROWS] != 0:
        order, ordered = pointer(plan[at.ORDER], plan), int(plan[at.ORDER] != 0)
        rows_of, to = pointer(plan[at.X], parameters), advance(x, low * x_stride)
        call(plan[at.COPY_ROWS], (rows_of, order, ordered, first + low, own, inputs, to, x_stride))
    else:
        x = advance(x, first * x_stride)
    # forward
    a, a_stride = x, x_stride
    layer = at.FIELDS
    while layer <= last_layer:
        K, J = plan[layer + at.LAYER_INPUTS], plan[layer + at.LAYER_OUTPUTS]
        w = advance(parameters, plan[layer + at.LAYER_OFFSET])
        z, stride = pointer(plan[layer + at.LAYER_A], parameters), plan[layer + at.LAYER_STRIDE]
        own_a, own_z = advance(a, low * a_stride), advance(z, low * stride)
        relu = plan[layer + at.LAYER_RELU]
        call(plan[at.DENSE_FORWARD], (own_a, w, advance(w, K * J), own_z, panel, K, J, own, a_stride, stride, relu))
        if plan[layer + at.LAYER_FORWARD] != 0:
            slope = advance(pointer(plan[layer + at.LAYER_SLOPE], parameters), low * stride)
            call(plan[layer + at.LAYER_FORWARD], (own_z, slope, own, J, stride))
        if mode & at.DROPS and plan[layer + at.LAYER_FACTORS] != 0:
            call(plan[at.DROPOUT], (plan, own_z, layer, first, low, own))
        if mode & at.BACKWARD and layer < last_layer:
            for n in range(own):
                own_z[n * stride + J] = 1
        if alone and look_for_interrupt(plan, rows * K * J):
            return at.INTERRUPTED
        a, a_stride = z, stride
        layer += at.LAYER_FIELDS
    # the loss
    if not alone:
        call(plan[at.MEET], (plan,))
    chunks = (rows + CHUNK - 1) // CHUNK if leads else 0
    for chunk in range(chunks):
        start = chunk * CHUNK
        here = CHUNK if rows - start > CHUNK else rows - start
        outputs_of_chunk(plan, advance(a, start * a_stride), a_stride, first + start, here, mode)
        if mode & (at.RECORD | at.WEIGHED):
            combine_scalars(plan, parameters, chunk, chunk + 1 == chunks)
    if not alone:
        call(plan[at.MEET], (plan,))
    # backward: the deltas of a layer take the place of its activations
    if mode & at.BACKWARD:
        dz, dz_stride = a, a_stride
        layer = last_layer
        while layer >= at.FIELDS:
            K, J = plan[layer + at.LAYER_INPUTS], plan[layer + at.LAYER_OUTPUTS]
            offset = plan[layer + at.LAYER_OFFSET]
            below = layer - at.LAYER_FIELDS
            a, a_stride = x, x_stride
            if layer > at.FIELDS:
                a, a_stride = pointer(plan[below + at.LAYER_A], parameters), plan[below + at.LAYER_STRIDE]
            count = K + 1 if alone else part(plan, K + 1, at.BLOCK_INPUTS)
            begin = plan[at.ME] * count
            if begin <= K:
                count = count if begin + count < K + 1 else K + 1 - begin
                to = advance(gradient, offset + begin * J)
                call(
                    plan[at.DENSE_BACKWARD_WEIGHTS],
                    (
                        advance(a, begin),
                        dz,
                        packed,
                        blocks,
                        to,
                        count - 1,
                        J,
                        rows,
                        a_stride,
                        dz_stride,
                        plan[at.GROUP],
                    ),
                )
            if layer > at.FIELDS:
                if not alone:
                    call(plan[at.MEET], (plan,))  # all have read what now is overwritten
                w = advance(parameters, offset)
                relu = plan[below + at.LAYER_RELU]
                own_dz, own_a = advance(dz, low * dz_stride), advance(a, low * a_stride)
                call(
                    plan[at.DENSE_BACKWARD_INPUT],
                    (own_dz, w, own_a, panel, deltas, K, J, own, dz_stride, a_stride, relu),
                )
                if plan[below + at.LAYER_SLOPE] != 0:
                    slope = advance(pointer(plan[below + at.LAYER_SLOPE], parameters), low * a_stride)
                    call(plan[at.MULTIPLY], (own_a, slope, own, K, a_stride))
                if not alone:
                    call(plan[at.MEET], (plan,))
            dz, dz_stride = a, a_stride
            if alone and look_for_interrupt(plan, 2 * rows * K * J):
                return at.INTERRUPTED
            layer = below
    return at.DONE


@helper
def combine(to, a, b, first, count):
    """to = a + b, elementwise."""
    for i in range(first, count, lanes(to)):
        store(to, i, load(a, i) + load(b, i))


@helper
def copy(to, a, first, count):
    """to = a, elementwise."""
    for i in range(first, count, lanes(to)):
        store(to, i, load(a, i))


@kernel(None)
def sum_batch(plan: Ints, parameters: Floats, first: Int, rows: Int, mode: Int) -> int:
    """A batch, `first` and on, span by span: leaves the gradient with loss and weight behind it, and BATCH_RIGHT.

    The spans combine in an aligned tree by a binary counter: a sum waits at level i where the count of spans so far
    has bit i. Returns INTERRUPTED (the batch is then unfinished) or DONE.
    """
    gradient = pointer(plan[at.GRADIENT], parameters)
    levels = pointer(plan[at.LEVELS], parameters)
    line = line_lanes(parameters)
    loss, span = plan[at.PARAMETERS], plan[at.SPAN]
    size = (loss + 1 + line) // line * line
    begin = 0 if mode & at.BACKWARD else loss // line * line
    plan[at.BATCH_RIGHT] = 0
    spans = (rows + span - 1) // span
    by_chunks = plan[at.CHUNK_SUMS] != 0
    if by_chunks:
        call(plan[at.TOGETHER], (plan, parameters, at.PASS, first, rows, mode))
    for number_of in range(spans):
        start = number_of * span
        size_here = span if rows - start > span else rows - start
        if by_chunks:
            copy(gradient, advance(pointer(plan[at.CHUNK_SUMS], parameters), number_of * size), begin, size)
        elif plan[at.TEAM] != 0:
            call(plan[at.TOGETHER], (plan, parameters, at.PASS, first + start, size_here, mode))
        elif call(plan[at.PASS_KERNEL], (plan, parameters, first + start, size_here, mode)) != at.DONE:
            return at.INTERRUPTED
        last = number_of + 1 == spans
        level, waiting = 0, number_of
        while waiting & 1 or (last and waiting > 0):
            if waiting & 1:
                combine(gradient, advance(levels, level * size), gradient, begin, size)
            level += 1
            waiting >>= 1
        if not last:
            copy(advance(levels, level * size), gradient, begin, size)
    if plan[at.TEAM] != 0 and look_for_interrupt(plan, rows * loss // plan[at.MEMBERS]):
        return at.INTERRUPTED
    return at.DONE


@kernel(None)
def step(plan: Ints, parameters: Floats, scale: Float):
    """What becomes of a batch's sum where more is asked than plain gradient descent at one rate.

    The gradient of the mean loss; penalties on the weights; clipping; and the optimizer's update, with its own numbers.
    `scale` is that of rows without weights.
    """
    numbers = pointer(plan[at.NUMBERS], parameters)
    gradient = pointer(plan[at.GRADIENT], parameters)
    count = plan[at.PARAMETERS]
    if plan[at.EXTRAS] & at.WEIGHED:
        weight = gradient[count + 1]
        scale = numbers[at.FACTOR] / (weight * numbers[at.ROW_TERMS]) if weight > 0 else weight
    if plan[at.SCALED] != 0:
        call(plan[at.SCALED], (gradient, scale, count))
        scale = number(parameters, 1)
    if plan[at.PENALIZED] != 0:
        for number_of in range(plan[at.LAYERS]):
            layer = at.FIELDS + number_of * at.LAYER_FIELDS
            weights = plan[layer + at.LAYER_INPUTS] * plan[layer + at.LAYER_OUTPUTS]
            g = advance(gradient, plan[layer + at.LAYER_OFFSET])
            w = advance(parameters, plan[layer + at.LAYER_OFFSET])
            call(plan[at.PENALIZED], (g, w, numbers[at.L2], numbers[at.L1], weights))
    if plan[at.CLIPPED_BY_VALUE] != 0:
        call(plan[at.CLIPPED_BY_VALUE], (gradient, numbers[at.CLIP_VALUE], count))
    if plan[at.CLIPPED_BY_NORM] != 0:
        scratch = pointer(plan[at.SCRATCH], parameters)
        call(plan[at.CLIPPED_BY_NORM], (gradient, scratch, numbers[at.CLIP_NORM], count))
    own = advance(pointer(plan[at.STEPS], parameters), plan[at.STEP] * plan[at.STEP_NUMBERS])
    if plan[at.STATE] == 0:
        call(plan[at.UPDATE], (parameters, gradient, scale, own[0], count))
    else:
        state, settings = pointer(plan[at.STATE], parameters), pointer(plan[at.SETTINGS], parameters)
        call(plan[at.UPDATE], (parameters, gradient, scale, state, own, settings, count))
    plan[at.STEP] += 1


@helper
def keep(plan, parameters, numbers, epoch):
    """Writes an epoch's record. -> DONE, or why training ends here: REACHED or DIVERGED.

    No record is written, and none is kept, where a parameter is not finite: its loss may still be (a saturated
    sigmoid's). A record of a loss that is not finite is written, for the message.
    """
    loss = numbers[at.TOTAL] / numbers[at.TERMS]
    wrong = number(parameters, 0)
    for i in range(plan[at.PARAMETERS]):
        wrong += parameters[i] - parameters[i]  # 0, or NaN
    if wrong != 0 and loss - loss == 0:
        return at.DIVERGED
    right = plan[at.EPOCH_RIGHT]
    place = plan[at.RECORDS]
    pointer(plan[at.RECORD_EPOCHS], plan)[place] = epoch
    pointer(plan[at.RECORD_LOSSES], numbers)[place] = loss
    pointer(plan[at.RECORD_RIGHTS], plan)[place] = right
    plan[at.RECORDS] = place + 1
    if loss - loss != 0:
        return at.DIVERGED
    plan[at.KEPT] = plan[at.SNAPSHOT]
    if loss <= numbers[at.TARGET_LOSS] or right >= plan[at.NEEDED]:
        return at.REACHED
    return at.DONE


@kernel(reference.train)
def train(plan: Ints, parameters: Floats, batches: Int) -> int:
    """Gradient descent from the plan's EPOCH and START on, for at most about this many batches.

    Returns MORE, DONE after the last epoch, REACHED or DIVERGED at a record, or INTERRUPTED; after MORE and
    INTERRUPTED another call goes on as if it had never stopped. Writes the records of this call.
    """
    numbers = pointer(plan[at.NUMBERS], parameters)
    gradient = pointer(plan[at.GRADIENT], parameters)
    count, rows = plan[at.PARAMETERS], plan[at.ROWS]
    plan[at.RECORDS] = 0
    plan[at.STEP] = 0
    whole = plan[at.BATCH] >= rows
    while plan[at.EPOCH] <= plan[at.EPOCHS]:
        epoch = plan[at.EPOCH]
        ends = epoch == plan[at.FIRST_EPOCH] or epoch == plan[at.EPOCHS]
        record = epoch % plan[at.RECORD_EVERY] == 0 or ends
        if batches <= 0 or plan[at.RECORDS] == plan[at.RECORD_CAPACITY]:
            return at.MORE
        if plan[at.START] == 0:
            if record:
                plan[at.SNAPSHOT] = 1 - plan[at.KEPT]
                copy(advance(pointer(plan[at.SNAPSHOTS], parameters), plan[at.SNAPSHOT] * plan[at.SNAPSHOT_SIZE]),
                     parameters, 0, count)  # fmt: skip
            if plan[at.SHUFFLE] != 0 and not whole:
                number_of = plan[at.EPOCHS_BEFORE] + epoch
                call(plan[at.PERMUTATION], (plan[at.SEED], number_of, rows, pointer(plan[at.ORDER], plan)))
            numbers[at.TOTAL] = 0
            numbers[at.WEIGHT] = 0
            plan[at.EPOCH_RIGHT] = 0
        mode = plan[at.EXTRAS] | (at.BACKWARD | at.RECORD if record else at.BACKWARD)
        while plan[at.START] < rows:
            if batches <= 0:
                return at.MORE
            batches -= 1
            left = rows - plan[at.START]
            size = plan[at.BATCH] if plan[at.BATCH] < left else left
            if call(plan[at.SUM_BATCH], (plan, parameters, plan[at.START], size, mode)) != at.DONE:
                return at.INTERRUPTED
            if record:
                numbers[at.TOTAL] += gradient[count]
                plan[at.EPOCH_RIGHT] += plan[at.BATCH_RIGHT]
                if mode & at.WEIGHED:
                    numbers[at.WEIGHT] += gradient[count + 1]
                    numbers[at.TERMS] = numbers[at.WEIGHT] * numbers[at.ROW_TERMS]
                if whole:
                    ended = keep(plan, parameters, numbers, epoch)
                    if ended != at.DONE:
                        return ended
            scale = numbers[at.SCALE] if size == plan[at.BATCH] else numbers[at.SHORT_SCALE]
            if plan[at.STEP_KERNEL] != 0:
                call(plan[at.STEP_KERNEL], (plan, parameters, scale))
            elif plan[at.TEAM] != 0 and count >= SHARED_UPDATE:
                numbers[at.JOB_SCALE] = scale
                call(plan[at.TOGETHER], (plan, parameters, at.UPDATE_PARAMETERS, 0, 0, 0))
            else:
                call(plan[at.UPDATE], (parameters, gradient, scale, numbers[at.LEARNING_RATE], count))
            plan[at.START] += size
        plan[at.START] = 0
        plan[at.EPOCH] = epoch + 1
        if record and not whole:
            ended = keep(plan, parameters, numbers, epoch)
            if ended != at.DONE:
                return ended
    return at.DONE
