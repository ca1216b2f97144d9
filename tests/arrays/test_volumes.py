"""Finding, measuring and deleting volumes on a simulated array, over SSH."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from instorage.arrays.as18000 import volumes
from instorage.arrays.model import Level, Provisioning
from instorage.volume_name import VolumeName
from instorage.wire.fault import Code, Fault
from instorage.wire.values import VolumeUid
from tests.arrays.conftest import ACTIVE_ACTIVE, GIB, MIRROR, NAMES, NODE, V1, spec

if TYPE_CHECKING:
    from collections.abc import Callable

    from instorage.arrays.as18000 import As18000
    from tests.arrays.conftest import Rig


def test_a_created_volume_is_found_by_name_and_by_uid_with_one_command_each(rig: Rig, array: As18000) -> None:
    made = array.create_volume(spec("v1"))
    rig.reset()
    assert array.find_volume(V1) == made
    assert array.find_volume_by_uid(made.uid) == made
    assert rig.commands() == {"lsvdisk": 2}
    assert (made.size, made.level, made.pools, made.online) == (GIB, Level.BASIC, ("Pool0",), True)


def test_a_volume_that_is_not_there_is_none_after_two_looks(rig: Rig, array: As18000) -> None:
    assert array.find_volume(V1) is None
    assert array.find_volume_by_uid(VolumeUid.parse("6" + "0" * 31)) is None
    assert rig.commands() == {"lsvdisk": 4}


def test_the_names_of_a_prefix_are_listed_with_one_command(rig: Rig, array: As18000) -> None:
    for name in ("pvc-2", "pvc-1", "other"):
        array.create_volume(spec(name))
    array.create_volume(spec("pvc-aa", **ACTIVE_ACTIVE))
    rig.reset()
    assert array.volume_names("pvc-") == ("pvc-1", "pvc-2", "pvc-aa")
    assert rig.commands() == {"lsvdisk": 1}


def test_one_empty_answer_does_not_make_a_volume_vanish(rig: Rig, array: As18000) -> None:
    made = array.create_volume(spec("v1"))
    rig.fault("lsvdisk", empty=True)
    assert array.find_volume(V1) == made
    rig.fault("lsvdisk", empty=True)
    assert array.find_volume_by_uid(made.uid) == made
    rig.fault("lsvdisk", empty=True)
    assert array.delete_volume(V1) is True
    assert rig.volume_names() == []


@pytest.mark.parametrize("changes", [{}, MIRROR, ACTIVE_ACTIVE])
def test_a_mapped_volume_is_not_deleted_and_the_host_is_named(
    rig: Rig, array: As18000, changes: dict[str, Any]
) -> None:
    array.create_volume(spec("v1", **changes))
    host = array.ensure_host(NODE, link="iscsi", names=NAMES, site="1")
    array.map_volume(V1, host.name)
    with pytest.raises(Fault, match="is mapped to iscsi-node1") as caught:
        array.delete_volume(V1)
    assert caught.value.code is Code.VOLUME_MAPPED
    assert caught.value.fields["hosts"] == "iscsi-node1"
    assert "v1" in rig.volume_names()
    assert not [
        line for line in rig.lines() if line.startswith("mcsop rmv") and ("-force" in line or "host" in line)
    ]


@pytest.mark.parametrize("point", ["before", "after"])
@pytest.mark.parametrize(("command", "changes"), [("rmvdisk", {}), ("rmvolume", ACTIVE_ACTIVE)])
def test_a_lost_answer_to_a_deletion_ends_with_no_volume(
    rig: Rig, array: As18000, command: str, changes: dict[str, Any], point: str
) -> None:
    array.create_volume(spec("v1", **changes))
    rig.fault(command, **{point: "connection"})
    assert array.delete_volume(V1) is True
    assert rig.volume_names() == []


def test_a_deletion_that_somebody_else_was_faster_with_is_no_failure(rig: Rig, array: As18000) -> None:
    array.create_volume(spec("v1"))
    rig.fault("rmvdisk", delay=0.2, times=2)
    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(lambda _: array.delete_volume(V1), range(2))) == [False, True]


def test_what_a_thin_volume_uses_is_told_and_a_thick_one_tells_nothing(rig: Rig, array: As18000) -> None:
    array.create_volume(spec("v1"))
    array.create_volume(spec("v2", provisioning=Provisioning()))
    rig.do("used", volume="v1", bytes=5 << 20)
    assert array.volume_usage(V1).used == 5 << 20
    assert array.volume_usage(VolumeName("v2")).used is None
    with pytest.raises(Fault, match="no volume v3 on array storage-01") as caught:
        array.volume_usage(VolumeName("v3"))
    assert caught.value.code is Code.VOLUME_MISSING


def test_the_columns_of_older_firmware_are_read(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    rig.do("dialect", columns="old")
    array = rig.client()
    made = array.create_volume(spec("v1"))
    assert array.find_volume(V1) == made
    assert array.find_volume_by_uid(made.uid) == made


def test_a_volume_with_three_of_its_four_vdisks_is_refused_as_not_whole(array: As18000) -> None:
    array.create_volume(spec("v1", **ACTIVE_ACTIVE))
    rows = array._cli.rows("lsvdisk", "-bytes", "-filtervalue", "volume_name=v1")
    with pytest.raises(Fault, match=r"v1 \(master\).*") as caught:
        volumes._volume(array._cli, V1, rows[:3])
    assert caught.value.code is Code.VOLUME_NOT_READY
