"""Mapping volumes to hosts and back on a simulated array, over SSH."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from instorage import operation
from instorage.arrays.model import Initiator
from instorage.arrays.quarantine import Quarantine
from instorage.volume_name import VolumeName
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Iqn
from tests.arrays.conftest import ACTIVE_ACTIVE, NAMES, NODE, spec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from instorage.arrays.as18000 import As18000
    from tests.arrays.conftest import Rig

V1 = VolumeName("v1")
HOST, OTHER = "iscsi-node1", "iscsi-node2"


@pytest.fixture
def ready(rig: Rig, array: As18000) -> As18000:
    """An array with v1 and the host objects of two nodes, counted from now on."""
    array.create_volume(spec("v1"))
    array.ensure_host(NODE, link="iscsi", names=NAMES)
    array.ensure_host(Initiator(iqn=Iqn("iqn.1993-08.org.debian:01:node2")), link="iscsi", names=(OTHER,))
    rig.reset()
    return array


def test_a_warm_attach_costs_three_commands_and_a_detach_two(rig: Rig, ready: As18000) -> None:
    ready.iscsi_targets()
    rig.reset()
    volume = ready.find_volume(V1)
    assert volume is not None
    host = ready.ensure_host(NODE, link="iscsi", names=NAMES)
    mapping = ready.map_volume(V1, host.name)
    assert ready.iscsi_targets()
    assert mapping.luns == (("0", 0),)
    assert rig.commands() == {"lsvdisk": 1, "lsvdiskhostmap": 1, "mkvdiskhostmap": 1}
    rig.reset()
    assert ready.find_volume_by_uid(volume.uid) == volume
    assert ready.unmap_volume(V1, host.name) is True
    assert rig.commands() == {"lsvdisk": 1, "rmvdiskhostmap": 1}
    assert rig.do("counters")["connections"]["opened"] == 0


def test_mapping_twice_returns_the_same_mapping(ready: As18000) -> None:
    first = ready.map_volume(V1, HOST)
    again = ready.map_volume(V1, HOST)
    assert (again, first.made, again.made) == (first, True, False)
    assert ready.map_volume(V1, HOST, share=True) == first
    assert ready.mappings(V1) == (first,)


def test_a_volume_that_another_host_has_is_refused_naming_it_and_never_forced(
    rig: Rig, ready: As18000
) -> None:
    ready.map_volume(V1, OTHER)
    with pytest.raises(Fault, match="is mapped to iscsi-node2: it cannot be given to iscsi-node1") as caught:
        ready.map_volume(V1, HOST)
    assert caught.value.code is Code.VOLUME_MAPPED_ELSEWHERE
    assert caught.value.fields["hosts"] == OTHER
    assert [mapping.host for mapping in ready.mappings(V1)] == [OTHER]
    assert not [line for line in rig.lines() if "-force" in line]


def test_a_shared_volume_is_mapped_to_both(ready: As18000) -> None:
    ready.map_volume(V1, OTHER)
    ready.map_volume(V1, HOST, share=True)
    assert sorted(mapping.host for mapping in ready.mappings(V1)) == [HOST, OTHER]


def test_a_volume_that_two_hosts_have_is_not_given_to_one_of_them_alone(ready: As18000) -> None:
    ready.map_volume(V1, OTHER)
    ready.map_volume(V1, HOST, share=True)
    with pytest.raises(Fault) as caught:
        ready.map_volume(V1, HOST)
    assert caught.value.code is Code.VOLUME_MAPPED_ELSEWHERE


def test_of_two_hosts_that_map_at_the_same_moment_one_gets_the_volume(rig: Rig, ready: As18000) -> None:
    rig.fault("mkvdiskhostmap", delay=0.2, times=2)

    def outcome(host: str) -> str:
        try:
            return ready.map_volume(V1, host).host
        except Fault as fault:
            return fault.code

    with ThreadPoolExecutor(2) as pool:
        outcomes = set(pool.map(outcome, (HOST, OTHER)))
    assert Code.VOLUME_MAPPED_ELSEWHERE in outcomes
    assert len(ready.mappings(V1)) == 1


@pytest.mark.parametrize("point", ["before", "after"])
@pytest.mark.parametrize("how", ["connection", "channel"])
def test_a_lost_answer_to_mapping_and_unmapping_converges(
    rig: Rig, ready: As18000, point: str, how: str
) -> None:
    rig.fault("mkvdiskhostmap", **{point: how})
    mapping = ready.map_volume(V1, HOST)
    assert ready.mappings(V1) == (mapping,)
    rig.fault("rmvdiskhostmap", **{point: how})
    assert ready.unmap_volume(V1, HOST) is True
    assert ready.mappings(V1) == ()


def test_an_empty_answer_after_an_unmapping_of_unknown_outcome_is_no_proof(rig: Rig, ready: As18000) -> None:
    ready.map_volume(V1, HOST)
    rig.fault("rmvdiskhostmap", before="connection")
    rig.fault("lsvdiskhostmap", empty=True)
    assert ready.unmap_volume(V1, HOST) is True
    assert [v["maps"] for v in rig.do("volumes")] == [[]]


def test_an_empty_answer_after_mapping_is_asked_again(rig: Rig, ready: As18000) -> None:
    rig.fault("lsvdiskhostmap", empty=True)
    assert ready.map_volume(V1, HOST).host == HOST


def test_unmapping_what_is_not_mapped_is_false(ready: As18000) -> None:
    assert ready.unmap_volume(V1, HOST) is False
    assert ready.unmap_volume(V1, "iscsi-node9") is False
    assert ready.unmap_volume(VolumeName("v9"), HOST) is False
    ready.map_volume(V1, OTHER)
    assert ready.unmap_volume(V1, HOST) is False
    assert len(ready.mappings(V1)) == 1


def test_mapping_a_missing_volume_or_to_a_missing_host_says_which(ready: As18000) -> None:
    with pytest.raises(Fault, match="no volume v9") as caught:
        ready.map_volume(VolumeName("v9"), HOST)
    assert caught.value.code is Code.VOLUME_MISSING
    with pytest.raises(Fault, match="iscsi-node9") as caught:
        ready.map_volume(V1, "iscsi-node9")
    assert caught.value.code is Code.HOST_MISSING


def test_a_host_object_that_vanished_is_made_again_by_the_next_attempt(ready: As18000) -> None:
    ready._cli.operate("rmhost", HOST)
    with pytest.raises(Fault):
        ready.map_volume(V1, HOST)
    host = ready.ensure_host(NODE, link="iscsi", names=NAMES)
    assert ready.map_volume(V1, host.name).host == HOST


def test_mappings_of_gone_objects_are_none(ready: As18000) -> None:
    assert ready.mappings(VolumeName("v9")) == ()
    assert ready.host_mappings("iscsi-node9") == ()


@pytest.mark.parametrize("quirk", ["true", "false"])
def test_both_views_of_a_mapping_agree(make_rig: Callable[..., Rig], quirk: str) -> None:
    rig = make_rig()
    rig.do("dialect", hostmap_quirk=quirk)
    array = rig.client()
    array.create_volume(spec("v1", **ACTIVE_ACTIVE))
    array.create_volume(spec("v2"))
    host = array.ensure_host(NODE, link="iscsi", names=NAMES, site="1")
    made = [array.map_volume(V1, host.name), array.map_volume(VolumeName("v2"), host.name)]
    assert sorted(made[0].luns) == [("0", 0), ("1", 0)]
    assert array.mappings(V1) == (made[0],)
    assert {m.volume: m.host_id for m in array.host_mappings(host.name)} == {"v1": host.id, "v2": host.id}
    assert dict(array.host_mappings(host.name)[1].luns).get("0") == 1


def test_a_freed_lun_is_not_given_to_another_volume_at_once(rig: Rig, ready: As18000) -> None:
    for name in ("v2", "v3", "v4"):
        ready.create_volume(spec(name))
    assert ready.map_volume(V1, HOST).luns == (("0", 0),)
    assert ready.unmap_volume(V1, HOST) is True
    assert ready.map_volume(VolumeName("v2"), HOST).luns == (("0", 1),)
    assert ready.map_volume(VolumeName("v3"), HOST).luns == (("0", 2),)
    assert ready.map_volume(VolumeName("v4"), OTHER).luns == (("0", 0),)


def test_a_number_rests_before_the_unmapping_is_sent(rig: Rig, ready: As18000, tmp_path: Path) -> None:
    """Who is killed before the answer leaves it to the next process."""
    ready.map_volume(V1, HOST)
    path = tmp_path / "resting-luns"
    first = rig.client(quarantine=Quarantine(path, "boot"))
    first.mappings(V1)
    rig.fault("rmvdiskhostmap", error="CMMVC9999E", times=0)
    with pytest.raises(Fault):
        first.unmap_volume(V1, HOST)
    assert set(Quarantine(path, "boot").resting("storage-01", HOST)) == {0}


def test_a_chosen_lun_that_is_taken_is_replaced_by_a_free_one(rig: Rig, ready: As18000) -> None:
    ready.create_volume(spec("v2"))
    ready.map_volume(V1, HOST)
    ready.unmap_volume(V1, HOST)
    for name in ("w1", "w2"):
        ready.create_volume(spec(name))
        ready._cli.operate("mkvdiskhostmap", "-host", HOST, name)  # 0, 1: behind this client's back
    rig.reset()
    assert ready.map_volume(VolumeName("v2"), HOST).luns == (("0", 2),)
    assert rig.commands()["mkvdiskhostmap"] == 2


def test_when_the_state_cannot_be_read_after_a_mapping_the_outcome_is_unknown(
    rig: Rig, ready: As18000
) -> None:
    """A rotated password must not look as if nothing had been mapped."""
    rig.fault("mkvdiskhostmap", after="connection")
    rig.do("password", password="new")
    with pytest.raises(
        Fault,
        match=r"^Array storage-01 .*mkvdiskhostmap -host iscsi-node1 v1», which may have been done or not",
    ) as caught:
        ready.map_volume(V1, HOST)
    assert caught.value.code is Code.OUTCOME_UNKNOWN
    assert len(rig.do("volumes")[0]["maps"]) == 1


def test_a_password_that_is_wrong_before_anything_was_sent_is_said_as_such(rig: Rig, ready: As18000) -> None:
    rig.do("password", password="new")
    rig.do("drop-connections")
    with pytest.raises(Fault) as caught:
        ready.map_volume(V1, HOST)
    assert caught.value.code is Code.ARRAY_AUTHENTICATION


def test_nothing_is_sent_after_the_time_of_the_request(rig: Rig, ready: As18000) -> None:
    with operation.within(0.0), pytest.raises(Fault, match="could not be sent in time") as caught:
        ready.map_volume(V1, HOST)
    assert caught.value.code is Code.TIMEOUT
    assert rig.lines() == []


def test_a_slow_mapping_ends_with_the_time_of_the_request(rig: Rig, ready: As18000) -> None:
    rig.fault("mkvdiskhostmap", delay=1.0)
    began = time.monotonic()
    with operation.within(0.3), pytest.raises(Fault) as caught:
        ready.map_volume(V1, HOST)
    assert caught.value.code is Code.OUTCOME_UNKNOWN
    assert time.monotonic() - began < 0.9
