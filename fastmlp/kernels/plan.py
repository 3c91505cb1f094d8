"""The plan: what a kernel that runs other kernels needs to know, as one int64 vector.

Kernels read it by the names here; `engine/plan_writer.py` alone writes it, before a call, and kernels write the state
that goes on from call to call. After the FIELDS come LAYER_FIELDS numbers for each layer. The kinds of fields:

    count     a number of rows, layers, and so on; or a size or a distance in numbers of the network's dtype, not bytes
    address   of memory, in bytes; 0: there is none
    kernel    the address of a kernel's code, which `calls.py` calls by name; 0: it is not to be called
    flag      0 or 1
    bits      of a mode, as below
    choice    one of some constants of this page
    epoch     an epoch's number, the first being 1
    row       a row's place in x and y; or in the epoch's order
    word      64 random bits, as int64
"""

import itertools

# What a pass over rows does: bits of its `mode`. BACKWARD, RECORD and OUTPUT are chosen for each call; the
# others are fixed for a training, in EXTRAS. DESCENDS: each part of the gradient is subtracted from the weights at
# once, by JOB_SCALE and LEARNING_RATE, and never stored.
BACKWARD, RECORD, OUTPUT, WEIGHED, DROPS, LOSS_IS_SET, DESCENDS = 1, 2, 4, 8, 16, 32, 64

KINDS: list[str] = []  # of the fields, in their order


def _field(kind: str) -> int:
    KINDS.append(kind)
    return len(KINDS) - 1


# ---------------------------------------------------------------------------------------------------------
# The network. Written when a workspace is made, and with its loss: engine/buffers.py

LAYERS = _field("count")  # of the network, whose table follows the fields
PARAMETERS = _field("count")  # weights and biases of all layers
TRAINED = _field("count")  # of all that is trained: PARAMETERS, and behind them an input scale, if there is one
OUTPUTS = _field("count")  # units of the last layer
COLUMNS = _field("count")  # of y: targets and, behind them, the rows' weights
LOSS_KERNEL = _field("kernel")  # dz in place of the logits, and the row losses
LOSS_PARAMETER = _field("address")  # of the one number that the loss takes, where LOSS_IS_SET
WEIGH_KERNEL = _field("kernel")  # dz times the rows' weights, where they are WEIGHED
OUTPUT_KERNEL = _field("kernel")  # probabilities or labels in place of the logits; 0 for identity

# ---------------------------------------------------------------------------------------------------------
# The data. Written with x and y: engine/buffers.py; of predictions for each call: engine/forward.py

X = _field("address")  # rows by rows: x[row * inputs + k]; 0 where tiles are used
Y = _field("address")  # rows by rows: y[row * COLUMNS + j]; 0 where tiles are used
ORDER = _field("address")  # int64: the epoch's order of rows; 0: as they come
X_TILES = _field("address")  # tile by tile, feature-major: tile i begins at i * inputs * STRIDE; 0 where rows are used
Y_TILES = _field("address")  # likewise, at i * COLUMNS * STRIDE
RESULT = _field("address")  # where outputs go, rows by rows; of a score, each chunk's loss
LABELS = _field("count")  # int64 of a row's result where it is labels; 0: it is outputs, of the network's dtype

# ---------------------------------------------------------------------------------------------------------
# Pieces of the rows, where none waits for another: predictions and scores. engine/forward.py, numba_backend.py

PIECE = _field("count")  # rows of one
WRONG = _field("flag")  # whether a number that went in or came out was not finite: kernels write it
TURNS = _field("address")  # of what threads that take pieces share, see below; 0: one thread. engine/row_pieces.py

# ---------------------------------------------------------------------------------------------------------
# Buffers. Written when a workspace is made, and for its loss and its gradient: engine/buffers.py

