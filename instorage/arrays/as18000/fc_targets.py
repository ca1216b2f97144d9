"""Fibre Channel target ports: where a host's adapters are logged in, else where they may be (4.12, 4.13).

`lsfabric` names each login with both ports: with NPIV the array's is a virtual one, which may be at home on
another node just now. A host of which it shows no login gets the ports that are open to hosts: those that
lstargetportfc permits, and where that knows none (older firmware, no NPIV) the physical ones of lsportfc.
Which of them this machine sees only its kernel knows.
"""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING

from instorage import operation
from instorage.arrays.as18000.remembered_targets import RememberedTargets
from instorage.arrays.as18000.session.quoting import object_name
from instorage.arrays.as18000.session.refusal import Refused
from instorage.arrays.model import FcTarget
from instorage.operation import overlap
from instorage.wire.fault import Fault
from instorage.wire.values import Wwpn

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from instorage.arrays.as18000.session.answer import Row
    from instorage.arrays.as18000.session.cli import Cli

REMEMBERED = 300.0  # seconds
LACKING = 10.0  # seconds
log = logging.getLogger("instorage.arrays")


class FcTargets:
    """The target ports for each host object, remembered for minutes; for several threads."""

    def __init__(self, cli: Cli) -> None:
        self._cli = cli
        self._found: RememberedTargets[FcTarget] = RememberedTargets(REMEMBERED, LACKING)

    def get(self, host: str, io_groups: Collection[str], *, fresh: bool) -> tuple[FcTarget, ...]:
        """See `Array.fc_targets`."""
        if fresh:
            self.forget()
            return read(self._cli, host)
        return self._found.get(host, io_groups, lambda: read(self._cli, host))

    def forget(self) -> None:
        """Ask anew at the next call."""
        self._found.forget()


def read(cli: Cli, host: str) -> tuple[FcTarget, ...]:
    """Return the target ports of online nodes for a host object; the two queries overlap."""
    name = object_name(host, "host")
    logins, nodes = overlap([lambda: cli.rows("lsfabric", "-host", name), lambda: cli.sure_rows("lsnode")])
    groups = {node["id"]: node["IO_group_id"] for node in nodes if node["status"] == "online"}
    return _logged_in(logins, groups) or _open(cli, groups)


def all_names(cli: Cli, rows: Callable[[str], tuple[Row, ...]] | None = None) -> dict[Wwpn, str]:
    """Return every name under which hosts may meet the array's ports, with the node whose port it is.

    Physical and virtual ones, with a link or without: NPIV may be switched on and off. `rows`: how each list
    is asked for; without, one that is refused counts as empty, for not every firmware has both.
    """
    ask = rows or functools.partial(_said, cli)
    asked = overlap([lambda: ask("lstargetportfc"), lambda: ask("lsportfc")])
    found: dict[Wwpn, str] = {}
    for row in (row for said in asked for row in said):
        name = _wwpn(row, "WWPN") if row.get("type") in ("", "fc") else None
        if name:
            found[name] = row.get("owning_node_id") or row.get("node_id")
    return found


def _logged_in(rows: tuple[Row, ...], groups: dict[str, str]) -> tuple[FcTarget, ...]:
    ends: dict[tuple[Wwpn, str], list[Wwpn]] = {}
    for row in rows:
        if row["state"] == "active" and row.get("id") in groups:
            target, initiator = _wwpn(row, "local_wwpn"), _wwpn(row, "remote_wwpn")
            if target and initiator:
                ends.setdefault((target, row["id"]), []).append(initiator)
    return tuple(
        FcTarget(target, node, groups[node], tuple(initiators)) for (target, node), initiators in ends.items()
    )


def _open(cli: Cli, groups: dict[str, str]) -> tuple[FcTarget, ...]:
    permitted = [
        (row, row.get("current_node_id"))
        for row in _said(cli, "lstargetportfc")
        if row.get("host_io_permitted") == "yes" and row.get("protocol") in ("", "scsi")
    ]
    physical = [] if permitted else [
        (row, row.get("node_id"))
        for row in cli.rows("lsportfc")
        if row.get("type") in ("", "fc") and row.get("status") == "active"
    ]  # fmt: skip
    named = [(_wwpn(row, "WWPN"), node) for row, node in (*permitted, *physical)]
    found = (FcTarget(name, node, groups[node]) for name, node in named if name and node in groups)
    return tuple(dict.fromkeys(found))


def _said(cli: Cli, query: str) -> tuple[Row, ...]:
    """Return what a query says that not every firmware has."""
    try:
        return cli.rows(query)
    except Refused:
        return ()


def _wwpn(row: Row, column: str) -> Wwpn | None:
    """Return a port's name; one that is none is said, and hides no other."""
    try:
        return Wwpn.parse(row[column])
    except Fault as fault:
        log.warning(
            "array %s: a Fibre Channel port is left out: %s", row.source.array, fault, extra=operation.extra()
        )
        return None
