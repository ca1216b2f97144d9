"""Deleting volumes; it converges when an answer is lost or another thread was faster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.arrays.as18000 import copy_maps, mapping, protection, volumes
from instorage.arrays.as18000.session.cli import OutcomeUnknown
from instorage.arrays.as18000.session.refusal import IN_USE, NOT_FOUND, Refused
from instorage.arrays.model import Level
from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from instorage.arrays.as18000.session.cli import Cli
    from instorage.arrays.model import Volume
    from instorage.volume_name import VolumeName
    from instorage.wire.values import VolumeUid

ATTEMPTS = 2  # an operation is given again only after the array said that it was not done


def delete(cli: Cli, name: VolumeName, uid: VolumeUid | None = None) -> bool:
    """Delete a volume that nothing maps and no LocalCopy map uses; False when it was not there.

    VOLUME_MAPPED names the hosts. NOT_OURS unless it has that UID, if one is given. Never with -force or
    -removehostmappings: the array itself refuses a mapping made in the same moment.
    """
    first = there = volumes.find(cli, name)
    if first is not None and uid not in (None, first.uid):
        raise _another(cli, first, uid)
    for attempt in range(ATTEMPTS):
        if there is None or first is None or there.uid != first.uid:
            return first is not None  # a new volume under the old name is not ours to delete
        try:
            cli.operate(*_removal(cli, there))
        except OutcomeUnknown:
            there = volumes.find(cli, name)
            if there is not None and attempt == ATTEMPTS - 1:
                raise
            continue
        except Refused as refused:
            if refused.cmmvc in NOT_FOUND and volumes.find(cli, name) is None:
                return False
            raise _kept(cli, name, refused) from refused
        return True
    return True


def _removal(cli: Cli, volume: Volume) -> tuple[str, ...]:
    if volume.copy_relations:
        raise _used(cli, volume.name, _copied(cli, volume))
    if volume.level is Level.ACTIVE_ACTIVE:
        # its own relationship and change-volume maps go with it; no others are there, see above
        return ("rmvolume", "-removercrelationships", "-removelcmaps", volume.name)
    return ("rmvdisk", volume.name)


def _another(cli: Cli, there: Volume, uid: VolumeUid | None) -> Fault:
    return Fault(
        Code.NOT_OURS,
        f"Volume {there.name} on array {cli.array} is not deleted: its name was given to another volume just "
        f"now (UID {there.uid}, not {uid}). Look at both on the array.",
        array=cli.array,
        volume=there.name,
    )


def _kept(cli: Cli, name: VolumeName, refused: Refused) -> Fault:
    if refused.cmmvc != IN_USE:
        return protection.explained(cli, refused, name)
    hosts = sorted(found.host for found in mapping.of_volume(cli, name))
    if hosts:
        return Fault(
            Code.VOLUME_MAPPED,
            f"Volume {name} on array {cli.array} is not deleted: it is mapped to {', '.join(hosts)}. It goes "
            "by itself when the mapping is gone: end the pod there that uses it. If that node is gone for "
            f"good: instoragectl release {name} --from NODE. It takes nothing from a node that the array "
            "does not call logged out.",
            array=cli.array,
            volume=name,
            hosts=", ".join(hosts),
        )
    there = volumes.find(cli, name)
    if there is None:
        return refused
    related = "" if there.level is Level.ACTIVE_ACTIVE else volumes.relationship(cli, name)
    if related:
        why = f"it is in the remote copy relationship {related}. Whoever made that removes it first"
        return _used(cli, name, f"{why} (mcsop rmrcrelationship {related})")
    return _used(cli, name, _copied(cli, there)) if there.copy_relations else refused


def _copied(cli: Cli, volume: Volume) -> str:
    maps = copy_maps.of(cli, volume.name)
    return (
        f"it takes part in {volume.copy_relations} LocalCopy map(s){f', {maps}' if maps else ''}. Delete its "
        "snapshots and clones first, or wait until the copying ends"
    )


def _used(cli: Cli, name: VolumeName, why: str) -> Fault:
    sentence = f"Volume {name} on array {cli.array} is not deleted: {why}."
    return Fault(Code.VOLUME_NOT_READY, sentence, array=cli.array, volume=name)
