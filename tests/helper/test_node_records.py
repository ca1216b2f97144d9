"""Node records, marks of portals and sessions: what is another's or broken costs no path for good."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from helper import iscsi
from helper.detach import detach
from helper.settings import Settings
from instorage.wire.fault import Fault
from instorage.wire.values import Iqn, Lun, Portal, RequestId, VolumeUid
from instorage.wire.verbs import DetachRequest, IscsiPath
from tests.helper.host import UID, Host
from tests.helper.sysfs import TARGET

if TYPE_CHECKING:
    from collections.abc import Callable

    from helper import scsi

pytestmark = pytest.mark.subprocess

PORTAL, OTHER_PORTAL = "10.9.0.1:3260", "10.9.1.1:3260"
NODE = f"iscsiadm -m node -T {TARGET} -p {PORTAL}"


def path(portal: str = PORTAL) -> IscsiPath:
    return IscsiPath(Portal.parse(portal), Iqn.parse(TARGET), Lun.parse(1))


def connect(*portals: str, seconds: float = 4) -> list[scsi.Session | Fault]:
    paths = [path(one) for one in portals or (PORTAL,)]
    return list(iscsi.connect(paths, time.monotonic() + seconds).values())


def asked(host: Host) -> list[str]:
    """What iscsiadm was asked for the portal, in short."""
    words = [event.removeprefix(NODE).split() for event in host.events if event.startswith(NODE)]
    return [word[1] if word[:1] == ["-o"] else "".join(word) for word in words]


RECORD = "10.9.0.1,3260,1"


def can_log_in(
    host: Host, broken: str, *, deletes: bool = True, says: str = "manual", name: str = RECORD
) -> None:
    """iscsiadm refuses every question while there is a record of another version; a login makes a session."""
    record = host.root / "nodes" / TARGET / name
    record.mkdir(parents=True)
    other = host.root / "nodes" / TARGET / "10.9.0.11,3260,1"
    other.mkdir()
    (record / "default").write_text(f"node.session.bogus = 1\nnode.startup = {says}\n")
    ready = host.root / "ready"
    host.session(0, PORTAL)
    state = host.root / "sys/class/iscsi_session/session0/state"
    state.write_text("FREE")
    host.script(
        "iscsiadm",
        f"""case "$*" in
        *delete*) {"rm -r " + str(record) if deletes else f"exit {broken}"};;
        *new*) test -e {record} && exit {broken}; touch {ready};;
        *) test -e {record} && exit {broken}; test -e {ready} || exit 21;;
        esac
        case "$*" in *--login) echo LOGGED_IN > {state};; esac""",
    )


@pytest.fixture(autouse=True)
def nodes(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(iscsi, "NODES", (str(host.root / "nodes"),), raising=False)


@pytest.mark.parametrize("status", ["7", "6"])
def test_a_record_of_another_open_iscsi_is_made_anew_once(host: Host, status: str) -> None:
    can_log_in(host, status)
    (session,) = connect()
    assert not isinstance(session, Fault), session
    assert asked(host) == ["", "delete", "new", "update", "--login"]


def test_a_record_that_even_iscsiadm_cannot_remove_goes_by_hand_and_no_other(host: Host) -> None:
    can_log_in(host, "7", deletes=False)
    (session,) = connect()
    assert not isinstance(session, Fault), session
    assert os.listdir(host.root / "nodes" / TARGET) == ["10.9.0.11,3260,1"]
    assert asked(host).count("delete") == 1


@pytest.mark.parametrize("says", ["automatic", "onboot", "a folder"])
def test_a_record_that_cannot_be_read_and_may_be_an_administrators_stays(host: Host, says: str) -> None:
    """iscsiadm says so of all its records when that of any other target is broken."""
    can_log_in(host, "7", deletes=False, says=says)
    record = host.root / "nodes" / TARGET / "10.9.0.1,3260,1"
    if says == "a folder":
        (record / "iface0").mkdir()
    (fault,) = connect()
    assert isinstance(fault, Fault)
    assert f"{record} may be an administrator's" in fault.sentence
    assert f"mend or remove {record}" in fault.sentence
    assert record.exists()
    assert asked(host) == [""]


def test_a_record_that_an_administrator_made_without_a_portal_groups_tag_stays_as_well(host: Host) -> None:
    can_log_in(host, "7", says="automatic", name="10.9.0.1,3260")
    connect()
    assert asked(host) == [""]


def test_records_that_cannot_be_listed_stay(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """An administrator's may be among them."""
    can_log_in(host, "7", deletes=False, says="automatic")
    folder = str(host.root / "nodes" / TARGET)

    def refusing(look: Callable[..., Any]) -> Callable[..., Any]:
        def refuse(at: Any) -> Any:
            if str(at) == folder:
                raise PermissionError(errno.EACCES, "Permission denied", folder)
            return look(at)

        return refuse

    monkeypatch.setattr(os, "listdir", refusing(os.listdir))
    monkeypatch.setattr(os, "scandir", refusing(os.scandir))
    (fault,) = connect()
    assert isinstance(fault, Fault)
    assert f"{folder} cannot be read (Permission denied)" in fault.sentence
    assert asked(host) == [""]


