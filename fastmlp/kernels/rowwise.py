"""The rowwise pass: row by row, lanes are a layer's units. For batches of one row or a few."""

from fastmlp.kernels import calls
from fastmlp.kernels import plan as at
from fastmlp.kernels.memory import advance, padded_size, pointer
from fastmlp.kernels.passes import begin_statistics, end_statistics, look_for_interrupt, loss_rows, twice
from fastmlp.kernels.registry import Floats, Int, Ints
from fastmlp.kernels.simd import helper, line_lanes


@helper
def read_row(plan, parameters, n):
    """-> x (inputs) and y (columns): row n in the epoch's order, where it lies."""
    order = pointer(plan[at.ORDER], plan)
    row = order[n] if plan[at.ORDER] != 0 else n
    x = advance(pointer(plan[at.X], parameters), row * plan[at.FIELDS + at.LAYER_INPUTS])
    return x, advance(pointer(plan[at.Y], parameters), row * plan[at.COLUMNS])


@helper
def backward(plan, parameters, x, sums, begins, last_layer):
    """From the logits' deltas down: a layer's weight gradient, then the deltas below in place of the activations there.

    sums (PARAMETERS): the row's lane, which its first row begins. -> whether Ctrl-C was pressed.
    """
    stride = plan[at.STRIDE]
    dz = pointer(plan[last_layer + at.LAYER_A], parameters)
    layer = last_layer
    while layer >= at.FIELDS:
        K, J = plan[layer + at.LAYER_INPUTS], plan[layer + at.LAYER_OUTPUTS]
        offset = plan[layer + at.LAYER_OFFSET]
        below = layer - at.LAYER_FIELDS
        a = x if layer == at.FIELDS else pointer(plan[below + at.LAYER_A], parameters)
        calls.rowwise_dense_backward_weights(plan, a, dz, sums=advance(sums, offset), K=K, J=J, first=begins)
        if layer > at.FIELDS:
            w = advance(parameters, offset)
            calls.rowwise_dense_backward_input(plan, dz, w, a, K, J, relu=plan[below + at.LAYER_RELU])
            if plan[below + at.LAYER_SLOPE] != 0:
                slope = pointer(plan[below + at.LAYER_SLOPE], parameters)
                calls.multiply(plan, a, factors=slope, units=1, rows=K, stride=stride)
        dz = a
        if look_for_interrupt(plan, 2 * K * J):
            return True
        layer = below
    return False


def _make(options):
    @helper
    def forward(plan, parameters, x, n, mode, last_layer):
        """The epoch's row n through all layers, which leave a (J) in LAYER_A. -> whether Ctrl-C was pressed."""
        stride = plan[at.STRIDE]
        a = x
        layer = at.FIELDS
        while layer <= last_layer:
            K, J = plan[layer + at.LAYER_INPUTS], plan[layer + at.LAYER_OUTPUTS]
            w = advance(parameters, plan[layer + at.LAYER_OFFSET])
            z = pointer(plan[layer + at.LAYER_A], parameters)
            relu = plan[layer + at.LAYER_RELU]
            calls.rowwise_dense_forward(plan, a, w, b=advance(w, K * J), z=z, K=K, J=J, relu=relu)
            if plan[layer + at.LAYER_FORWARD] != 0:
                slope = pointer(plan[layer + at.LAYER_SLOPE], parameters)
                calls.activation_forward(plan, layer, z, slope, units=1, rows=J, stride=stride)
            if options and mode & at.DROPS and plan[layer + at.LAYER_FACTORS] != 0:
                calls.dropout(plan, a=z, layer=layer, first=n, rows=1, stride=1)
            if look_for_interrupt(plan, K * J):
                return True
            a = z
            layer += at.LAYER_FIELDS
        return False

    @helper
    def outputs_of_row(plan, parameters, y, n, lane, mode, last_layer):
        """Writes the epoch's row n's outputs, or puts the deltas in the logits' place and adds to a lane's statistics.

        To the kernels of losses and outputs, the logits (J) and y (columns) are tiles of one row, at Y_TILE.
        """
        z, J, stride = pointer(plan[last_layer + at.LAYER_A], parameters), plan[at.OUTPUTS], plan[at.STRIDE]
        logits = pointer(plan[at.Y_TILE], parameters)
        for j in range(J):
            logits[j * stride] = z[j]
        if mode & at.OUTPUT:
            if plan[at.OUTPUT_KERNEL] != 0:
                calls.output(plan, z=logits, J=J, rows=1, stride=stride)
            result = advance(pointer(plan[at.RESULT], parameters), n * J)
            for j in range(J):
                result[j] = logits[j * stride]
        else:
            targets = advance(logits, J * stride)
            for j in range(plan[at.COLUMNS]):
                targets[j * stride] = y[j]
            # statistics from this row's lane on: only that lane is written, as a tile of one row has one real lane
            place = advance(pointer(plan[at.STATISTICS], parameters), lane)
            record = int(mode & at.RECORD != 0)
            if options:
                loss_rows(plan, logits, targets, place, J, 1, stride, mode, record)
            else:
                ones = pointer(plan[at.ONES], parameters)
                calls.loss(
                    plan, z=logits, y=targets, weights=ones, statistics=place, J=J, rows=1, stride=stride, record=record
                )
            for j in range(J):
                z[j] = logits[j * stride]

    def span(plan: Ints, parameters: Floats, first: Int, rows: Int, mode: Int) -> int:
        """A chunk's rows, `first` and on, one by one: lanes are a layer's units. For batches of one row or a few.

        Does what `streamed.span` does. A row's lane in the sums is a whole vector of parameters; these fold last.
        """
        line, size = line_lanes(parameters), padded_size(parameters, plan[at.PARAMETERS])
        sums = pointer(plan[at.SUMS], parameters)
        last_layer = at.FIELDS + (plan[at.LAYERS] - 1) * at.LAYER_FIELDS
        begin_statistics(plan, parameters, mode, options)
        for n in range(rows):
            lane = n % line
            x, y = read_row(plan, parameters, first + n)
            if forward(plan, parameters, x, first + n, mode, last_layer):
                return at.INTERRUPTED
            outputs_of_row(plan, parameters, y, first + n, lane, mode, last_layer)
            to, begins = advance(sums, lane * size), int(n < line)
            if mode & at.BACKWARD and backward(plan, parameters, x, to, begins, last_layer):
                return at.INTERRUPTED
        if mode & at.BACKWARD:
            total, count = pointer(plan[at.GRADIENT], parameters), plan[at.PARAMETERS]
            calls.rowwise_fold(plan, sums, total, count, size, rows)
        end_statistics(plan, parameters, mode, options)
        return at.DONE

    return span


span, span_with_options = twice(_make)
