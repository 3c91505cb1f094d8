"""The training of a group of models, whose lanes are models: each one's bits are those of `train.train` alone.

A group is some models of one network that are trained on batches of the same size (`lanes_plan.py`). Each has its own
parameters, rows, order of rows and rates. A model whose training ends is LIVE no more: what it ended with is copied to
FINALS, and its lane goes on with numbers that nobody reads.
"""

from fastmlp.kernels import lanes_calls as calls
from fastmlp.kernels import lanes_plan as at
from fastmlp.kernels.blocks import added
from fastmlp.kernels.epochs import copy
from fastmlp.kernels.lanes_dense import RELU, SLOPED, STRAIGHT
from fastmlp.kernels.lanes_sums import sums_tile
from fastmlp.kernels.memory import advance, interrupted, load, pointer, store
from fastmlp.kernels.passes import INTERRUPT_WORK
from fastmlp.kernels.plan import DIVERGED, DONE, INTERRUPTED, MORE, REACHED
from fastmlp.kernels.registry import Float, Floats, Int, Ints, kernel
from fastmlp.kernels.row_sums import put_registers, registers_of
from fastmlp.kernels.simd import fill, helper, lanes, line_lanes, number
from fastmlp.reference import train as reference

# ---------------------------------------------------------------------------------------------------------
# A batch


@kernel(None)
def forward_batch(plan: Ints, parameters: Floats, first: Int, rows: Int, record: Int):
    """The rows at the places `first` and on, of at most one chunk, up to the outputs' deltas, in place of the logits.

    With `record` the losses and right rows are added to the TOTALS and RIGHTS.
    """
    models, J, unit = plan[at.MODELS], plan[at.OUTPUTS], plan[at.UNIT]
    inputs, columns = plan[at.FIELDS + at.LAYER_INPUTS], plan[at.COLUMNS]
    x, y = pointer(plan[at.X_TILE], parameters), pointer(plan[at.Y_TILE], parameters)
    if plan[at.KEPT_TILES] != 0:
        number_of = first // plan[at.BATCH]
        x, y = advance(x, number_of * inputs * unit), advance(y, number_of * columns * unit)
    else:
        order, places = advance(pointer(plan[at.ORDER], plan), first * models), places_of(plan, rows)
        if plan[at.PICK] != 0:  # targets lie behind the inputs
            calls.pick(plan, pointer(plan[at.ROWS_TILE], x), order, places, rows, inputs + columns, tile=x)
        else:
            calls.gather(plan, x, pointer(plan[at.X_OF], plan), order, places, rows, K=inputs, tile=x)
            calls.gather(plan, y, pointer(plan[at.Y_OF], plan), order, places, rows, K=columns, tile=y)
    a = z = x
    layer = at.FIELDS
    while layer < at.FIELDS + plan[at.LAYERS] * at.LAYER_FIELDS:
        K, units = plan[layer + at.LAYER_INPUTS], plan[layer + at.LAYER_OUTPUTS]
        w = advance(parameters, plan[layer + at.LAYER_OFFSET] * models)
        z = pointer(plan[layer + at.LAYER_A], parameters)
        calls.forward(plan, a, w, z, K, units, rows, relu=plan[layer + at.LAYER_RELU])
        if plan[layer + at.LAYER_FORWARD] != 0:
            slope = pointer(plan[layer + at.LAYER_SLOPE], parameters)
            calls.activation_forward(plan, layer, z, slope, units=units, rows=rows * models, stride=unit)
        a = z
        layer += at.LAYER_FIELDS
    if record and plan[at.ROW_LOSSES_KERNEL] != 0:
        add_row_losses(plan, z, y, J, rows, unit)
    elif record:
        record_rows(plan, z, y, J, rows, unit)
    else:
        loss(plan, z, y, pointer(plan[at.STATISTICS], z), J, rows * models, unit, record)


@helper
def places_of(plan, rows):
    """Which row of a batch of so many lies at each row of its tiles."""
    places = plan[at.PLACES] if rows == plan[at.BATCH] else plan[at.SHORT_PLACES]
    return pointer(places, plan)


