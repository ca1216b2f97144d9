"""The Fibre Channel adapters of a bench's node: in sysfs, in what its helper says, logged in to its array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.agent.attribute import show
from tests.agent.simulated_array import WWPNS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.agent.helper_peer import HelperPeer


class Adapters:
    """Who derives from this has the rest of the node; `link` is what `configure` writes."""

    directory: Path
    helper: HelperPeer
    link = "iscsi"

    def configure(self) -> None:
        raise NotImplementedError

    def do(self, verb: str, **values: Any) -> Any:
        raise NotImplementedError

    def plug(self, *nodes: int) -> None:
        """Have the link be Fibre Channel: two adapters, each logged in to these nodes of the array."""
        self.link, self.helper.wwpns = "fc", [wwpn.lower() for wwpn in WWPNS]
        for number, wwpn in enumerate(WWPNS, 3):
            at = self.directory / f"sys/class/fc_host/host{number}"
            at.mkdir(parents=True)
            show(at / "port_name", f"0x{wwpn.lower()}\n")
            show(at / "port_state", "Online\n")
            self.do("logins", port=wwpn, nodes=[*nodes])
        self.configure()

    def see(self, adapter: int, number: int, port: str, state: str = "Online") -> None:
        """Have the kernel know a port of the array behind one of the adapters, 0 or 1."""
        at = self.directory / f"sys/class/fc_remote_ports/rport-{adapter + 3}:0-{number}"
        at.mkdir(parents=True)
        show(at / "roles", "FCP Target\n")
        show(at / "port_name", f"0x{port}\n")
        show(at / "port_state", f"{state}\n")
