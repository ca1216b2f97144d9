"""The data plane: what really exports volumes to initiators, seen from the engine.

The guest side imports this module too: standard library only. Every verb can be repeated (mapping what is
mapped, deleting what is gone does nothing), so that an engine that was killed half way can simply go on.
"""

from dataclasses import dataclass
from typing import Protocol

VERBS = ("open", "admit", "expel", "map", "unmap", "delete", "resize", "usage", "sessions", "portal", "drop",
         "inventory")  # fmt: skip


class DataPlaneError(Exception):
    """The data plane could not do what was asked; the text says why."""


@dataclass(frozen=True)
class Target:
    """An iSCSI target: node id, target IQN, portal `address:port`, and whether its paths are optimized."""

    node: int
    iqn: str
    portal: str
    optimized: bool


@dataclass(frozen=True)
class Lun:
    """A volume behind a LUN number of one initiator."""

    iqn: str
    lun: int
    uid: str


@dataclass(frozen=True)
class Inventory:
    """What is there: backing sizes in bytes by UID, admitted initiators, LUNs."""

    volumes: dict[str, int]
    initiators: list[str]
    luns: list[Lun]


class DataPlane(Protocol):
    """Exports volumes, named by UID, through the targets; all raise DataPlaneError."""

    def open(self, targets: list[Target]) -> None:
        """Make the targets and portals, adopting what is there."""

    def admit(self, iqn: str) -> None:
        """Let an initiator log in (it sees no volume yet)."""

    def expel(self, iqn: str) -> None:
        """End an initiator's sessions and refuse its logins."""

    def map(self, uid: str, size: int, iqn: str, lun: int) -> None:
        """Show a volume to an initiator on every target; its backing of `size` bytes is made if missing."""

    def unmap(self, iqn: str, lun: int) -> None:
        """Take a LUN from an initiator; the data stays."""

    def delete(self, uid: str) -> None:
        """Destroy a volume's backing; it must not be mapped."""

    def resize(self, uid: str, size: int) -> None:
        """Grow or shrink a volume's backing, if it has one, to `size` bytes."""

    def usage(self) -> dict[str, int]:
        """Return the bytes written per UID."""

    def sessions(self) -> dict[str, list[int]]:
        """Return the node ids that each initiator is logged in to."""

    def portal(self, node: int, *, up: bool) -> None:
        """Close a node's target (its sessions end) or open it again."""

    def drop(self, iqn: str) -> None:
        """End an initiator's sessions; it may log in again."""

    def inventory(self) -> Inventory:
        """Return what is exported."""


class NoDataPlane:
    """Control plane only: every verb succeeds and nothing is exported."""

    def open(self, targets: list[Target]) -> None:
        """Do nothing."""

    def admit(self, iqn: str) -> None:
        """Do nothing."""

    def expel(self, iqn: str) -> None:
        """Do nothing."""

    def map(self, uid: str, size: int, iqn: str, lun: int) -> None:
        """Do nothing."""

    def unmap(self, iqn: str, lun: int) -> None:
        """Do nothing."""

    def delete(self, uid: str) -> None:
        """Do nothing."""

    def resize(self, uid: str, size: int) -> None:
        """Do nothing."""

    def usage(self) -> dict[str, int]:
        """Nothing is ever written."""
        return {}

    def sessions(self) -> dict[str, list[int]]:
        """Nobody is logged in."""
        return {}

    def portal(self, node: int, *, up: bool) -> None:
        """Do nothing."""

    def drop(self, iqn: str) -> None:
        """Do nothing."""

    def inventory(self) -> Inventory:
        """Nothing is exported."""
        return Inventory({}, [], [])
