"""What the helper reads of sysfs is there since before Linux 4.4, or it does its work without."""

from __future__ import annotations

import re

import pytest

from helper import filesystem, mounts, scsi
from helper.attach import attach
from helper.detach import detach
from helper.inventory import inspect
from helper.settings import Settings
from instorage.wire.values import Bytes, Iqn, Lun, Portal, RequestId, VolumeUid
from instorage.wire.verbs import AttachRequest, DetachRequest, InspectRequest, IscsiPath, Multipath
from tests.helper.host import UID, Host
from tests.helper.sysfs import GIB, TARGET

pytestmark = pytest.mark.subprocess

PORTALS = ("10.9.0.1:3260", "10.9.1.1:3260")
ALWAYS = {
    *("dev", "size", "state", "vendor", "model", "dm/uuid", "dm/name"),
    *("targetname", "persistent_address", "persistent_port", "port_name"),
}
"""What is there since 2.6; of pages, which are no text, `vpd_pg83` since 3.15 (`wwid` came after 4.4)."""
WITHOUT = {
    "target_id": "a session of iscsi_tcp has a host of its own, on which its target is number 0",
    "errors_count": "then what the options of the mount say of an error counts alone",
}
"""Files that may be missing, and why the work is done without."""


@pytest.fixture
def node(host: Host) -> Host:
    for number, portal in enumerate(PORTALS):
        host.session(number, portal)
        host.luns[number, 0, 1] = (UID, GIB)
    return host


def a_volumes_life() -> None:
    uid, op = VolumeUid.parse(UID), RequestId("test1")
    paths = tuple(IscsiPath(Portal.parse(one), Iqn.parse(TARGET), Lun.parse(1)) for one in PORTALS)
    reply = attach(AttachRequest(op, uid, Bytes.parse(GIB), paths, Multipath.REQUIRED, 20000), Settings())
    assert (len(reply.found), reply.refused) == (2, ())
    (seen,) = inspect(InspectRequest(op, uid), Settings(), more=False)
    assert seen.multipath
    assert len(detach(DetachRequest(op, uid, 20000), Settings()).removed) == 3


def test_a_file_of_sysfs_that_is_new_to_the_helper_needs_a_word_since_when_it_is_there(
    node: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    true_read = scsi.read
    asked: set[str] = set()

    def read(path: str) -> str:
        if path.startswith(f"{scsi.SYS}/"):
            asked.update(re.findall(r"(?<=/)(?:dm/)?\w+$", path))
        return true_read(path)

    monkeypatch.setattr(scsi, "read", read)
    a_volumes_life()
    assert {"state", "vendor", "dm/uuid", "target_id"} <= asked
    assert asked <= {*ALWAYS, *WITHOUT}


def test_a_kernel_that_says_no_target_id_serves_a_volumes_whole_life(node: Host) -> None:
    for at in (node.root / "sys/class/iscsi_session").iterdir():
        (at / "target_id").unlink()
    a_volumes_life()
    assert node.names() == []


def test_of_a_kernel_that_counts_no_errors_the_options_of_a_mount_are_believed(node: Host) -> None:
    row = mounts.Row(9, "253:1", "/", "/x", ["rw"], "ext4", "/dev/x", ["rw"])
    assert filesystem.stopped(row) == ""
    assert "emergency_ro" in filesystem.stopped(row._replace(super_options=["emergency_ro"]))
