"""FC ports of the nodes: two each, of which the first is cabled; with NPIV hosts log in to virtual ones."""

from dataclasses import dataclass

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


def fc_ports(node: Node, *, linked: bool) -> list[FcPort]:
    """Return a node's ports; `linked`: the first is cabled."""
    return [
        FcPort(number, f"50050768{number:02X}{node.wwnn[10:]}", f"50050768{number + 4:02X}{node.wwnn[10:]}",
               linked and number == 1)
        for number in (1, 2)
    ]  # fmt: skip


def host_wwpn(port: FcPort, *, npiv: bool) -> str:
    """Return the name to which hosts log in."""
    return port.virtual if npiv else port.wwpn
