"""A file system that the kernel has stopped is handed out to no writer, however a kernel spells it."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from helper import filesystem, mounts
from helper.bind import bind
from helper.growth import grow_filesystem
from helper.inventory import inspect
from helper.mount import mount
from helper.settings import Settings
from helper.target import Place
from instorage.wire.fault import Code, Fault
from instorage.wire.growth import GrowFilesystemRequest
from instorage.wire.values import Bytes, FsType, RequestId, VolumeUid
from instorage.wire.verbs import BindRequest, InspectRequest, MountRequest, Multipath
from tests.helper.host import UID, Host
from tests.helper.sysfs import GIB

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.subprocess

OP, VOLUME = RequestId("test1"), VolumeUid.parse(UID)
POD = "pods/431a7251-1df7-43a7-b81a-9e1d775a898e/volumes/inspur~instorage-flexvolume/pvc-1"
STOPPED = {  # what follows « - ext4 /dev/x » in mountinfo, and errors_count in sysfs
    "6.1": ("ro,errors=remount-ro", 1),
    "6.1, a node that had no errors= then": ("rw", 3),
    "6.12": ("rw,errors=remount-ro", 1),
    "6.18": ("rw,errors=remount-ro,emergency_ro", 1),
    "6.18, counter not readable": ("rw,errors=remount-ro,emergency_ro", 0),
    "6.18, its device died": ("rw,shutdown", 0),
    "6.18, its device died after an error": ("rw,errors=remount-ro,emergency_ro,shutdown", 2),
}


class Rig:
    """A volume that is mounted on its device mount; what the kernel says of that is a line of mountinfo."""

    def __init__(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        self._host, self._patch = host, monkeypatch
        host.disk("sda", "0:0:0:1", UID)
        self.map = host.map(UID, "sda")
        self.target = host.mount(monkeypatch, self.map)
        self.settings = Settings(roots=(str(host.root),))
        self.pod = host.root / POD
        self.pod.mkdir(parents=True)
        self.number = (host.root / f"sys/block/{self.map}/dev").read_text()
        monkeypatch.setattr(Place, "row", lambda place: self._row(place.target.text))
        monkeypatch.setattr(mounts, "bind", self._bind)
        monkeypatch.setattr(filesystem, "grow", lambda *_: GIB)

    def says(self, options: str, errors: int = 0, fs_type: str = "ext4") -> None:
        self._add(self.target, f"{fs_type} /dev/x {options}")
        counter = self._host.root / f"sys/fs/{fs_type}/{self.map}/errors_count"
        counter.parent.mkdir(parents=True)
        counter.write_text(f"{errors}\n")

    def dies(self) -> None:
        """The root cannot be opened any more, but for its path."""
        true_open = os.open

        def opened(path: Any, flags: int, *rest: Any, **more: Any) -> int:
            if str(path).endswith("pvc-1") and not flags & os.O_PATH:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return true_open(path, flags, *rest, **more)

        self._patch.setattr(os, "open", opened)

    def _row(self, target: str) -> mounts.Row | None:
        return next((row for row in mounts.table() if row.target == target), None)

    def _add(self, target: str, what: str) -> None:
        with open(self._host.root / "proc/self/mountinfo", "a") as table:
            table.write(f"36 25 {self.number} / {target} rw,nosuid,nodev,relatime shared:20 - {what}\n")

    def _bind(self, source: int, target: int, *, read_only: bool) -> bool:
        self._host.note("bind")
        line = Path(self._host.root / "proc/self/mountinfo").read_text().partition(" - ")[2].strip()
        self._add(str(self.pod), line)
        if read_only:
            table = self._host.root / "proc/self/mountinfo"
            table.write_text(table.read_text().replace(f"{self.pod} rw,", f"{self.pod} ro,"))
        return True

    def mount(self, *, read_only: bool = False) -> object:
        request = MountRequest(
            OP, VOLUME, Bytes.parse(GIB), self.target, FsType.parse("ext4"), read_only, False,
            Multipath.PREFERRED,
        )  # fmt: skip
        return mount(request, self.settings)

    def bind(self, *, read_only: bool = False) -> object:
        return bind(BindRequest(OP, VOLUME, self.target, str(self.pod), read_only), self.settings)

    def grow(self) -> object:
        return grow_filesystem(GrowFilesystemRequest(OP, VOLUME, self.target), self.settings)

    @property
    def trouble(self) -> str:
        (reply,) = inspect(InspectRequest(OP, VOLUME), self.settings, more=False)
        (said,) = {state.trouble for state in reply.mounts}
        return said


ASKED: dict[str, Callable[[Rig], object]] = {"Mount": Rig.mount, "Bind": Rig.bind, "Grow": Rig.grow}


@pytest.fixture
def rig(host: Host, monkeypatch: pytest.MonkeyPatch) -> Rig:
    return Rig(host, monkeypatch)


def refused(ask: Callable[[], object]) -> str:
    with pytest.raises(Fault) as raised:
        ask()
    assert raised.value.code is Code.FILE_SYSTEM, raised.value
    return raised.value.sentence


@pytest.mark.parametrize("verb", ASKED)
@pytest.mark.parametrize("kernel", STOPPED)
def test_nobody_who_writes_gets_it(rig: Rig, host: Host, kernel: str, verb: str) -> None:
    rig.says(*STOPPED[kernel])
    said = refused(lambda: ASKED[verb](rig))
    assert "kernel" in said
    assert "nd the pods that use it" in said
    assert "bind" not in host.events


@pytest.mark.parametrize("verb", ASKED)
@pytest.mark.parametrize("kernel", ["", "6.18, before an error"])
def test_one_in_order_is_handed_out(rig: Rig, kernel: str, verb: str) -> None:
    rig.says("rw,errors=remount-ro" if kernel else "rw")
    assert ASKED[verb](rig)
    assert rig.trouble == ""


@pytest.mark.parametrize("verb", ["Mount", "Bind"])
@pytest.mark.parametrize("kernel", STOPPED)
def test_a_reader_gets_it_as_long_as_it_can_be_read(rig: Rig, kernel: str, verb: str) -> None:
    rig.says(*STOPPED[kernel])
    ask = rig.mount if verb == "Mount" else rig.bind
    if "shutdown" in STOPPED[kernel][0]:
        assert "shutdown" in refused(lambda: ask(read_only=True))
    else:
        assert ask(read_only=True)


@pytest.mark.parametrize("kernel", STOPPED)
def test_inspect_says_what_is_wrong(rig: Rig, kernel: str) -> None:
    options, errors = STOPPED[kernel]
    rig.says(options, errors)
    words = "shutdown" if "shutdown" in options else f"{errors} errors" if errors else "emergency_ro"
    assert words in rig.trouble


def test_growth_says_that_a_check_is_needed_and_how_it_comes(rig: Rig) -> None:
    """The kernel would say EPERM, and nothing of the reason."""
    rig.says("rw,errors=remount-ro", 1)
    said = refused(rig.grow)
    assert "has had 1 errors" in said
    assert "so that its file system is checked" in said


@pytest.mark.parametrize("verb", ASKED)
def test_an_xfs_that_was_shut_down_is_handed_out_to_nobody(rig: Rig, host: Host, verb: str) -> None:
    rig.says("rw,attr2,inode64", fs_type="xfs")
    rig.dies()
    assert "Input/output error" in refused(lambda: ASKED[verb](rig))
    assert "bind" not in host.events


def test_not_even_to_a_reader(rig: Rig, host: Host) -> None:
    rig.says("rw,attr2,inode64", fs_type="xfs")
    rig.dies()
    assert "Input/output error" in refused(lambda: rig.bind(read_only=True))
    assert "Input/output error" in refused(lambda: rig.mount(read_only=True))
    assert "bind" not in host.events


def test_inspect_says_that_an_xfs_was_shut_down(rig: Rig) -> None:
    rig.says("rw,attr2,inode64", fs_type="xfs")
    assert rig.trouble == ""
    rig.dies()
    assert "cannot be read" in rig.trouble
