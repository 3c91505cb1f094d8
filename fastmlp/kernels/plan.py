"""The plan: what a kernel that orders other kernels' work needs to know, as one int64 vector.

`workspace.py` and `engine.py` write plans; `kernels/` reads them. A field is a number, an address, or a
kernel's address (0: none). After the fields come LAYER_FIELDS numbers for each layer.
"""

import itertools

# What a pass over rows does; bits of its `mode`. The last four are the network's and the training's own, in EXTRAS.
# DESCENDS: the gradient is nowhere written, but taken from the weights as it is made, by JOB_SCALE and LEARNING_RATE.
BACKWARD, RECORD, OUTPUT, WEIGHED, DROPS, LOSS_IS_SET, DESCENDS = 1, 2, 4, 8, 16, 32, 64

_field = itertools.count()

# the network
LAYERS = next(_field)  # how many: their table follows the fields
PARAMETERS = next(_field)  # how many numbers
OUTPUTS = next(_field)
COLUMNS = next(_field)  # of y: targets and, behind them, the rows' weights
LOSS_KERNEL = next(_field)  # dz in place of the logits, and the row losses
LOSS_PARAMETER = next(_field)  # address of the number that the loss takes, where LOSS_IS_SET
WEIGH_KERNEL = next(_field)
OUTPUT_KERNEL = next(_field)  # probabilities in place of the logits; 0 for identity

# the data
X = next(_field)  # rows by rows: x[row * inputs + k]; 0 where tiles are used
Y = next(_field)
ORDER = next(_field)  # the epoch's order of rows; 0: as they come
X_TILES = next(_field)  # tile by tile, feature-major: tile i begins at i * inputs * stride; 0 where rows are used
Y_TILES = next(_field)
RESULT = next(_field)  # where outputs go, rows by rows; of a score, each chunk's loss
LABELS = next(_field)  # int64 of a row's result where it is labels; 0: it is outputs, numbers of the network's dtype

# pieces of the rows, where none waits for another: predictions and scores
PIECE = next(_field)  # rows of one
WRONG = next(_field)  # whether a number that went in or came out was not finite
TURNS = next(_field)  # address of the pieces' numbers, see below; 0: one thread

# buffers
X_TILE = next(_field)
Y_TILE = next(_field)
ONES = next(_field)  # one unit of a tile, all 1
SUMS = next(_field)  # lines in which row sums gather; lanes of whole vectors in the row schedule
STATISTICS = next(_field)  # three lines: row losses, right rows, weights
GRADIENT = next(_field)  # parameters + 2 numbers: a chunk's gradient, its loss and the sum of its weights
LEVELS = next(_field)  # the binary tree's waiting partial sums, each as long as the gradient
TILE = next(_field)  # rows of a tile
STRIDE = next(_field)  # numbers from one unit of a tile to the next
SPAN = next(_field)  # rows of a pass: CHUNK, or a power of two times as many
# of the layered schedule, whose units lie row by row
X_STRIDE = next(_field)  # numbers from one row of inputs to the next
PANEL = next(_field)  # DEPTH lines of a panel's registers
DELTAS = next(_field)  # a panel's sums for a BLOCK of rows
PACKED = next(_field)  # what weight gradients pack
GROUP = next(_field)  # units whose deltas they pack at once
BLOCKS = next(_field)  # their waiting partial sums
TURNED = next(_field)  # a layer's weights or their gradient, transposed
SCALARS = next(_field)  # waiting partial sums of the loss and the weights
# of online training
LOSS_CURVE = next(
    _field
)  # of few rows and online: the deltas of one output: CALLED, by a kernel of losses; else a - y, SIGMOID: times slope
PACK = next(_field)  # copies the parameters as online training wants them
UNPACK = next(_field)  # makes the updates that wait, and writes the parameters
SWEEP = next(_field)  # of layers wider than a register; 0: there are none
BEFORE = next(_field)  # 0 or 1: which of two activations and deltas are those of the row before
ROW_BEFORE = next(_field)  # that row's number

# a team of threads, each with a plan of its own
LOOP = next(_field)  # kernel: the training loop, for whoever leads the team
TEAM = next(_field)  # what its members share, see below, while they are at work; 0: one thread
MEMBERS = next(_field)  # how many, the main thread among them
ME = next(_field)  # 0: the main thread
MEETINGS = next(_field)  # since the team came together
CHUNK_SUMS = next(_field)  # where the streamed schedule's members leave each chunk's gradient; 0: none of them does
MEET = next(_field)  # kernel: waits for the others
OWN_PART = next(_field)  # kernel: a member's part of a job
TOGETHER = next(_field)  # kernel: has the team do a job
SHARE = next(_field)  # kernel: a member's part of a pass

