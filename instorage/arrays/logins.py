"""Whether a host object's ports are logged in, as an array says it: in, out, or not to be told.

A port is logged out only when the array says so in words that are known here. Whatever else it says, or does
not say, is no proof (docs/fencing.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

OFFLINE = "offline"  # a host object no port of which is logged in


class Login(StrEnum):
    """What is known of one port."""

    OUT = "logged out"
    IN = "logged in"
    UNKNOWN = "not known"


@dataclass(frozen=True)
class PortLogin:
    """One port by its name (IQN or WWPN); `said` is what the array said, as part of a sentence."""

    name: str
    login: Login
    said: str
    fc: bool = False


@dataclass(frozen=True)
class HostLogins:
    """The ports of a host object; `unread` counts those that the array has and did not name.

    `status` is the array's word for the whole object, empty where the family has none.
    """

    host: str
    ports: tuple[PortLogin, ...]
    unread: int = 0
    status: str = ""

    @property
    def logged_in(self) -> tuple[PortLogin, ...]:
        """The ports that the array says are logged in."""
        return tuple(port for port in self.ports if port.login is Login.IN)

    @property
    def why_not_out(self) -> str:
        """Say what speaks against «logged out», as part of a sentence; empty: the array says that it is.

        Of an object without ports nothing does: no machine can reach a volume through it.
        """
        if found := self.logged_in:
            hangs = "; an HBA stays logged in while its machine hangs or is in its firmware"
            only_fc = hangs if all(port.fc for port in found) else ""
            return f"its host object {self.host} is logged in, so the node lives ({_named(found)}{only_fc})"
        if doubts := self._doubts():
            return f"whether its host object {self.host} is logged in is not known ({', '.join(doubts)})"
        return ""

    def _doubts(self) -> list[str]:
        unknown = tuple(port for port in self.ports if port.login is Login.UNKNOWN)
        doubts = [_named(unknown)] if unknown else []
        if self.unread:
            doubts.append(f"{self.unread} of its ports are not named by the array")
        if self.status not in ("", OFFLINE):
            doubts.append(f"no port is, and the array calls the object «{self.status[:40]}»")
        return doubts


def _named(ports: tuple[PortLogin, ...]) -> str:
    return ", ".join(f"{port.name}: {port.said}" for port in ports)