X_TILE = _field("address")  # a tile of inputs; in the layered pass a span's rows, or all, X_STRIDE apart
Y_TILE = _field("address")  # a tile of logits where they are copied to one (OUTPUTS units), and one of y (COLUMNS)
ONES = _field("address")  # one unit of a tile, all 1
SUMS = _field("address")  # lines in which row sums gather; lanes of whole vectors in the rowwise pass
STATISTICS = _field("address")  # three lines: row losses, right rows, weights
GRADIENT = _field("address")  # `padded_size` numbers: a chunk's gradient, its loss and the sum of its weights
LEVELS = _field("address")  # the binary tree's waiting partial sums, each as long as the gradient
TILE = _field("count")  # rows of a tile
STRIDE = _field("count")  # from one unit of a tile to the next
SPAN = _field("count")  # rows of a pass: CHUNK, or a power of two times as many
# of the layered pass, whose units lie row by row
X_STRIDE = _field("count")  # from one row of inputs to the next
PANEL = _field("address")  # DEPTH lines of a panel's registers
DELTAS = _field("address")  # a panel's sums for a BLOCK of rows
PACKED = _field("address")  # what weight gradients pack
GROUP = _field("count")  # units whose deltas they pack at once
BLOCKS = _field("address")  # their waiting partial sums
TURNED = _field("address")  # a layer's weights or their gradient, transposed
SCALARS = _field("address")  # waiting partial sums of the loss and the weights
# of online training, and of few rows
LOSS_CURVE = _field("choice")  # the deltas of one output. CALLED: by LOSS_KERNEL; else a - y; SIGMOID: times its slope
PACK = _field("kernel")  # copies the parameters as online training wants them
UNPACK = _field("kernel")  # makes the updates that wait, and writes the parameters
SWEEP = _field("kernel")  # of layers wider than a register; 0: there are none
BEFORE = _field("flag")  # which of two activations and deltas are those of the row before: kernels write it
ROW_BEFORE = _field("row")  # that row in x: kernels write it

# ---------------------------------------------------------------------------------------------------------
# A team of threads, each with a plan of its own: engine/team.py

LOOP = _field("kernel")  # the training loop, for whoever leads the team
TEAM = _field("address")  # of what its members share, see below, while they are running; else 0: `lead` writes it
MEMBERS = _field("count")  # the main thread among them: kernels write it
ME = _field("count")  # this member's number, 0 the main thread: kernels write it
MEETINGS = _field("count")  # since the team came together: kernels write it
CHUNK_SUMS = _field("address")  # where the streamed pass's members leave each chunk's gradient; 0: none of them does
MEET = _field("kernel")  # waits for the others
OWN_PART = _field("kernel")  # a member's part of a job
TOGETHER = _field("kernel")  # has the team do a job
SHARE = _field("kernel")  # a member's part of a pass

# ---------------------------------------------------------------------------------------------------------
# Kernels that a pass and a batch call: engine/buffers.py, as far as the network and the training need them

SUM_BATCH = _field("kernel")  # `train.sum_batch`, or `few.sum_batch`
PASS_KERNEL = _field("kernel")  # a span's rows: streamed, rowwise or layered; of few rows, SUM_BATCH is all
GATHER = _field("kernel")  # rows into a tile
COPY_ROWS = _field("kernel")  # 0: X_TILE holds all rows already
TRANSPOSE = _field("kernel")  # layered: a weights' gradient, and the outputs of a chunk into a tile
SCATTER = _field("kernel")  # outputs or labels to RESULT
DENSE_FORWARD = _field("kernel")  # of `dense`, `layered_dense` or `rowwise_dense`, and so the next four
DENSE_BACKWARD_INPUT = _field("kernel")  # 0 where there is one layer
DENSE_BACKWARD_WEIGHTS = _field("kernel")  # 0 where passes descend
DENSE_DESCEND = _field("kernel")  # of the layered pass, where it DESCENDS; else 0
FOLD = _field("kernel")  # of the rowwise pass
MULTIPLY = _field("kernel")  # of activations with a slope, and for dropout
DROPOUT = _field("kernel")  # draws a layer's factors and multiplies by them
DROPOUT_FACTORS = _field("kernel")  # 0 or a factor for each row and unit
PERMUTATION = _field("kernel")  # the order of an epoch, where SHUFFLE: engine/numba_backend.py
STEP_KERNEL = _field("kernel")  # runs what comes between a batch's sum and the update; 0: nothing does
SCALED = _field("kernel")  # where there are penalties or clipping, else 0
PENALIZED = _field("kernel")  # adds the penalties' slopes; 0: there are none
OF_SUM = _field("flag")  # whether penalties are added to a batch's sum, not to its mean
SQUARES = _field("kernel")  # the sum of a layer's squares, for a RECORD_OBJECTIVE with a penalty; else 0
RECORD_OBJECTIVE = _field("kernel")  # records a batch's loss where it is not the mean over rows and outputs; else 0
OWN = _field("address")  # of what is trained, where there is an input scale: kernels then get what passes see; else 0
FOLDED = _field("kernel")  # makes of it what passes see
UNFOLDED = _field("kernel")  # makes of a gradient by that the one by OWN
CLIPPED_BY_VALUE = _field("kernel")  # 0: not asked for
CLIPPED_BY_NORM = _field("kernel")  # 0: not asked for
UPDATE = _field("kernel")  # gradient descent, or the optimizer's; 0 online

