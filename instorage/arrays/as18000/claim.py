"""What this machine may call its own on an array."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from instorage.arrays.model import Initiator


@dataclass(frozen=True)
class Claim:
    """What this machine may call its own; `link` is iscsi or fc, `site` what the configuration says.

    `node` is what `host.objects` calls it, for the mend of a refusal: its objects' names may have a prefix,
    or be cut.
    """

    initiator: Initiator
    link: str
    names: tuple[str, ...]
    assigned: str | None
    site: str = ""
    node: str = ""

    @property
    def candidates(self) -> tuple[str, ...]:
        """Acceptable names in the order in which they are tried."""
        return tuple(dict.fromkeys([*([self.assigned] if self.assigned else []), *self.names]))

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
