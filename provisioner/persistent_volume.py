"""The PV of a claim as it is written, and what a PV says of its volume."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from instorage.tenancy.grant import (
    CLAIM_PREFIX,
    NAMESPACE_OPTION,
    SIGNATURE_OPTION,
    STORAGE_OPTION,
    UID_OPTION,
    Grant,
)
from instorage.wire.values import VolumeUid
from provisioner.claims import as_quantity, claim_at, notes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from instorage.arrays.model import Volume
    from instorage.tenancy.signature import SigningKey
    from provisioner.claims import Wanted
    from provisioner.cluster import Object

_NO_SOURCE = ("claimRef", "capacity", "nodeAffinity")
FINALIZER = "inspur.com/instorage"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
MARK = "inspur.com/instorage-pv-uid"
"""Annotation: the UID of the PV object that was made for its claim, or seen bound. A PV that is made anew
from a copy carries the UID of before, so that it is told from one whose claim came to its end."""
SEEN = "inspur.com/instorage-volume-uid"
"""Annotation of a PV that tells no UID: its volume's, written before an array is told to delete it. After a
kill it says that what is found nowhere was deleted, and is not on an array that left the configuration."""
NOTE_LIMIT = 63
MOST_NAMED = 1000
"""Disks that are looked for in the texts of one PV: it is about one, whatever is written into it."""
_NAMED = re.compile(r"(?=(6[0-9a-f]{31}|pvc-[0-9a-f-]{36}))")
"""The UID or the name of a volume within a text, from whatever place on: what stands before it may be
hexadecimal, too («3», «0x», «scsi-3», «volume»)."""


@dataclass(frozen=True)
class Names:
    """How this provisioner is called in a StorageClass, and the driver in a PV."""

    provisioner: str = "inspur/instorage"
    driver: str = "inspur/instorage-flexvolume"


def built(
    wanted: Wanted, volume: Volume, storage_name: str, names: Names, key: SigningKey, *, keep: bool = False
) -> Object:
    """Return the PV for `volume`, signed; its finalizer keeps a PV that is deleted while bound.

    `keep`: policy Retain, whatever the class says.
    """
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
            "persistentVolumeReclaimPolicy": "Retain" if keep else reclaim_policy(wanted),
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


def reclaim_policy(wanted: Wanted) -> str:
    """Return what the class wants to be done with the volume when its claim is gone."""
    return str(wanted.storage_class.get("reclaimPolicy") or "Delete")


def is_ours(volume: Object, provisioner: str) -> bool:
    """Say whether a PV was provisioned under our name, by this program or the vendor's."""
    return notes(volume).get(PROVISIONED_BY) == provisioner and "flexVolume" in volume["spec"]


def options(volume: Object) -> dict[str, str]:
    """Return the options of a PV; the vendor's has the class parameters alone."""
    return (volume["spec"].get("flexVolume") or {}).get("options") or {}


def uids(volume: Object) -> tuple[VolumeUid, ...]:
    """Return the UID of the volume that a PV was made for or seen to have, nothing for the vendor's.

    `Fault`: it is none.
    """
    told = options(volume).get(UID_OPTION) or notes(volume).get(SEEN)
    return (VolumeUid.parse(told),) if told else ()


def note_uid(volume: Object, uid: VolumeUid) -> Object:
    """Return the patch that notes of which UID the volume of this PV is, if the PV is as it was read."""
    version = volume["metadata"]["resourceVersion"]
    return {"metadata": {"resourceVersion": version, "annotations": {SEEN: str(uid)}}}


def storage(volume: Object) -> str | None:
    """Return the name of the array that a PV's volume is on, None for the first of the configuration."""
    return options(volume).get(STORAGE_OPTION) or None


def has_finalizer(volume: Object) -> bool:
    """Say whether the PV waits for this program before it goes."""
    return FINALIZER in (volume["metadata"].get("finalizers") or [])


def claim_path(volume: Object) -> str:
    """Return the API path of the claim that a PV belongs to, "" when it names none, or only part of one."""
    reference = volume["spec"].get("claimRef") or {}
    namespace, name = reference.get("namespace"), reference.get("name")
    return claim_at(namespace, name) if namespace and name else ""


def names_half_a_claim(volume: Object) -> bool:
    """Say whether the PV's claimRef leaves out name or namespace: the API server takes such a one."""
    return bool(volume["spec"].get("claimRef")) and not claim_path(volume)


def is_marked(volume: Object) -> bool:
    """Say whether this very object was made for its claim, or bound: no copy of one from before."""
    return bool(notes(volume).get(MARK) == volume["metadata"]["uid"])


def mark(volume: Object) -> Object:
    """Return the patch that marks this object."""
    return {"metadata": {"annotations": {MARK: volume["metadata"]["uid"]}}}


def take_up(volume: Object) -> Object:
    """Return the patch that marks an object, and has it wait for this program before it goes."""
    metadata = volume["metadata"]
    waits = [*(metadata.get("finalizers") or []), FINALIZER]
    return {
        "metadata": mark(volume)["metadata"]
        | {"resourceVersion": metadata["resourceVersion"], "finalizers": waits}
    }


def home(volume: Object) -> str:
    """Return the namespace that a PV's data is from: of the claim it belonged to, or signed; "" for none."""
    told = (volume["spec"].get("claimRef") or {}).get("namespace")
    return str(told or options(volume).get(NAMESPACE_OPTION) or "")


def bind_again(volume: Object, claim: Object) -> str:
    """Return the command by which an administrator gives a volume to a claim that names it.

    For claims of its `home` alone: any tenant may name any PV, and waits for somebody who obeys.
    """
    to = claim["metadata"]
    reference = f'{{"namespace":"{to["namespace"]}","name":"{to["name"]}","uid":"{to["uid"]}"}}'
    return f'kubectl patch pv {volume["metadata"]["name"]} -p \'{{"spec":{{"claimRef":{reference}}}}}\''


def names_in(volume: Object) -> set[str]:
    """Return every text by which a PV of whatever kind says which disk it is about, in lower case.

    And the UIDs and names of volumes within them: a driver's handle has more in it («hall-1/pvc-...»), and so
    has a path below /dev/disk/by-id. One that a provisioner made for its claim is about the disk of its own
    name and no other.
    """
    spec = volume["spec"]
    claim = (spec.get("claimRef") or {}).get("uid")
    if PROVISIONED_BY in notes(volume) and volume["metadata"]["name"] == f"{CLAIM_PREFIX}{claim}":
        return {volume["metadata"]["name"].lower()}
    sources = [spec[kind] for kind in spec if isinstance(spec[kind], dict) and kind not in _NO_SOURCE]
    texts = [text.lower() for text in _texts(sources)]
    named = (found[1] for text in texts for found in _NAMED.finditer(text))
    return {volume["metadata"]["name"].lower(), *texts, *islice(named, MOST_NAMED)}


def _texts(found: Any) -> Iterator[str]:  # noqa: ANN401
    """Yield the texts in a JSON value."""
    if isinstance(found, str):
        yield found
    for part in found.values() if isinstance(found, dict) else found if isinstance(found, list) else ():
        yield from _texts(part)
