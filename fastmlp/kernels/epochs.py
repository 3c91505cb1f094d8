"""An epoch's begin and end, in `train.train` and `online.train`: the snapshot, the order, the totals, the record."""

from fastmlp.kernels import calls
from fastmlp.kernels import plan as at
from fastmlp.kernels.memory import advance, load, pointer, store
from fastmlp.kernels.simd import helper, lanes, number


@helper
def copy(to, a, first, count):
    """to = a, elementwise. Writes whole registers."""
    for i in range(first, count, lanes(to)):
        store(to, i, load(a, i))


@helper
def is_recorded(plan):
    """Whether the EPOCH is one that is recorded: every RECORD_EVERYth, the first and the last."""
    epoch = plan[at.EPOCH]
    ends = epoch == plan[at.FIRST_EPOCH] or epoch == plan[at.EPOCHS]
    return epoch % plan[at.RECORD_EVERY] == 0 or ends


@helper
def own(plan, parameters):
    """What is trained: the parameters, or where there is an input scale, what they were made of."""
    return pointer(plan[at.OWN], parameters) if plan[at.OWN] != 0 else parameters


@helper
def begin_epoch(plan, parameters, numbers, record):
    """Before the first batch: the snapshot that a record goes with, the order of the rows, and empty totals."""
    if record:
        plan[at.SNAPSHOT] = 1 - plan[at.KEPT]
        snapshot = advance(pointer(plan[at.SNAPSHOTS], parameters), plan[at.SNAPSHOT] * plan[at.SNAPSHOT_SIZE])
        copy(snapshot, own(plan, parameters), 0, plan[at.TRAINED])
    if plan[at.SHUFFLE] != 0:
        epoch, order = plan[at.EPOCHS_BEFORE] + plan[at.EPOCH], pointer(plan[at.ORDER], plan)
        calls.permutation(plan, seed=plan[at.SEED], epoch=epoch, count=plan[at.ROWS], order=order)
    numbers[at.TOTAL] = 0
    numbers[at.WEIGHT] = 0
    plan[at.EPOCH_RIGHT] = 0


@helper
def end_epoch(plan, parameters, numbers, record):
    """After the last batch. -> DONE, or of the record, if one is due here, why training ends: REACHED or DIVERGED."""
    epoch = plan[at.EPOCH]
    plan[at.START] = 0
    plan[at.EPOCH] = epoch + 1
    if record:
        return write_record(plan, parameters, numbers, epoch)
    return at.DONE


@helper
def write_record(plan, parameters, numbers, epoch):
    """Writes an epoch's record. -> DONE, or why training ends here: REACHED or DIVERGED.

    No record is written, and none is kept, where a parameter is not finite: its loss may still be (a saturated
    sigmoid's). A record of a loss that is not finite is written, for the message.
    """
    loss = numbers[at.TOTAL] / numbers[at.TERMS]
    wrong, trained = number(parameters, 0), own(plan, parameters)
    for i in range(plan[at.TRAINED]):
        wrong += trained[i] - trained[i]  # 0, or NaN
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
