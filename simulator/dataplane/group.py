"""A target portal group of LIO: what is the same behind an iSCSI portal and an FC port.

LUNs of all volumes, and for each initiator a node ACL with the LUNs mapped to it. The guest side: standard
library only.
"""

from collections.abc import Iterator
from pathlib import Path

from simulator.dataplane.configfs import links, remove_with_links, write


class PortalGroup:
    """One portal group, at `path` in configfs; node `node` of the array answers there."""

    def __init__(self, path: Path, node: int, *, optimized: bool) -> None:
        self.path = path
        self.node = node
        self.optimized = optimized

    def accepts(self, initiator: str) -> bool:
        """Tell whether initiators named so come over this group's link."""
        raise NotImplementedError

    def make(self) -> None:
        """Make the group, or adopt it."""
        raise NotImplementedError

    def logins(self) -> list[str]:
        """Return the initiators that are logged in."""
        raise NotImplementedError

    def close(self) -> None:
        """Have nobody reach it."""
        raise NotImplementedError

    def reopen(self) -> None:
        """Let initiators reach it again."""
        raise NotImplementedError

    def drop(self, initiator: str) -> None:
        """End an initiator's session; it may log in again."""
        raise NotImplementedError

    def admit(self, initiator: str) -> bool:
        """Make an initiator's ACL; returns whether there was none."""
        acl = self.acl(initiator)
        if acl.is_dir():
            return False
        acl.mkdir()
        return True

    def expel(self, initiator: str) -> None:
        """Remove an initiator's LUNs and its ACL."""
        acl = self.acl(initiator)
        if acl.is_dir():
            for mapped in acl.glob("lun_*"):
                remove_with_links(mapped)
            acl.rmdir()

    def admitted(self) -> Iterator[tuple[str, Path]]:
        """Yield each initiator with an ACL, and the ACL."""
        for acl in (self.path / "acls").iterdir():
            yield self.initiator(acl), acl

    def acl(self, initiator: str) -> Path:
        """Return where an initiator's ACL is, or would be."""
        return self.path / "acls" / initiator

    def initiator(self, acl: Path) -> str:
        """Return whose ACL this is."""
        return acl.name

    def luns(self) -> list[Path]:
        """Return the group's LUNs."""
        return list((self.path / "lun").iterdir())

    def export(self, store: Path, index: int) -> None:
        """Make a backstore LUN `index` of the group, unless it is, in its node's ALUA group."""
        lun = self.path / "lun" / f"lun_{index}"
        if not lun.is_dir() or not links(lun):
            lun.mkdir(exist_ok=True)
            (lun / store.name).symlink_to(store)
            write(lun / "alua_tg_pt_gp", f"node{self.node}")