@pytest.mark.parametrize("status", [6, 7])
def test_records_that_stay_broken_are_no_trouble_of_the_network(host: Host, status: int) -> None:
    """The record of another target is enough for it."""
    host.script("iscsiadm", f"exit {status}")
    (fault,) = connect()
    assert isinstance(fault, Fault)
    assert "network" not in fault.sentence
    assert f"{host.root}/nodes" in fault.sentence
    assert asked(host).count("delete") == 1


def test_a_portal_that_does_not_answer_is_one(host: Host) -> None:
    host.script("iscsiadm", 'case "$*" in *--login) exit 8;; esac')
    (fault,) = connect()
    assert isinstance(fault, Fault)
    assert "see the network" in fault.sentence


@pytest.mark.parametrize("startup", ["automatic", "onboot"])
def test_an_administrators_record_is_used_and_not_rewritten(host: Host, startup: str) -> None:
    """Else his other volumes on this array do not come back with the next boot."""
    host.script("iscsiadm", f'case "$*" in *{PORTAL}) echo "node.startup = {startup}";; esac')
    connect(seconds=0.7)
    assert asked(host) == ["", "--login"]


def test_a_record_of_ours_is_brought_up_to_date(host: Host) -> None:
    host.script("iscsiadm", f'case "$*" in *{PORTAL}) echo "node.startup = manual";; esac')
    connect(seconds=0.7)
    assert asked(host) == ["", "update", "--login"]


TOO_OLD = """case "$*" in
--version) echo "iscsiadm version 2.0-874"; exit 0;;
*update*) echo "iscsiadm: Cannot modify node.session.scan. Invalid param name." >&2; exit 7;;
esac"""  # as 2.0.873 and 2.0.874 say it


@pytest.mark.parametrize("conf", ["manual", "automatic"])
def test_an_open_iscsi_that_brings_every_lun_at_login_is_refused_by_its_version(
    host: Host, conf: str
) -> None:
    """Also at the second try, and where iscsid.conf makes what is new look like an administrator's."""
    record = host.root / "record"
    show = f'*new*) echo "node.startup = {conf}" > {record};; *delete*) rm {record};;'
    host.script(
        "iscsiadm", f'{TOO_OLD}\ncase "$*" in {show} *login*) exit 8;; *) cat {record} || exit 21;; esac'
    )
    for _ in range(2):
        (fault,) = connect()
        assert isinstance(fault, Fault)
        assert (
            "iscsiadm version 2.0-874 brings all LUNs at login: install open-iscsi 2.0.875" in fault.sentence
        )
        assert "log in yourself (node.startup = automatic)" in fault.sentence
        assert "see the" not in fault.sentence
    assert "--login" not in asked(host)


def test_a_record_of_somebody_is_left_to_him_by_an_open_iscsi_that_is_too_old(host: Host) -> None:
    host.script("iscsiadm", f'{TOO_OLD}\necho "node.startup = manual"')
    connect()
    assert asked(host) == ["", "update"]


def test_on_an_older_open_iscsi_the_administrators_own_record_is_the_way(host: Host) -> None:
    host.script("iscsiadm", f'{TOO_OLD}\ncase "$*" in *{PORTAL}) echo "node.startup = automatic";; esac')
    connect(seconds=0.7)
    assert asked(host) == ["", "--login"]


def test_a_portal_that_failed_in_the_future_is_tried(host: Host) -> None:
    """A clock set back after the boot: else it would be left out until that hour comes again."""
    host.session(0, OTHER_PORTAL)
    mark = Path(iscsi.FAILED, PORTAL)
    mark.parent.mkdir()
    mark.touch()
    later = time.time() + 8 * 3600
    os.utime(mark, (later, later))
    host.script("iscsiadm", 'case "$*" in *--login) exit 8;; esac')
    fault, session = connect(PORTAL, OTHER_PORTAL)
    assert asked(host)[-1] == "--login"
    assert isinstance(fault, Fault)
    assert "failed less than" not in fault.sentence
    assert not isinstance(session, Fault)


@pytest.mark.parametrize("spelled", ["FD00:0:0:0:0:0:0:1", "fd00::0001"])
def test_a_session_that_others_made_by_another_spelling_of_the_address_is_used(
    host: Host, spelled: str
) -> None:
    """iscsiadm keeps an IPv6 address as whoever made the session had typed it; a second login is refused."""
    host.session(0, f"{spelled}:3260")
    (session,) = connect("[fd00::1]:3260")
    assert not isinstance(session, Fault)
    assert host.events == []


@pytest.mark.parametrize("used", [True, False])
def test_a_session_to_a_portal_that_is_no_more_is_ended_if_it_was_ours(host: Host, used: bool) -> None:
    """iscsid would try it every 3 s, for ever."""
    host.session(4, PORTAL)
    (host.root / "sys/class/iscsi_session/session4/state").write_text("FAILED")
    if used:
        host.used(4)
    detach(DetachRequest(RequestId("test1"), VolumeUid.parse(UID), 2000), Settings(logout=True))
    said = [event for event in host.events if event.startswith("iscsiadm")]
    assert said == ["iscsiadm -m session -r 4 --logout"] * used