# kernels
SUM_BATCH = next(_field)
PASS_KERNEL = next(_field)  # a span's rows: streamed, rowwise or layered; of few rows, SUM_BATCH is all
GATHER = next(_field)
COPY_ROWS = next(_field)  # 0: X_TILE holds all rows already
TRANSPOSE = next(_field)
SCATTER = next(_field)
DENSE_FORWARD = next(_field)
DENSE_BACKWARD_INPUT = next(_field)
DENSE_BACKWARD_WEIGHTS = next(_field)  # 0 where passes descend
DENSE_DESCEND = next(_field)
FOLD_ROWS = next(_field)  # of the row schedule
MULTIPLY = next(_field)  # of activations with a slope, and for dropout
DROPOUT = next(_field)  # draws a layer's factors and multiplies by them
DROPOUT_FACTORS = next(_field)
PERMUTATION = next(_field)
STEP_KERNEL = next(_field)  # orders what comes between a batch's sum and the update; 0: nothing does
SCALED = next(_field)  # where there are penalties or clipping, else 0
PENALIZED = next(_field)
OF_SUM = next(_field)  # whether penalties are added to a batch's sum, not to its mean
SQUARES = next(_field)  # the sum of a layer's squares, for a RECORD_OBJECTIVE with a penalty; else 0
RECORD_OBJECTIVE = next(_field)  # records a batch's loss where it is not the mean over rows and outputs; else 0
CLIPPED_BY_VALUE = next(_field)
CLIPPED_BY_NORM = next(_field)
UPDATE = next(_field)

# training
ROWS = next(_field)
BATCH = next(_field)
FIRST_EPOCH = next(_field)  # the first epoch's number of the fit, which is recorded
EPOCHS = next(_field)  # the last epoch's number
RECORD_EVERY = next(_field)
SEED = next(_field)
SHUFFLE = next(_field)
DROPOUT_SEED = next(_field)
EPOCHS_BEFORE = next(_field)  # what to add to an epoch's number for shuffles and dropout
STATE = next(_field)  # the optimizer's vectors, one behind the other; 0: it has none
SETTINGS = next(_field)  # the optimizer's numbers
STEPS = next(_field)  # numbers for each update, the learning rate first, for the STEP_KERNEL
STEP_NUMBERS = next(_field)  # from one update's to the next; 0: the same for all
SCRATCH = next(_field)  # for sums of squares
EXTRAS = next(_field)  # bits of every mode
NEEDED = next(_field)  # right rows that end training; rows + 1: never
NUMBERS = next(_field)  # address of NUMBERS
SNAPSHOTS = next(_field)  # two parameter vectors: a recorded epoch's beginning is kept
SNAPSHOT_SIZE = next(_field)  # from one to the other
RECORD_EPOCHS = next(_field)  # one entry for each record of a call
RECORD_LOSSES = next(_field)
RECORD_RIGHTS = next(_field)
RECORD_CAPACITY = next(_field)

# the state between calls
EPOCH = next(_field)
START = next(_field)  # first row of the next batch
STEP = next(_field)  # how often this call has called the STEP_KERNEL
BATCH_RIGHT = next(_field)  # right rows
EPOCH_RIGHT = next(_field)
RECORDS = next(_field)  # how many this call wrote
SNAPSHOT = next(_field)  # 0 or 1: the one that is being written
KEPT = next(_field)  # 0 or 1: the one to go back to: an epoch with a finite loss, or the start
WORK = next(_field)  # multiplications since the last look for Ctrl-C

FIELDS = next(_field)

