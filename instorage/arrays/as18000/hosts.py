"""Host objects as lshost shows them (array-as18000.md 4.9, 5.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.arrays.as18000.session.quoting import object_id, object_name
from instorage.arrays.as18000.session.refusal import NOT_FOUND, Refused
from instorage.arrays.model import Host, HostPort, Site

if TYPE_CHECKING:
    from instorage.arrays.as18000.session.answer import Row
    from instorage.arrays.as18000.session.cli import Cli

PORT_KEYS = {"iscsi_name": "iscsi", "WWPN": "fc", "SAS_WWPN": "sas", "nqn": "nvme"}
_LOGGED_IN = ("active", "online")
_SITE = {"site_id", "site_name"}


def find(cli: Cli, name: str) -> Host | None:
    """Return the host object of that name, None when the array says that there is none (one command)."""
    return _read(cli, object_name(name, "host"))


def numbered(cli: Cli, number: str) -> Host | None:
    """Return the host object of that id, None when the array says that there is none (one command)."""
    return _read(cli, object_id(number, "host"))


def sites(cli: Cli) -> dict[str, Site]:
    """Return the site of each I/O group; nothing where the system does not span two."""
    shown = {row["id"]: Site(row.get("site_id"), row.get("site_name")) for row in cli.sure_rows("lsiogrp")}
    found = {group: site for group, site in shown.items() if site}
    return found if len(set(found.values())) > 1 else {}


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
    ports = tuple(_port(row) for row in detail.groups(*PORT_KEYS))
    count = head.number("port_count", str(len(ports)) if ports else None)  # no port and no count: cut off
    groups = sum(key == "node_logged_in_count" for key, _ in detail.pairs)  # also of a port of unknown kind
    return Host(
        head["id"],
        head["name"],
        ports,
        Site(head["site_id"], head["site_name"]) if head.fields.keys() >= _SITE else None,
        head.get("portset_id"),
        max(count - len(ports), groups - len(ports), 0),
        head.get("status"),
    )


def _port(row: Row) -> HostPort:
    key = next(key for key in PORT_KEYS if key in row.fields)
    name = row[key].lower() if key in ("WWPN", "SAS_WWPN") else row[key]
    state = row.get("state")
    # a missing count is no word that the host is logged out
    return HostPort(name, row.number("node_logged_in_count"), state in _LOGGED_IN, state, PORT_KEYS[key])
