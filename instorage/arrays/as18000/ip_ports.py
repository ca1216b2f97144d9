"""Addresses of the array's Ethernet ports: lsportip, or where that is gone lsip (array-as18000.md 4.11).

From 8.4.2 on the family shows addresses in lsip, each in a portset, which is the group of addresses that a
host may use, and the state of the link in lsportethernet (IBM's documentation of both, and the driver
ibm-block-csi, which had to follow). Whether MCS does so too is not known: the array is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from instorage.arrays.as18000.remembered import Remembered
from instorage.arrays.as18000.session.refusal import Refused
from instorage.operation import overlap

if TYPE_CHECKING:
    from instorage.arrays.as18000.session.answer import Row
    from instorage.arrays.as18000.session.cli import Cli

REMEMBERED = 300.0  # seconds for which a firmware without lsportip is not asked for it: it may be changed
# addresses inside of the array, between its NAS parts: no host reaches them
_INTERNAL = frozenset(f"172.16.2.{last}" for last in (32, 33, 42, 43, 52, 53))


@dataclass(frozen=True)
class IpPort:
    """One address of a node's port; `up`: as far as the array says, hosts can reach it now."""

    node: str
    address: str
    up: bool
    portset: str = ""


class IpPorts:
    """Remembers which of both commands shows an array's addresses; for several threads."""

    def __init__(self) -> None:
        self._gone: Remembered[str, bool] = Remembered(REMEMBERED)

    def read(self, cli: Cli) -> tuple[IpPort, ...]:
        """Return every address that is configured; raises the first refusal when no command shows any."""
        ways = (_by_address, _by_port) if self._gone.get(cli.array) else (_by_port, _by_address)
        refusals = []
        for way in ways:
            try:
                found = way(cli)
            except Refused as refused:
                refusals.append(refused)
                continue
            if found:
                self._gone.put(cli.array, value=way is _by_address)
                return found
        if len(refusals) == len(ways):
            raise refusals[0]
        return ()


def _by_port(cli: Cli) -> tuple[IpPort, ...]:
    return tuple(
        IpPort(row["node_id"], address, _usable(row))
        for row in cli.sure_rows("lsportip")
        for address in _addresses(row)
    )


def _by_address(cli: Cli) -> tuple[IpPort, ...]:
    """Read lsip: what is in a portset for hosts; a port of which nothing is said is up, as a probe tells."""
    rows, ports, portsets = overlap(
        [lambda: cli.sure_rows("lsip"), lambda: _said(cli, "lsportethernet"), lambda: _said(cli, "lsportset")]
    )
    links = {
        (row.get("node_id"), row.get("port_id") or row.get("id")): row.get("link_state") for row in ports
    }
    kinds = {row.get("id"): row.get("type") for row in portsets}
    return tuple(
        IpPort(
            row["node_id"],
            address,
            links.get((row["node_id"], row.get("port_id")), "active") == "active",
            row.get("portset_id"),
        )
        for row in rows
        if kinds.get(row.get("portset_id"), "host") == "host"
        for address in _addresses(row)
    )


def _said(cli: Cli, query: str) -> tuple[Row, ...]:
    """Return what a query says that not every firmware has."""
    try:
        return cli.rows(query)
    except Refused:
        return ()


def _usable(row: Row) -> bool:
    state = row["state"]
    return state == "online" or (state == "configured" and row.get("link_state", "active") == "active")


def _addresses(row: Row) -> list[str]:
    """Return the addresses that hosts may reach: a port may have one of each kind.

    A row «failover yes» is an address taken over from the partner: another node's target name is behind it.
    """
    if row.get("failover") == "yes":
        return []
    found = (row.get("IP_address"), row.get("IP_address_6"))
    return [address for address in found if address and address not in _INTERNAL]