# ---------------------------------------------------------------------------------------------------------
# The training: engine/numba_backend.py; the optimizer's and EXTRAS: engine/buffers.py

ROWS = _field("count")  # of x; of predictions and scores, where the call ends
BATCH = _field("count")  # rows of a whole batch
FIRST_EPOCH = _field("epoch")  # of the fit, which is recorded
EPOCHS = _field("epoch")  # the last one
RECORD_EVERY = _field("count")  # epochs
SEED = _field("word")  # of the order
SHUFFLE = _field("flag")  # whether an epoch begins with a PERMUTATION
DROPOUT_SEED = _field("word")  # of its factors
EPOCHS_BEFORE = _field("count")  # what to add to an epoch's number for shuffles and dropout
STATE = _field("address")  # the optimizer's vectors, each of `padded_size`, one behind the other; 0: it has none
SETTINGS = _field("address")  # the optimizer's numbers
STEPS = _field("address")  # numbers for each update, the learning rate first, for the STEP_KERNEL
STEP_NUMBERS = _field("count")  # from one update's to the next; 0: the same for all
SCRATCH = _field("address")  # for sums of squares
EXTRAS = _field("bits")  # of every mode
NEEDED = _field("count")  # right rows that end training; ROWS + 1: never
NUMBERS = _field("address")  # of the numbers of the network's dtype, see below
SNAPSHOTS = _field("address")  # two parameter vectors: a recorded epoch's beginning is kept
SNAPSHOT_SIZE = _field("count")  # from one to the other
RECORD_EPOCHS = _field("address")  # int64, one entry for each record of a call
RECORD_LOSSES = _field("address")  # numbers of the network's dtype
RECORD_RIGHTS = _field("address")  # int64: right rows
RECORD_CAPACITY = _field("count")  # records that a call may write

# ---------------------------------------------------------------------------------------------------------
# The state from call to call, which kernels write. The engine sets it at the beginning, and reads it after each call
# as the numbers from EPOCH up to WORK.

EPOCH = _field("epoch")  # this one
START = _field("row")  # first row of the next batch, in the epoch's order; of predictions and scores, of the next piece
STEP = _field("count")  # how often this call has called the STEP_KERNEL
BATCH_RIGHT = _field("count")  # right rows
EPOCH_RIGHT = _field("count")  # right rows
RECORDS = _field("count")  # that this call wrote
SNAPSHOT = _field("flag")  # which of the two is being written
KEPT = _field("flag")  # which of the two to go back to: an epoch with a finite loss, or the start
WORK = _field("count")  # multiplications since the last look for Ctrl-C

FIELDS = len(KINDS)

# ---------------------------------------------------------------------------------------------------------
# A layer's table, at FIELDS + layer * LAYER_FIELDS: engine/buffers.py

LAYER_KINDS: list[str] = []


def _layer_field(kind: str) -> int:
    LAYER_KINDS.append(kind)
    return len(LAYER_KINDS) - 1


LAYER_INPUTS = _layer_field("count")  # units below
LAYER_OUTPUTS = _layer_field("count")  # its units
LAYER_OFFSET = _layer_field("count")  # of w in the parameters; b follows
LAYER_RELU = _layer_field("flag")  # whether what is below 0 becomes 0
LAYER_A = _layer_field("address")  # the layer's outputs in a tile; layered: of a span's rows; online: of two rows
LAYER_STRIDE = _layer_field("count")  # from one row of them to the next in the layered pass; online, from a row of w
LAYER_FORWARD = _layer_field("kernel")  # of another activation; 0 for relu, identity, and those done online
LAYER_DELTAS = _layer_field("address")  # layered: but of the last layer; of few rows; online: of two rows
LAYER_TURNED = _layer_field("flag")  # layered: whether inputs and outputs change places in the weights' gradient
LAYER_SLOPE = _layer_field("address")  # what to multiply deltas by: slopes, dropout's factors, or both; 0: nothing
LAYER_FACTORS = _layer_field("address")  # dropout's factors in a tile; 0: no dropout
LAYER_THRESHOLD = _layer_field("count")  # of 2^32: random words below it are dropped
LAYER_KEPT = _layer_field("address")  # of the factor of what is kept
LAYER_ROWS = _layer_field("address")  # of online training: w and b, each row in whole registers
LAYER_COLUMNS = _layer_field("address")  # w by columns; 0 for the first layer
LAYER_CURVE = _layer_field("choice")  # STRAIGHT: relu, identity; SIGMOID, TANH: done where the sums are; CALLED
LAYER_FIELDS = len(LAYER_KINDS)
STRAIGHT, SIGMOID, TANH, CALLED = range(4)

