"""The fixed parts of the array: its name, sites, I/O groups, nodes, iSCSI portals and real FC ports.

Four nodes in two I/O groups on two sites (an active-active system); by default only io_grp0's nodes have an
iSCSI address, the other ports answer as unconfigured rows. FC ports are made up, unless the data plane has
some.
"""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property

SITES = {1: "site1", 2: "site2", 3: "site3"}
IO_GROUPS = {0: "io_grp0", 1: "io_grp1", 2: "io_grp2", 3: "io_grp3", 4: "recovery_io_grp"}
PORTSETS = {0: "host", 1: "replication", 4: "host"}  # by id; they are called portsetN
PORTALS = {1: "10.9.0.1:3260", 2: "10.9.1.1:3260"}


@dataclass(frozen=True)
class Node:
    """A node canister; `portal` is `address:port` or empty when its iSCSI port is not configured.

    `address_6`: an IPv6 address that the same port has besides; `portset` the one of its addresses; `more`:
    addresses of its further Ethernet ports, from the second on, behind which nothing of the data plane is;
    `wwpns`: those of its FC ports, in order, that the data plane really has, to which hosts log in;
    `real_fabric`: the data plane has such ports, here or at another node, and no other is cabled.
    """

    id: int
    name: str
    iogrp: int
    site: int
    iqn: str
    wwnn: str
    portal: str = ""
    address_6: str = ""
    portset: int = 0
    more: tuple[str, ...] = ()
    wwpns: tuple[str, ...] = ()
    real_fabric: bool = False

    @property
    def address(self) -> str:
        """The portal's IP address without its port, or empty."""
        return self.portal.rpartition(":")[0].strip("[]")

    def address_of(self, port: int) -> str:
        """Return the IP address of an Ethernet port, from 1 on, or empty."""
        addresses = dict(enumerate((self.address, *self.more), 1))
        return addresses.get(port, "")

    @property
    def ethernet_ports(self) -> range:
        """The numbers of its Ethernet ports: two, or more."""
        return range(1, max(2, len(self.more) + 1) + 1)


@dataclass(frozen=True)
class Topology:
    """Name and hardware of the system; `portals` maps node ids to `address:port`.

    `addresses_6`, `portsets` (with the dialect of that name), `more` and `wwpns` map node ids to what `Node`
    has of them; `zone` has the WWPNs of the initiators that the fabric lets log in.
    """

    name: str = "mcs1"
    portals: dict[int, str] = field(default_factory=lambda: dict(PORTALS))
    iqn_base: str = ""
    uid_prefix: str = ""
    addresses_6: dict[int, str] = field(default_factory=dict)
    portsets: dict[int, int] = field(default_factory=dict)
    more: dict[int, tuple[str, ...]] = field(default_factory=dict)
    wwpns: dict[int, tuple[str, ...]] = field(default_factory=dict)
    zone: tuple[str, ...] = ()

    @cached_property
    def system_id(self) -> str:
        """The cluster's id, 16 hex digits, always the same for the same name."""
        return hashlib.sha256(self.name.encode()).hexdigest()[:16].upper()

    @property
    def nodes(self) -> list[Node]:
        """All nodes, by id."""
        base = self.iqn_base or f"iqn.2004-12.com.inspur:mcs.{self.name}"
        return [
            Node(
                id=n,
                name=f"node{n}",
                iogrp=(n - 1) // 2,
                site=(n - 1) // 2 + 1,
                iqn=f"{base}.node{n}",
                wwnn=f"500507680{self.system_id[:6]}{n}",
                portal=self.portals.get(n, ""),
                address_6=self.addresses_6.get(n, ""),
                portset=self.portsets.get(n, 0),
                more=self.more.get(n, ()),
                wwpns=self.wwpns.get(n, ()),
                real_fabric=bool(self.wwpns),
            )
            for n in (1, 2, 3, 4)
        ]

    def node(self, node_id: int) -> Node | None:
        """One node by id."""
        return next((node for node in self.nodes if node.id == node_id), None)

    def nodes_of(self, iogrp: int) -> list[Node]:
        """Nodes of an I/O group."""
        return [node for node in self.nodes if node.iogrp == iogrp]

    def iscsi_nodes(self) -> list[Node]:
        """Nodes that have an iSCSI portal."""
        return [node for node in self.nodes if node.portal]

    def exporting_groups(self) -> set[int]:
        """I/O groups through which the data plane exports."""
        return {node.iogrp for node in self.nodes if node.portal or node.wwpns}

    @property
    def port_kinds(self) -> tuple[str, ...]:
        """Kinds of host ports that the data plane serves."""
        return ("iscsi", "fc") if self.wwpns else ("iscsi",)

    def site_of_iogrp(self, iogrp: int) -> int:
        """Site of an I/O group, 0 when it has no nodes."""
        return next((node.site for node in self.nodes_of(iogrp)), 0)

    def uid(self, number: int) -> str:
        """Return the UID of the number-th volume ever made: NAA type 6, 32 upper-case hex digits."""
        prefix = self.uid_prefix.upper() or f"6005076000{self.system_id[:7]}"
        digits = 32 - len(prefix)
        text = f"{number:0{digits}X}"
        if len(text) > digits:
            raise OverflowError("every UID of this prefix has been given away")
        return prefix + text
