"""Which pass runs: for a training's batches, and for the rows of a prediction. All thresholds, with what set them.

| pass | for | file in kernels/, and that of its dense layers |
|---|---|---|
| online | batches of one row, plain updates, up to 1,000,000 parameters | online.py |
| rowwise | other batches of one row; predictions of up to 3 rows | rowwise.py, rowwise_dense.py |
| few | batches of up to a line of rows (64 bytes of numbers), up to 150 parameters, no options | few.py |
| layered | wide layers: from 35,000 multiplications a row on (150,000 below 100 rows) | layered.py, layered_dense.py |
| streamed | all others | streamed.py, dense.py |

Of many models at once, those for which lanes that are models pay train in groups (kernels/model_lanes.py), and the
others one by one. OPTIONS says which options lanes have.

Every pass gives the same bits. Measurements: docs/performance.md, under "Wide layers", "One row", "Many rows", "Batches
of one row" and "Batches of a few rows".
"""

from __future__ import annotations

import numpy as np

from fastmlp.engine.sizes import whole_panels
from fastmlp.reference.arithmetic import CHUNK, LINE
from fastmlp.spec import Spec
from fastmlp.system.cpu import target
from fastmlp.training import Training

LAYERED_WORK = 35_000  # multiplications for a row, forward and back, from which the layered pass pays
SMALL_BATCH, SMALL_BATCH_WORK = 100, 150_000  # of batches of fewer rows: from this many
LAYERED_WASTE = 1.2  # and this many of them at most for each that is needed: whole panels are computed
FEW_PARAMETERS = 150  # up to which batches of a few rows take 0.5 to 1.0 of the streamed pass's time
ONLINE_PARAMETERS = 1_000_000  # up to which a step takes so little time that nobody has to look for Ctrl-C in it

# Predictions.
ROW_BY_ROW = 3  # rows up to which the rowwise pass is the fastest, or nearly: 64-100-10, 784-128-10, 2-8-8-2
FEW_ROWS = 32  # rows of a pass with small buffers
# Of a few rows, streamed computes a whole group; so layered pays from this many multiplications a row on, also where it
# does twice as many as are needed: 784-100-10 in float32, 1.3 times, takes 13 us for 5 rows, and streamed 29.
FEW_WORK, FEW_WASTE = 16_000, 2.0


def of_training(spec: Spec, training: Training, rows: int, weighed: bool, wanted: str | None = None) -> str:
    """The pass of a training on so many rows. wanted: another one than the fastest, as tests want it."""
    batch = min(training.batch_size, rows)
    chosen = wanted
    if chosen is None:
        few = batch > 1 and spec.parameters <= FEW_PARAMETERS and fits_few(spec, training, batch, weighed)
        chosen = "few" if few else of_batches(spec, batch)
    if chosen == "rowwise" and batch == 1 and _goes_online(spec, training, rows, weighed):
        return "online"
    return chosen


def of_batches(spec: Spec, batch: int) -> str:
    """The pass for batches of this many rows, as far as the network decides it."""
    if batch == 1:
        return "rowwise"
    work = padded = 0
    for layer, (inputs, outputs) in enumerate(spec.shapes):
        work += inputs * outputs * (3 if layer else 2)
        padded += (inputs + inputs + 1) * whole_panels(outputs, spec.dtype)
        padded += outputs * whole_panels(inputs, spec.dtype) if layer else 0
    least = SMALL_BATCH_WORK if batch < SMALL_BATCH else LAYERED_WORK
    return "layered" if work >= least and padded <= LAYERED_WASTE * work else "streamed"


def of_predictions(spec: Spec, rows: int) -> str:
    """The pass for predictions of so many rows: that of training, but for a few."""
    if rows <= ROW_BY_ROW:
        return "rowwise"
    if rows <= FEW_ROWS:
        work = sum(inputs * outputs for inputs, outputs in spec.shapes)
        padded = sum(inputs * whole_panels(outputs, spec.dtype) for inputs, outputs in spec.shapes)
        if work >= FEW_WORK and padded <= FEW_WASTE * work:
            return "layered"
    return of_batches(spec, CHUNK)  # the same for all others, as passes are kept for them together