# ---------------------------------------------------------------------------------------------------------
# Sizes of what the layered pass works on at once (kernels/layered_dense.py).
BLOCK_ROWS = 4  # rows x registers forward: 4 x 4 sums reach 0.93 of the peak, as 6 x 4 do, and leave fewer rows over
BLOCK_INPUTS = 6  # inputs x registers of weight gradients: 6 x 4 sums, as the tree of their lanes goes through memory
NARROW = 2  # registers of the last panel, where that is enough; forward, also 1
TALL_ROWS = 8  # of a panel of 1 register: 8 sums, as two units of 4 cycles' latency need
DEPTH = 128  # inputs of a panel: 128 x 4 registers are 32 KiB, most of a core's first cache
PASSING = 256  # rows that pass a panel: their DEPTH inputs are 256 KiB, some of the second cache
LEVELS_OF_LANES, LEVELS_OF_CHUNKS = 4, 12  # of waiting sums

# ---------------------------------------------------------------------------------------------------------
# What threads share, in memory of its own: engine/doors.py

# A helper's door (kernels/doors.py), int64, a line of 8 for each: its state, and the helper's number in the team.
SHUT, OPEN, IN, GO, LEFT, CLOSED = range(6)
DOOR, NUMBER = 8, 1

# What threads that take pieces share, int64: how many pieces are taken; and whether a helper met what is not finite.
TAKEN, WRONG_OF_HELPERS = 0, 8
ALL_TAKEN = 2**40  # none is left

# What a team shares, int64: how many have come to meetings; the job; where the streamed pass's members leave each
# chunk's gradient; how many members there are; and lines of 8 for each member's right rows.
ARRIVED, JOB, JOB_FIRST, JOB_ROWS, JOB_MODE, JOB_EPOCH, JOB_SUMS, JOB_MEMBERS, RIGHTS = 0, 8, 9, 10, 11, 12, 13, 14, 16
PASS, UPDATE_PARAMETERS, LEAVE = range(3)

# ---------------------------------------------------------------------------------------------------------
# Numbers of the network's dtype, at NUMBERS: engine/numba_backend.py; TOTAL, WEIGHT and JOB_SCALE by kernels

_number = itertools.count()
LEARNING_RATE = next(_number)  # where there is no STEP_KERNEL
SCALE = next(_number)  # of a whole batch's gradient: the loss's factor over its number of terms
SHORT_SCALE = next(_number)  # of the last, shorter batch's
FACTOR = next(_number)  # for weighted rows, whose scale is FACTOR / (sum of weights * ROW_TERMS)
ROW_TERMS = next(_number)  # a row's terms of the loss
TERMS = next(_number)  # of an epoch's loss
TARGET_LOSS = next(_number)  # at most this ends training; -infinity: never
TOTAL = next(_number)  # the epoch's loss so far
WEIGHT = next(_number)  # the epoch's weights so far
L2 = next(_number)  # the penalties
L1 = next(_number)  # the other
CLIP_VALUE = next(_number)  # limit of each number of the gradient
CLIP_NORM = next(_number)  # limit of the gradient's norm
LOSS_FRACTION = next(_number)  # of a batch's loss that is recorded, where there is a RECORD_OBJECTIVE
HALF_L2 = next(_number)  # and what of the weights' squares
BATCH_ROWS = next(_number)  # of a whole batch
SHORT_ROWS = next(_number)  # of the last, shorter one
JOB_SCALE = next(_number)  # of the batch's gradient, for an update by a team or in a pass
NUMBERS_COUNT = next(_number)

NORMAL_BLOCK = 512  # numbers that `random.normal` makes at a time: they stay in the first cache

# What a call of training returns.
DONE, MORE, REACHED, DIVERGED, INTERRUPTED = range(5)
