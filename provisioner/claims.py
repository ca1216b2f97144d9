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
    spec = claim["spec"]
    if spec.get("volumeMode") == "Block":
        raise _refused("volumeMode Block is not possible with a FlexVolume: use volumeMode Filesystem.")
    if spec.get("selector"):
        raise _refused("a selector chooses among volumes that are there, none is made for it: remove it.")
    if spec.get("dataSource"):
        raise _refused("a volume is always made empty, not from a dataSource: remove it.")
    for mode in spec.get("accessModes") or []:
        if mode not in ACCESS_MODES:
            raise _refused(
                f"access mode {mode} is not possible with a block volume: "
                f"allowed are {' and '.join(ACCESS_MODES)}."
            )
    if storage_class.get("mountOptions"):  # flexVolumePlugin.SupportsMountOption() of kubelet is false
        name = storage_class["metadata"]["name"]
        raise _refused(
            f"StorageClass {name} has mountOptions, with which kubelet mounts no FlexVolume: make the class "
            "anew without them."
        )
    kind = VolumeClass.parse(storage_class.get("parameters") or {})
    return Wanted(claim, storage_class, kind, kind.spec(volume_name(claim), requested(claim)))


def _refused(what: str) -> Fault:
    return Fault(Code.NOT_SUPPORTED, f"The claim is not served: {what}")
