"""A detach that was killed between the end of queueing and the removal of the map (safety.md 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from helper import multipath
from helper.attach import attach
from helper.settings import Settings
from instorage.wire.values import Bytes, Iqn, Lun, Portal, VolumeUid
from instorage.wire.verbs import AttachRequest, IscsiPath, Multipath
from tests.helper.detaching import OP, ask, attached
from tests.helper.host import UID
from tests.helper.sysfs import GIB, TARGET

if TYPE_CHECKING:
    from tests.helper.host import Host

__all__ = ["attached"]
pytestmark = pytest.mark.subprocess
PORTALS = ("10.9.0.1:3260", "10.9.1.1:3260")


class Killed(BaseException):
    """SIGKILL: nothing is done any more."""


def attach_again(*, add_only: bool = False) -> str:
    paths = tuple(IscsiPath(Portal.parse(one), Iqn.parse(TARGET), Lun.parse(1)) for one in PORTALS)
    asked = (OP, VolumeUid.parse(UID), Bytes.parse(GIB), paths, Multipath.PREFERRED, 4000)
    return attach(AttachRequest(*asked, add_only=add_only), Settings()).queueing


def told(host: Host) -> list[str]:
    """What multipathd was told of the map."""
    return [event.split()[1] for event in host.events if event.startswith("multipathd")]


@pytest.fixture
def whole(attached: Host) -> Host:
    """The volume, with the sessions over which it came."""
    for number, portal in enumerate(PORTALS):
        attached.session(number, portal)
    return attached


@pytest.fixture
def half_detached(whole: Host, monkeypatch: pytest.MonkeyPatch) -> Host:
    """The pod comes back to this node."""

    def kill(_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(multipath, "reached", kill)
        with pytest.raises(Killed):
            ask()
    return whole


def test_queueing_that_had_ended_comes_back(half_detached: Host) -> None:
    """Else each outage of all paths is an error for the next pod, for as long as the map lives."""
    assert attach_again() == "60 chk 0"
    assert told(half_detached) == ["disablequeueing", "restorequeueing"]


def test_who_only_adds_a_path_changes_no_queueing(half_detached: Host) -> None:
    (name,) = (one for one in half_detached.names() if one.startswith("dm-"))
    half_detached.mounted((half_detached.root / f"sys/block/{name}/dev").read_text(), "/mnt")
    assert attach_again(add_only=True) == "off 0"
    assert told(half_detached) == ["disablequeueing"]


def test_a_map_that_queues_is_not_told_to(whole: Host) -> None:
    assert attach_again() == "60 chk 0"
    assert told(whole) == []
