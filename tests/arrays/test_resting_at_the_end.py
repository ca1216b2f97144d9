"""A host whose LUN numbers come to their end: no number is asked for that host or array would not take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.arrays.as18000 import resting
from instorage.arrays.as18000.resting import SMALL, RestingLuns
from instorage.arrays.model import Mapping
from instorage.arrays.quarantine import HIGHEST, REST, Quarantine
from instorage.volume_name import VolumeName
from instorage.wire.values import Lun
from tests.arrays.conftest import NAMES, NODE, spec

if TYPE_CHECKING:
    import pytest

    from instorage.arrays.as18000 import As18000
    from tests.arrays.conftest import Rig


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def used(luns: RestingLuns, count: int) -> None:
    luns.seen(tuple(Mapping(f"v{lun}", "h", "0", (("0", Lun(lun)),)) for lun in range(count)))


def test_the_number_that_rested_longest_is_asked_for_rather_than_one_above_255() -> None:
    clock = Clock()
    luns = RestingLuns(Quarantine(clock=clock))
    used(luns, SMALL + 1)
    for lun in (7, 3, 5):
        luns.freed(f"v{lun}", "h")
        clock.now += 10
    assert [luns.choose("h") for _ in range(3)] == [7, 3, 5]
    assert luns.choose("h") is None, "all are being mapped: the array chooses"


def test_a_host_that_has_more_goes_on_up_to_the_arrays_highest() -> None:
    luns = RestingLuns(Quarantine(clock=Clock()))
    used(luns, SMALL + 2)
    luns.freed("v9", "h")
    assert luns.choose("h") == SMALL + 2


def test_no_number_beyond_the_arrays_highest_is_asked_for() -> None:
    clock = Clock()
    luns = RestingLuns(Quarantine(clock=clock))
    used(luns, HIGHEST + 1)
    luns.freed("v9", "h")
    assert luns.choose("h") == 9
    assert luns.choose("h") is None
    clock.now = REST + 1
    assert luns.choose("h") is None


def test_a_volume_is_mapped_when_the_last_of_the_small_numbers_has_just_been_freed(
    rig: Rig, array: As18000, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resting, "SMALL", 3)
    host = array.ensure_host(NODE, link="iscsi", names=NAMES).name
    names = [VolumeName(f"v{number}") for number in range(5)]
    for name in names:
        array.create_volume(spec(name))
    for name in names[:-1]:
        array.map_volume(name, host)
    array.unmap_volume(names[2], host)
    assert array.map_volume(names[-1], host).luns == (("0", 2),)
