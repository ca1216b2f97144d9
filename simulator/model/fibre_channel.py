"""FC ports of the nodes: two each; with NPIV hosts log in to virtual ones.

Where the data plane has real ports, those are cabled, and their WWPNs are the ones to which hosts log in; of
made-up ones the first is cabled.
"""

from dataclasses import dataclass

from simulator.language.dialect import Dialect
from simulator.model.topology import Node

NO_LINK = "000000"


@dataclass(frozen=True)
class FcPort:
    """A physical port, with the virtual one for hosts on it: names of 16 upper-case hex digits."""

    number: int
    wwpn: str
    virtual: str
    linked: bool

    @property
    def speed(self) -> str:
        """Its speed as the array prints it."""
        return "8Gb" if self.linked else "N/A"

    def address(self, node: Node, *, virtual: bool = False) -> str:
        """Its N_Port id in the fabric."""
        return f"{node.id:02X}{self.number:02X}{'01' if virtual else '00'}" if self.linked else NO_LINK


def fc_ports(node: Node, dialect: Dialect) -> list[FcPort]:
    """Return a node's ports."""
    return [_port(node, number, dialect) for number in (1, 2)]


def _port(node: Node, number: int, dialect: Dialect) -> FcPort:
    physical, virtual = (f"50050768{kind:02X}{node.wwnn[10:]}" for kind in (number, number + 4))
    if number > len(node.wwpns):
        return FcPort(number, physical, virtual, dialect.fc_links and number == 1 and not node.real_fabric)
    real = node.wwpns[number - 1]
    return FcPort(number, *((physical, real) if dialect.npiv else (real, virtual)), dialect.fc_links)


def host_wwpn(port: FcPort, *, npiv: bool) -> str:
    """Return the name to which hosts log in."""
    return port.virtual if npiv else port.wwpn
