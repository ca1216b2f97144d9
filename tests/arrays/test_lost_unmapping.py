"""An unmapping whose answer was lost may be carried out later: until then nobody gets that mapping anew."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from instorage.arrays.as18000.resting import RestingLuns
from instorage.arrays.quarantine import ANSWER, Quarantine, parse_unmappings
from instorage.volume_name import VolumeName
from instorage.wire.fault import Code, Fault
from tests.arrays.conftest import spec
from tests.arrays.test_mapping import HOST, OTHER, V1, ready
from tests.arrays.test_quarantine import A, Clock, H, clock, path

if TYPE_CHECKING:
    from pathlib import Path

    from instorage.arrays.as18000 import As18000
    from tests.arrays.conftest import Rig

__all__ = ["clock", "path", "ready"]


def refused(array: As18000) -> bool:
    """Whether v1 is kept from node1's host object, for this reason."""
    try:
        array.map_volume(V1, HOST)
    except Fault as fault:
        assert fault.code is Code.ARRAY_BUSY
        assert "whose answer was lost" in str(fault)
        return True
    return False


def test_a_volume_whose_unmapping_was_not_answered_is_not_mapped_again_at_once(
    rig: Rig, ready: As18000
) -> None:
    ready.map_volume(V1, HOST)
    rig.fault("rmvdiskhostmap", before="connection")
    assert ready.unmap_volume(V1, HOST)
    assert refused(ready)
    assert ready.mappings(V1) == ()


def test_other_volumes_and_other_hosts_do_not_wait_for_it(rig: Rig, ready: As18000) -> None:
    ready.create_volume(spec("v2"))
    ready.map_volume(V1, HOST)
    rig.fault("rmvdiskhostmap", before="connection")
    assert ready.unmap_volume(V1, HOST)
    assert ready.map_volume(V1, OTHER)
    assert ready.map_volume(VolumeName("v2"), HOST)


def test_what_a_later_unmapping_was_answered_does_not_end_the_wait_for_an_earlier_one(
    rig: Rig, ready: As18000
) -> None:
    ready.map_volume(V1, HOST)
    rig.fault("rmvdiskhostmap", before="connection", times=3)
    with pytest.raises(Fault) as caught:
        ready.unmap_volume(V1, HOST)
    assert caught.value.code is Code.OUTCOME_UNKNOWN
    assert ready.unmap_volume(V1, HOST)
    assert refused(ready)


def test_an_unmapping_that_was_done_although_its_answer_was_lost_delays_nobody(
    rig: Rig, ready: As18000
) -> None:
    ready.map_volume(V1, HOST)
    rig.fault("rmvdiskhostmap", after="connection")
    assert ready.unmap_volume(V1, HOST)
    assert not refused(ready)


class Killed(Quarantine):
    """That of a process that does not live to see the answer."""

    def answered(self, array: str, host: str, volume: str, before: float) -> None:
        """Do nothing any more."""


@pytest.mark.parametrize("killed", [True, False])
def test_an_unmapping_is_noted_before_it_is_sent(
    rig: Rig, ready: As18000, path: Path, *, killed: bool
) -> None:
    """Who is killed before the answer leaves it to the next process; an answer is left to it, too."""
    ready.map_volume(V1, HOST)
    first = rig.client(quarantine=(Killed if killed else Quarantine)(path, "boot"))
    rig.fault("rmvdiskhostmap", error="CMMVC9999E")
    with pytest.raises(Fault):
        first.unmap_volume(V1, HOST)
    assert refused(rig.client(quarantine=Quarantine(path, "boot"))) == killed


def test_it_is_waited_for_as_long_as_the_array_may_need(path: Path, clock: Clock) -> None:
    luns = RestingLuns(Quarantine(path, "boot", clock), A)
    luns.leaving("v1", H)
    clock.now += ANSWER - 1
    for known in (luns, RestingLuns(Quarantine(path, "boot", clock), A)):
        assert 0 < known.under_way("v1", H) <= 1
    clock.now += 2
    for known in (luns, RestingLuns(Quarantine(path, "boot", clock), A)):
        assert known.under_way("v1", H) == 0


def test_the_array_goes_on_over_a_reboot_of_this_machine(path: Path, clock: Clock) -> None:
    RestingLuns(Quarantine(path, "before", clock), A).leaving("v1", H)
    clock.now = ANSWER - 1  # seconds since the boot
    assert RestingLuns(Quarantine(path, "after", clock), A).under_way("v1", H) == 1
    clock.now = ANSWER + 1
    assert RestingLuns(Quarantine(path, "after", clock), A).under_way("v1", H) == 0


@pytest.mark.parametrize("row", [{}, 1, {"array": A, "host": H, "volume": "v1", "until": -1.0}, None])
def test_a_strange_row_is_not_left_out_silently(row: object) -> None:
    good = {"array": A, "host": H, "volume": "v1", "until": 5}
    assert parse_unmappings(json.dumps({"unmappings": [good]}).encode(), 3.0) == {(A, H, "v1"): 3.0}
    with pytest.raises(ValueError, match="is no unmapping"):
        parse_unmappings(json.dumps({"unmappings": [good, row]}).encode(), 3.0)


def test_a_file_of_a_version_that_noted_none_is_read(path: Path, clock: Clock) -> None:
    path.write_text(json.dumps({"boot": "boot", "resting": []}))
    assert RestingLuns(Quarantine(path, "boot", clock), A).choose(H) is None
