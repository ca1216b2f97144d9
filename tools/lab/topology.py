"""Who the machines are and how they are wired.

The array has its own four links to each node: 0 and 1 carry iSCSI and are bridged inside the array, so
that both nodes see the same two portals, each over its own wire (SendTargets names every portal of a
target portal group, so a portal per node would show a node portals it cannot reach). 2 and 3 carry Fibre
Channel over Ethernet where a test wants it (tools/lab/fibre_channel.py). A PCI slot in decimal is the number
in the guest's name of the device.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

LINKS: Final = ("iscsi0", "iscsi1", "fc0", "fc1")
NODES: Final = ("a", "b")
ARRAY: Final = "array"
PORTALS: Final = ("10.9.0.1", "10.9.1.1")
# What a node connects to, port 22, and the unix socket in the lab's directory that answers.
MANAGEMENT: Final = {"10.0.2.100": "array-ssh.sock", "10.0.2.101": "array2-ssh.sock"}
FIRST_SLOT: Final = 0x10


@dataclass(frozen=True)
class Wire:
    """One end of a private link: unix datagram sockets of these names in the lab's directory."""

    name: str
    slot: int
    mac: str
    local: str
    remote: str

    @property
    def device(self) -> str:
        """The network device's name in the guest."""
        return f"ens{self.slot}"


@dataclass(frozen=True)
class Role:
    """One machine of the lab. `memory` is in MiB."""

    name: str
    hostname: str
    machine_id: str
    memory: int
    wires: tuple[Wire, ...]
    has_management: bool
    has_dataplane: bool
    masked_units: tuple[str, ...]
    services: Mapping[str, str] = field(default_factory=dict)
    """`address:port` that it reaches on its management link, and the unix socket that answers there."""

    @property
    def initiator(self) -> str:
        """The iSCSI initiator's name."""
        return f"iqn.1993-08.org.debian:01:{self.hostname}"

    @property
    def wwpns(self) -> tuple[str, ...]:
        """WWPNs of a node's FC ports, as the driver makes them of the MAC; the array has ports of its own."""
        macs = (wire.mac for wire in self.wires if wire.name in LINKS and wire.name.startswith("fc"))
        return tuple("2000" + mac.replace(":", "").upper() for mac in macs)

    def address(self, link: int) -> str:
        """Return the IPv4 address on iSCSI link 0 or 1."""
        return PORTALS[link] if self.name == ARRAY else f"10.9.{link}.{11 + NODES.index(self.name)}"

    def device(self, wire: str) -> str:
        """Return the guest's name of a wire's device, as `ens16` for `iscsi0`."""
        return next(w.device for w in self.wires if w.name == wire)


def _array_wires() -> tuple[Wire, ...]:
    return tuple(
        Wire(
            name=f"{node}.{link}",
            slot=FIRST_SLOT + len(LINKS) * number + index,
            mac=f"02:00:00:00:{node}{index + 1}:01",
            local=f"w-r{node}{index}",
            remote=f"w-n{node}{index}",
        )
        for number, node in enumerate(NODES)
        for index, link in enumerate(LINKS)
    )


def _node_wires(node: str) -> tuple[Wire, ...]:
    return tuple(
        Wire(
            name=link,
            slot=FIRST_SLOT + index,
            mac=f"02:00:00:00:{node}{index + 1}:02",
            local=f"w-n{node}{index}",
            remote=f"w-r{node}{index}",
        )
        for index, link in enumerate(LINKS)
    )


def _node(name: str) -> Role:
    return Role(
        name=name,
        hostname=f"node{name}",
        machine_id=name * 32,
        memory=1536,
        wires=_node_wires(name),
        has_management=True,
        has_dataplane=False,
        masked_units=(),
        services={f"{address}:22": socket for address, socket in MANAGEMENT.items()},
    )


ROLES: Final = {
    ARRAY: Role(
        name=ARRAY,
        hostname="array",
        machine_id="c" * 32,
        memory=1024,
        wires=_array_wires(),
        has_management=False,
        has_dataplane=True,
        masked_units=("multipathd.service", "multipathd.socket", "iscsid.socket", "open-iscsi.service"),
    ),
    **{name: _node(name) for name in NODES},
}
