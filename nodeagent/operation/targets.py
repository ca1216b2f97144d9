"""The two shapes of kubelet's directories, and the volume name in each (architecture.md 4).

The helper checks targets for itself; here they are parsed to know the volume, and to find the device mount
that belongs to a pod's directory.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from instorage.volume_name import VolumeName
from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from collections.abc import Iterable

_PLAIN = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_DEVICE = re.compile(
    rf"(?P<root>/.+)/plugins/kubernetes\.io/flexvolume/(?P<vendor>{_PLAIN})/(?P<driver>{_PLAIN})/mounts/(?P<name>[^/]+)",
    re.ASCII,
)
_POD = re.compile(
    rf"(?P<root>/.+)/pods/(?P<pod>[0-9a-fA-F-]{{8,64}})/volumes/(?P<vendor>{_PLAIN})~(?P<driver>{_PLAIN})/(?P<name>[^/]+)",
    re.ASCII,
)


@dataclass(frozen=True)
class DeviceTarget:
    """A device mount: `<root>/plugins/kubernetes.io/flexvolume/<vendor>/<driver>/mounts/<name>`."""

    path: str
    name: VolumeName

    @classmethod
    def parse(cls, text: str) -> DeviceTarget:
        """Take a path of that shape, else `Fault(NOT_ALLOWED)`."""
        match = _DEVICE.fullmatch(text)
        if match is None or _climbs(text):
            raise _refused(text, "a device mount (…/plugins/kubernetes.io/flexvolume/…/mounts/<volume>)")
        return cls(text, VolumeName.parse(match["name"]))


@dataclass(frozen=True)
class PodTarget:
    """A pod's directory: `<root>/pods/<uuid>/volumes/<vendor>~<driver>/<name>`."""

    path: str
    name: VolumeName
    pod: str
    device_mount: str

    @classmethod
    def parse(cls, text: str) -> PodTarget:
        """Take a path of that shape, else `Fault(NOT_ALLOWED)`."""
        match = _POD.fullmatch(text)
        if match is None or _climbs(text):
            raise _refused(text, "a pod's volume directory (…/pods/<uid>/volumes/<driver>/<volume>)")
        return cls(text, VolumeName.parse(match["name"]), match["pod"], _device_mount(match))


def of_mounts(paths: Iterable[str]) -> DeviceTarget | None:
    """Return the device mount that all mounted paths are or belong to; None when they are of none, or of two.

    What is none of kubelet's places says nothing.
    """
    found = set()
    for path in paths:
        with contextlib.suppress(Fault):
            found.add(DeviceTarget.parse(device_mount_of(path) or path))
    return found.pop() if len(found) == 1 else None


def is_device_mount(path: str) -> bool:
    """Say whether a mounted path has the shape of a device mount."""
    return _DEVICE.fullmatch(path) is not None


def pod_of(path: str) -> str | None:
    """Return the pod's uid when the path has the shape of a pod's directory."""
    match = _POD.fullmatch(path)
    return match["pod"] if match else None


def device_mount_of(path: str) -> str | None:
    """Return the device mount that belongs to a pod's directory, when the path has that shape."""
    match = _POD.fullmatch(path)
    return _device_mount(match) if match else None


def _device_mount(match: re.Match[str]) -> str:
    root, vendor, driver, name = match["root"], match["vendor"], match["driver"], match["name"]
    return f"{root}/plugins/kubernetes.io/flexvolume/{vendor}/{driver}/mounts/{name}"


def _climbs(text: str) -> bool:
    return "\0" in text or any(part in ("", ".", "..") for part in text.split("/")[1:])


def _refused(text: str, wanted: str) -> Fault:
    return Fault(Code.NOT_ALLOWED, f"{text[:200]!r} is not the path of {wanted}.", target=text[:200])