@helper
def loss(plan, z, y, statistics, J, count, unit, record):
    """Calls the loss, with its number if it takes one; for it, rows of several models are rows."""
    ones = pointer(plan[at.ONES], z)
    if plan[at.LOSS_PARAMETER] != 0:
        parameter = pointer(plan[at.LOSS_PARAMETER], z)[0]
        calls.parametrised_loss(plan, z, y, ones, statistics, parameter, J, count, unit, record)
    else:
        calls.loss(plan, z, y, ones, statistics, J, count, unit, record)


@helper
def record_rows(plan, z, y, J, rows, unit):
    """The loss row by row, each in a line of models of its lane; then the lanes fold, and are added to the totals."""
    models, line = plan[at.MODELS], line_lanes(z)
    statistics, places = pointer(plan[at.STATISTICS], z), places_of(plan, rows)
    size = 3 * line
    count = 1
    while count < rows and count < line:
        count += count
    for m in range(0, models, line):
        some = line if models - m > line else models - m
        for i in range(count * size):
            statistics[i] = 0
        for n in range(rows):
            begin = n * models + m
            lane = advance(statistics, places[n] % line * size)
            loss(plan, advance(z, begin), advance(y, begin), lane, J, some, unit, 1)
        half = count // 2
        while half > 0:
            for v in range(half):
                other = (v + half) * size
                for i in range(0, 2 * line, lanes(z)):  # right rows are whole numbers, and exact
                    store(statistics, v * size + i, load(statistics, v * size + i) + load(statistics, other + i))
            half //= 2
        totals, rights = pointer(plan[at.TOTALS], z), pointer(plan[at.RIGHTS], z)
        for i in range(some):
            totals[m + i] += statistics[i]
            rights[m + i] += statistics[line + i]


@helper
def add_row_losses(plan, z, y, J, rows, unit):
    """The loss of all rows at once; then each model's lanes take in its rows and fold, and are added to the totals."""
    models = plan[at.MODELS]
    values = pointer(plan[at.STATISTICS], z)
    rights = advance(values, rows * models)
    calls.row_losses(plan, z, y, values, rights, J, rows=rows * models, stride=unit)
    ones, levels = pointer(plan[at.ONES], z), pointer(plan[at.LEVELS], z)
    totals, counts = pointer(plan[at.TOTALS], z), pointer(plan[at.RIGHTS], z)
    for m in range(0, models, lanes(z)):
        c = sums_tile(ones, values, levels, m, rows, 0, models, 0, 1, 1)
        put_registers(totals, m, 0, 1, 0, added(registers_of(totals, m, 0, 1, 0, 1, 1), c))
        count = load(counts, m)
        for n in range(m, rows * models, models):  # whole numbers, and exact
            count = count + load(rights, n)
        store(counts, m, count)


