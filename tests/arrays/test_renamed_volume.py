"""A volume that somebody renames on the array is the same volume: known by its UID, not by its name alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instorage.arrays import naming
from instorage.volume_name import VolumeName
from instorage.wire.fault import Code, Fault
from instorage.wire.values import VolumeUid
from tests.arrays.administrator import order
from tests.arrays.conftest import ACTIVE_ACTIVE, GIB, NAMES, NODE, V1, spec

if TYPE_CHECKING:
    from instorage.arrays.as18000 import As18000
    from tests.arrays.conftest import Rig

KEPT = VolumeName("keep-this")


@pytest.mark.parametrize("name", ["keep-this", "keep this"])
def test_it_is_found_by_its_uid_and_can_be_unmapped(rig: Rig, array: As18000, name: str) -> None:
    made = array.create_volume(spec("v1"))
    host = array.ensure_host(NODE, link="iscsi", names=NAMES).name
    array.map_volume(V1, host)
    order(rig.simulator, f'chvdisk -name "{name}" v1')
    assert array.find_volume(V1) is None
    found = array.find_volume_by_uid(made.uid)
    assert found is not None
    assert (found.name, found.uid, found.size) == (name, made.uid, made.size)
    (mapping,) = array.host_mappings(host)
    assert (mapping.volume, mapping.uid) == (name, made.uid)
    assert [mapping.host for mapping in array.mappings(found.name)] == [host]
    assert array.unmap_volume(found.name, host) is True
    assert array.host_mappings(host) == ()


def test_it_is_not_said_to_be_gone_but_what_it_is_called(rig: Rig, array: As18000) -> None:
    made = array.create_volume(spec("v1"))
    rig.reset()
    assert naming.called(array, V1, [made.uid]) == made
    assert rig.commands() == {"lsvdisk": 1}
    order(rig.simulator, "chvdisk -name keep-this v1")
    with pytest.raises(Fault, match='chvdisk -name v1 "keep-this"') as caught:
        naming.called(array, V1, [made.uid])
    assert caught.value.code is Code.VOLUME_NOT_READY
    assert caught.value.fields["now"] == "keep-this"
    assert naming.called(array, V1, []) is None
    assert naming.called(array, V1, [VolumeUid("6" + "0" * 31)]) is None


def test_it_grows_and_is_deleted_under_its_new_name(rig: Rig, array: As18000) -> None:
    made = array.create_volume(spec("v1"))
    order(rig.simulator, "chvdisk -name keep-this v1")
    with pytest.raises(Fault, match="no volume v1") as caught:
        array.grow_volume(V1, 2 * GIB)
    assert caught.value.code is Code.VOLUME_MISSING
    assert array.delete_volume(V1, made.uid) is False
    assert rig.volume_names() == ["keep-this"]
    assert array.grow_volume(KEPT, 2 * GIB).size == 2 * GIB
    assert array.delete_volume(KEPT, made.uid) is True


def test_another_volume_that_has_its_name_now_is_not_deleted_in_its_place(rig: Rig, array: As18000) -> None:
    made = array.create_volume(spec("v1"))
    other = array.create_volume(spec("v2"))
    order(rig.simulator, "chvdisk -name keep-this v1", "chvdisk -name v1 v2")
    with pytest.raises(Fault, match="was given to another volume") as caught:
        array.delete_volume(V1, made.uid)
    assert caught.value.code is Code.NOT_OURS
    assert other.uid in caught.value.sentence
    assert rig.volume_names() == ["keep-this", "v1"]
    assert array.delete_volume(V1, other.uid) is True


def test_an_active_active_volume_keeps_its_four_vdisks_under_a_new_name(rig: Rig, array: As18000) -> None:
    made = array.create_volume(spec("v1", **ACTIVE_ACTIVE))
    order(rig.simulator, "chvdisk -name keep-this v1")
    found = array.find_volume_by_uid(made.uid)
    assert found is not None
    assert (found.name, found.level, found.pools) == (KEPT, made.level, made.pools)
    assert array.doubt(found) == ""
    assert array.delete_volume(KEPT, made.uid) is True
    assert rig.volume_names() == []
