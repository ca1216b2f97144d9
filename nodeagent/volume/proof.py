"""What must hold before a mapping goes that nothing shows to be in this machine's use (architecture.md 6).

The record of another boot may be a copy: a machine that was installed from another one's disk, or that comes
back after its hardware was replaced, has records of volumes that the other writes to. Name and id of the host
object are in the copy, too. Nor does a record of this boot show it while the kernel has nothing of the
volume: it is written before the volume is mapped. So the object's ports are asked for; and one that is not
surely this machine's keeps its volumes until the array says twice that it is logged out, as for a node that
is to be fenced.
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from instorage.configuration.settings import Link
from instorage.wire.fault import Code, Fault
from nodeagent.operation.steps import Step, reached
from nodeagent.volume import fencing, twin
from nodeagent.volume.host_object import initiator, nameless

if TYPE_CHECKING:
    from instorage.arrays.model import Host
    from instorage.arrays.protocol import Array
    from instorage.volume_name import VolumeName
    from nodeagent.host.helper_client import Helper
    from nodeagent.operation.node import Operation
    from nodeagent.operation.records import Record


@dataclass(frozen=True)
class Proof:
    """Unmaps one recorded volume, or raises what keeps it. The helper's host lock must be held."""

    operation: Operation
    array: Array
    helper: Helper
    record: Record

    def unmap(self, volume: VolumeName, host: str) -> bool:
        """Unmap the volume; False when it was not mapped to that host object. HOST_OBJECT says why not."""
        own = initiator(self.helper).port_names
        if not own:
            raise nameless(*Link)  # «not ours» cannot be told
        found = self.array.find_host(host)
        if found is None or not _alone_ours(found, own):
            return self._unmap_if_out(volume, host)
        self._refuse_twin(found, own)
        if self.record.doubted is not None:  # a living machine may be logged out for a moment
            time.sleep(fencing.PAUSE_SECONDS)
            self._refuse_twin(self.array.find_host(host) or found, own)
        return self.array.unmap_volume(volume, host)

    def _refuse_twin(self, host: Host, own: frozenset[str]) -> None:
        """Raise while another machine with this one's InitiatorName may be there.

        How many sessions this machine had then is remembered: those that pods open later hide the other's.
        """
        before = self.record.doubted
        found = twin.seen(self.array, host, own, self.operation.node.paths.sysfs, before)
        if found is None:
            return
        if self.record.boot_id != self.operation.node.boot_id:
            self.operation.node.records.put(dataclasses.replace(self.record, doubted=found.ours))
            reached(Step.AGENT_DETACH_DOUBTED)
        text = f"Volume {self.record.name} stays mapped to this host on array {self.array.name}."
        raise self._fault(f"{text} {found.why} {found.mend}", host.name)

    def _unmap_if_out(self, volume: VolumeName, host: str) -> bool:
        if found := fencing.living(self.array, (host,)):
            raise self._kept(host, found)
        self.helper.assure_lock(fencing.LONGEST)
        last = fencing.LastLook(self.array, (host,), lambda living: self._kept(host, living))
        last.unmap(volume, host)
        return True

    def _kept(self, host: str, found: fencing.Living) -> Fault:
        path = self.operation.node.paths.state / "volumes" / self.record.uid
        return self._fault(
            f"Volume {self.record.name} stays mapped to host {host} on array {self.array.name}: by its ports "
            f"that object is not surely this machine's alone, and {found.why}. If this machine was made from "
            f"another one's disk, or another one has taken its place, remove {path} and restart the agent. "
            "Else it is unmapped by itself once the array says that the object is logged out.",
            host,
        )

    def _fault(self, text: str, host: str) -> Fault:
        return Fault(Code.HOST_OBJECT, text, volume=self.record.name, array=self.array.name, host=host)


def _alone_ours(host: Host, own: frozenset[str]) -> bool:
    """Say whether the object is this machine's, and nobody else is logged in by it."""
    foreign = [port for port in host.ports if port.name.casefold() not in own]
    return bool(own & host.port_names) and not host.unread and not any(p.logins or p.active for p in foreign)
