"""The plan of a group: what `model_lanes.py` needs to know, as one int64 vector.

A group is some models of one network that train together: a register holds the same number of several models. What
each model has for itself is an array with one number a model. `engine/model_lanes.py` writes the plan; kernels write
the state that goes on from call to call. The kinds of fields are those of `plan.py`.

Memory is [index][model]: number i of model m is at i * MODELS + m. A tile is [unit][row][model], its units UNIT apart,
and its rows in the order of `tree_order`.
"""

KINDS: list[str] = []  # of the fields, in their order


def _field(kind: str) -> int:
    KINDS.append(kind)
    return len(KINDS) - 1


# ---------------------------------------------------------------------------------------------------------
# The network

MODELS = _field("count")  # of the group: whole registers
LAYERS = _field("count")  # of the network, whose table follows the fields
PARAMETERS = _field("count")  # of one model
OUTPUTS = _field("count")  # units of the last layer
COLUMNS = _field("count")  # of y
LOSS_KERNEL = _field("kernel")  # dz in place of the logits, and the row losses
ROW_LOSSES_KERNEL = _field("kernel")  # the same with each row's loss; 0: LOSS_KERNEL goes row by row
LOSS_PARAMETER = _field("address")  # of the one number that the loss takes; 0: it takes none
VALUES = _field("address")  # all parameters

# ---------------------------------------------------------------------------------------------------------
# The data

X_OF = _field("address")  # int64: the address of each model's x, rows by rows
Y_OF = _field("address")  # int64: of its y
ORDER = _field("address")  # int64: the row at each place of the epoch, [place][model]; with PICK its place in ROWS_TILE
ROW_NUMBERS = _field("address")  # int64: the rows that each model trains on, [place][model]; with PICK their places
X_TILE = _field("address")  # a batch's inputs, [input][row][model]; where they are KEPT_TILES, those of all batches
Y_TILE = _field("address")  # a batch's targets, [column][row][model]; likewise
ROWS_TILE = _field("address")  # all rows' inputs and targets, [unit][place][model], where batches PICK theirs
ROWS_UNIT = _field("count")  # from one unit of it to the next
UNIT = _field("count")  # from one unit of a tile to the next
PLACES = _field("address")  # int64: which row of a whole batch lies at each row of its tiles, see `tree_order`
SHORT_PLACES = _field("address")  # int64: of a shorter one
KEPT_TILES = _field("flag")  # whether there are tiles of all batches, one behind the other, as every epoch has them

# ---------------------------------------------------------------------------------------------------------
# Buffers

ONES = _field("address")  # one number for each model, all 1
STATISTICS = _field("address")  # for each lane of rows, three lines; or each row's losses and right rows, [row][model]
GRADIENT = _field("address")  # all models'; 0 where weights are updated as the sums are made
LEVELS = _field("address")  # waiting partial sums of a tile
DELTAS = _field("address")  # of hidden layers, which take turns
OTHER_DELTAS = _field("address")  # with these

# ---------------------------------------------------------------------------------------------------------
# Kernels

GATHER = _field("kernel")  # rows of each model into a tile
PICK = _field("kernel")  # the same from ROWS_TILE, of a few rows; 0: GATHER does it
FORWARD = _field("kernel")  # a layer's sums
BACKWARD_INPUT = _field("kernel")  # the deltas of the layer below
BACKWARD_WEIGHTS = _field("kernel")  # a layer's gradient, or what becomes of its weights, of a whole batch
SHORT_WEIGHTS = _field("kernel")  # of a shorter one
FORWARD_BATCH = _field("kernel")  # a batch's rows up to the loss
BACKWARD_BATCH = _field("kernel")  # and back
ORDERS = _field("kernel")  # the order of an epoch, of each model
UPDATE = _field("kernel")  # of all parameters by the gradient; 0 where that is done already
PENALIZED = _field("kernel")  # adds the penalties' slopes; 0: there are none

# ---------------------------------------------------------------------------------------------------------
# The training

