"""Operations on active-active relationships: what the steps of an expansion do (7.6, 8 rule 4).

The codes for different sizes and for a change volume that cannot be one are not in the fact base: inferred.
"""

from dataclasses import replace

from simulator.language.arguments import Arguments, syntax, valid_name
from simulator.language.codes import ArrayError
from simulator.model import replication
from simulator.model.context import Change, Context
from simulator.model.state import Relationship, State, Vdisk, find

MKRCRELATIONSHIP = syntax("master= aux= cluster= name= sync activeactive async", takes_object=False)
RMRCRELATIONSHIP = syntax("force", needs_object=True)
CHRCRELATIONSHIP = syntax("masterchange= auxchange=", needs_object=True)
STARTRCRELATIONSHIP = syntax("force primary=", needs_object=True)
SWITCHRCRELATIONSHIP = syntax("primary=", needs_object=True)


def mkrcrelationship(context: Context, arguments: Arguments) -> Change:
    """Tie two plain vdisks; `-sync` believes that they are identical, without it the master is copied."""
    state = context.state
    master, aux = (_vdisk(state, arguments.require(end), "CMMVC5754E") for end in ("master", "aux"))
    if arguments.require("cluster") not in (context.topology.name, context.topology.system_id):
        raise ArrayError("CMMVC5754E")
    if not arguments.has("activeactive"):
        raise ArrayError("CMMVC7205E")
    if master.function or aux.function or master.id == aux.id:
        raise ArrayError("CMMVC5959E")
    if master.size != aux.size:
        raise ArrayError("CMMVC5924E")
    name = valid_name(arguments.get("name") or replication.new_name(state))
    if find(state.relationships, name):
        raise ArrayError("CMMVC5959E")
    made = Relationship(master.id, name, master.id, aux.id)
    if not arguments.has("sync"):
        made = replace(made, state="inconsistent_stopped")
        if context.dialect.rc_start == "auto":
            made = _begun(context, made)
    state = state.with_vdisk(replace(master, function="master"))
    state = state.with_vdisk(replace(aux, function="aux", volume=master.id))
    return Change(
        state.with_relationship(made), text=f"RC Relationship, id [{made.id}], successfully created\n"
    )


def rmrcrelationship(context: Context, arguments: Arguments) -> Change:
    """Untie: all members become plain vdisks, and hosts reach the master through its own I/O group only."""
    state = context.state
    gone = _relationship(state, arguments.object)
    for vdisk in (state.vdisks[i] for i in gone.members):
        state = state.with_vdisk(replace(vdisk, function="", volume=vdisk.id, access=(vdisk.iogrp,)))
    ids = set(gone.members)
    return Change(
        replace(
            state,
            relationships={k: r for k, r in state.relationships.items() if k != gone.id},
            lcmaps={
                k: m for k, m in state.lcmaps.items() if not (m.rc_controlled and ids & {m.source, m.target})
            },
        )
    )


def chrcrelationship(context: Context, arguments: Arguments) -> Change:
    """Give the master or the aux its change volume, one a command."""
    state = context.state
    arguments.exclude("masterchange", "auxchange")
    relationship = _relationship(state, arguments.object)
    of_aux = arguments.get("auxchange") is not None
    change = _vdisk(state, arguments.require("auxchange" if of_aux else "masterchange"), "CMMVC5753E")
    vdisk = state.vdisks[relationship.aux if of_aux else relationship.master]
    present = relationship.aux_change if of_aux else relationship.master_change
    if change.function or state.lcmaps_of(change) or present is not None:
        raise ArrayError("CMMVC5753E")
    if change.size != vdisk.size:
        raise ArrayError("CMMVC5924E")
    if of_aux:
        relationship = replace(relationship, aux_change=change.id)
    else:
        relationship = replace(relationship, master_change=change.id)
    function = "aux_change" if of_aux else "master_change"
    state = state.with_vdisk(replace(change, function=function, volume=relationship.master))
    state = replication.with_change_maps(state.with_relationship(relationship), vdisk.id, change.id)
    return Change(state)


def startrcrelationship(context: Context, arguments: Arguments) -> Change:
    """Begin the background copy of a stopped relationship."""
    relationship = _relationship(context.state, arguments.object)
    primary = arguments.get("primary")
    if primary not in (None, "master", "aux"):
        raise ArrayError("CMMVC5711E", primary)
    if relationship.state == "idling" and primary is None:
        raise ArrayError("CMMVC5963E")
    if relationship.state not in ("inconsistent_stopped", "consistent_stopped", "idling"):
        raise ArrayError("CMMVC5982E")
    begun = _begun(context, replace(relationship, primary=primary or relationship.primary))
    return Change(context.state.with_relationship(begun))


def switchrcrelationship(context: Context, arguments: Arguments) -> Change:
    """Have a synchronised relationship run from the other side."""
    relationship = _relationship(context.state, arguments.object)
    primary = arguments.require("primary")
    if primary not in ("master", "aux"):
        raise ArrayError("CMMVC5711E", primary)
    if relationship.state != replication.SYNCHRONIZED:
        raise ArrayError("CMMVC5982E")
    return Change(context.state.with_relationship(replace(relationship, primary=primary)))


def _begun(context: Context, relationship: Relationship) -> Relationship:
    kind = "consistent_copying" if relationship.state == "consistent_stopped" else "inconsistent_copying"
    return replication.copying(relationship, kind, context.sensors.now(), context.dialect.copy_seconds)


def _vdisk(state: State, key: str | None, code: str) -> Vdisk:
    vdisk = find(state.vdisks, key or "")
    if vdisk is None:
        raise ArrayError(code)
    return vdisk


def _relationship(state: State, key: str | None) -> Relationship:
    found = find(state.relationships, key or "")
    if found is None:
        raise ArrayError("CMMVC5753E")
    return found
