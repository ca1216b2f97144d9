"""Whether the volume that has a name is the one that is meant: names are changed on the array at any time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from instorage.arrays.as18000.session.cli import Cli
    from instorage.volume_name import VolumeName
    from instorage.wire.values import VolumeUid


def require(cli: Cli, name: VolumeName, found: VolumeUid, meant: VolumeUid) -> None:
    """Raise VOLUME_NOT_READY when the volume that was `found` by its name is not the one that is `meant`."""
    if found != meant:
        raise Fault(
            Code.VOLUME_NOT_READY,
            f"Volume {name} on array {cli.array} does not grow: its name was given to another volume (UID "
            f"{found}, not {meant}). Nothing was changed. Look at both on the array.",
            array=cli.array,
            volume=name,
        )