ROWS = _field("count")  # of each model
BATCH = _field("count")  # rows of a whole batch
FIRST_EPOCH = _field("epoch")  # of the fit, which is recorded
EPOCHS = _field("epoch")  # the last one
RECORD_EVERY = _field("count")  # epochs
SHUFFLE = _field("flag")  # whether an epoch begins with new ORDERS
SEEDS = _field("address")  # int64: of the order
EPOCHS_BEFORE = _field("address")  # int64: what to add to an epoch's number for shuffles
SHUFFLE_EPOCHS = _field("address")  # int64: that sum
STATE = _field("address")  # the optimizer's vectors, one behind the other
VECTORS = _field("count")  # of them
SETTINGS = _field("address")  # the optimizer's numbers, [number][model]
STEPS = _field("address")  # numbers for each update, [update][number][model], the learning rate first
STEP_NUMBERS = _field("count")  # from one update's to the next; 0: the same for all
L2 = _field("address")  # the penalties, one number for each model
L1 = _field("address")  # the other
NUMBERS = _field("address")  # of the numbers of the network's dtype, see below
TARGET_LOSSES = _field("address")  # at most this ends a model's training; -infinity: never
NEEDED = _field("address")  # int64: right rows that end it
TOTALS = _field("address")  # the epoch's losses so far
RIGHTS = _field("address")  # and its right rows
WRONG = _field("address")  # whether a parameter is not finite: NaN
SNAPSHOTS = _field("address")  # all parameters, twice: a recorded epoch's beginning is kept
RECORD_EPOCHS = _field("address")  # int64, one entry for each record of a call
RECORD_LOSSES = _field("address")  # numbers of the network's dtype, [record][model]
RECORD_RIGHTS = _field("address")  # int64: right rows, [record][model]
RECORD_CAPACITY = _field("count")  # records that a call may write

# What becomes of a model whose training ends before the others'
LIVE = _field("address")  # int64: 1, or 0 when it has ended
ENDS = _field("address")  # int64: why, REACHED or DIVERGED
END_EPOCHS = _field("address")  # int64: how many epochs it has done
END_STEPS = _field("address")  # int64: and how many updates of this call
END_RECORDS = _field("address")  # int64: and how many of this call's records are its own
FINALS = _field("address")  # its parameters, those that its last good record began with, and the optimizer's vectors

# ---------------------------------------------------------------------------------------------------------
# The state from call to call, which kernels write

EPOCH = _field("epoch")  # this one
START = _field("row")  # first row of the next batch, in the epoch's order
STEP = _field("count")  # updates of this call
RECORDS = _field("count")  # that this call wrote
LIVING = _field("count")  # models that have not ended
SNAPSHOT = _field("flag")  # which of the two is being written
KEPT = _field("flag")  # which of the two to go back to
WORK = _field("count")  # multiplications since the last look for Ctrl-C

FIELDS = len(KINDS)

# ---------------------------------------------------------------------------------------------------------
# A layer's table, at FIELDS + layer * LAYER_FIELDS

LAYER_KINDS: list[str] = []


def _layer_field(kind: str) -> int:
    LAYER_KINDS.append(kind)
    return len(LAYER_KINDS) - 1


LAYER_INPUTS = _layer_field("count")  # units below
LAYER_OUTPUTS = _layer_field("count")  # its units
LAYER_OFFSET = _layer_field("count")  # of w in one model's parameters; b follows
LAYER_RELU = _layer_field("flag")  # whether what is below 0 becomes 0
LAYER_FORWARD = _layer_field("kernel")  # of another activation; 0 for relu and identity
LAYER_A = _layer_field("address")  # the layer's outputs, [unit][row][model]
LAYER_SLOPE = _layer_field("address")  # what to multiply deltas by; 0: nothing
LAYER_FIELDS = len(LAYER_KINDS)

# ---------------------------------------------------------------------------------------------------------
# The rows of a tile


def tree_order(rows: int, line: int) -> list[int]:
    """Which row of a batch is the first of a tile, the second, ...: so that a sum over them reads them as they lie.

    Lane v of a sum has rows v, v + line, ... Lanes come in bit-reversed order, so that the fold by halves is a tree of
    neighbours.
    """
    lanes = [0]
    while len(lanes) < min(rows, line):
        lanes = [2 * lane for lane in lanes] + [2 * lane + 1 for lane in lanes]
    return [row for lane in lanes for row in range(lane, rows, line)]


# ---------------------------------------------------------------------------------------------------------
# Numbers of the network's dtype, at NUMBERS

SCALE, SHORT_SCALE, TERMS = range(3)  # of a whole batch's gradient; of the last, shorter batch's; of an epoch's loss
NUMBERS_COUNT = 3
