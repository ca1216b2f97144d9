"""Attach: a device is used only after every path said now that it is this volume (safety.md 1 to 5)."""

from __future__ import annotations

import fcntl
import time

import pytest

from helper import iscsi, mounts, scsi
from helper.attach import attach
from helper.settings import Settings
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Bytes, Iqn, Lun, Portal, RequestId, VolumeUid
from instorage.wire.verbs import AttachReply, AttachRequest, IscsiPath, Multipath
from tests.helper.host import OTHER, UID, Host
from tests.helper.sysfs import GIB, TARGET

pytestmark = pytest.mark.subprocess

PORTALS = ("10.9.0.1:3260", "10.9.1.1:3260")


@pytest.fixture
def two_paths(host: Host) -> Host:
    """Sessions through two portals, the volume on LUN 1 behind both."""
    for number, portal in enumerate(PORTALS):
        host.session(number, portal)
        host.luns[number, 0, 1] = (UID, GIB)
    return host


def ask(*portals: str, lun: int = 1, size: int = GIB, wait_ms: int = 8000) -> AttachReply:
    paths = tuple(
        IscsiPath(Portal.parse(one), Iqn.parse(TARGET), Lun.parse(lun)) for one in portals or PORTALS
    )
    request = AttachRequest(
        RequestId("test1"), VolumeUid.parse(UID), Bytes.parse(size), paths, Multipath.PREFERRED, wait_ms
    )
    return attach(request, Settings())


def refused(*portals: str, **what: int) -> Fault:
    with pytest.raises(Fault) as raised:
        ask(*portals, **what)
    print(raised.value)
    return raised.value


def test_a_volume_comes_up_over_both_paths(two_paths: Host) -> None:
    reply = ask()
    assert (reply.multipath, sorted(reply.found), reply.refused) == (True, ["sdm", "sdn"], ())


@pytest.mark.parametrize("bad", [0, 1])
def test_a_path_that_shows_another_volume_is_left_out_whichever_it_is(two_paths: Host, bad: int) -> None:
    two_paths.luns[bad, 0, 1] = (OTHER, GIB)
    reply = ask()
    assert len(reply.found) == 1
    (path,) = reply.refused
    assert (path.code, path.path and str(path.path.portal)) == ("wrong-device", PORTALS[bad])
    assert OTHER in path.sentence


def test_another_volume_behind_every_path_is_refused_naming_both(two_paths: Host) -> None:
    two_paths.luns = dict.fromkeys(two_paths.luns, (OTHER, GIB))
    fault = refused()
    assert fault.code is Code.WRONG_DEVICE
    assert UID in fault.sentence
    assert OTHER in fault.sentence
    assert two_paths.names() == [], "the wrong disks, which nobody uses, are left on the host"


def test_what_the_disk_says_now_counts_and_not_what_sysfs_remembers(two_paths: Host) -> None:
    for number, name in enumerate(("sda", "sdb")):
        two_paths.disk(name, f"{number}:0:0:1", UID, says=OTHER)
        (two_paths.root / f"sys/block/{name}/holders/dm-77").touch()  # in use: it cannot be replaced
    assert refused().code is Code.WRONG_DEVICE


def test_a_stale_disk_that_nobody_uses_is_removed_and_the_lun_scanned_anew(two_paths: Host) -> None:
    for number, name in enumerate(("sda", "sdb")):
        two_paths.disk(name, f"{number}:0:0:1", OTHER, says=UID)
    assert len(ask().found) == 2
    assert {"delete sda", "delete sdb"} <= set(two_paths.events)


def test_a_volume_of_another_size_is_refused(two_paths: Host) -> None:
    fault = refused(size=2 * GIB)
    assert fault.code is Code.WRONG_DEVICE
    assert "Disk" in fault.sentence
    assert str(GIB) in fault.sentence
    assert str(2 * GIB) in fault.sentence


def test_a_map_with_a_path_of_another_volume_is_refused(two_paths: Host) -> None:
    two_paths.disk("sda", "0:0:0:1", UID)
    two_paths.disk("sdb", "1:0:0:1", UID)
    two_paths.disk("sdx", "9:0:0:9", OTHER)
    two_paths.map(UID, "sda", "sdb", "sdx")
    fault = refused()
    assert fault.code is Code.WRONG_DEVICE
    assert "sdx" in fault.sentence


def test_exactly_one_lun_is_scanned_on_each_path(two_paths: Host) -> None:
    two_paths.luns |= {(0, 0, 2): (OTHER, GIB), (1, 0, 11): (OTHER, GIB)}
    ask()
    scans = sorted(event for event in two_paths.events if event.startswith("scan"))
    assert scans == ["scan host0 «0 0 1»", "scan host1 «0 0 1»"]
    assert not [event for event in two_paths.events if "rescan" in event]


@pytest.mark.parametrize("lun", [11, 256, 1000])
def test_luns_are_numbers(two_paths: Host, lun: int) -> None:
    two_paths.luns |= {(0, 0, lun): (UID, GIB), (0, 0, 1): (OTHER, GIB)}
    assert len(ask(PORTALS[0], lun=lun).found) == 1


