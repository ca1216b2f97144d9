"""What a test may order over the control socket; `simulator.control` documents the protocol."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from simulator.control.content import Contents
from simulator.control.hardware import Hardware
from simulator.execution.engine import Engine
from simulator.face.listener import SshServer
from simulator.instruments.counters import Counters
from simulator.instruments.faults import Faults, fault
from simulator.model.state import Host, HostMap, State, Vdisk, find
from simulator.operations.growing import resized

if TYPE_CHECKING:
    from collections.abc import Callable


class Verbs:
    """Carries orders out; each method takes the order's fields and returns what JSON can say."""

    def __init__(self, engine: Engine, faults: Faults, counters: Counters, server: SshServer) -> None:
        self._engine = engine
        self._faults = faults
        self._counters = counters
        self._server = server
        self._verbs: dict[str, Callable[..., Any]] = Contents(engine).verbs()
        self._verbs |= Hardware(engine).verbs() | {
            "clear": faults.clear,
            "counters": counters.report,
            "dialect": self.dialect,
            "drop-connections": server.drop_connections,
            "drop-sessions": self.drop_sessions,
            "fabric": engine.plane.fabric,
            "fault": self.fault,
            "hosts": self.hosts,
            "inventory": lambda: asdict(engine.plane.inventory()),
            "log": counters.log,
            "logins": self.logins,
            "map-right-lun": self.map_right_lun,
            "map-wrong-lun": self.map_wrong_lun,
            "password": self.password,
            "reconcile": engine.reconcile,
            "reset-counters": counters.reset,
            "resize": self.resize,
            "sessions": engine.plane.sessions,
            "shrink": self.shrink,
            "used": self.used,
            "volumes": self.volumes,
        }

    def obey(self, order: dict[str, Any]) -> Any:  # noqa: ANN401
        """Carry one order out; raises KeyError, TypeError, ValueError, DataPlaneError."""
        fields = dict(order)
        verb = fields.pop("do", None)
        if verb not in self._verbs:
            raise ValueError(f"no order {verb!r}; there are {', '.join(self._verbs)}")
        return self._verbs[verb](**fields)

    def fault(self, **values: Any) -> int:  # noqa: ANN401
        """Put a fault in force; returns its number."""
        return self._faults.add(fault(values))

    def dialect(self, **switches: str) -> None:
        """Change firmware switches."""
        self._engine.dialect = self._engine.dialect.changed(switches)

    def password(self, password: str = "", *, expired: bool = False, interactive: bool = False) -> None:
        """Change the password for new connections, and how they are asked for it."""
        access = self._server.access
        access.password = password or access.password
        access.expired, access.interactive = expired, interactive

    def logins(self, port: str, nodes: list[int]) -> None:
        """Say to which nodes a port (IQN or WWPN) is logged in."""
        name = port.lower() if "." in port else port.upper()
        self._engine.logins = self._engine.logins | {name: nodes}

    def used(self, volume: str, bytes: int) -> None:  # noqa: A002
        """Say how much of a thin volume is written."""
        vdisk = _vdisk(self._engine.state, volume)
        self._engine.written = self._engine.written | {vdisk.uid: bytes}

    def drop_sessions(self, host: str) -> None:
        """End the sessions of a host; over FC those of everybody at its ports."""
        for name in _host(self._engine.state, host).names(*self._engine.topology.port_kinds):
            self._engine.plane.drop(name)

    def resize(self, volume: str, size: int) -> None:
        """Give a volume another size in bytes behind the commands' back."""
        self._engine.change(lambda context: resized(context, _vdisk(context.state, volume), size))

    def shrink(self, volume: str, size: int) -> None:
        """Resize to less."""
        if size >= _vdisk(self._engine.state, volume).size:
            raise ValueError(f"{volume} is not larger than {size} bytes")
        self.resize(volume, size)

    def map_wrong_lun(self, host: str, volume: str, instead: str) -> None:
        """Put another volume behind a mapping; the commands go on to say the right one."""
        self._put(host, volume, instead)

    def map_right_lun(self, host: str, volume: str) -> None:
        """Put the right volume behind a mapping again."""
        self._put(host, volume, volume)

    def volumes(self) -> list[dict[str, Any]]:
        """Return all vdisks: id, name, uid, size, function, and the hosts and LUN numbers of its mappings."""
        state = self._engine.state
        return [
            {"id": v.id, "name": v.name, "uid": v.uid, "size": v.size, "function": v.function}
            | {"maps": [_map(state, m) for m in state.maps_of_vdisk(v)]}
            for v in state.vdisks.values()
        ]

    def hosts(self) -> list[dict[str, Any]]:
        """Return all hosts with their ports."""
        return [asdict(host) for host in self._engine.state.hosts.values()]

    def _put(self, host: str, volume: str, behind: str) -> None:
        state, plane = self._engine.state, self._engine.plane
        owner, vdisk, other = _host(state, host), _vdisk(state, volume), _vdisk(state, behind)
        lun = next((m.lun for m in state.maps_of_vdisk(vdisk) if m.host == owner.id), None)
        if lun is None:
            raise ValueError(f"{volume} is not mapped to {host}")
        for name in owner.names(*self._engine.topology.port_kinds):
            plane.unmap(name, lun)
            plane.map(other.uid, other.size, name, lun)


def _map(state: State, mapping: HostMap) -> dict[str, Any]:
    return {"host": state.hosts[mapping.host].name, "lun": mapping.lun}


def _vdisk(state: State, key: str) -> Vdisk:
    vdisk = find(state.vdisks, key)
    if vdisk is None:
        raise ValueError(f"no volume {key}")
    return vdisk


def _host(state: State, key: str) -> Host:
    host = find(state.hosts, key)
    if host is None:
        raise ValueError(f"no host {key}")
    return host
