"""A Detach that a compromised agent asks for: another maker's maps and WWIDs are left as they are."""

from __future__ import annotations

import pytest

from helper.detach import detach
from helper.settings import Settings
from instorage.wire.fault import Code, Fault
from instorage.wire.values import RequestId, VolumeUid
from instorage.wire.verbs import DetachRequest
from tests.helper.host import UID, Host

pytestmark = pytest.mark.subprocess
FOREIGN = "60060e8007e2f1000030e2f100000a01"  # another maker's volume
RARE = "6aa" + "0" * 29  # an array of ours that gives others, and is pinned
PINNED = Settings(uid_prefixes=("6aa",))


def ask(uid: str, settings: Settings) -> tuple[str, ...]:
    return detach(DetachRequest(RequestId("test1"), VolumeUid.parse(uid), 5000), settings).removed


@pytest.mark.parametrize("settings", [Settings(), PINNED], ids=["any", "pinned"])
def test_another_makers_map_whose_disks_are_away_is_left_alone(host: Host, settings: Settings) -> None:
    """Its queueing would end, and the map with it, while its array is only away."""
    name = host.map(FOREIGN)
    with pytest.raises(Fault) as refused:
        ask(FOREIGN, settings)
    assert refused.value.code is Code.NOT_OURS
    assert host.names() == [name]
    assert host.events == []


def test_another_makers_wwid_stays_known_to_multipath(host: Host) -> None:
    (host.root / "wwids").write_text(f"/3{FOREIGN}/\n")
    assert ask(FOREIGN, Settings()) == ()
    assert host.events == []


@pytest.mark.parametrize("uid", [UID, RARE], ids=["the maker's", "pinned"])
def test_a_map_of_ours_whose_disks_are_all_gone_still_goes(host: Host, uid: str) -> None:
    name = host.map(uid)
    assert ask(uid, PINNED) == (name,)
    assert host.names() == []
    assert f"multipath -w 3{uid}" in host.events


@pytest.mark.parametrize("uid", [UID, RARE], ids=["the maker's", "pinned"])
def test_the_wwid_of_a_volume_of_ours_that_is_gone_is_forgotten(host: Host, uid: str) -> None:
    (host.root / "wwids").write_text(f"/3{uid}/\n")
    assert ask(uid, PINNED) == ()
    assert host.events == [f"multipath -w 3{uid}"]
