"""An FC target port in LIO (tcm_fc, over FCoE), and who the kernel says is logged in to it.

The port itself is the machine's, which makes it with its link down: an initiator that logs in before its ACL
is there is told that this is no target, and asks never again. So the zone's ACLs are made first, and stay.
tcm_fc shows no sessions; `fc_remote_ports` does. The guest side: standard library only. Source: lab notes,
section 6 and part D.
"""

from collections.abc import Iterator
from pathlib import Path

from simulator.dataplane.configfs import remove_with_links, start, write
from simulator.dataplane.group import PortalGroup
from simulator.dataplane.plane import DataPlaneError, FcTarget, is_wwpn

SYSFS = Path("/sys/class")
IP = "/sbin/ip"


class FcGroup(PortalGroup):
    """The portal group behind an FC port."""

    def __init__(self, root: Path, port: FcTarget, sysfs: Path = SYSFS) -> None:
        super().__init__(root / "fc" / _colons(port.wwpn) / "tpgt_1", port.node, optimized=port.optimized)
        self.wwpn = port.wwpn
        self._zone = tuple(port.zone)
        self._sysfs = sysfs

    def accepts(self, initiator: str) -> bool:
        """See PortalGroup."""
        return is_wwpn(initiator)

    def make(self) -> None:
        """See PortalGroup."""
        (self.path / "acls").mkdir(parents=True, exist_ok=True)
        for initiator in self._zone:
            self.admit(initiator)

    def expel(self, initiator: str) -> None:
        """See PortalGroup; an initiator of the zone only loses its LUNs."""
        if initiator not in self._zone:
            super().expel(initiator)
            return
        for mapped in self.acl(initiator).glob("lun_*"):
            remove_with_links(mapped)

    def acl(self, initiator: str) -> Path:
        """See PortalGroup."""
        return self.path / "acls" / _colons(initiator)

    def initiator(self, acl: Path) -> str:
        """See PortalGroup."""
        return acl.name.replace(":", "").upper()

    def zoned(self, initiator: str) -> bool:
        """Tell whether an initiator belongs to the zone."""
        return initiator in self._zone

    def logins(self) -> list[str]:
        """See PortalGroup: the remote ports that are initiators and online; our own ports meet there, too."""
        own = {_wwpn(host) for host in self._hosts()}
        number = self._host().name.removeprefix("host")
        ports = self._sysfs.glob(f"fc_remote_ports/rport-{number}:*")
        return [wwpn for wwpn in map(_logged_in, ports) if wwpn and wwpn not in own]

    def close(self) -> None:
        """See PortalGroup: the cable is pulled."""
        start(IP, "link", "set", self._device(), "down")

    def reopen(self) -> None:
        """See PortalGroup."""
        start(IP, "link", "set", self._device(), "up")

    def drop(self, initiator: str) -> None:
        """See PortalGroup: the port begins anew, and everybody logs in to it again."""
        if initiator in self.logins():
            write(self._host() / "issue_lip", 1)

    def _host(self) -> Path:
        """Return the port's fc_host; DataPlaneError when the machine has no such port."""
        for host in self._hosts():
            if _wwpn(host) == self.wwpn:
                return host
        raise DataPlaneError(f"this machine has no FC port {self.wwpn}")

    def _hosts(self) -> Iterator[Path]:
        return (name.parent for name in self._sysfs.glob("fc_host/host*/port_name"))

    def _device(self) -> str:
        """Return the network device under the port: .../net/DEVICE/ctlr_0/host2/fc_host/host2."""
        parts = self._host().resolve().parts
        return parts[parts.index("net") + 1]


def _logged_in(port: Path) -> str | None:
    """Return the WWPN of a remote port, None when it is no initiator, or none that is logged in."""
    try:
        state, roles = (port / "port_state").read_text(), (port / "roles").read_text()
        return _wwpn(port) if state.strip() == "Online" and "Initiator" in roles else None
    except FileNotFoundError:  # it went while it was read
        return None


def _wwpn(port: Path) -> str:
    return (port / "port_name").read_text().strip().removeprefix("0x").upper()


def _colons(wwpn: str) -> str:
    """Write a WWPN as tcm_fc does."""
    return ":".join(wwpn[i : i + 2] for i in range(0, 16, 2)).lower()
