"""Several threads at one pass: each member of a team has a plan of its own, and parts of the buffers.

The main thread orders a job and does its own part; the others wait for jobs in `work`. Members meet where one needs
what another has written. Whoever does what, each number is computed in the same way.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from fastmlp import plan as at
from fastmlp.kernels.memory import advance, call, load, pointer, store
from fastmlp.kernels.simd import helper, lanes, line_lanes
from fastmlp.pairs import Floats, Int, Ints, kernel
from fastmlp.reference.arithmetic import CHUNK
from fastmlp.target import spin_hint, yield_function

SPINS = 2000  # looks at the others, some 50 us, before the core is offered to whoever else wants it
NO_LOOK = -(2**62)
UPDATED = 1024  # parameters of an update that are one member's at least


@intrinsic
def arrive(context, p, i):
    """Adds 1 to p[i], in one order for all threads: what was written before is seen by whoever sees the sum."""

    def lower(context, builder, sig, values):
        place = builder.gep(values[0], [values[1]])
        return builder.atomic_rmw("add", place, ir.Constant(ir.IntType(64), 1), "acq_rel")

    return types.int64(p, types.int64), lower


@intrinsic
def look(context, p, i):
    """p[i], as the others have left it by now."""

    def lower(context, builder, sig, values):
        return builder.load_atomic(builder.gep(values[0], [values[1]]), "acquire", 8, typ=ir.IntType(64))

    return types.int64(p, types.int64), lower


@intrinsic
def wait_a_little(context, long):
    """Tells the processor that this thread spins; or where `long` is not 0, the system that it has nothing to do."""

    def lower(context, builder, sig, values):
        nothing = ir.FunctionType(ir.VoidType(), [])
        if spin_hint():
            name, arguments = spin_hint()
            kind = ir.FunctionType(ir.VoidType(), [ir.IntType(32)] * len(arguments))
            hint = cgutils.get_or_insert_function(builder.module, kind, name)
            builder.call(hint, [ir.Constant(ir.IntType(32), value) for value in arguments])
        if yield_function():
            with builder.if_then(builder.icmp_signed("!=", values[0], ir.Constant(ir.IntType(64), 0))):
                builder.call(cgutils.get_or_insert_function(builder.module, nothing, yield_function()), [])
        return context.get_dummy_value()

    return types.void(types.int64), lower


@kernel(None)
def meet(plan: Ints):
    """Waits for the other members of the team, if there is one."""
    team = pointer(plan[at.TEAM], plan)
    plan[at.MEETINGS] += 1
    needed = plan[at.MEETINGS] * plan[at.MEMBERS]
    arrive(team, at.ARRIVED)
    spins = 0
    while look(team, at.ARRIVED) < needed:
        spins += 1
        wait_a_little(int(spins > SPINS))


@helper
def part(plan, count, unit):
    """How many of `count` are a member's part: whole units. The last members may get fewer, or none."""
    members = plan[at.MEMBERS]
    return (count + members * unit - 1) // (members * unit) * unit


@kernel(None)
def own_part(plan: Ints, parameters: Floats):
    """What a member does of the job that is ordered."""
    team = pointer(plan[at.TEAM], plan)
    if team[at.JOB] == at.PASS:
        plan[at.EPOCH] = team[at.JOB_EPOCH]
        plan[at.BATCH_RIGHT] = 0
        work_so_far = plan[at.WORK]
        plan[at.WORK] = NO_LOOK  # Ctrl-C waits for the end of the batch: no member may leave the others alone
        call(plan[at.SHARE], (plan, parameters, team[at.JOB_FIRST], team[at.JOB_ROWS], team[at.JOB_MODE]))
        plan[at.WORK] = work_so_far
        team[at.RIGHTS + 8 * plan[at.ME]] = plan[at.BATCH_RIGHT]
    else:
        numbers, gradient = pointer(plan[at.NUMBERS], parameters), pointer(plan[at.GRADIENT], parameters)
        count = plan[at.PARAMETERS]
        size = part(plan, count, UPDATED)
        first = plan[at.ME] * size
        if first < count:
            some = size if first + size < count else count - first
            scale, rate = numbers[at.JOB_SCALE], numbers[at.LEARNING_RATE]
            call(plan[at.UPDATE], (advance(parameters, first), advance(gradient, first), scale, rate, some))


@kernel(None)
def work(plan: Ints, parameters: Floats):
    """What all members but the main thread do, until they may leave."""
    team = pointer(plan[at.TEAM], plan)
    while True:
        call(plan[at.MEET], (plan,))
        if team[at.JOB] == at.LEAVE:
            return
        call(plan[at.OWN_PART], (plan, parameters))
        call(plan[at.MEET], (plan,))


@kernel(None)
def together(plan: Ints, parameters: Floats, job: Int, first: Int, rows: Int, mode: Int):
    """Has the team do a job, and does its part: for the main thread."""
    team = pointer(plan[at.TEAM], plan)
    team[at.JOB], team[at.JOB_FIRST], team[at.JOB_ROWS], team[at.JOB_MODE] = job, first, rows, mode
    team[at.JOB_EPOCH] = plan[at.EPOCH]
    call(plan[at.MEET], (plan,))
    if job != at.LEAVE:
        right = plan[at.BATCH_RIGHT]
        call(plan[at.OWN_PART], (plan, parameters))
        call(plan[at.MEET], (plan,))
        plan[at.BATCH_RIGHT] = right
        if job == at.PASS:
            for member in range(plan[at.MEMBERS]):
                plan[at.BATCH_RIGHT] += team[at.RIGHTS + 8 * member]


@kernel(None)
def share_chunks(plan: Ints, parameters: Floats, first: Int, rows: Int, mode: Int):
    """A member's chunks of a batch, every so manyth: leaves each one's gradient, loss and weight in CHUNK_SUMS."""
    gradient, sums = pointer(plan[at.GRADIENT], parameters), pointer(plan[at.CHUNK_SUMS], parameters)
    line = line_lanes(parameters)
    size = (plan[at.PARAMETERS] + 1 + line) // line * line
    for chunk in range(plan[at.ME], (rows + CHUNK - 1) // CHUNK, plan[at.MEMBERS]):
        start = chunk * CHUNK
        here = CHUNK if rows - start > CHUNK else rows - start
        call(plan[at.PASS_KERNEL], (plan, parameters, first + start, here, mode))
        to = advance(sums, chunk * size)
        for i in range(0, size, lanes(parameters)):
            store(to, i, load(gradient, i))
