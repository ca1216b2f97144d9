"""Where the state survives a restart: one JSON file, replaced atomically and flushed to disk."""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from simulator.model.state import Copy, Host, HostMap, LocalCopyMap, Pool, Port, Relationship, State, Vdisk

SCHEMA = 1


class Store:
    """The state's file; `first` is the state of an array that has never run."""

    def __init__(self, directory: Path, first: State) -> None:
        self._path = directory / "state.json"
        self._first = first

    def load(self) -> State:
        """Return the saved state, or the first one; ValueError when the file is of another schema."""
        if not self._path.exists():
            return self._first
        data = json.loads(self._path.read_text())
        if data.pop("schema") != SCHEMA:
            raise ValueError(f"{self._path} has another schema than {SCHEMA}; remove it to begin anew")
        return _state(data)

    def save(self, state: State) -> None:
        """Write the state so that a crash leaves either the old or the new one."""
        temporary = self._path.with_suffix(".new")
        tables = {
            "pools": state.pools.values(),
            "vdisks": state.vdisks.values(),
            "hosts": state.hosts.values(),
            "hostmaps": state.hostmaps,
            "lcmaps": state.lcmaps.values(),
            "relationships": state.relationships.values(),
        }
        parts = [f'"{name}": [{_lines(map(_text, records))}]' for name, records in tables.items()]
        with temporary.open("w") as file:
            hardware = f'"down": {json.dumps(sorted(state.down))}, "nodes": {json.dumps(state.nodes)}'
            system = f'"uids": {state.uids}, "protection": {state.protection}, {hardware}'
            file.write(f'{{"schema": {SCHEMA}, {system}, {_lines(parts)}}}\n')
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)
        directory = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def _lines(parts: Iterable[str]) -> str:
    return ",\n".join(parts)


@lru_cache(maxsize=1 << 16)
def _text(record: object) -> str:
    """Return a record as JSON; kept, as nearly all records of a state were in the state before."""
    return json.dumps(asdict(record))  # type: ignore[call-overload]


def _state(data: dict[str, Any]) -> State:
    vdisks = [
        Vdisk(**{**v, "copies": tuple(Copy(**c) for c in v["copies"]), "access": tuple(v["access"])})
        for v in data["vdisks"]
    ]
    hosts = [Host(**{**h, "ports": tuple(Port(**p) for p in h["ports"])}) for h in data["hosts"]]
    return State(
        pools={p["id"]: Pool(**p) for p in data["pools"]},
        vdisks={v.id: v for v in vdisks},
        hosts={h.id: h for h in hosts},
        hostmaps=tuple(HostMap(**m) for m in data["hostmaps"]),
        lcmaps={m["id"]: LocalCopyMap(**m) for m in data["lcmaps"]},
        relationships={r["id"]: Relationship(**r) for r in data["relationships"]},
        uids=data["uids"],
        down=frozenset(data.get("down", ())),
        nodes={int(node): status for node, status in data.get("nodes", {}).items()},
        protection=data.get("protection", 0),
    )
