"""The PV of a claim as it is written, and what a PV says of its volume."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from instorage.tenancy.grant import NAMESPACE_OPTION, SIGNATURE_OPTION, STORAGE_OPTION, UID_OPTION, Grant
from provisioner.claims import as_quantity, notes

if TYPE_CHECKING:
    from instorage.arrays.model import Volume
    from instorage.tenancy.signature import SigningKey
    from provisioner.claims import Wanted
    from provisioner.cluster import Object

FINALIZER = "inspur.com/instorage"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
NOTE_LIMIT = 63


@dataclass(frozen=True)
class Names:
    """How this provisioner is called in a StorageClass, and the driver in a PV."""

    provisioner: str = "inspur/instorage"
    driver: str = "inspur/instorage-flexvolume"


def built(wanted: Wanted, volume: Volume, storage_name: str, names: Names, key: SigningKey) -> Object:
    """Return the PV for `volume`, signed; its finalizer keeps a PV that is deleted while bound."""
    claim, storage_class = wanted.claim["metadata"], wanted.storage_class
    created = {STORAGE_OPTION: storage_name, UID_OPTION: str(volume.uid)}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": str(volume.name),
            "finalizers": [FINALIZER],
            "annotations": {PROVISIONED_BY: names.provisioner}
            | {note(names.provisioner, name): value for name, value in created.items()},
        },
        "spec": {
            "capacity": {"storage": as_quantity(volume.size)},
            "accessModes": wanted.claim["spec"]["accessModes"],
            "persistentVolumeReclaimPolicy": storage_class.get("reclaimPolicy") or "Delete",
            "storageClassName": storage_class["metadata"]["name"],
            "volumeMode": "Filesystem",
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": claim["namespace"],
                "name": claim["name"],
                "uid": claim["uid"],
                "resourceVersion": claim["resourceVersion"],
            },
            "flexVolume": {
                "driver": names.driver,
                "fsType": str(wanted.kind.fs_type),
                "options": _options(wanted, created, str(volume.name), key),
            },
        },
    }


def note(provisioner: str, name: str) -> str:
    """Return the annotation in which the vendor's provisioner says `name` of a volume.

    The API takes 63 characters after the «/», a StorageClass as many for the provisioner alone: then the
    middle is replaced by a hash.
    """
    before, slash, after = provisioner.rpartition("/")
    if len(after) + 1 + len(name) > NOTE_LIMIT:
        mark = hashlib.sha256(provisioner.encode()).hexdigest()[:8]
        after = f"{after[: NOTE_LIMIT - len(mark) - len(name) - 2]}-{mark}"
    return f"{before}{slash}{after}-{name}"


def _options(wanted: Wanted, created: dict[str, str], volume: str, key: SigningKey) -> dict[str, str]:
    options = dict(wanted.storage_class.get("parameters") or {}) | created
    options[NAMESPACE_OPTION] = wanted.namespace
    return options | {SIGNATURE_OPTION: key.sign(Grant.from_options(volume, options))}


def is_ours(volume: Object, provisioner: str) -> bool:
    """Say whether a PV was provisioned under our name, by this program or the vendor's."""
    return notes(volume).get(PROVISIONED_BY) == provisioner and "flexVolume" in volume["spec"]


def options(volume: Object) -> dict[str, str]:
    """Return the options of a PV; the vendor's has the class parameters alone."""
    return (volume["spec"].get("flexVolume") or {}).get("options") or {}


def has_finalizer(volume: Object) -> bool:
    """Say whether the PV waits for this program before it goes."""
    return FINALIZER in (volume["metadata"].get("finalizers") or [])


def claim_path(volume: Object) -> str:
    """Return the API path of the claim that a PV belongs to, "" when it names none."""
    reference = volume["spec"].get("claimRef")
    if not reference:
        return ""
    return f"/api/v1/namespaces/{reference['namespace']}/persistentvolumeclaims/{reference['name']}"
