"""The rowwise pass: row by row, lanes are a layer's units. For batches of one row or a few."""

from fastmlp.kernels import calls
from fastmlp.kernels import plan as at
from fastmlp.kernels.memory import advance, padded_size, pointer
from fastmlp.kernels.passes import begin_statistics, end_statistics, look_for_interrupt, loss_rows, twice
from fastmlp.kernels.registry import Floats, Int, Ints
from fastmlp.kernels.simd import line_lanes


def _make(options):
    def span(plan: Ints, parameters: Floats, first: Int, rows: Int, mode: Int) -> int:
        """A chunk's rows, `first` and on, one by one: lanes are a layer's units. For batches of one row or a few.

        Does what `streamed.span` does. A row's lane in the sums is a whole vector of parameters; these fold last.
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
        size = padded_size(parameters, plan[at.PARAMETERS])
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
                calls.rowwise_dense_forward(
                    plan, a, w, b=advance(w, K * J), z=z, K=K, J=J, relu=plan[layer + at.LAYER_RELU]
                )
                if plan[layer + at.LAYER_FORWARD] != 0:
                    slope = pointer(plan[layer + at.LAYER_SLOPE], parameters)
                    calls.activation_forward(plan, layer, z, slope, units=1, rows=J, stride=stride)
                if options and mode & at.DROPS and plan[layer + at.LAYER_FACTORS] != 0:
                    calls.dropout(plan, a=z, layer=layer, first=first + n, rows=1, stride=1)
                if look_for_interrupt(plan, K * J):
                    return at.INTERRUPTED
                a = z
                layer += at.LAYER_FIELDS
            J = plan[at.OUTPUTS]
            for j in range(J):
                logits[j * stride] = a[j]
            if mode & at.OUTPUT:
                if plan[at.OUTPUT_KERNEL] != 0:
                    calls.output(plan, z=logits, J=J, rows=1, stride=stride)
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
                    calls.loss(
                        plan, z=logits, y=targets, weights=ones, statistics=place, J=J, rows=1, stride=stride,
                        record=record,
                    )  # fmt: skip
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
                    calls.rowwise_dense_backward_weights(plan, a, dz, sums=to, K=K, J=J, first=int(n < line))
                    if layer > at.FIELDS:
                        w = advance(parameters, offset)
                        calls.rowwise_dense_backward_input(plan, dz, w, a, K, J, relu=plan[below + at.LAYER_RELU])
                        if plan[below + at.LAYER_SLOPE] != 0:
                            slope = pointer(plan[below + at.LAYER_SLOPE], parameters)
                            calls.multiply(plan, a, factors=slope, units=1, rows=K, stride=stride)
                    dz = a
                    if look_for_interrupt(plan, 2 * K * J):
                        return at.INTERRUPTED
                    layer = below
        if mode & at.BACKWARD:
            calls.rowwise_fold(
                plan, sums, total=pointer(plan[at.GRADIENT], parameters), count=plan[at.PARAMETERS], size=size,
                rows=rows,
            )  # fmt: skip
        end_statistics(plan, parameters, mode, options)
        return at.DONE

    return span


span, span_with_options = twice(_make)
