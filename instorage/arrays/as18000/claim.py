"""What this machine may call its own on an array."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from instorage.arrays.model import Initiator


@dataclass(frozen=True)
class Claim:
    """What this machine may call its own; `link` is iscsi or fc, `site` what the configuration says."""

    initiator: Initiator
    link: str
    names: tuple[str, ...]
    assigned: str | None
    site: str = ""

    @property
    def candidates(self) -> tuple[str, ...]:
        """Acceptable names in the order in which they are tried."""
        return tuple(dict.fromkeys([*([self.assigned] if self.assigned else []), *self.names]))

    @property
    def node(self) -> str:
        """This node as the configuration calls it."""
        return self.names[0].removeprefix(f"{self.link}-")

    @property
    def wanted(self) -> tuple[str, ...]:
        """The ports that the object must have for this link."""
        if self.link == "fc":
            return tuple(self.initiator.wwpns)
        return (self.initiator.iqn,) if self.initiator.iqn else ()

    @property
    def own(self) -> frozenset[str]:
        """Every port of this machine, as `Host.port_names` has them."""
        return self.initiator.port_names
