"""What an active-active relationship does by itself: the background copy, and where a write goes.

Pure functions of state and wall clock; fact base, section 8, rules 3, 4 and 6. The two sites really have a
content each: after a wrong `-sync` they differ for ever.
"""

from dataclasses import replace

from simulator.model.state import LocalCopyMap, Relationship, State, Vdisk, free_id

FUNCTIONS = ("master", "aux", "master_change", "aux_change")
SYNCHRONIZED = "consistent_synchronized"
COPYING = ("inconsistent_copying", "consistent_copying")
STATES = (SYNCHRONIZED, *COPYING, "inconsistent_stopped", "consistent_stopped", "idling",
          "consistent_disconnected", "inconsistent_disconnected", "idling_disconnected")  # fmt: skip


def settled(state: State, now: float) -> State:
    """Return the state in which every background copy that has ended by `now` has brought its data over."""
    for relationship in state.relationships.values():
        if relationship.state in COPYING and relationship.until <= now:
            state = copied(state, relationship)
    return state


def copied(state: State, relationship: Relationship) -> State:
    """Return the state after a whole synchronisation: the secondary holds what the primary holds."""
    source, target = sides(state, relationship)
    return state.with_vdisk(replace(target, content=source.content)).with_relationship(
        replace(relationship, state=SYNCHRONIZED)
    )


def copying(relationship: Relationship, kind: str, now: float, seconds: float) -> Relationship:
    """Return the relationship with a background copy that begins now."""
    return replace(relationship, state=kind, begun=now, until=now + seconds)


def progress(relationship: Relationship, now: float) -> str:
    """Return the percentage of the background copy as lsrcrelationship shows it, empty when there is none."""
    if relationship.state not in COPYING:
        return ""
    whole = relationship.until - relationship.begun
    return str(min(99, int((now - relationship.begun) * 100 / whole))) if whole else "99"


def written(state: State, vdisk: Vdisk, data: str) -> State:
    """Return the state after a host's write; ValueError where no host could write."""
    relationship = state.relationship_of(vdisk)
    if vdisk.change or (relationship is not None and vdisk.id == relationship.aux):
        raise ValueError(f"no host writes to {vdisk.name}")
    if relationship is None:
        return state.with_vdisk(replace(vdisk, content=vdisk.content + data))
    source, target = sides(state, relationship)
    state = state.with_vdisk(replace(source, content=source.content + data))
    if relationship.state == SYNCHRONIZED:
        state = state.with_vdisk(replace(target, content=target.content + data))
    return state


def sides(state: State, relationship: Relationship) -> tuple[Vdisk, Vdisk]:
    """Return the primary's and the secondary's vdisk."""
    pair = state.vdisks[relationship.master], state.vdisks[relationship.aux]
    return pair if relationship.primary == "master" else (pair[1], pair[0])


def new_name(state: State) -> str:
    """Return the array's default name for a new relationship."""
    taken = {r.name for r in state.relationships.values()}
    return next(n for n in (f"rcrel{i}" for i in range(len(taken) + 1)) if n not in taken)


def with_change_maps(state: State, vdisk: int, change: int) -> State:
    """Return the state with the two LocalCopy maps between a vdisk and its change volume."""
    for source, target in ((vdisk, change), (change, vdisk)):
        map_id = free_id(state.lcmaps)
        state = state.with_lcmap(LocalCopyMap(map_id, f"lcmap{map_id}", source, target, rc_controlled=True))
    return state
