"""Several threads at one pass: each member of a team has a plan of its own, and parts of the buffers.

The thread that trains leads: it orders a job and does its own part; the others wait for jobs in `work`. Members meet
where one needs what another has written. Whoever does what, each number is computed in the same way.
"""

from fastmlp.kernels import calls
from fastmlp.kernels import plan as at
from fastmlp.kernels.doors import (
    SPINS,
    arrive,
    close_doors,
    comes_in,
    is_in,
    leaves,
    look,
    open_doors,
    replace,
    wait_a_little,
    waits_for,
)
from fastmlp.kernels.memory import advance, load, padded_size, pointer, store
from fastmlp.kernels.registry import Floats, Int, Ints, kernel
from fastmlp.kernels.simd import helper, lanes
from fastmlp.reference.arithmetic import CHUNK

NO_LOOK = -(2**62)
UPDATED = 1024  # parameters of an update that are one member's at least


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
        calls.share(plan, parameters, first=team[at.JOB_FIRST], rows=team[at.JOB_ROWS], mode=team[at.JOB_MODE])
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
            calls.gradient_descent(
                plan, p=advance(parameters, first), total=advance(gradient, first), scale=scale, learning_rate=rate,
                count=some,
            )  # fmt: skip


@kernel(None)
def lead(plan: Ints, parameters: Floats, batches: Int, shared: Int, doors: Ints, helpers: Int) -> int:
    """The training loop by a team: of as many helpers as come in. Returns what the loop does, when all have left."""
    team = pointer(shared, plan)
    open_doors(doors, helpers)
    members = 1
    for helper_of in range(helpers):
        if is_in(doors, helper_of):
            doors[helper_of * at.DOOR + at.NUMBER] = members
            members += 1
    team[at.JOB_MEMBERS] = members
    if members == 1:
        return calls.train(plan, parameters, batches)
    team[at.ARRIVED] = 0
    plan[at.MEETINGS], plan[at.MEMBERS] = 0, members
    plan[at.TEAM], plan[at.CHUNK_SUMS] = shared, team[at.JOB_SUMS]
    for helper_of in range(helpers):
        if look(doors, helper_of * at.DOOR) == at.IN:
            replace(doors, helper_of * at.DOOR, at.GO)
    ended = calls.train(plan, parameters, batches)
    calls.together(plan, parameters, job=at.LEAVE, first=0, rows=0, mode=0)
    close_doors(doors, helpers)
    plan[at.TEAM] = plan[at.CHUNK_SUMS] = 0
    return ended


@kernel(None)
def work(plan: Ints, parameters: Floats, shared: Int, door: Ints):
    """What all members but the leader do: jobs, until they may leave."""
    if not comes_in(door):
        return
    waits_for(door, at.GO)
    team = pointer(shared, plan)
    plan[at.ME], plan[at.MEMBERS] = door[at.NUMBER], team[at.JOB_MEMBERS]
    plan[at.MEETINGS] = 0
    while True:
        calls.meet(plan)
        if team[at.JOB] == at.LEAVE:
            break
        calls.own_part(plan, parameters)
        calls.meet(plan)
    leaves(door)


@kernel(None)
def together(plan: Ints, parameters: Floats, job: Int, first: Int, rows: Int, mode: Int):
    """Has the team do a job, and does its part: for the leader."""
    team = pointer(plan[at.TEAM], plan)
    team[at.JOB], team[at.JOB_FIRST], team[at.JOB_ROWS], team[at.JOB_MODE] = job, first, rows, mode
    team[at.JOB_EPOCH] = plan[at.EPOCH]
    calls.meet(plan)
    if job != at.LEAVE:
        right = plan[at.BATCH_RIGHT]
        calls.own_part(plan, parameters)
        calls.meet(plan)
        plan[at.BATCH_RIGHT] = right
        if job == at.PASS:
            for member in range(plan[at.MEMBERS]):
                plan[at.BATCH_RIGHT] += team[at.RIGHTS + 8 * member]


@kernel(None)
def share_chunks(plan: Ints, parameters: Floats, first: Int, rows: Int, mode: Int):
    """A member's chunks of a batch, every so manyth: leaves each one's gradient, loss and weight in CHUNK_SUMS."""
    gradient, sums = pointer(plan[at.GRADIENT], parameters), pointer(plan[at.CHUNK_SUMS], parameters)
    size = padded_size(parameters, plan[at.PARAMETERS])
    for chunk in range(plan[at.ME], (rows + CHUNK - 1) // CHUNK, plan[at.MEMBERS]):
        start = chunk * CHUNK
        here = CHUNK if rows - start > CHUNK else rows - start
        calls.span(plan, parameters, first=first + start, rows=here, mode=mode)
        to = advance(sums, chunk * size)
        for i in range(0, size, lanes(parameters)):
            store(to, i, load(gradient, i))
