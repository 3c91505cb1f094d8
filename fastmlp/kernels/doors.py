"""Doors between the threads of one job: what lets a helper in, and what waits until it has left.

A job is one call of one kernel by its leader, the thread that was asked to work. Each helper has a door, a word of a
line of its own, and touches nothing else of the job before it has come IN:

    SHUT    the leader is not in its kernel: a helper waits a while, and gives up
    OPEN    the leader is: a helper may come IN
    IN      the helper may use what the leader has lent it
    GO      for teams: the leader has counted who is IN, and work begins
    LEFT    the helper will touch nothing any more
    CLOSED  the leader was there first: this helper never comes in

The leader opens the doors as its kernel begins, and before its kernel returns each door is CLOSED or LEFT. So there is
no Python, and no place for a signal or an exception, between the first and the last moment at which a helper may touch
memory. OPEN goes to IN or to CLOSED by one atomic exchange, which one of the two threads wins.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from fastmlp.kernels import plan as at
from fastmlp.kernels.memory import advance
from fastmlp.kernels.simd import helper
from fastmlp.system.cpu import spin_hint, yield_function

SPINS = 2000  # looks, some 50 us, before the core is offered to whoever else wants it
PATIENCE = 6000  # looks, some 2 ms where the core is wanted by nobody, after which a thread is not waited for


@intrinsic
def arrive(context, p, i):
    """Adds 1 to p[i] and returns what it was, in one order for all threads: what was written before is seen by whoever
    sees the sum."""

    def lower(context, builder, sig, values):
        place = builder.gep(values[0], [values[1]])
        return builder.atomic_rmw("add", place, ir.Constant(ir.IntType(64), 1), "acq_rel")

    return types.int64(p, types.int64), lower


@intrinsic
def replace(context, p, i, new):
    """Writes p[i] and returns what it was, in one order for all threads."""

    def lower(context, builder, sig, values):
        return builder.atomic_rmw("xchg", builder.gep(values[0], [values[1]]), values[2], "acq_rel")

    return types.int64(p, types.int64, types.int64), lower


@intrinsic
def changed(context, p, i, old, new):
    """Whether p[i] was `old`, and so is `new` now: one thread finds that, however many try."""

    def lower(context, builder, sig, values):
        place = builder.gep(values[0], [values[1]])
        pair = builder.cmpxchg(place, values[2], values[3], "acq_rel", "acquire")
        return builder.zext(builder.extract_value(pair, 1), ir.IntType(64))

    return types.int64(p, types.int64, types.int64, types.int64), lower


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


# ---------------------------------------------------------------------------------------------------------
# A helper's side


@helper
def comes_in(door):
    """Whether the leader has let this helper in; else it must touch nothing and leave."""
    looks = 0
    while look(door, 0) == at.SHUT and looks < PATIENCE:
        looks += 1
        wait_a_little(int(looks > SPINS))
    return changed(door, 0, at.OPEN, at.IN) != 0


@helper
def waits_for(door, state):
    """Waits until the door is in this state: for changes that the other thread makes inside a kernel, and so soon."""
    looks = 0
    while look(door, 0) != state:
        looks += 1
        wait_a_little(int(looks > SPINS))


@helper
def leaves(door):
    """The last thing that a helper does."""
    replace(door, 0, at.LEFT)


# ---------------------------------------------------------------------------------------------------------
# The leader's side


@helper
def open_doors(doors, helpers):
    """Lets helpers come in from now on."""
    for helper_of in range(helpers):
        replace(doors, helper_of * at.DOOR, at.OPEN)


@helper
def is_in(doors, helper_of):
    """Whether this helper has come in, when it has been waited for a while; else it never does."""
    door = advance(doors, helper_of * at.DOOR)
    looks = 0
    while look(door, 0) == at.OPEN and looks < PATIENCE:
        looks += 1
        wait_a_little(int(looks > SPINS))
    return changed(door, 0, at.OPEN, at.CLOSED) == 0


@helper
def close_doors(doors, helpers):
    """Lets nobody in any more, and waits until all who are in have left."""
    for helper_of in range(helpers):
        door = advance(doors, helper_of * at.DOOR)
        if changed(door, 0, at.OPEN, at.CLOSED) == 0 and look(door, 0) != at.CLOSED:
            waits_for(door, at.LEFT)
