"""Bind on kernels, and in units of systemd, that know some of the three calls and not the others.

open_tree and move_mount came with Linux 5.2, mount_setattr with 5.12; systemd's lists followed later.
"""

from __future__ import annotations

import ctypes
import errno
from typing import TYPE_CHECKING, Any

import pytest

from helper import device, mounts
from helper.bind import bind
from helper.settings import Settings
from instorage.wire.values import RequestId, VolumeUid
from instorage.wire.verbs import BindRequest
from tests.helper.host import UID
from tests.helper.own_mounts import apart

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("run_directory")]

DEVICE = "plugins/kubernetes.io/flexvolume/inspur/instorage-flexvolume/mounts/pvc-1"
POD = f"pods/{1:032x}/volumes/inspur~instorage-flexvolume/pvc-1"
OPEN_TREE, SET_ATTRIBUTES = 0, 14  # after mounts._CALLS


@pytest.mark.parametrize("error", [errno.ENOSYS, errno.EPERM])
@pytest.mark.parametrize("call", [OPEN_TREE, SET_ATTRIBUTES])
@pytest.mark.parametrize("read_only", [True, False])
def test_a_pod_gets_its_directory_with_all_restrictions_though_a_call_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int, error: int, read_only: bool
) -> None:
    true_call, settings = mounts.libc.syscall, Settings(roots=(str(tmp_path),))
    true_call(mounts._CALLS, -1, b"", 0)
    has_none = ctypes.get_errno() == errno.ENOSYS  # of the three: this kernel itself is that old
    refused = tmp_path / "refused"

    def syscall(number: int, *arguments: Any) -> int:
        if number == mounts._CALLS + call:
            refused.touch()
            ctypes.set_errno(error)
            return -1
        return int(true_call(number, *arguments))

    monkeypatch.setattr(mounts.libc, "syscall", syscall)
    monkeypatch.setattr(device, "uid_of", lambda _: UID)
    for name in (DEVICE, POD):
        (tmp_path / name).mkdir(parents=True)

    def job() -> list[list[str]]:
        mounts.mount("x", str(tmp_path / DEVICE), "tmpfs", mounts.OPTIONS["noatime"])
        request = BindRequest(
            RequestId("test1"), VolumeUid.parse(UID), str(tmp_path / DEVICE), str(tmp_path / POD), read_only
        )
        bind(request, settings)
        return [row.options for row in mounts.table() if row.target == str(tmp_path / POD)]

    ((*options,),) = apart(job)
    assert refused.exists() or has_none, "the call was not tried"
    assert {"nosuid", "nodev", "noatime", "ro" if read_only else "rw"} <= set(options)


def test_another_error_is_no_older_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it would be tried by two calls, between which kubelet sees a writable directory."""

    def syscall(*_: Any) -> int:
        ctypes.set_errno(errno.ENOMEM)
        return -1

    monkeypatch.setattr(mounts.libc, "syscall", syscall)
    with pytest.raises(OSError, match="memory"):
        mounts.bind(0, 0, read_only=True)
