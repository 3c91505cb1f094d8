"""Predictions and scores, piece by piece of the rows: the passes, the checks of what goes in and comes out, and labels.

Threads take pieces by turns, and none waits for another. Python's `numpy.isfinite(x).all()` takes 1 us, as long as all
that one row of 64-100-10 takes; of many rows, it and NumPy's argmax took a fifth to a half of a prediction.
"""

from fastmlp.kernels import calls
from fastmlp.kernels import plan as at
from fastmlp.kernels.doors import arrive, close_doors, comes_in, leaves, open_doors, replace
from fastmlp.kernels.memory import advance, load, pointer, store
from fastmlp.kernels.registry import Floats, Int, Ints, kernel
from fastmlp.kernels.simd import equal, fill, greater, helper, lanes, number, select, spread_number
from fastmlp.kernels.team import NO_LOOK
from fastmlp.reference import predict as reference
from fastmlp.reference.arithmetic import CHUNK


@helper
def all_finite(x, count):
    """Whether x - x is 0 for all: it is NaN for NaN and infinity."""
    wrong = 0
    for i in range(count):
        wrong |= int(x[i] - x[i] != 0)
    return wrong == 0


@helper
def none_negative(x, count):
    """Whether no label says that it could not be told."""
    signs = 0
    for i in range(count):
        signs |= x[i]
    return signs >= 0


@helper
def next_piece(plan, begin):
    """The first row of the next piece that this thread takes."""
    if plan[at.TURNS] == 0:
        return begin + plan[at.PIECE]
    return arrive(pointer(plan[at.TURNS], plan), at.TAKEN) * plan[at.PIECE]


@kernel(None)
def checked(plan: Ints, parameters: Floats) -> int:
    """The plan's pass over its ROWS from START on, by pieces: writes their outputs, or their labels.

    Returns DONE; DIVERGED where a number of these rows or of their outputs is not finite (all are written
    nevertheless); or INTERRUPTED, after which another call goes on.
    """
    rows, inputs = plan[at.ROWS], plan[at.FIELDS + at.LAYER_INPUTS]  # no arguments: each costs the caller 0.04 us
    labels, outputs = plan[at.LABELS], plan[at.OUTPUTS]
    copied = plan[at.COPY_ROWS] != 0  # by the kernel below, behind whose rows it says whether all are finite
    begin = plan[at.START]
    while begin < rows:
        finite = True
        here = plan[at.PIECE] if rows - begin > plan[at.PIECE] else rows - begin
        if not copied:
            finite &= all_finite(advance(pointer(plan[at.X], parameters), begin * inputs), here * inputs)
        if calls.span(plan, parameters, first=begin, rows=here, mode=at.OUTPUT) != at.DONE:
            plan[at.START] = begin
            return at.INTERRUPTED
        if copied:
            behind = advance(pointer(plan[at.X_TILE], parameters), here * plan[at.X_STRIDE])
            finite &= all_finite(behind, lanes(parameters) + 1)
        if labels != 0:
            finite &= none_negative(advance(pointer(plan[at.RESULT], plan), begin * labels), here * labels)
        else:
            finite &= all_finite(advance(pointer(plan[at.RESULT], parameters), begin * outputs), here * outputs)
        plan[at.WRONG] |= int(not finite)
        begin = next_piece(plan, begin)
    state = at.DIVERGED if plan[at.WRONG] else at.DONE
    plan[at.START] = plan[at.WRONG] = 0
    return state


