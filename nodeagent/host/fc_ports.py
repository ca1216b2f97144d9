"""Fibre Channel ports as sysfs shows them to everybody: this machine's, and those that each knows."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from instorage.configuration.settings import Link
from instorage.wire.fault import Fault
from instorage.wire.values import Wwpn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from instorage.configuration.settings import HostSettings


@dataclass(frozen=True)
class RemotePort:
    """An array's port, the adapter that knows it, and the kernel's word of its state (Online, Blocked...)."""

    target: Wwpn
    initiator: Wwpn
    state: str


@dataclass(frozen=True)
class Adapter:
    """A port of this machine, and the kernel's word of its state (Online, Linkdown...)."""

    name: Wwpn
    state: str


def adapters(sysfs: Path) -> Iterator[Adapter]:
    """Yield this machine's Fibre Channel ports, with a link or without."""
    for host in sorted((sysfs / "class/fc_host").glob("host*")):
        with contextlib.suppress(OSError, Fault):  # not set yet, or on its way out
            yield Adapter(_name(host), (host / "port_state").read_text().strip())


def unusable(host: HostSettings, sysfs: Path) -> str:
    """Return why no volume can be attached over the link that is configured, empty when nothing says so."""
    if host.link is not Link.FC:
        return ""
    found = list(adapters(sysfs))
    if not found:
        return (
            "host.link is fc, and this machine has no Fibre Channel port (/sys/class/fc_host): no volume is "
            "attached. See the adapter and its driver (lspci, dmesg), or set host.link to iscsi."
        )
    if all(adapter.state != "Online" for adapter in found):
        said = ", ".join(f"{adapter.name} is {adapter.state}" for adapter in found)
        return (
            f"host.link is fc, and no Fibre Channel port of this machine has a link ({said}): no volume is "
            "attached. See cables and switch."
        )
    return ""


def remote_ports(sysfs: Path) -> Iterator[RemotePort]:
    """Yield each port that an adapter knows, in any state; one that goes meanwhile is left out."""
    for port in sorted((sysfs / "class/fc_remote_ports").glob("rport-*:*-*")):
        host = port.name.removeprefix("rport-").partition(":")[0]
        with contextlib.suppress(OSError, Fault):
            state = (port / "port_state").read_text().strip()
            yield RemotePort(_name(port), _name(sysfs / f"class/fc_host/host{host}"), state)


def _name(at: Path) -> Wwpn:
    return Wwpn.parse((at / "port_name").read_text().strip().removeprefix("0x"))
