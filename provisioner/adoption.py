"""Signing PVs from before: the vendor's, and those that were written by hand (security.md, Tenancy)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.tenancy.grant import Grant, SignedGrant
from instorage.volume_name import VolumeName
from instorage.wire.fault import Code, Fault
from provisioner.persistent_volume import options, storage, uids

if TYPE_CHECKING:
    from collections.abc import Iterable

    from instorage.tenancy.signature import SigningKey
    from provisioner.arrays import Arrays
    from provisioner.cluster import Object


def unsigned(volumes: Iterable[Object], driver: str) -> list[Object]:
    """Return the PVs of our driver whose options carry no signature, by name."""
    ours = [found for found in volumes if (found["spec"].get("flexVolume") or {}).get("driver") == driver]
    without = [found for found in ours if SignedGrant.from_options("", options(found)) is None]
    return sorted(without, key=lambda found: str(found["metadata"]["name"]))


def namespace(volume: Object) -> str:
    """Return the namespace of the claim that a PV belongs to, "" while it belongs to none."""
    return str((volume["spec"].get("claimRef") or {}).get("namespace") or "")


def signed(volume: Object, arrays: Arrays, key: SigningKey) -> SignedGrant:
    """Sign the volume as its array has it now, for its claim's namespace.

    `Fault`: the array cannot be asked, has no volume of that name, or another one than the PV was made for.
    """
    name = VolumeName.parse(volume["metadata"]["name"])
    array = arrays.get(storage(volume))
    found = array.find_volume(name)
    if found is None:
        raise Fault(
            Code.VOLUME_MISSING,
            f"Array {array.name} has no volume {name}, of which there is a PV: correct its storageName, "
            "or remove the PV.",
            volume=name,
        )
    told = uids(volume)
    if told and found.uid not in told:
        raise Fault(
            Code.NOT_OURS,
            f"Volume {name} on array {array.name} has UID {found.uid}, the PV is for {told[0]}: somebody "
            "made another volume of that name. Look at both, and correct or remove the PV.",
            volume=name,
        )
    grant = Grant(name, found.uid, array.name, namespace(volume))
    return SignedGrant(grant, key.sign(grant))