@kernel(None)
def scored(plan: Ints, parameters: Floats) -> int:
    """The losses of the plan's ROWS from START on, chunk by chunk: leaves each chunk's in RESULT, and BATCH_RIGHT.

    Returns DONE; or INTERRUPTED, after which another call goes on.
    """
    rows = plan[at.ROWS]
    gradient, losses = pointer(plan[at.GRADIENT], parameters), pointer(plan[at.RESULT], parameters)
    mode = at.RECORD | plan[at.EXTRAS]
    begin = plan[at.START]
    while begin < rows:
        here = CHUNK if rows - begin > CHUNK else rows - begin
        right = plan[at.BATCH_RIGHT]
        if calls.span(plan, parameters, first=begin, rows=here, mode=mode) != at.DONE:
            plan[at.START], plan[at.BATCH_RIGHT] = begin, right
            return at.INTERRUPTED
        losses[begin // CHUNK] = gradient[plan[at.PARAMETERS]]
        begin = next_piece(plan, begin)
    plan[at.START] = 0
    return at.DONE


@kernel(None)
def lead(plan: Ints, parameters: Floats, function: Int, doors: Ints, helpers: Int) -> int:
    """`checked` or `scored`, by its address, together with as many helpers as come in.

    Returns what the function does, when all have left: DONE, DIVERGED, or INTERRUPTED, after which another call goes on
    with the pieces that nobody has taken.
    """
    turns = pointer(plan[at.TURNS], plan)
    open_doors(doors, helpers)
    state = calls.checked_or_scored(function, plan, parameters)
    taken = replace(turns, at.TAKEN, at.ALL_TAKEN)
    close_doors(doors, helpers)
    turns[at.TAKEN] = taken
    if state == at.DONE and turns[at.WRONG_OF_HELPERS] != 0:
        return at.DIVERGED
    return state


@kernel(None)
def help_out(plan: Ints, parameters: Floats, function: Int, door: Ints):
    """What helpers do of `lead`: pieces, while there are any."""
    if not comes_in(door):
        return
    plan[at.WORK] = NO_LOOK
    plan[at.START] = next_piece(plan, 0)
    if calls.checked_or_scored(function, plan, parameters) == at.DIVERGED:
        replace(pointer(plan[at.TURNS], plan), at.WRONG_OF_HELPERS, 1)
    plan[at.WORK] = 0
    leaves(door)


@kernel(reference.copy_rows)
def copy_rows(x: Floats, order: Ints, ordered: Int, first: Int, rows: Int, K: Int, to: Floats, stride: Int):
    """As `layout.copy_rows`, for rows that come as they lie; and behind the last of them a register and a number.

    These are 0, or NaN in places, where a number of x is not finite: so x is read once, where it comes from memory.
    """
    step = lanes(x)
    whole = K // step * step
    wrongs, wrong = fill(x, 0), number(x, 0)
    for n in range(rows):
        row, line = advance(x, (first + n) * K), advance(to, n * stride)
        for k in range(0, whole, step):
            some = load(row, k)
            store(line, k, some)
            wrongs = wrongs + (some - some)
        for k in range(whole, K):
            line[k] = row[k]
            wrong += row[k] - row[k]
    behind = advance(to, rows * stride)
    store(behind, 0, wrongs)
    behind[step] = wrong


@kernel(reference.label)
def label(z: Floats, J: Int, rows: Int, stride: Int):
    """z[0] = the place of each row's first largest logit, or -1 where one of them is not finite."""
    for n in range(0, rows, lanes(z)):
        largest = load(z, n)
        place, wrong = fill(z, 0), largest - largest
        for j in range(1, J):
            x = load(z, j * stride + n)
            larger = greater(x, largest)
            largest = select(larger, x, largest)
            place = select(larger, spread_number(z, j), place)
            wrong = wrong + (x - x)
        store(z, n, select(equal(wrong, 0), place, -1))


@kernel(reference.above_zero)
def above_zero(z: Floats, J: Int, rows: Int, stride: Int):
    """z = 1 where it is above 0, else 0, or -1 where it is not finite."""
    for start in range(0, J * stride, stride):
        for n in range(start, start + rows, lanes(z)):
            x = load(z, n)
            answer = select(greater(x, 0), fill(z, 1), 0)
            store(z, n, select(equal(x - x, 0), answer, -1))


@kernel(reference.scatter_labels)
def scatter_labels(tile: Floats, stride: Int, rows: Int, K: Int, x: Ints, first: Int):
    """x[first + n] = tile[0, n] for `rows` rows."""
    for n in range(rows):
        x[first + n] = int(tile[n])


@kernel(reference.scatter_answers)
def scatter_answers(tile: Floats, stride: Int, rows: Int, K: Int, x: Ints, first: Int):
    """x[first + n, k] = tile[k, n] for `rows` rows."""
    for n in range(rows):
        for k in range(K):
            x[(first + n) * K + k] = int(tile[k * stride + n])
