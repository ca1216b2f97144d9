"""What tells this array from others on the SAN: all its portals, target names, the head of its UIDs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.arrays.as18000 import fc_targets, targets
from instorage.arrays.as18000.session.refusal import Refused
from instorage.arrays.model import SanIdentity
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Iqn, VolumeUid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from instorage.arrays.as18000.ip_ports import IpPorts
    from instorage.arrays.as18000.session.answer import Row
    from instorage.arrays.as18000.session.cli import Cli
    from instorage.wire.values import Portal, Wwpn

PREFIX = 16  # hex digits: NAA type, company and the array's own number; the rest counts its volumes


def read(cli: Cli, ip_ports: IpPorts) -> SanIdentity:
    """Return what the array is configured for, nodes and ports that are down just now included.

    ARRAY_ANSWER when it shows no address, or no Fibre Channel port, of a node that is down: with a site, half
    of them may be missing.
    """
    configured, nodes = _configured(cli, ip_ports)
    wwpns = fc_targets.all_names(cli)
    if wwpns:
        _require_shown(cli, nodes, set(wwpns.values()))
    uids = [VolumeUid.parse(row["vdisk_UID"]) for row in cli.sure_rows("lsvdisk") if row["vdisk_UID"]]
    return SanIdentity(
        portals=configured,
        iqns=tuple(sorted({Iqn.parse(node["iscsi_name"]) for node in nodes if node["iscsi_name"]})),
        wwpns=tuple(sorted(wwpns)),
        uid_prefixes=tuple(sorted({uid[:PREFIX] for uid in uids})),
    )


def portals(cli: Cli, ip_ports: IpPorts) -> tuple[Portal, ...]:
    """Return every portal that the array is configured for, up or down. ARRAY_ANSWER as for `read`."""
    return _configured(cli, ip_ports)[0]


def fc_ports(cli: Cli) -> tuple[Wwpn, ...]:
    """Return the names of all Fibre Channel ports, up or down. ARRAY_ANSWER as for `read`.

    And when a list is refused, or all are empty: it would have shown what is looked for.
    """
    try:
        names, nodes = fc_targets.all_names(cli, cli.sure_rows), cli.sure_rows("lsnode")
    except Refused as refused:
        text = f"{refused.sentence} Which Fibre Channel ports it has is not known."
        raise Fault(Code.ARRAY_ANSWER, text, array=cli.array) from refused
    if not names:
        raise Fault(Code.ARRAY_ANSWER, f"Array {cli.array} shows no Fibre Channel port.", array=cli.array)
    _require_shown(cli, nodes, set(names.values()))
    return tuple(sorted(names))


def _configured(cli: Cli, ip_ports: IpPorts) -> tuple[tuple[Portal, ...], tuple[Row, ...]]:
    ports, nodes = targets.ports_and_nodes(cli, ip_ports)
    _require_shown(cli, nodes, {port.node for port in ports})
    return tuple(sorted({targets.portal(port) for port in ports}, key=str)), nodes


def _require_shown(cli: Cli, nodes: Iterable[Row], shown: set[str]) -> None:
    absent = [node["name"] for node in nodes if node["status"] != "online" and node["id"] not in shown]
    if absent:
        text = (
            f"Node {', '.join(absent)} of array {cli.array} is not online, and its ports are not shown: "
            "what the array says of itself just now may be half. Run this again when it is back."
        )
        raise Fault(Code.ARRAY_ANSWER, text, array=cli.array)
