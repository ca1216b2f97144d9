"""What is mounted at a target may change while an unmount waits for the volume's lock."""

from __future__ import annotations

import pytest

from helper import device
from helper.unmount import unmount
from instorage.wire.fault import Code, Fault
from instorage.wire.values import VolumeUid
from instorage.wire.verbs import UnmountReply, UnmountRequest
from tests.helper.host import OTHER, UID
from tests.helper.mounting import MOUNTED, NUMBER, Rig, rig

__all__ = ["rig"]
pytestmark = pytest.mark.subprocess
FOREIGN = MOUNTED._replace(number="0:55", fs_type="tmpfs")
ANOTHER = MOUNTED._replace(number="253:77")


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "uid_of", {NUMBER: UID, "253:77": OTHER, "0:55": ""}.get)


def ask(rig: Rig) -> UnmountReply:
    return unmount(UnmountRequest(rig.request.op, rig.request.target), rig.settings)


def test_a_foreign_mount_that_came_meanwhile_stays(rig: Rig) -> None:
    rig.rows = [MOUNTED, FOREIGN, FOREIGN]
    with pytest.raises(Fault) as refused:
        ask(rig)
    assert refused.value.code is Code.NOT_OURS
    assert rig.did("unmount") == []


def test_a_mount_that_another_has_ended_meanwhile_is_a_success(rig: Rig) -> None:
    rig.rows = [MOUNTED, None, None]
    assert ask(rig) == UnmountReply(None, lost=False)
    assert rig.did("unmount") == []


def test_another_volumes_mount_that_came_meanwhile_ends_under_its_own_lock(rig: Rig) -> None:
    rig.rows = [MOUNTED, ANOTHER, ANOTHER, ANOTHER, None]
    assert ask(rig) == UnmountReply(VolumeUid.parse(OTHER), lost=False)
    assert rig.did("unmount") == ["unmount pvc-1"]
