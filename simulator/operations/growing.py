"""expandvdisksize: a vdisk grows by a difference, in every one of its copies."""

from dataclasses import replace

from simulator.language.arguments import Arguments, syntax
from simulator.language.codes import ArrayError
from simulator.model.capacity import require_space, size_in_bytes
from simulator.model.context import Change, Context, Step
from simulator.model.state import Vdisk, find

EXPANDVDISKSIZE = syntax("size= unit=", needs_object=True)


def expandvdisksize(context: Context, arguments: Arguments) -> Change:
    """Add `-size` to a plain vdisk; refused while formatting, in a copy map or in a relationship.

    Also while a copy is not synchronised (the code is inferred).
    """
    state = context.state
    more = size_in_bytes(arguments.require("size"), arguments.get("unit"))
    vdisk = find(state.vdisks, arguments.object or "")
    if vdisk is None:
        raise ArrayError("CMMVC5753E")
    if vdisk.formatting(context.sensors.now()):
        raise ArrayError("CMMVC8587E")
    if not all(copy.synchronized(context.sensors.now()) for copy in vdisk.copies):
        raise ArrayError("CMMVC6357E")
    if state.relationship_of(vdisk) is not None:
        raise ArrayError("CMMVC5838E")
    if state.lcmaps_of(vdisk):
        raise ArrayError("CMMVC5837E")
    change = resized(context, vdisk, vdisk.size + more)
    pools = {copy.pool for copy in vdisk.copies} | {c.target for c in vdisk.copies if c.target is not None}
    require_space(change.state, pools, context.usage, "CMMVC5860E")
    return change


def resized(context: Context, vdisk: Vdisk, size: int) -> Change:
    """Return the change that gives a vdisk another size, in state and data plane."""
    step = Step(
        lambda plane: plane.resize(vdisk.uid, size), lambda plane: plane.resize(vdisk.uid, vdisk.size)
    )
    return Change(context.state.with_vdisk(replace(vdisk, size=size)), (step,))
