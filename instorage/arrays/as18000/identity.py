"""What tells this array from others on the SAN: all its portals, target names, the head of its UIDs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.arrays.as18000 import targets
from instorage.arrays.model import SanIdentity
from instorage.wire.values import Iqn, VolumeUid

if TYPE_CHECKING:
    from instorage.arrays.as18000.ip_ports import IpPorts
    from instorage.arrays.as18000.session.cli import Cli

PREFIX = 16  # hex digits: NAA type, company and the array's own number; the rest counts its volumes


def read(cli: Cli, ip_ports: IpPorts) -> SanIdentity:
    """Return what the array is configured for, nodes and ports that are down just now included."""
    ports, nodes = targets.ports_and_nodes(cli, ip_ports)
    uids = [VolumeUid.parse(row["vdisk_UID"]) for row in cli.sure_rows("lsvdisk") if row["vdisk_UID"]]
    return SanIdentity(
        portals=tuple(sorted({targets.portal(port) for port in ports})),
        iqns=tuple(sorted({Iqn.parse(node["iscsi_name"]) for node in nodes if node["iscsi_name"]})),
        uid_prefixes=tuple(sorted({uid[:PREFIX] for uid in uids})),
    )
