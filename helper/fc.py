"""Fibre Channel as the kernel's transport class shows it: ports of this machine, and of arrays behind them.

Nobody logs in here: adapters and fabric do. What is scanned is one LUN behind the ports that were asked for,
at the target id that the kernel gave them, and only while they are targets and online: for any other nothing
is scanned, and for all of them every LUN of every array would come.
"""

from collections.abc import Sequence
from typing import NamedTuple

from helper import scsi
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Wwpn
from instorage.wire.verbs import FcPath


class Port(NamedTuple):
    """An array's port as one adapter sees it: host:channel:target id, WWPNs of both, why it is not used."""

    at: str
    target: str
    initiator: Wwpn | None
    why: str


def wwpns() -> tuple[Wwpn, ...]:
    """Return the names of this machine's ports, with a link or without."""
    return tuple(filter(None, (_wwpn(f"fc_host/{one}") for one in scsi.names(f"{scsi.SYS}/class/fc_host"))))


def ports() -> list[Port]:
    """Return every remote port that an adapter knows, whatever its state."""
    found = []
    for name in scsi.names(f"{scsi.SYS}/class/fc_remote_ports"):  # rport-HOST:CHANNEL-NUMBER
        at = f"{scsi.SYS}/class/fc_remote_ports/{name}"
        host, _, channel = name.removeprefix("rport-").rpartition("-")[0].partition(":")
        number, state = scsi.read(f"{at}/scsi_target_id"), scsi.read(f"{at}/port_state")
        why = "" if state == "Online" else f"is {state or 'gone'}"
        if not why and not ("FCP Target" in scsi.read(f"{at}/roles") and number.isdigit()):
            why = "is no target for this host"
        if target := _wwpn(f"fc_remote_ports/{name}"):
            found.append(Port(f"{host}:{channel}:{number}", target, _wwpn(f"fc_host/host{host}"), why))
    return found


def _wwpn(at: str) -> Wwpn | None:
    name = scsi.read(f"{scsi.SYS}/class/{at}/port_name").removeprefix("0x").lower()
    return Wwpn(name) if Wwpn.pattern.fullmatch(name) and name.strip("0f") else None  # else not set yet


def connect(paths: Sequence[FcPath]) -> list[tuple[FcPath, Port | Fault]]:
    """Return each path with every adapter's way to its port, or why that is none."""
    known = ports() if paths else []
    found: list[tuple[FcPath, Port | Fault]] = []
    for path in dict.fromkeys(paths):
        seen: list[Port | None] = [port for port in known if port.target == path.target]
        found += [(path, port if port and not port.why else _refused(path, port)) for port in seen or [None]]
    return found


def _refused(path: FcPath, port: Port | None) -> Fault:
    why = f"{port.why} for adapter {port.initiator}" if port else "is seen by no adapter of this host"
    text = f"Port {path.target} {why}: see zoning, cables, and port_state in /sys/class/fc_host."
    return Fault(Code.PORTAL_UNREACHABLE, text, port=path.target)
