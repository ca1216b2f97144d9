"""A true ext4 that the true kernel has stopped, on a loop device: whatever this kernel says of it."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from helper import child, device, filesystem, mounts
from helper.bind import bind
from helper.settings import Settings
from helper.unmount import unmount
from instorage.wire.fault import Fault
from instorage.wire.values import RequestId, VolumeUid
from instorage.wire.verbs import BindRequest, UnmountRequest
from tests.helper.host import UID
from tests.helper.own_mounts import apart

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("run_directory")]

_SHUT_DOWN, _WITHOUT_LOG = 0x8004587D, 2  # EXT4_IOC_SHUTDOWN
DEVICE = "plugins/kubernetes.io/flexvolume/inspur/instorage-flexvolume/mounts/pvc-1"
PODS = [f"pods/{n:032x}/volumes/inspur~instorage-flexvolume/pvc-1" for n in range(3)]
OP = RequestId("test1")


@pytest.fixture
def loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A block device with an ext4; kubelet's directory is the test's."""
    monkeypatch.setattr(device, "uid_of", lambda _: UID)
    for name in (DEVICE, *PODS):
        (tmp_path / name).mkdir(parents=True)
    with (tmp_path / "disk").open("wb") as file:
        file.truncate(16 << 20)
    subprocess.run(("mkfs.ext4", "-q", "-F", str(tmp_path / "disk")), check=True, timeout=30)
    argv = ("losetup", "--find", "--show", str(tmp_path / "disk"))
    made = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=30).stdout.strip()
    yield made
    subprocess.run(("losetup", "--detach", made), check=True, timeout=30)


def trouble(target: Path, loop: str) -> None:
    (Path("/sys/fs/ext4") / Path(loop).name / "trigger_fs_error").write_text("x")


def death(target: Path, loop: str) -> None:
    node = os.open(target, os.O_RDONLY)
    fcntl.ioctl(node, _SHUT_DOWN, struct.pack("I", _WITHOUT_LOG))
    os.close(node)


def outcome(deed: Callable[[], object]) -> str:
    try:
        deed()
    except Fault as fault:
        return str(fault.code)
    except OSError as error:
        return str(error.strerror)
    return "done"


@pytest.mark.parametrize(
    ("options", "what"),
    [("errors=remount-ro", trouble), ("errors=continue", trouble), ("errors=remount-ro", death)],
    ids=["an error", "an error that is ignored", "a shutdown"],
)
def test_no_second_pod_gets_it_to_write(
    tmp_path: Path, loop: str, options: str, what: Callable[[Path, str], None]
) -> None:
    settings, target = Settings(roots=(str(tmp_path),)), tmp_path / DEVICE

    def ask(pod: str, *, read_only: bool) -> str:
        request = BindRequest(OP, VolumeUid.parse(UID), str(target), str(tmp_path / pod), read_only)
        return outcome(lambda: bind(request, settings))

    def why() -> str:
        return filesystem.stopped(next(row for row in mounts.table() if row.target == str(target)))

    def job() -> list[Any]:
        mounts.mount(loop, str(target), "ext4", 0, options)
        before = [why(), ask(PODS[0], read_only=False)]
        before.append(outcome(lambda: (tmp_path / PODS[0] / "file").write_text("x")))
        what(target, loop)
        child.until(why, time.monotonic() + 20, 0.02)  # ext4 counts an error in a work of the kernel's own
        after = [why(), ask(PODS[1], read_only=False), ask(PODS[2], read_only=True)]
        gone = [outcome(lambda at=one: unmount(UnmountRequest(OP, str(tmp_path / at)), settings))  # type: ignore[misc]
                for one in (*PODS, DEVICE)]  # fmt: skip
        checked = subprocess.run(("fsck.ext4", "-a", loop), capture_output=True, timeout=30)
        mounts.mount(loop, str(target), "ext4", 0, options)
        return [before, after, gone, [checked.returncode < 2, why(), ask(PODS[1], read_only=False)]]

    before, after, gone, mended = apart(job)
    assert before == ["", "done", "done"]
    assert [bool(after[0]), *after[1:]] == [True, "file-system", "file-system" if what is death else "done"]
    assert gone == ["done"] * 4, "what is stopped must still go"
    assert mended == [True, "", "done"], "the check that Mount makes is the way out"
