"""Host objects as lshost shows them (array-as18000.md 4.9, 5.6)."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from instorage.arrays.as18000.session.quoting import object_id, object_name
from instorage.arrays.as18000.session.refusal import NOT_FOUND, Refused
from instorage.arrays.model import Host, HostPort
from instorage.operation import overlap

if TYPE_CHECKING:
    from instorage.arrays.as18000.session.answer import Row
    from instorage.arrays.as18000.session.cli import Cli

PORT_KEYS = ("iscsi_name", "WWPN", "nqn")
_LOGGED_IN = ("active", "online")


def find(cli: Cli, name: str) -> Host | None:
    """Return the host object of that name, None when the array says that there is none (one command)."""
    return _read(cli, object_name(name, "host"))


def holding(cli: Cli, ports: frozenset[str], *, width: int) -> Host | None:
    """Search every host object for one of the ports, `width` at the same time.

    Costs a command for each object: only for the sentence of a refusal.
    """
    listed = [object_id(row["id"], "host") for row in cli.sure_rows("lshost")]
    found: list[Host] = []
    done = threading.Event()

    def look(number: str) -> None:
        host = None if done.is_set() else _read(cli, number)
        if host is not None and ports & port_names(host):
            found.append(host)
            done.set()

    overlap([lambda number=number: look(number) for number in listed], width=width)  # type: ignore[misc]
    return found[0] if found else None


def port_names(host: Host) -> frozenset[str]:
    """Return a host's port names as they are compared: WWPNs in lower case, IQNs as they are."""
    return frozenset(port.name for port in host.ports)


def _read(cli: Cli, which: str) -> Host | None:
    try:
        detail = cli.detail("lshost", which)
    except Refused as refused:
        if refused.cmmvc in NOT_FOUND:
            return None
        raise
    head = detail.head()
    if which not in (head["name"], head["id"]):
        raise head.source.misfit(f"it is about host {head['name'][:70]}")
    return Host(head["id"], head["name"], tuple(_port(row) for row in detail.groups(*PORT_KEYS)))


def _port(row: Row) -> HostPort:
    key = next(key for key in PORT_KEYS if key in row.fields)
    name = row[key].lower() if key == "WWPN" else row[key]
    # a missing count is no word that the host is logged out
    return HostPort(name, row.number("node_logged_in_count"), row.get("state") in _LOGGED_IN)
