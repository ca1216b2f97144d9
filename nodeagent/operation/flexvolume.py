"""The FlexVolume calls as typed requests (flexvolume.md 1 and 9)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeVar

from instorage.arrays.model import Level
from instorage.tenancy.grant import STORAGE_OPTION, SignedGrant
from instorage.volume_name import VolumeName
from instorage.wire.fault import Code, Fault
from instorage.wire.values import FsType
from nodeagent.operation.answer import Answer, Status
from nodeagent.operation.targets import DeviceTarget, PodTarget, is_device_mount

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Targeted = TypeVar("Targeted", "MountDevice", "Mount", "ExpandFs")


@dataclass(frozen=True)
class Options:
    """What a PV (or an inline volume) says, as far as the agent needs it. Secrets are not kept."""

    name: VolumeName
    fs_type: FsType
    read_only: bool
    storage: str | None = None
    many_readers: bool = False
    level: Level | None = None
    signed: SignedGrant | None = None
    pod_namespace: str = ""  # named in mount alone

    @classmethod
    def parse(cls, text: str) -> Options:
        """Read the JSON object of options; `Fault(BAD_REQUEST)` names what is wrong."""
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            raise Fault(Code.BAD_REQUEST, "The options of the call are not JSON.") from None
        if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
            raise Fault(Code.BAD_REQUEST, "The options of the call are not an object of strings.")
        many = found.get("readers") == "many"
        read_only = _access(found.get("kubernetes.io/readwrite", "rw"))
        name = VolumeName.parse(found.get("kubernetes.io/pvOrVolumeName"))
        if found.get("readers") not in (None, "", "one", "many"):
            raise Fault(Code.BAD_REQUEST, f"Option readers of volume {name} is not «many».", volume=name)
        if many and not read_only:
            raise Fault(
                Code.NOT_ALLOWED,
                f"Volume {name} has «readers: many» and is asked for read-write: "
                "set readOnly in the pod's volume, or take the option out of the PV.",
                volume=name,
            )
        fs_type = FsType.parse(found.get("kubernetes.io/fsType") or "ext4")
        return cls(
            name=name,
            fs_type=fs_type,
            read_only=read_only,
            storage=found.get(STORAGE_OPTION) or None,
            many_readers=many,
            level=_level(found),
            signed=SignedGrant.from_options(name, found),
            pod_namespace=found.get("kubernetes.io/pod.namespace", ""),
        )


def _access(text: str) -> bool:
    if text not in ("rw", "ro"):
        raise Fault(Code.BAD_REQUEST, f"kubernetes.io/readwrite is {text[:20]!r}, not rw or ro.")
    return text == "ro"


def _level(found: dict[str, str]) -> Level | None:
    text = found.get("volLevel")
    if not text:
        return None
    if text in set(Level):
        return Level(text)
    raise Fault(Code.BAD_REQUEST, f"Option volLevel is {text[:40]!r}, not basic, mirror or aa.")


@dataclass(frozen=True)
class WaitForAttach:
    """Attach the volume; the device argument is the node's name or empty: ignored."""

    options: Options
    call: ClassVar[str] = "waitforattach"

    @property
    def name(self) -> VolumeName:
        """The volume."""
        return self.options.name


class _AtTarget:
    """A request about one directory of kubelet's, which names the volume."""

    target: DeviceTarget | PodTarget

    @property
    def name(self) -> VolumeName:
        """The volume."""
        return self.target.name


@dataclass(frozen=True)
class MountDevice(_AtTarget):
    """Mount the device on kubelet's global directory."""

    target: DeviceTarget
    options: Options
    call: ClassVar[str] = "mountdevice"


@dataclass(frozen=True)
class Mount(_AtTarget):
    """Bind the device mount into a pod's directory."""

    target: PodTarget
    options: Options
    call: ClassVar[str] = "mount"


@dataclass(frozen=True)
class Unmount(_AtTarget):
    """Take the bind mount out of a pod's directory."""

    target: PodTarget
    call: ClassVar[str] = "unmount"


@dataclass(frozen=True)
class UnmountDevice(_AtTarget):
    """Unmount the global directory, and detach and unmap the volume."""

    target: DeviceTarget
    call: ClassVar[str] = "unmountdevice"


@dataclass(frozen=True)
class Detach:
    """kube-controller-manager asks that `node` no longer has the volume."""

    name: VolumeName
    node: str
    call: ClassVar[str] = "detach"


@dataclass(frozen=True)
class ExpandFs(_AtTarget):
    """Make volume and file system at least `size` bytes; the device argument is ignored, it may be empty."""

    target: DeviceTarget | PodTarget
    options: Options
    size: int
    call: ClassVar[str] = "expandfs"


Request = WaitForAttach | MountDevice | Mount | Unmount | UnmountDevice | Detach | ExpandFs
"""Equal requests are one operation: the request is the key of the single flight."""
CAPABILITIES = {
    "attach": True,
    "requiresFSResize": True,
    "fsGroup": True,
    "selinuxRelabel": True,
    "supportsMetrics": True,
}


def parse(argv: Sequence[str]) -> Request | Answer:
    """Turn argv (without the program) into a request, or into the answer where nothing is to be done."""
    call, arguments = (argv[0], list(argv[1:])) if argv else ("", [])
    if call == "init":
        return Answer(Status.SUCCESS, fields={"capabilities": dict(CAPABILITIES)})
    if call == "expandvolume":  # no Kubernetes calls it (flexvolume.md 7)
        sentence = "A volume is grown by expandfs, on the node that has it mounted: enlarge its claim."
        raise Fault(Code.NOT_SUPPORTED, sentence, call=call)
    if call not in _PARSERS:
        return Answer(Status.NOT_SUPPORTED)
    count, parser = _PARSERS[call]
    if len(arguments) < count:
        raise Fault(Code.BAD_REQUEST, f"{call} needs {count} arguments, {len(arguments)} came.", call=call)
    return parser(arguments)


_PARSERS: dict[str, tuple[int, Callable[[list[str]], Request]]] = {
    "waitforattach": (2, lambda a: WaitForAttach(Options.parse(a[1]))),
    "mountdevice": (3, lambda a: _same(MountDevice(DeviceTarget.parse(a[0]), Options.parse(a[2])))),
    "mount": (2, lambda a: _same(Mount(PodTarget.parse(a[0]), Options.parse(a[1])))),
    "unmount": (1, lambda a: Unmount(PodTarget.parse(a[0]))),
    "unmountdevice": (1, lambda a: UnmountDevice(DeviceTarget.parse(a[0]))),
    "expandfs": (4, lambda a: _same(ExpandFs(_target(a[2]), Options.parse(a[0]), _size(a[3])))),
    "detach": (2, lambda a: Detach(VolumeName.parse(a[0]), a[1])),
}


def _same(request: Targeted) -> Targeted:
    if request.target.name != request.options.name:
        raise Fault(
            Code.BAD_REQUEST,
            f"The options name volume {request.options.name}, the directory {request.target.name}.",
            volume=request.options.name,
        )
    return request


def _target(text: str) -> DeviceTarget | PodTarget:
    return DeviceTarget.parse(text) if is_device_mount(text) else PodTarget.parse(text)


def _size(text: str) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text[:20]) < 1 << 60:
        return int(text[:20])
    raise Fault(Code.BAD_REQUEST, f"The new size {text[:40]!r} is not a number of bytes.", value=text[:40])
