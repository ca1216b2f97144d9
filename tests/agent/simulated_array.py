"""The array of a bench: simulated, with volumes made, mapped and counted as its administrator does."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from instorage.arrays.model import Initiator, Provisioning, VolumeSpec
from instorage.volume_name import VolumeName
from instorage.wire.values import Bytes, Iqn
from tests.agent.helper_peer import IQN

if TYPE_CHECKING:
    from instorage.arrays.as18000 import As18000
    from simulator.array import Simulator

GIB = 1 << 30
WWPNS = ("2100000E1E30ACFC", "2100000E1E30ACFD")  # as the array spells them


@dataclass
class SimulatedArray:
    """`simulator` is the array, `array` a client of it; who derives from this starts both."""

    simulator: Simulator = field(init=False)
    array: As18000 = field(init=False)
    _known: set[str] = field(init=False, default_factory=set)

    def create(self, name: str, *, thin: bool = True, size: int = GIB, **kind: Any) -> str:
        """Make a volume on the array; return its UID."""
        fields: dict[str, Any] = {"pools": ("Pool0",), "provisioning": Provisioning(thin=thin)} | kind
        spec = VolumeSpec(VolumeName(name), Bytes(size), **fields)
        return str(self.array.create_volume(spec).uid)

    def size(self, uid: str) -> int:
        """The array's size of a volume, bytes; those of another array have 1 GiB."""
        found = [int(row["size"]) for row in self.do("volumes") if row["uid"].lower() == uid]
        return found[0] if found else GIB

    def mapped(self, uid: str) -> bool:
        """Whether the array lets this host have a volume; those that are of another array it does."""
        rows = [row for row in self.do("volumes") if row["uid"].lower() == uid]
        self._known |= {uid} if rows else set()
        mine = {
            host["name"] for host in self.do("hosts") if any(own in json.dumps(host) for own in (IQN, *WWPNS))
        }
        return uid not in self._known or any(
            mapping["host"] in mine for row in rows for mapping in row["maps"]
        )

    def make_host(self, name: str, iqn: str = IQN) -> None:
        self.array.ensure_host(Initiator(Iqn(iqn)), link="iscsi", names=(name,), site="1")

    def map(self, volume: str, host: str, *, share: bool = False) -> None:
        self.array.map_volume(VolumeName(volume), host, share=share)

    def do(self, verb: str, **values: Any) -> Any:
        return self.simulator.control.do(verb, **values)

    def maps(self, volume: str) -> list[str]:
        """Hosts to which the array maps the volume."""
        rows = [row for row in self.do("volumes") if row["name"] == volume]
        return [mapping["host"] for row in rows for mapping in row["maps"]]

    def commands(self) -> list[str]:
        """Array commands since `reset`, in order."""
        return [served["name"] for served in self.do("log")]