def fits_few(spec: Spec, training: Training, batch: int, weighed: bool) -> bool:
    """Whether `few.sum_batch` can do a batch of so many rows."""
    options = training.drops or training.objective is not None or weighed or spec.loss_parameter is not None
    return batch <= LINE // np.dtype(spec.dtype).itemsize and not options


def _goes_online(spec: Spec, training: Training, rows: int, weighed: bool) -> bool:
    """Whether batches of one row are trained on by `online.train`: of several rows, and with plain updates."""
    options = training.drops or training.prepares or training.objective is not None or weighed
    options = options or spec.input_scale or training.rate_factors is not None
    plain = training.optimizer is None and training.constant and not options
    return plain and rows > 1 and spec.loss_parameter is None and spec.parameters <= ONLINE_PARAMETERS


# ---------------------------------------------------------------------------------------------------------
# Many models at once: kernels/model_lanes.py, or each whole, by the passes above

# Where a model with an option is trained, whatever its other options: "lanes", where they pay, or "whole".
OPTIONS = {
    **dict.fromkeys(
        (
            "epochs", "learning_rate", "batch_size", "record_every", "order", "target_loss", "target_accuracy",
            "epochs_before", "done", "rate_begins", "optimizer", "l2", "l1", "dropout_seed", "threads", "watched",
            "step_every", "begun",
        ),
        "lanes",
    ),
    # each would take a kernel of its own, for trainings that are rarely tiny
    **dict.fromkeys(("clip_value", "clip_norm", "dropout", "objective", "weights", "rate_factors"), "whole"),
}  # fmt: skip
MOST_ROWS = 1 << 24  # whose right ones a float32 counts
LANE_BYTES = 1 << 19  # of a group's parameters: about a second cache
# Up to so many rows in a batch: the widest layer for which lanes pay, and what a register of models takes, in times of
# as many models alone, with something to spare. docs/performance.md has the measurements.
LANE_COSTS = (
    (1, {"float32": (24, 0.65), "float64": (24, 0.85)}),
    (4, {"float32": (128, 0.25), "float64": (128, 0.5)}),
    (16, {"float32": (128, 0.65), "float64": (100, 0.8)}),
    (32, {"float32": (100, 0.8), "float64": (32, 0.9)}),
    (64, {"float32": (64, 0.9), "float64": (24, 0.95)}),
    (200, {"float32": (32, 0.95), "float64": (24, 0.95)}),
    (CHUNK, {"float32": (16, 0.95), "float64": (8, 0.98)}),
)


def fits_lanes(spec: Spec, training: Training, rows: int, weighed: bool = False) -> bool:
    """Whether a model can be trained as a lane of a group, on batches of one chunk at most."""
    clips = training.clip_value is not None or training.clip_norm is not None
    whole = weighed or training.drops or training.objective is not None or clips or spec.input_scale
    spared = training.optimizer is not None and training.optimizer.spares_biases
    whole = whole or training.rate_factors is not None or spared
    return not whole and rows <= MOST_ROWS and min(training.batch_size, rows) <= CHUNK


def may_be_lanes(spec: Spec) -> bool:
    """Whether models of this network train as lanes at some size of a batch."""
    widest = max(costs[spec.dtype][0] for _, costs in LANE_COSTS)
    return spec.parameters * target().register <= LANE_BYTES and max(spec.layers[1:]) <= widest


def models_in_lanes(spec: Spec, training: Training, rows: int, models: int) -> int:
    """How many of so many models of one network train faster as lanes than one after the other: 0 where none do.

    A register costs the same however few of its lanes are used. So those that would leave the last one too empty are
    trained whole.
    """
    batch = min(training.batch_size, rows)
    costs = next((costs for most, costs in LANE_COSTS if batch <= most), LANE_COSTS[-1][1])
    widest, cost = costs[spec.dtype]
    lanes = target().register // np.dtype(spec.dtype).itemsize
    if spec.parameters * target().register > LANE_BYTES or max(spec.layers[1:]) > widest:
        return 0
    over = models % lanes
    return models if over >= cost * lanes else models - over
