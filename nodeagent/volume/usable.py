"""Whether a volume can be used by this host: as the array has it, as its PV says it, and not by others."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from instorage.arrays import naming
from instorage.arrays.expansion import require_whole
from instorage.arrays.model import Level
from instorage.wire.fault import Code, Fault
from nodeagent.volume import tenancy

if TYPE_CHECKING:
    from instorage.arrays.model import Volume
    from instorage.arrays.protocol import Array
    from nodeagent.operation.flexvolume import Options
    from nodeagent.operation.node import Operation
    from nodeagent.volume.tenancy import Grants

_LOG = logging.getLogger(__name__)


def usable(operation: Operation, array: Array, options: Options, grants: Grants | None) -> Volume:
    """Return the volume as the array has it; raise when it is missing, offline, or not what the PV says.

    One that was renamed is not missing: VOLUME_NOT_READY says what it is called now.
    """
    volume = naming.called(array, options.name, tenancy.uids(operation, options, grants, array.name))
    if volume is None:
        raise Fault(
            Code.VOLUME_MISSING,
            f"Array {array.name} has no volume {options.name}: correct name or storageName, or create it if "
            "it never was there; see lsvdisk on the array if it was.",
            volume=options.name,
            array=array.name,
        )
    if not volume.online:
        raise Fault(
            Code.VOLUME_NOT_READY,
            f"Volume {volume.name} is offline on array {array.name}.",
            volume=volume.name,
        )
    if not options.read_only:
        require_whole(volume, options.level, array.name)
        _require_said(volume, options.level, array.name)
    return volume


def say_degraded(operation: Operation, volume: Volume, array: str) -> None:
    """Say, in the journal and in the answer, that an active-active volume has one site only just now."""
    if volume.degraded:
        text = (
            f"Volume {volume.name} on array {array} is degraded: {volume.degraded}. It is used through the "
            "other site, and has one copy until that site is back."
        )
        _LOG.warning(text)
        operation.progress.remarks.append(text)


def require_both_sites(volume: Volume, array: str) -> None:
    """Raise VOLUME_NOT_READY for an active-active volume that has one site only: it cannot grow so."""
    if volume.degraded:
        raise Fault(
            Code.VOLUME_NOT_READY,
            f"Active-active volume {volume.name} on array {array} is not expanded now: {volume.degraded}. "
            "Nothing was changed; it is tried again, and grows when that site is back and synchronised.",
            array=array,
            volume=volume.name,
        )


def _require_said(volume: Volume, level: str | None, array: str) -> None:
    """Raise for an active-active volume whose PV says otherwise: no node could see that it is not whole."""
    if volume.level is Level.ACTIVE_ACTIVE and level not in (None, Level.ACTIVE_ACTIVE):
        raise Fault(
            Code.VOLUME_NOT_READY,
            f"Volume {volume.name} is aa (active-active) on array {array}, its PV says {level}: make the PV "
            "anew with volLevel aa (first set its reclaim policy to Retain).",
            volume=volume.name,
            array=array,
        )


def elsewhere(volume: Volume, hosts: list[str]) -> Fault:
    """Return the fault of a volume that other hosts have."""
    named = ", ".join(hosts)
    return Fault(
        Code.VOLUME_MAPPED_ELSEWHERE,
        f"Volume {volume.name} is mapped to host {named}, and one node alone may have it: end the pod there "
        "that uses it, and the node lets it go. If that node is gone for good: instoragectl release "
        f"{volume.name} --from NODE. It takes nothing from a node that the array does not call logged out.",
        volume=volume.name,
        hosts=named,
    )
