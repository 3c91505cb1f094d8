"""The training loop: the twin of `fastmlp/reference/train.py`.

These kernels run the others, which they reach by addresses in a plan (`plan.py`), so that a network
compiles only what it uses. Nothing is allocated. The numbers that are made here are sums of chunks (`combine`) and an
epoch's mean loss.
"""

from fastmlp.kernels import calls, tree
from fastmlp.kernels import plan as at
from fastmlp.kernels.epochs import begin_epoch, copy, end_epoch, is_recorded, write_record
from fastmlp.kernels.memory import advance, load, padded_size, pointer, store
from fastmlp.kernels.passes import look_for_interrupt
from fastmlp.kernels.registry import Float, Floats, Int, Ints, kernel
from fastmlp.kernels.simd import helper, lanes, line_lanes, number
from fastmlp.reference import train as reference

SHARED_UPDATE = 100_000  # parameters, from which a team updates them together


@helper
def combine(to, a, b, first, count):
    """to = a + b, elementwise."""
    for i in range(first, count, lanes(to)):
        store(to, i, load(a, i) + load(b, i))


@kernel(None)
def sum_batch(plan: Ints, parameters: Floats, first: Int, rows: Int, mode: Int) -> int:
    """A batch, `first` and on, span by span: leaves the gradient with loss and weight behind it, and BATCH_RIGHT.

    The spans combine in an aligned tree (`tree.py`). Returns INTERRUPTED (the batch is then unfinished) or DONE.
    """
    gradient = pointer(plan[at.GRADIENT], parameters)
    levels = pointer(plan[at.LEVELS], parameters)
    line = line_lanes(parameters)
    loss, span = plan[at.PARAMETERS], plan[at.SPAN]
    size = padded_size(parameters, loss)
    begin = 0 if mode & at.BACKWARD else loss // line * line
    # Before anything is done: the pass may update weights, and a batch must not be started again after that.
    if plan[at.TEAM] != 0 and look_for_interrupt(plan, rows * loss // plan[at.MEMBERS]):
        return at.INTERRUPTED
    plan[at.BATCH_RIGHT] = 0
    spans = (rows + span - 1) // span
    by_chunks = plan[at.CHUNK_SUMS] != 0
    if by_chunks:
        calls.together(plan, parameters, job=at.PASS, first=first, rows=rows, mode=mode)
    for number_of in range(spans):
        start = number_of * span
        size_here = span if rows - start > span else rows - start
        if by_chunks:
            copy(gradient, advance(pointer(plan[at.CHUNK_SUMS], parameters), number_of * size), begin, size)
        elif plan[at.TEAM] != 0:
            calls.together(plan, parameters, job=at.PASS, first=first + start, rows=size_here, mode=mode)
        elif calls.span(plan, parameters, first=first + start, rows=size_here, mode=mode) != at.DONE:
            return at.INTERRUPTED
        last = number_of + 1 == spans
        level, waiting = 0, number_of
        while tree.goes_up(waiting, last):
            if waiting & 1:
                combine(gradient, advance(levels, level * size), gradient, begin, size)
            level, waiting = level + 1, waiting >> 1
        if not last:
            copy(advance(levels, level * size), gradient, begin, size)
    return at.DONE


@helper
def penalize(plan, parameters, gradient, numbers):
    """Adds the penalties' slopes to the weights' gradients."""
    for number_of in range(plan[at.LAYERS]):
        layer = at.FIELDS + number_of * at.LAYER_FIELDS
        weights = plan[layer + at.LAYER_INPUTS] * plan[layer + at.LAYER_OUTPUTS]
        g = advance(gradient, plan[layer + at.LAYER_OFFSET])
        w = advance(parameters, plan[layer + at.LAYER_OFFSET])
        calls.penalized(plan, g, w, l2=numbers[at.L2], l1=numbers[at.L1], count=weights)


@kernel(None)
def record_objective(plan: Ints, parameters: Floats, rows: Float):
    """Adds a batch's `batch_loss` to the epoch's TOTAL, before the parameters move. rows: of the batch."""
    numbers = pointer(plan[at.NUMBERS], parameters)
    sums = advance(pointer(plan[at.GRADIENT], parameters), plan[at.PARAMETERS])
    loss = numbers[at.LOSS_FRACTION] * sums[0]
    if plan[at.SQUARES] != 0:
        scratch = pointer(plan[at.SCRATCH], parameters)
        squares = number(parameters, 0)
        for number_of in range(plan[at.LAYERS]):
            layer = at.FIELDS + number_of * at.LAYER_FIELDS
            weights = plan[layer + at.LAYER_INPUTS] * plan[layer + at.LAYER_OUTPUTS]
            calls.sum_of_squares(
                plan, w=advance(parameters, plan[layer + at.LAYER_OFFSET]), scratch=scratch, count=weights
            )
            squares += scratch[0]
        loss += numbers[at.HALF_L2] * squares
    if plan[at.EXTRAS] & at.WEIGHED:
        weight = sums[1]
        loss = loss / weight * rows if weight > 0 else weight
    numbers[at.TOTAL] += loss


@helper
def scale_of_batch(plan, gradient, numbers, scale):
    """What turns a batch's sum into the gradient of its mean loss. scale: that of rows without weights."""
    if plan[at.EXTRAS] & at.WEIGHED:
        weight = gradient[plan[at.PARAMETERS] + 1]
        scale = numbers[at.FACTOR] / (weight * numbers[at.ROW_TERMS]) if weight > 0 else weight
    return scale


@helper
def descend(plan, parameters, gradient, numbers, scale, count):
    """Penalties, clipping, and the update of `count` parameters, by a batch's sum."""
    if plan[at.PENALIZED] != 0 and plan[at.OF_SUM] != 0:
        penalize(plan, parameters, gradient, numbers)
    if plan[at.SCALED] != 0:
        calls.scaled(plan, g=gradient, scale=scale, count=count)
        scale = number(parameters, 1)
    if plan[at.PENALIZED] != 0 and plan[at.OF_SUM] == 0:
        penalize(plan, parameters, gradient, numbers)
    if plan[at.CLIPPED_BY_VALUE] != 0:
        calls.clipped_by_value(plan, g=gradient, limit=numbers[at.CLIP_VALUE], count=count)
    if plan[at.CLIPPED_BY_NORM] != 0:
        scratch = pointer(plan[at.SCRATCH], parameters)
        calls.clipped_by_norm(plan, g=gradient, scratch=scratch, limit=numbers[at.CLIP_NORM], count=count)
    own = advance(pointer(plan[at.STEPS], parameters), plan[at.STEP] * plan[at.STEP_NUMBERS])
    if plan[at.STATE] == 0:
        calls.gradient_descent(plan, p=parameters, total=gradient, scale=scale, learning_rate=own[0], count=count)
    else:
        state, settings = pointer(plan[at.STATE], parameters), pointer(plan[at.SETTINGS], parameters)
        calls.optimizer_update(
            plan, p=parameters, total=gradient, scale=scale, state=state, step=own, settings=settings, count=count
        )
    plan[at.STEP] += 1


@kernel(None)
def step(plan: Ints, parameters: Floats, scale: Float):
    """What becomes of a batch's sum where more is asked than plain gradient descent at one rate.

    The gradient of the mean loss; penalties on the weights; clipping; and the optimizer's update, with its own numbers.
    `scale` is that of rows without weights.
    """
    numbers = pointer(plan[at.NUMBERS], parameters)
    gradient = pointer(plan[at.GRADIENT], parameters)
    scale = scale_of_batch(plan, gradient, numbers, scale)
    descend(plan, parameters, gradient, numbers, scale, plan[at.PARAMETERS])


@kernel(None)
def scaled_step(plan: Ints, parameters: Floats, scale: Float):
    """As `step`, where there is an input scale: of OWN, of which it then makes the parameters that passes see.

    The gradient gets that of the scale behind it, in the place of the batch's loss and weight.
    """
    numbers = pointer(plan[at.NUMBERS], parameters)
    gradient = pointer(plan[at.GRADIENT], parameters)
    own = pointer(plan[at.OWN], parameters)
    scale = scale_of_batch(plan, gradient, numbers, scale)
    K, J, count = plan[at.FIELDS + at.LAYER_INPUTS], plan[at.FIELDS + at.LAYER_OUTPUTS], plan[at.PARAMETERS]
    calls.unfolded(plan, dw=gradient, w=own, s=advance(own, count), ds=advance(gradient, count), K=K, J=J)
    descend(plan, own, gradient, numbers, scale, plan[at.TRAINED])
    copy(parameters, own, K * J, count)
    calls.folded(plan, w=own, s=advance(own, count), to=parameters, K=K, J=J)


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
        record = is_recorded(plan)
        if batches <= 0 or plan[at.RECORDS] == plan[at.RECORD_CAPACITY]:
            return at.MORE
        if plan[at.START] == 0:
            begin_epoch(plan, parameters, numbers, record)
        mode = plan[at.EXTRAS] | (at.BACKWARD | at.RECORD if record else at.BACKWARD)
        if record and whole:
            mode &= ~at.DESCENDS  # the record may be the end
        while plan[at.START] < rows:
            if batches <= 0:
                return at.MORE
            batches -= 1
            left = rows - plan[at.START]
            size = plan[at.BATCH] if plan[at.BATCH] < left else left
            scale = numbers[at.SCALE] if size == plan[at.BATCH] else numbers[at.SHORT_SCALE]
            numbers[at.JOB_SCALE] = scale
            if calls.sum_batch(plan, parameters, first=plan[at.START], rows=size, mode=mode) != at.DONE:
                return at.INTERRUPTED
            if record:
                plan[at.EPOCH_RIGHT] += plan[at.BATCH_RIGHT]
                if plan[at.RECORD_OBJECTIVE] != 0:
                    in_batch = numbers[at.BATCH_ROWS] if size == plan[at.BATCH] else numbers[at.SHORT_ROWS]
                    calls.record_objective(plan, parameters, rows=in_batch)
                else:
                    numbers[at.TOTAL] += gradient[count]
                    if mode & at.WEIGHED:
                        numbers[at.WEIGHT] += gradient[count + 1]
                        numbers[at.TERMS] = numbers[at.WEIGHT] * numbers[at.ROW_TERMS]
                if whole:
                    ended = write_record(plan, parameters, numbers, epoch)
                    if ended != at.DONE:
                        return ended
            if plan[at.STEP_KERNEL] != 0:
                calls.step(plan, parameters, scale)
            elif mode & at.DESCENDS:
                pass  # the pass has updated them
            elif plan[at.TEAM] != 0 and count >= SHARED_UPDATE:
                calls.together(plan, parameters, job=at.UPDATE_PARAMETERS, first=0, rows=0, mode=0)
            else:
                calls.gradient_descent(
                    plan, p=parameters, total=gradient, scale=scale, learning_rate=numbers[at.LEARNING_RATE],
                    count=count,
                )  # fmt: skip
            plan[at.START] += size
        ended = end_epoch(plan, parameters, numbers, record and not whole)
        if ended != at.DONE:
            return ended
    return at.DONE
