"""Which claims are ours to serve, and what volume each wants. Pure: decides, does nothing."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from kubernetes.utils.quantity import parse_quantity

from instorage.volume_class import VolumeClass
from instorage.volume_name import VolumeName
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Bytes

if TYPE_CHECKING:
    from instorage.arrays.model import VolumeSpec
    from provisioner.cluster import Object

PROVISIONER_NOTES = (
    "volume.kubernetes.io/storage-provisioner",
    "volume.beta.kubernetes.io/storage-provisioner",
)
CLASS_NOTE = "volume.beta.kubernetes.io/storage-class"
NODE_NOTE = "volume.kubernetes.io/selected-node"
ACCESS_MODES = ("ReadWriteOnce", "ReadOnlyMany")
SECTOR = 512
GIB = 1 << 30
_REFUSED = {
    "selector": "a selector chooses among volumes that are there, none is made for it: remove it.",
    "dataSource": "a volume is always made empty, not from a dataSource: remove it.",
    "dataSourceRef": "a volume is always made empty, not from a dataSourceRef: remove it, unless a populator "
    "of that kind fills the claim.",
    "volumeAttributesClassName": "there is no volumeAttributesClassName for these volumes: put what you want "
    "into a StorageClass.",
}
_SERVED = {"accessModes", "resources", "storageClassName", "volumeMode", "volumeName"}
_CLASS_REFUSED = {  # flexVolumePlugin.SupportsMountOption() of kubelet is false
    "mountOptions": "has mountOptions, with which kubelet mounts no FlexVolume",
    "allowedTopologies": "has allowedTopologies, of which a FlexVolume knows nothing",
}
_CLASS_SERVED = {
    "apiVersion", "kind", "metadata", "provisioner", "parameters", "reclaimPolicy", "allowVolumeExpansion",
    "volumeBindingMode",
}  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """A claim that is ours, its class, and the volume that it shall have."""

    claim: Object
    storage_class: Object
    kind: VolumeClass
    spec: VolumeSpec

    @property
    def uid(self) -> str:
        """The claim's UID."""
        return str(self.claim["metadata"]["uid"])

    @property
    def namespace(self) -> str:
        """The claim's namespace."""
        return str(self.claim["metadata"]["namespace"])


def class_of(claim: Object) -> str:
    """Return the name of the claim's StorageClass, "" for none; the old annotation wins, as upstream."""
    return str(notes(claim).get(CLASS_NOTE) or claim["spec"].get("storageClassName") or "")


def claim_at(namespace: str, name: str) -> str:
    """Return the API path of a claim."""
    return f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/{name}"


def notes(found: Object) -> dict[str, str]:
    """Return an object's annotations."""
    return found["metadata"].get("annotations") or {}


def is_ours(claim: Object, storage_class: Object | None, provisioner: str) -> bool:
    """Say whether this provisioner is to make a volume for the claim now."""
    if claim["spec"].get("volumeName") or claim["metadata"].get("deletionTimestamp"):
        return False
    if storage_class is None or storage_class.get("provisioner") != provisioner:
        return False
    if not any(notes(claim).get(note) == provisioner for note in PROVISIONER_NOTES):
        return False
    waits = storage_class.get("volumeBindingMode") == "WaitForFirstConsumer"
    return not waits or bool(notes(claim).get(NODE_NOTE))


def volume_name(claim: Object) -> VolumeName:
    """Return the name of the claim's volume on the array and of its PV."""
    return VolumeName.parse(f"pvc-{claim['metadata']['uid']}")


def requested(claim: Object) -> Bytes:
    """Return the size that the claim asks for, rounded up to whole sectors."""
    text = str(((claim["spec"].get("resources") or {}).get("requests") or {}).get("storage", "0"))
    size = quantity(text)
    return Bytes.parse(-(-size // SECTOR) * SECTOR)


def quantity(text: str) -> int:
    """Return a quantity of Kubernetes («13Gi», «1e9», «1500M») in bytes, fractions rounded up."""
    return int(parse_quantity(text).to_integral_value(rounding="ROUND_CEILING"))


def as_quantity(size: int) -> str:
    """Return bytes as the shortest quantity that is exact."""
    for unit, power in (("Ti", 40), ("Gi", 30), ("Mi", 20), ("Ki", 10)):
        if size % (1 << power) == 0:
            return f"{size >> power}{unit}"
    return str(Decimal(size))


def wanted(claim: Object, storage_class: Object) -> Wanted:
    """Return what an own claim asks for; `Fault` says what this provisioner cannot give, and why."""
    _require_served(claim["spec"])
    _require_class(storage_class)
    _require_limit(claim)
    kind = VolumeClass.parse(storage_class.get("parameters") or {})
    return Wanted(claim, storage_class, kind, kind.spec(volume_name(claim), requested(claim)))


def _require_served(spec: Object) -> None:
    """Refuse each field that changes what the user gets and is not given, also one of a newer Kubernetes."""
    if spec.get("volumeMode") == "Block":
        raise _refused("volumeMode Block is not possible with a FlexVolume: use volumeMode Filesystem.")
    for key in sorted(key for key, value in spec.items() if value and key not in _SERVED):
        unknown = (
            f"this provisioner does not know the field {key} and cannot give what it asks for: remove it."
        )
        raise _refused(_REFUSED.get(key, unknown))
    for mode in spec.get("accessModes") or []:
        if mode not in ACCESS_MODES:
            raise _refused(
                f"access mode {mode} is not possible with a block volume: "
                f"allowed are {' and '.join(ACCESS_MODES)}."
            )


def _require_class(storage_class: Object) -> None:
    name = storage_class["metadata"]["name"]
    for key in sorted(key for key, value in storage_class.items() if value and key not in _CLASS_SERVED):
        unknown = f"has the field {key}, which this provisioner does not know"
        raise _refused(
            f"StorageClass {name} {_CLASS_REFUSED.get(key, unknown)}: make the class anew without it."
        )


def _require_limit(claim: Object) -> None:
    """Refuse a limit that the array's unit, a GiB, would exceed."""
    limit = ((claim["spec"].get("resources") or {}).get("limits") or {}).get("storage")
    made = -(-requested(claim) // GIB) * GIB
    if limit is not None and quantity(str(limit)) < made:
        raise _refused(
            f"the array gives whole GiB, {as_quantity(made)} here, and resources.limits.storage is {limit}: "
            "raise or remove the limit."
        )


def _refused(what: str) -> Fault:
    return Fault(Code.NOT_SUPPORTED, f"The claim is not served: {what}")