@kernel(None)
def backward_batch(plan: Ints, parameters: Floats, first: Int, rows: Int, scale: Float):
    """From the outputs' deltas back: sums over rows, and what becomes of the parameters. scale: from sum to mean."""
    models = plan[at.MODELS]
    x = pointer(plan[at.X_TILE], parameters)
    if plan[at.KEPT_TILES] != 0:
        x = advance(x, first // plan[at.BATCH] * plan[at.FIELDS + at.LAYER_INPUTS] * plan[at.UNIT])
    step = advance(pointer(plan[at.STEPS], parameters), plan[at.STEP] * plan[at.STEP_NUMBERS])
    gradient = pointer(plan[at.GRADIENT], parameters)
    to = parameters if plan[at.GRADIENT] == 0 else gradient
    layer = at.FIELDS + (plan[at.LAYERS] - 1) * at.LAYER_FIELDS
    dz = pointer(plan[layer + at.LAYER_A], x)
    da, other = pointer(plan[at.DELTAS], x), pointer(plan[at.OTHER_DELTAS], x)
    while layer >= at.FIELDS:
        K, J, offset = plan[layer + at.LAYER_INPUTS], plan[layer + at.LAYER_OUTPUTS], plan[layer + at.LAYER_OFFSET]
        below = layer - at.LAYER_FIELDS
        a = x
        if layer > at.FIELDS:
            a = pointer(plan[below + at.LAYER_A], x)
            slope = pointer(plan[below + at.LAYER_SLOPE], x)
            way = (
                RELU
                if plan[below + at.LAYER_RELU] != 0
                else (SLOPED if plan[below + at.LAYER_SLOPE] != 0 else STRAIGHT)
            )
            calls.backward_input(plan, dz, advance(parameters, offset * models), a, slope, da, K, J, rows, way=way)
        calls.backward_weights(plan, a, dz, advance(to, offset * models), step, scale, K, J, rows)
        dz = da
        da, other = other, da
        layer = below
    if plan[at.GRADIENT] != 0:
        if plan[at.PENALIZED] != 0:
            calls.penalized(plan, gradient, parameters, scale)
            scale = number(parameters, 1)
        state, settings = pointer(plan[at.STATE], x), pointer(plan[at.SETTINGS], x)
        calls.update(plan, parameters, gradient, scale, state, step, settings)
    plan[at.STEP] += 1


# ---------------------------------------------------------------------------------------------------------
# Epochs


@helper
def draw_orders(plan):
    """The order of each model's rows."""
    epochs, numbers = pointer(plan[at.SHUFFLE_EPOCHS], plan), pointer(plan[at.EPOCHS_BEFORE], plan)
    for m in range(plan[at.MODELS]):
        epochs[m] = plan[at.EPOCH] + numbers[m]
    seeds, rows, order = (
        pointer(plan[at.SEEDS], plan),
        pointer(plan[at.ROW_NUMBERS], plan),
        pointer(plan[at.ORDER], plan),
    )
    calls.orders(plan, seeds, epochs, rows, order)


@helper
def begin_epoch(plan, parameters, record):
    """Before the first batch: the snapshot that a record goes with, the orders of the rows, and empty totals."""
    models = plan[at.MODELS]
    if record:
        size = plan[at.PARAMETERS] * models
        plan[at.SNAPSHOT] = 1 - plan[at.KEPT]
        copy(advance(pointer(plan[at.SNAPSHOTS], parameters), plan[at.SNAPSHOT] * size), parameters, 0, size)
    if plan[at.SHUFFLE] != 0:
        draw_orders(plan)
    totals, rights = pointer(plan[at.TOTALS], parameters), pointer(plan[at.RIGHTS], parameters)
    for m in range(models):
        totals[m] = 0
        rights[m] = 0


@helper
def end(plan, parameters, m, why, epochs, place):
    """Ends model m: its parameters, those that its last good record began with, and its state become FINALS."""
    models, size = plan[at.MODELS], plan[at.PARAMETERS] * plan[at.MODELS]
    finals, state = pointer(plan[at.FINALS], parameters), pointer(plan[at.STATE], parameters)
    kept = plan[at.KEPT] if why == DIVERGED else plan[at.SNAPSHOT]
    snapshot = advance(pointer(plan[at.SNAPSHOTS], parameters), kept * size)
    for i in range(m, size, models):
        finals[i] = parameters[i]
        finals[size + i] = snapshot[i]
    if plan[at.STATE] != 0:
        for i in range(m, plan[at.VECTORS] * size, models):
            finals[2 * size + i] = state[i]
    pointer(plan[at.LIVE], plan)[m] = 0
    pointer(plan[at.ENDS], plan)[m] = why
    pointer(plan[at.END_EPOCHS], plan)[m] = epochs
    pointer(plan[at.END_STEPS], plan)[m] = plan[at.STEP]
    pointer(plan[at.END_RECORDS], plan)[m] = place
    plan[at.LIVING] -= 1


@helper
def write_records(plan, parameters, numbers, epoch, epochs):
    """Writes an epoch's records, and ends the models whose training ends here. epochs: how many those have done.

    As `epochs.write_record`: where a parameter is not finite and the loss is, the record is none.
    """
    models, count = plan[at.MODELS], plan[at.PARAMETERS]
    place = plan[at.RECORDS]
    losses = advance(pointer(plan[at.RECORD_LOSSES], parameters), place * models)
    counts = advance(pointer(plan[at.RECORD_RIGHTS], plan), place * models)
    totals, rights = pointer(plan[at.TOTALS], parameters), pointer(plan[at.RIGHTS], parameters)
    live, needed = pointer(plan[at.LIVE], plan), pointer(plan[at.NEEDED], plan)
    targets, wrong = pointer(plan[at.TARGET_LOSSES], parameters), pointer(plan[at.WRONG], parameters)
    terms = fill(parameters, numbers[at.TERMS])
    for m in range(0, models, lanes(parameters)):
        store(losses, m, load(totals, m) / terms)
        sum_of = fill(parameters, 0)
        for i in range(m, count * models, models):
            x = load(parameters, i)
            sum_of = sum_of + (x - x)  # 0, or NaN
        store(wrong, m, sum_of)
    pointer(plan[at.RECORD_EPOCHS], plan)[place] = epoch
    plan[at.RECORDS] = place + 1
    for m in range(models):
        loss, right = losses[m], int(rights[m])
        counts[m] = right
        if live[m] != 0:
            if loss - loss != 0:
                end(plan, parameters, m, DIVERGED, epochs, place + 1)
            elif wrong[m] != 0:
                end(plan, parameters, m, DIVERGED, epochs, place)
            elif loss <= targets[m] or right >= needed[m]:
                end(plan, parameters, m, REACHED, epochs, place + 1)
    plan[at.KEPT] = plan[at.SNAPSHOT]


@helper
def look_for_interrupt(plan, work):
    """Whether Ctrl-C was pressed, asked only after INTERRUPT_WORK multiplications."""
    plan[at.WORK] += work
    if plan[at.WORK] < INTERRUPT_WORK:
        return False
    plan[at.WORK] = 0
    return interrupted() != 0


@kernel(reference.train)
def train(plan: Ints, parameters: Floats, batches: Int) -> int:
    """Trains the group from the plan's EPOCH and START on, for at most about this many batches.

    Returns MORE, DONE after the last epoch or when no model is LIVE, or INTERRUPTED; after MORE and INTERRUPTED another
    call goes on as if it had never stopped. Writes the records of this call.
    """
    numbers = pointer(plan[at.NUMBERS], parameters)
    rows = plan[at.ROWS]
    plan[at.RECORDS] = 0
    plan[at.STEP] = 0
    whole = plan[at.BATCH] >= rows
    while plan[at.EPOCH] <= plan[at.EPOCHS]:
        epoch = plan[at.EPOCH]
        ends = epoch == plan[at.FIRST_EPOCH] or epoch == plan[at.EPOCHS]
        record = epoch % plan[at.RECORD_EVERY] == 0 or ends
        if plan[at.LIVING] == 0:
            return DONE
        if batches <= 0 or plan[at.RECORDS] == plan[at.RECORD_CAPACITY]:
            return MORE
        if plan[at.START] == 0:
            begin_epoch(plan, parameters, record)
        while plan[at.START] < rows:
            if batches <= 0:
                return MORE
            start = plan[at.START]
            left = rows - start
            size = plan[at.BATCH] if plan[at.BATCH] < left else left
            if look_for_interrupt(plan, 3 * size * plan[at.PARAMETERS] * plan[at.MODELS]):
                return INTERRUPTED
            batches -= 1
            scale = numbers[at.SCALE] if size == plan[at.BATCH] else numbers[at.SHORT_SCALE]
            calls.forward_batch(plan, parameters, first=start, rows=size, record=int(record))
            if record and whole:
                write_records(plan, parameters, numbers, epoch, epoch - 1)
            calls.backward_batch(plan, parameters, first=start, rows=size, scale=scale)
            plan[at.START] = start + size
        plan[at.START] = 0
        plan[at.EPOCH] = epoch + 1
        if record and not whole:
            write_records(plan, parameters, numbers, epoch, epoch)
    return DONE
