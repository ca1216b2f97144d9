"""Sessions after a detach: none is ended unasked, none that others may need (safety.md 13)."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

import pytest

from helper import iscsi
from helper.attach import attach
from helper.settings import Settings
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Bytes, Iqn, Lun, Portal, VolumeUid
from instorage.wire.verbs import AttachRequest, IscsiPath, Multipath
from tests.helper.detaching import OP, ask, attached
from tests.helper.host import UID
from tests.helper.sysfs import GIB, TARGET

if TYPE_CHECKING:
    from tests.helper.host import Host

__all__ = ["attached"]
pytestmark = pytest.mark.subprocess
PORTALS = ("10.9.0.1:3260", "10.9.0.2:3260")


def logouts(host: Host) -> list[str]:
    return [event for event in host.events if event.startswith("iscsiadm")]


@pytest.fixture
def seen(attached: Host) -> Host:
    """The volume was attached through a session each; the first has another volume's disk besides."""
    for number, portal in enumerate(PORTALS):
        attached.session(number, portal)
        attached.used(number)
    return attached


def test_no_session_is_ended(seen: Host) -> None:
    ask()
    assert logouts(seen) == []


def test_where_it_is_asked_for_a_session_without_a_device_is_ended(seen: Host) -> None:
    ask(logout=True)
    assert logouts(seen) == ["iscsiadm -m session -r 1 --logout"]
    assert [path.name for path in (seen.root / "used").iterdir()] == ["0"]


def test_a_session_that_no_volume_was_attached_through_is_not_ended(seen: Host) -> None:
    """Not even when it leads to the same target through the same portal, as with two interfaces."""
    seen.session(2, PORTALS[1])
    ask(logout=True)
    assert logouts(seen) == ["iscsiadm -m session -r 1 --logout"]


def test_a_session_that_was_left_is_ended_though_the_volume_is_gone_already(seen: Host) -> None:
    ask()
    ask(logout=True)
    assert len(logouts(seen)) == 1


@pytest.mark.parametrize("target", [TARGET, f"{TARGET}0"])
def test_a_session_that_has_the_number_of_one_of_ours_is_not_ended(seen: Host, target: str) -> None:
    """The kernel counts anew once its module is reloaded: to another target, or to the same."""
    at = seen.root / "sys/class/iscsi_session/session1"
    at.resolve().rename(seen.root / "before")
    at.unlink()
    shutil.rmtree(seen.root / "sys/class/iscsi_connection/connection1:0")
    seen.session(1, PORTALS[1], target)
    ask(logout=True)
    assert logouts(seen) == []
    assert [path.name for path in (seen.root / "used").iterdir()] == ["0"]


def test_an_empty_mark_of_an_older_helper_is_no_sessions(seen: Host) -> None:
    (seen.root / "used/1").write_text("")
    ask(logout=True)
    assert logouts(seen) == []


def test_a_mark_whose_session_is_gone_goes(seen: Host) -> None:
    (seen.root / "used/7").write_text("10.9.0.1:3260 iqn.2004-12.com.inspur:gone 77")
    ask(logout=True)
    assert not (seen.root / "used/7").exists()


def test_no_session_is_ended_that_an_attach_may_be_about_to_use(seen: Host) -> None:
    with iscsi.using(time.monotonic() + 5) as using:
        assert using
        ask(logout=True)
    assert logouts(seen) == []


def test_a_logout_that_fails_keeps_nothing_attached(seen: Host, capfd: pytest.CaptureFixture[str]) -> None:
    seen.script("iscsiadm", "exit 9")
    assert set(ask(logout=True)) >= {"sda", "sdb"}
    assert "A session stays: iscsiadm ended with status 9" in capfd.readouterr().err


def not_found(lun: int) -> None:
    """Attach a volume that is behind no session."""
    path = IscsiPath(Portal.parse(PORTALS[0]), Iqn.parse(TARGET), Lun.parse(lun))
    asked = (OP, VolumeUid.parse(UID), Bytes.parse(GIB), (path,), Multipath.PREFERRED, 1000)
    with pytest.raises(Fault) as refused:
        attach(AttachRequest(*asked), Settings())
    assert refused.value.code is Code.NO_PATH


def test_a_session_behind_which_no_volume_was_found_is_not_noted(host: Host) -> None:
    """It may be another driver's, and would be ended by the next Leave."""
    host.session(0, PORTALS[0])
    not_found(lun=77)
    assert not list((host.root / "used").glob("*"))


def test_a_session_that_was_made_for_a_volume_is_noted_though_that_was_not_found(host: Host) -> None:
    """Else nobody ends it."""
    host.session(0, PORTALS[0])
    state = host.root / "sys/class/iscsi_session/session0/state"
    state.write_text("FREE")
    host.script("iscsiadm", f'case "$*" in *login) echo LOGGED_IN > {state};; esac')
    not_found(lun=1)
    assert [path.name for path in (host.root / "used").iterdir()] == ["0"]
