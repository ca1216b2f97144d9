"""What copies of vdisks do by themselves: migrations to another pool, LocalCopy maps.

Pure functions of state and wall clock; fact base, section 8, rule 5. Until a migration ends the copy counts
as its old pool's (inferred), and takes its extents from both.
"""

from dataclasses import replace

from simulator.model.state import LocalCopyMap, State, Vdisk


def settled(state: State, now: float) -> State:
    """Return the state in which every migration and LocalCopy that has ended by `now` is over."""
    for vdisk in state.moving:
        if any(copy.target is not None and copy.until <= now for copy in vdisk.copies):
            state = state.with_vdisk(_moved(vdisk, now))
    for lcmap in state.lcmaps.values():
        if lcmap.status == "copying" and lcmap.copy_rate and lcmap.until <= now:
            state = _copied(state, lcmap)
    return state


def progress(begun: float, until: float, now: float) -> int:
    """Return how far something is in percent that goes on from one wall clock second to another."""
    if until <= now:
        return 100
    return max(0, min(99, int((now - begun) * 100 / (until - begun))))


def copied_percent(lcmap: LocalCopyMap, now: float) -> int:
    """Return the progress of a LocalCopy map in percent; one without a copy rate stays where it began."""
    if lcmap.status == "copying" and lcmap.copy_rate:
        return progress(lcmap.begun, lcmap.until, now)
    return lcmap.progress


def without_lcmap(state: State, lcmap: LocalCopyMap) -> State:
    """Return a state without this LocalCopy map; its vdisks stay."""
    return replace(state, lcmaps={k: m for k, m in state.lcmaps.items() if k != lcmap.id})


def _copied(state: State, lcmap: LocalCopyMap) -> State:
    if lcmap.autodelete:
        return without_lcmap(state, lcmap)
    return state.with_lcmap(replace(lcmap, status="idle_or_copied", progress=100))


def _moved(vdisk: Vdisk, now: float) -> Vdisk:
    copies = tuple(
        replace(copy, pool=copy.target, target=None)
        if copy.target is not None and copy.until <= now
        else copy
        for copy in vdisk.copies
    )
    return replace(vdisk, copies=copies)
