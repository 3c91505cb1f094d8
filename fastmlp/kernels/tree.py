"""The one binary counter: how sums that are made one after the other combine in an aligned tree (`arithmetic.tree`).

Sums are of chunks, spans of rows, or lanes; they come as numbers 0, 1, 2, ... When sum n comes, one waits at each level
where n has a 1 bit. Sum n takes in those that wait below its first 0 bit, the lowest first, each as the left operand,
and then waits at that level itself. The last one takes in all that wait. So of 6 sums, ((0 + 1) + (2 + 3)) + (4 + 5):

    n     0    1      2    3          4    5, the last
    bits  000  001    010  011        100  101
    takes      level 0     levels 0, 1     levels 0, 2

Kernels write it so, as sums are a number, a vector in memory, or a block of registers:

    level, waiting = 0, n
    while tree.goes_up(waiting, last):
        if waiting & 1:
            total = levels[level] + total
        level, waiting = level + 1, waiting >> 1
    if not last:
        levels[level] = total

A loop over a number of levels that is known before takes a quarter more code in `train.sum_batch`.
"""

from fastmlp.kernels.simd import helper


@helper
def goes_up(waiting, last):
    """Whether a sum goes up one more level; waiting: a bit for each level from its own on where a sum waits."""
    return waiting & 1 or (last and waiting > 0)
