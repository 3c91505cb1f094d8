"""What the passes over rows have in common: padding, the loss, its statistics, dropout, and a look for Ctrl-C.

A pass does a span of rows, forward and back: `streamed.py`, `rowwise.py` and `layered.py` have one each. It runs the
others, which it reaches by addresses in a plan (`plan.py`), so that a network compiles only what it uses.
"""

from fastmlp.kernels import calls
from fastmlp.kernels import plan as at
from fastmlp.kernels.memory import advance, fold, interrupted, pointer
from fastmlp.kernels.registry import Floats, Int, Ints, kernel
from fastmlp.kernels.simd import helper, lanes, line_lanes
from fastmlp.reference.random import DROPOUT

INTERRUPT_WORK = 300_000_000  # multiplications between two looks for Ctrl-C: some 10 ms, where a look takes 0.1 us


def twice(make):
    """The passes that make(options) gives, as kernels: plain, and with options.

    The plain one knows nothing of weights, dropout and losses with a setting, whose questions alone would cost the
    smallest batches 4 % of their time. `options` is a constant to the compiler.
    """
    plain, full = make(False), make(True)
    full.__name__ += "_with_options"
    return kernel(None)(plain), kernel(None)(full)


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
        calls.parametrised_loss(plan, z, y, weights, statistics, parameter, J, rows, stride, record)
    else:
        calls.loss(plan, z, y, weights, statistics, J, rows, stride, record)
    if mode & at.WEIGHED:
        calls.weigh(
            plan, dz=z, weights=weights, sums=advance(statistics, 2 * line_lanes(z)), J=J, rows=rows, stride=stride
        )


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
    calls.dropout_factors(
        plan, factors, seed=plan[at.DROPOUT_SEED], stream=stream, epoch=epoch, first=first, units=units, rows=rows,
        stride=stride, threshold=threshold, kept=kept,
    )  # fmt: skip
    lines, width = (1, units) if stride == 1 else (units, rows)
    calls.multiply(plan, a, factors, units=lines, rows=width, stride=stride)
    if plan[layer + at.LAYER_SLOPE] != plan[layer + at.LAYER_FACTORS]:
        calls.multiply(
            plan, a=pointer(plan[layer + at.LAYER_SLOPE], a), factors=factors, units=lines, rows=width, stride=stride
        )