def test_records_of_portals_are_made_by_name_and_bring_no_device_by_themselves(host: Host) -> None:
    host.script(
        "iscsiadm",
        'case "$*" in *update*) ;; *new*) touch $0.new;; *login*) exit 8;; '
        "*) test -e $0.new || exit 21;; esac",
    )
    assert refused(PORTALS[0]).code is Code.NO_PATH
    said = [event for event in host.events if event.startswith("iscsiadm")]
    assert f"iscsiadm -m node -T {TARGET} -p {PORTALS[0]} -o new" in said
    updates = [one for one in said if "-o update" in one]
    assert updates
    for one in updates:
        assert "-n node.startup -v manual" in one
        assert "-n node.session.scan -v manual" in one
    assert said[-1].endswith("--login")
    assert not [one for one in said if "discovery" in one or "rescan" in one.lower()]


def test_a_dead_portal_is_not_waited_for_when_another_works_and_not_at_all_soon_after(host: Host) -> None:
    host.session(0, PORTALS[0])
    host.luns[0, 0, 1] = (UID, GIB)
    host.script("iscsiadm", 'case "$*" in *login*) sleep 30;; esac')
    begun = time.monotonic()
    (dead,) = ask().refused
    assert (dead.code, dead.path and str(dead.path.portal)) == ("portal-unreachable", PORTALS[1])
    assert time.monotonic() - begun < 5
    host._events.write_text("")
    assert "failed less than" in ask().refused[0].sentence
    assert not [event for event in host.events if event.startswith("iscsiadm")]


def test_portals_are_logged_in_to_at_the_same_time(host: Host) -> None:
    host.script("iscsiadm", 'case "$*" in *login*) sleep 1; exit 8;; esac')
    paths = [IscsiPath(Portal.parse(f"10.9.{n}.1:3260"), Iqn.parse(TARGET), Lun.parse(1)) for n in range(6)]
    begun = time.monotonic()
    assert all(isinstance(one, Fault) for one in iscsi.connect(paths, begun + 20).values())
    assert time.monotonic() - begun < 4


def test_multipathd_is_told_of_one_map_and_never_to_look_at_all_of_them(two_paths: Host) -> None:
    ask()
    told = [event for event in two_paths.events if event.startswith("multipathd")]
    assert told == [f"multipathd add map 3{UID}"]
    assert not [event for event in two_paths.events if event.startswith("multipath ")]


@pytest.mark.slow
def test_a_map_that_does_not_come_is_helped_by_making_its_wwid_known(
    two_paths: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    obey = two_paths._obey

    def deaf(asked: str) -> str:
        if asked.startswith("show"):
            return obey(asked)
        two_paths.note(f"multipathd {asked}")
        return "ok"

    monkeypatch.setattr(two_paths, "_obey", deaf)
    ask()
    told = [event for event in two_paths.events if event.startswith("multipath")]
    known = next(n for n, event in enumerate(told) if event.startswith("multipath -a "))
    assert [event for event in told[known:] if event.startswith("multipathd add path sd")]
    assert not [event for event in told if "reconfigure" in event or event.startswith("multipath -r")]


@pytest.mark.parametrize("version", ["0.6.1", "0.7.9", "0.8.5"])
def test_a_multipathd_that_loses_what_add_map_made_is_not_told_so(two_paths: Host, version: str) -> None:
    """0.8.5, Debian 11's, fails every path of it then: seen there."""
    two_paths.multipath_tools = version
    reply = ask()
    assert reply.multipath
    told = [event for event in two_paths.events if event.startswith("multipath")]
    assert told[0].startswith("multipath -a ")
    assert told[1].startswith("multipathd add path sd")
    assert not [event for event in told if event.startswith("multipathd add map")]


def test_mounts_of_this_host_are_the_test_hosts() -> None:
    assert mounts.PROC == "/proc", "another test left its host behind"


def test_a_lun_that_begins_alike_is_another_one(two_paths: Host) -> None:
    """LUN 11 is there already when LUN 1 is asked for."""
    two_paths.disk("sdx", "0:0:0:11", OTHER)
    reply = ask()
    assert len(reply.found) == 2
    assert "delete sdx" not in two_paths.events


def test_while_an_attach_is_under_way_no_session_is_ended(
    two_paths: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect, free = iscsi.connect, []

    def connected(
        paths: tuple[IscsiPath, ...], deadline: float, *, again: bool
    ) -> dict[IscsiPath, scsi.Session | Fault]:
        with iscsi.using(time.monotonic(), fcntl.LOCK_EX) as alone:
            free.append(bool(alone))
        return connect(paths, deadline, again=again)

    monkeypatch.setattr(iscsi, "connect", connected)
    ask()
    assert free == [False]


def test_while_sessions_are_being_ended_no_attach_begins(two_paths: Host) -> None:
    with iscsi.using(time.monotonic(), fcntl.LOCK_EX) as alone:
        assert alone
        fault = refused(wait_ms=300)
    assert fault.code is Code.LOCK_TIMEOUT
    assert not [event for event in two_paths.events if "login" in event]


def test_the_sessions_that_a_volume_was_attached_through_are_noted(two_paths: Host) -> None:
    two_paths.session(7, PORTALS[0], "iqn.2004-12.com.inspur:another")
    ask()
    assert sorted(path.name for path in (two_paths.root / "used").iterdir()) == ["0", "1"]
