"""The data plane: what really exports volumes to initiators, seen from the engine.

The guest side imports this module too: standard library only. Every verb can be repeated (mapping what is
mapped, deleting what is gone does nothing), so that an engine that was killed half way can simply go on.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

VERBS = ("open", "admit", "expel", "map", "unmap", "delete", "resize", "usage", "sessions", "fabric",
         "portal", "drop", "inventory")  # fmt: skip


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
class FcTarget:
    """An FC target port: node id, WWPN, whether its paths are optimized, and the initiators of its zone.

    These may log in before they are a host object, as in a fabric, where the switch says who may.
    """

    node: int
    wwpn: str
    optimized: bool
    zone: Sequence[str] = ()


def is_wwpn(initiator: str) -> bool:
    """Tell a WWPN, written as 16 upper-case hex digits, from an IQN."""
    return re.fullmatch(r"[0-9A-F]{16}", initiator) is not None


@dataclass(frozen=True)
class Lun:
    """A volume behind a LUN number of one initiator: an IQN or a WWPN."""

    initiator: str
    lun: int
    uid: str


@dataclass(frozen=True)
class Inventory:
    """What is there: backing sizes in bytes by UID, admitted initiators (a zone's apart), LUNs."""

    volumes: dict[str, int]
    initiators: list[str]
    luns: list[Lun]


class DataPlane(Protocol):
    """Exports volumes, named by UID, through the targets; all raise DataPlaneError.

    An `initiator` is an IQN or a WWPN (`is_wwpn`), and meets the targets of its own link only.
    """

    def open(self, targets: Sequence[Target], ports: Sequence[FcTarget] = ()) -> None:
        """Make the targets and portals, and what answers behind the FC ports, adopting what is there."""

    def admit(self, initiator: str) -> None:
        """Let an initiator log in (it sees no volume yet)."""

    def expel(self, initiator: str) -> None:
        """End an initiator's sessions and refuse its logins."""

    def map(self, uid: str, size: int, initiator: str, lun: int) -> None:
        """Show a volume to an initiator on every target; its backing of `size` bytes is made if missing."""

    def unmap(self, initiator: str, lun: int) -> None:
        """Take a LUN from an initiator; the data stays."""

    def delete(self, uid: str) -> None:
        """Destroy a volume's backing; it must not be mapped."""

    def resize(self, uid: str, size: int) -> None:
        """Grow or shrink a volume's backing, if it has one, to `size` bytes."""

    def usage(self) -> dict[str, int]:
        """Return the bytes written per UID."""

    def sessions(self) -> dict[str, list[int]]:
        """Return the node ids that each initiator is logged in to."""

    def fabric(self) -> dict[str, list[str]]:
        """Return the WWPNs of the target ports that each FC initiator is logged in to."""

    def portal(self, node: int, *, up: bool) -> None:
        """Close a node's targets (sessions end, FC links go down) or open them again."""

    def drop(self, initiator: str) -> None:
        """End an initiator's sessions; it may log in again."""

    def inventory(self) -> Inventory:
        """Return what is exported."""


class NoDataPlane:
    """Control plane only: every verb succeeds and nothing is exported."""

    def open(self, targets: Sequence[Target], ports: Sequence[FcTarget] = ()) -> None:
        """Do nothing."""

    def admit(self, initiator: str) -> None:
        """Do nothing."""

    def expel(self, initiator: str) -> None:
        """Do nothing."""

    def map(self, uid: str, size: int, initiator: str, lun: int) -> None:
        """Do nothing."""

    def unmap(self, initiator: str, lun: int) -> None:
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

    def fabric(self) -> dict[str, list[str]]:
        """Nobody is logged in."""
        return {}

    def portal(self, node: int, *, up: bool) -> None:
        """Do nothing."""

    def drop(self, initiator: str) -> None:
        """Do nothing."""

    def inventory(self) -> Inventory:
        """Nothing is exported."""
        return Inventory({}, [], [])
