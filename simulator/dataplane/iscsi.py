"""A node's iSCSI target in LIO: one IQN with one portal group and one portal.

The guest side: standard library only. Source: lab notes, section 3 and part D.
"""

from pathlib import Path

from simulator.dataplane.configfs import write
from simulator.dataplane.group import PortalGroup
from simulator.dataplane.plane import Target, is_wwpn

NOPIN_SECONDS = 5  # a dead initiator is seen as gone after about 6.5 s


class IscsiGroup(PortalGroup):
    """The portal group of an iSCSI target."""

    def __init__(self, root: Path, target: Target) -> None:
        super().__init__(root / "iscsi" / target.iqn / "tpgt_1", target.node, optimized=target.optimized)
        self._portal = target.portal

    def accepts(self, initiator: str) -> bool:
        """See PortalGroup."""
        return not is_wwpn(initiator)

    def make(self) -> None:
        """See PortalGroup."""
        (self.path / "np" / self._portal).mkdir(parents=True, exist_ok=True)
        write(self.path / "attrib/authentication", 0)
        write(self.path / "attrib/generate_node_acls", 0)
        self.reopen()

    def admit(self, initiator: str) -> bool:
        """See PortalGroup."""
        made = super().admit(initiator)
        if made:
            acl = self.acl(initiator)
            write(acl / "attrib/nopin_timeout", NOPIN_SECONDS)
            write(acl / "attrib/nopin_response_timeout", NOPIN_SECONDS)
        return made

    def logins(self) -> list[str]:
        """See PortalGroup: "No active iSCSI Session..." otherwise."""
        return [
            initiator
            for initiator, acl in self.admitted()
            if (acl / "info").read_text().startswith("InitiatorName")
        ]

    def close(self) -> None:
        """See PortalGroup."""
        write(self.path / "enable", 0)

    def reopen(self) -> None:
        """See PortalGroup."""
        write(self.path / "enable", 1)

    def drop(self, initiator: str) -> None:
        """See PortalGroup: a changed queue depth makes LIO end the initiator's sessions at once."""
        depth = self.acl(initiator) / "cmdsn_depth"
        if depth.exists():
            write(depth, int(depth.read_text()) ^ 1)