# A layer's table.
_layer_field = itertools.count()
LAYER_INPUTS = next(_layer_field)
LAYER_OUTPUTS = next(_layer_field)
LAYER_OFFSET = next(_layer_field)  # of w in the parameters; b follows
LAYER_RELU = next(_layer_field)
LAYER_A = next(_layer_field)  # the layer's outputs in a tile
LAYER_STRIDE = next(_layer_field)  # numbers from one row of them to the next, in the layered schedule; online, of w
LAYER_FORWARD = next(_layer_field)  # the kernel of another activation; 0 for relu, identity, and those done online
LAYER_DELTAS = next(_layer_field)  # layered: in the logits' place for the last layer; of few rows; online: of two rows
LAYER_TURNED = next(_layer_field)  # layered: whether inputs and outputs change places in the weights' gradient
LAYER_SLOPE = next(_layer_field)  # what to multiply its deltas by: slopes, dropout's factors, or both; 0: nothing
LAYER_FACTORS = next(_layer_field)  # dropout's factors in a tile; 0: no dropout
LAYER_THRESHOLD = next(_layer_field)  # random words below it are dropped
LAYER_KEPT = next(_layer_field)  # address of the factor of what is kept
LAYER_ROWS = next(_layer_field)  # of online training: w and b, each row in whole registers
LAYER_COLUMNS = next(_layer_field)  # w by columns; none of the first layer
LAYER_CURVE = next(_layer_field)  # STRAIGHT: relu, identity; SIGMOID, TANH: done where the sums are; CALLED
LAYER_FIELDS = next(_layer_field)
STRAIGHT, SIGMOID, TANH, CALLED = range(4)

# Sizes of what the layered schedule works on at once (kernels/wide.py).
BLOCK_ROWS = 4  # rows x registers forward: 4 x 4 sums reach 0.93 of the peak, as 6 x 4 do, and leave fewer rows over
BLOCK_INPUTS = 6  # inputs x registers of weight gradients: 6 x 4 sums, as the tree of their lanes goes through memory
NARROW = 2  # registers of the last panel, where that is enough; forward, also 1
TALL_ROWS = 8  # of a panel of 1 register: 8 sums, as two units of 4 cycles' latency need
DEPTH = 128  # inputs of a panel: 128 x 4 registers are 32 KiB, most of a core's first cache
PASSING = 256  # rows that pass a panel: their DEPTH inputs are 256 KiB, some of the second cache
LEVELS_OF_LANES, LEVELS_OF_CHUNKS = 4, 12  # of waiting sums

# A helper's door (kernels/doors.py), int64, a line of 8 for each: its state, and the helper's number in the team.
SHUT, OPEN, IN, GO, LEFT, CLOSED = range(6)
DOOR, NUMBER = 8, 1

# What threads that take pieces share, int64: how many pieces are taken; and whether a helper met what is not finite.
TAKEN, WRONG_OF_HELPERS = 0, 8
ALL_TAKEN = 2**40  # none is left

# What a team shares, int64: how many have come to meetings; the job; where the streamed schedule's members leave each
# chunk's gradient; how many members there are; and lines of 8 for each member's right rows.
ARRIVED, JOB, JOB_FIRST, JOB_ROWS, JOB_MODE, JOB_EPOCH, JOB_SUMS, JOB_MEMBERS, RIGHTS = 0, 8, 9, 10, 11, 12, 13, 14, 16
PASS, UPDATE_PARAMETERS, LEAVE = range(3)

# Numbers of the network's dtype.
_number = itertools.count()
LEARNING_RATE = next(_number)  # where there is no STEP_KERNEL
SCALE = next(_number)  # of a whole batch's gradient: the loss's factor over its number of terms
SHORT_SCALE = next(_number)  # of the last, shorter batch's
FACTOR = next(_number)  # for weighted rows, whose scale is FACTOR / (sum of weights * ROW_TERMS)
ROW_TERMS = next(_number)
TERMS = next(_number)  # of an epoch's loss
TARGET_LOSS = next(_number)  # at most this ends training; -infinity: never
TOTAL = next(_number)  # the epoch's loss so far
WEIGHT = next(_number)  # the epoch's weights so far
L2 = next(_number)
L1 = next(_number)
CLIP_VALUE = next(_number)
CLIP_NORM = next(_number)
SHARE = next(_number)  # of a batch's loss that is recorded, where there is a RECORD_OBJECTIVE
HALF_L2 = next(_number)  # and what of the weights' squares
BATCH_ROWS = next(_number)  # of a whole batch
SHORT_ROWS = next(_number)  # of the last, shorter one
JOB_SCALE = next(_number)  # of the batch's gradient, for an update by a team or in a pass
NUMBERS_COUNT = next(_number)

# What a call of training returns.
DONE, MORE, REACHED, DIVERGED, INTERRUPTED = range(5)
