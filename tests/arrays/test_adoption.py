"""A volume that was on the array first is told from one that this call made (simulated array, SSH)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instorage.wire.fault import Code, Fault
from tests.arrays.conftest import spec

if TYPE_CHECKING:
    from instorage.arrays.as18000 import As18000
    from tests.arrays.conftest import Rig


def test_one_that_was_there_first_is_not_taken_for_a_new_one(array: As18000) -> None:
    made = array.create_volume(spec("v1"), adopt=False)
    with pytest.raises(Fault, match="was on array storage-01 before it was to be made") as caught:
        array.create_volume(spec("v1"), adopt=False)
    assert caught.value.code is Code.VOLUME_EXISTS
    assert array.create_volume(spec("v1")) == made


def test_nor_after_an_empty_answer(rig: Rig, array: As18000) -> None:
    array.create_volume(spec("v1"))
    rig.fault("lsvdisk", empty=True)
    with pytest.raises(Fault, match="was on array"):
        array.create_volume(spec("v1"), adopt=False)


def test_nor_when_somebody_was_faster(rig: Rig, array: As18000) -> None:
    array.create_volume(spec("v1"))
    rig.fault("lsvdisk", empty=True, times=2)
    with pytest.raises(Fault, match="was on array"):
        array.create_volume(spec("v1"), adopt=False)


@pytest.mark.parametrize("point", ["before", "after"])
def test_a_lost_answer_is_made_up_for_and_the_volume_is_this_calls(
    rig: Rig, array: As18000, point: str
) -> None:
    rig.fault("mkvdisk", **{point: "channel"})
    assert array.create_volume(spec("v1"), adopt=False).name == "v1"
    assert rig.volume_names() == ["v1"]


def test_it_costs_one_command_more(rig: Rig, array: As18000) -> None:
    array.create_volume(spec("v1"), adopt=False)
    assert rig.commands() == {"lsvdisk": 3, "mkvdisk": 1, "lsmdiskgrp": 1}
