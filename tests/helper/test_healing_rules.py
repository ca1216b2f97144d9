"""Attach with `add_only`, and Leave: what heals only adds, and ends no session but one that leads nowhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from helper import iscsi, mounts
from helper.attach import attach
from helper.settings import Settings
from helper.volume import hold
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Bytes, Iqn, Lun, Portal, RequestId, VolumeUid
from instorage.wire.verbs import AttachRequest, IscsiPath, LeaveRequest, Multipath
from tests.helper.host import OTHER, UID, Host
from tests.helper.sysfs import GIB, TARGET

if TYPE_CHECKING:
    from instorage.wire.verbs import AttachReply

pytestmark = pytest.mark.subprocess
PORTALS = ("10.9.0.1:3260", "10.9.1.1:3260")
OP = RequestId("test1")


@pytest.fixture
def one_left(host: Host) -> Host:
    """A volume that is mounted through a map with one path; the second portal shows its LUN again."""
    for number, portal in enumerate(PORTALS):
        host.session(number, portal)
        host.luns[number, 0, 1] = (UID, GIB)
    host.disk("sda", "0:0:0:1", UID)
    name = host.map(UID, "sda")
    host.mounted((host.root / f"sys/block/{name}/dev").read_text(), "/mnt")
    return host


def heal(size: int = GIB, wait_ms: int = 8000) -> AttachReply:
    path = IscsiPath(Portal.parse(PORTALS[1]), Iqn.parse(TARGET), Lun.parse(1))
    asked = (OP, VolumeUid.parse(UID), Bytes.parse(size), (path,), Multipath.PREFERRED, wait_ms)
    return attach(AttachRequest(*asked, add_only=True), Settings())


def refused(**changed: int) -> Fault:
    with pytest.raises(Fault) as raised:
        heal(**changed)
    print(raised.value)
    return raised.value


def deeds(host: Host) -> list[str]:
    """What was asked that changes more than the paths of a map."""
    harmless = ("scan ", "multipathd add path ", "fsync", "journal")
    return [event for event in host.events if not event.startswith(harmless)]


def test_a_path_that_came_back_is_given_to_the_map(one_left: Host) -> None:
    reply = heal()
    assert (reply.multipath, reply.found, reply.queueing) == (True, ("sdm",), "60 chk 0")
    (name,) = (found for found in one_left.names() if found.startswith("dm-"))
    assert {path.name for path in (one_left.root / f"sys/block/{name}/slaves").iterdir()} == {"sda", "sdm"}
    assert deeds(one_left) == []


def test_a_path_that_multipathd_took_by_itself_is_not_asked_for(one_left: Host) -> None:
    heal()
    (one_left.root / "events").write_text("")
    assert heal().found == ("sdm",)
    assert one_left.events == []


@pytest.mark.parametrize("why", ["not-mounted", "no-map", "another-map"])
def test_nothing_is_added_to_what_is_not_in_use_through_a_map(host: Host, why: str) -> None:
    host.session(1, PORTALS[1])
    host.luns[1, 0, 1] = (UID, GIB)
    host.disk("sda", "0:0:0:1", UID)
    if why != "no-map":
        name = host.map(UID if why == "not-mounted" else OTHER, "sda")
        number = (host.root / f"sys/block/{name}/dev").read_text()
        host.mounted("8:77" if why == "not-mounted" else number, "/mnt")
    assert refused().code is Code.NO_MULTIPATH
    assert host.events == []


def test_a_look_for_mounts_that_hangs_keeps_no_worker(
    one_left: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mounts, "everywhere", lambda _: time.sleep(20))
    began = time.monotonic()
    assert refused(wait_ms=1000).code is Code.TIMEOUT
    assert time.monotonic() - began < 10
    assert one_left.events == []


def test_a_map_beside_the_disk_that_is_mounted_gets_nothing(host: Host) -> None:
    """It came after the mount, which has one path and goes on with it."""
    host.session(1, PORTALS[1])
    host.luns[1, 0, 1] = (UID, GIB)
    host.disk("sda", "0:0:0:1", UID)
    host.disk("sdb", "2:0:0:1", UID)
    host.map(UID, "sdb")
    host.mounted((host.root / "sys/block/sda/dev").read_text(), "/mnt")
    assert refused().code is Code.NO_MULTIPATH
    assert host.events == []


def test_a_stale_disk_stays_and_is_not_used(one_left: Host) -> None:
    one_left.disk("sdx", "1:0:0:1", OTHER)
    fault = refused()
    assert (fault.code, OTHER in fault.sentence) == (Code.WRONG_DEVICE, True)
    assert "sdx" in one_left.names()
    assert deeds(one_left) == []


@pytest.mark.parametrize("size", [2 * GIB])
def test_another_size_than_the_maps_is_refused_before_anything_is_asked(one_left: Host, size: int) -> None:
    assert refused(size=size).code is Code.NO_MULTIPATH
    assert one_left.events == []


def test_a_disk_of_another_size_is_not_given_to_the_map(one_left: Host) -> None:
    one_left.luns[1, 0, 1] = (UID, 2 * GIB)
    assert refused().code is Code.WRONG_DEVICE
    assert not [event for event in one_left.events if event.startswith("multipathd")]


def test_a_multipathd_that_does_not_take_it_makes_nothing_either(one_left: Host) -> None:
    one_left.answers = "fail"
    assert heal(wait_ms=1500).found == ()
    assert deeds(one_left) == []


def test_a_portal_that_failed_a_moment_ago_is_asked_at_once(one_left: Host) -> None:
    """Elsewhere it is not waited for within a minute; who heals has seen that it answers."""
    state = one_left.root / "sys/class/iscsi_session/session1/state"
    state.write_text("FAILED")
    (one_left.root / "failed").mkdir()
    (one_left.root / "failed" / PORTALS[1]).touch()
    one_left.script("iscsiadm", f'case "$*" in *login*) echo LOGGED_IN >{state};; esac')
    assert heal().found == ("sdm",)
    assert not [event for event in one_left.events if "logout" in event]


def test_a_wrong_disk_that_the_scan_brought_goes_again(one_left: Host) -> None:
    one_left.luns[1, 0, 1] = (OTHER, GIB)
    before = one_left.names()
    assert refused().code is Code.WRONG_DEVICE
    assert any(event.startswith("scan ") for event in one_left.events), "it was there before"
    assert one_left.names() == before


def test_a_wrong_disk_that_the_scan_brought_stays_while_its_volume_is_worked_on(one_left: Host) -> None:
    one_left.luns[1, 0, 1] = (OTHER, GIB)
    with hold(OTHER, "mount1", time.monotonic() + 5):
        assert refused().code is Code.WRONG_DEVICE
    assert "sdm" in one_left.names()
    assert not [event for event in one_left.events if event.startswith("delete")]


# Leave


def leave(*portals: str) -> None:
    asked = tuple(Portal.parse(one) for one in portals)
    iscsi.leave_gone(LeaveRequest(OP, Iqn.parse(TARGET), asked, 5000), None)


@pytest.fixture
def idle(host: Host) -> Host:
    """Two sessions that a volume was attached through; the first has a disk yet."""
    for number, portal in enumerate(PORTALS):
        host.session(number, portal)
        host.used(number)
    host.disk("sda", "0:0:0:1", UID)
    return host


def logouts(host: Host) -> list[str]:
    return [event for event in host.events if event.startswith("iscsiadm")]


@pytest.mark.parametrize("state", ["LOGGED_IN", "FAILED"])
def test_a_session_to_a_portal_that_is_gone_ends(idle: Host, state: str) -> None:
    (idle.root / "sys/class/iscsi_session/session1/state").write_text(state)
    leave(PORTALS[1])
    assert logouts(idle) == ["iscsiadm -m session -r 1 --logout"]


@pytest.mark.parametrize("keeps", ["a disk", "another-portal", "another-target", "a foreign session"])
def test_no_other_session_ends(idle: Host, keeps: str) -> None:
    if keeps == "another-target":
        (idle.root / "sys/class/iscsi_session/session1/targetname").write_text(f"{TARGET}0")
        idle.used(1)
    if keeps == "a foreign session":
        (idle.root / "used/1").unlink()
    portal = {"a disk": PORTALS[0], "another-portal": "10.9.2.1:3260"}.get(keeps, PORTALS[1])
    leave(portal)
    assert logouts(idle) == []


def test_no_portal_is_not_every_portal(idle: Host) -> None:
    leave()
    assert logouts(idle) == []


def test_an_attach_waits_not_longer_for_a_logout_that_hangs_than_for_a_login(
    idle: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    idle.script("iscsiadm", "sleep 30")
    monkeypatch.setattr(iscsi, "_LOGIN", 0.5)
    began = time.monotonic()
    asked = LeaveRequest(OP, Iqn.parse(TARGET), (Portal.parse(PORTALS[1]),), 3_600_000)
    iscsi.leave_gone(asked, None)
    assert time.monotonic() - began < 20
    assert (idle.root / "used/1").exists(), "it did not end"
