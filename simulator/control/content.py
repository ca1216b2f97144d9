"""Orders about data and replication: write, compare both sites, break a relationship, end its copy.

`simulator.control` documents the protocol.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from simulator.execution.engine import Engine
from simulator.model import availability, replication
from simulator.model.context import Change
from simulator.model.state import LocalCopyMap, Relationship, State, Vdisk, find, free_id


class Contents:
    """Carries these orders out; ValueError when there is no such object, or no such state."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def verbs(self) -> dict[str, Callable[..., Any]]:
        """Return the orders by name."""
        return {
            "compare": self.compare,
            "copied": self.copied,
            "relate": self.relate,
            "replication": self.replication,
            "snapshot": self.snapshot,
            "vdisk-status": self.status,
            "write": self.write,
        }

    def write(self, volume: str, data: str) -> None:
        """Write as a host does."""
        self._change(lambda state: self._written(state, _vdisk(state, volume), data))

    def compare(self, volume: str, other: str) -> dict[str, Any]:
        """Compare the contents of two vdisks."""
        state = self._engine.state
        contents = [_vdisk(state, key).content for key in (volume, other)]
        return {"equal": contents[0] == contents[1], "contents": contents}

    def replication(self, volume: str, state: str, primary: str = "") -> None:
        """Put a relationship into a state, as a broken link or an administrator would."""
        if state not in replication.STATES or primary not in ("", "master", "aux"):
            raise ValueError(f"no state {state} with the primary {primary!r}")
        self._change(lambda now: self._put(now, _relationship(now, volume), state, primary))

    def relate(self, volume: str, other: str) -> None:
        """Have an administrator make a remote copy relationship between two plain vdisks."""

        def related(state: State) -> State:
            master, aux = _vdisk(state, volume), _vdisk(state, other)
            name = replication.new_name(state)
            return state.with_relationship(Relationship(master.id, name, master.id, aux.id, kind="sync"))

        self._change(related)

    def copied(self, volume: str) -> None:
        """End the background copy of a relationship."""
        self._change(lambda state: replication.copied(state, _relationship(state, volume)))

    def status(self, volume: str, status: str) -> None:
        """Say how a vdisk is."""
        self._change(lambda state: state.with_vdisk(replace(_vdisk(state, volume), status=status)))

    def snapshot(self, volume: str, target: str) -> None:
        """Make a LocalCopy map."""
        self._change(lambda state: _with_map(state, _vdisk(state, volume).id, _vdisk(state, target).id))

    def _written(self, state: State, vdisk: Vdisk, data: str) -> State:
        relationship = state.relationship_of(vdisk)
        source = replication.sides(state, relationship)[0] if relationship else vdisk
        if availability.vdisk_status(state, self._engine.topology, source) == "offline":
            raise ValueError(f"{vdisk.name} is offline")
        state = replication.written(state, vdisk, data)
        return state.with_vdisk(replace(state.vdisks[vdisk.id], used_at=self._engine.context().sensors.now()))

    def _put(self, state: State, relationship: Relationship, kind: str, primary: str) -> State:
        changed = replace(relationship, state=kind, primary=primary or relationship.primary)
        if kind in replication.COPYING:
            context = self._engine.context()
            seconds = context.dialect.copy_seconds
            changed = replication.copying(changed, kind, context.sensors.now(), seconds)
        return state.with_relationship(changed)

    def _change(self, change: Callable[[State], State]) -> None:
        self._engine.change(lambda context: Change(change(context.state)))


def _with_map(state: State, source: int, target: int) -> State:
    map_id = free_id(state.lcmaps)
    return state.with_lcmap(LocalCopyMap(map_id, f"lcmap{map_id}", source, target, rc_controlled=False))


def _vdisk(state: State, key: str) -> Vdisk:
    vdisk = find(state.vdisks, key)
    if vdisk is None:
        raise ValueError(f"no volume {key}")
    return vdisk


def _relationship(state: State, key: str) -> Relationship:
    found = state.relationship_of(_vdisk(state, key))
    if found is None:
        raise ValueError(f"{key} has no relationship")
    return found
