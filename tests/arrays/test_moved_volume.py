"""A volume that somebody migrates, moves, mirrors, splits or copies on the array: seen as it is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from instorage.arrays.model import Level, Provisioning, Usage
from instorage.volume_name import VolumeName
from instorage.wire.fault import Code, Fault
from tests.arrays.administrator import order
from tests.arrays.conftest import ACTIVE_ACTIVE, GIB, MIRROR, NAMES, NODE, V1, settled, spec

if TYPE_CHECKING:
    from collections.abc import Callable

    from instorage.arrays.as18000 import As18000
    from tests.arrays.conftest import Rig

THICK = Provisioning()
SLOW = 3600


@pytest.fixture
def volume(array: As18000) -> As18000:
    """An array with a thick volume v1 in Pool0."""
    array.create_volume(spec("v1", provisioning=THICK))
    return array


def _mapped(array: As18000) -> dict[str, str]:
    """The LUN of v1 on this node's host object, by I/O group."""
    host = array.ensure_host(NODE, link="iscsi", names=NAMES).name
    return {group: str(lun) for group, lun in array.map_volume(V1, host).luns}


def test_a_volume_in_another_pool_keeps_its_identity_and_grows_and_goes_there(
    rig: Rig, volume: As18000
) -> None:
    before = volume.find_volume(V1)
    order(rig.simulator, "migratevdisk -mdiskgrp Pool1 -vdisk v1")
    after = volume.find_volume(V1)
    assert before is not None
    assert after is not None
    assert (after.uid, after.id, after.pools) == (before.uid, before.id, ("Pool1",))
    assert _mapped(volume) == {"0": "0"}
    assert volume.grow_volume(V1, 2 * GIB).pools == ("Pool1",)
    assert volume.unmap_volume(V1, NAMES[0]) is True
    assert volume.delete_volume(V1, before.uid) is True


def test_a_growth_during_a_migration_to_a_fuller_pool_says_which_space_is_missing(
    make_rig: Callable[..., Rig],
) -> None:
    rig = make_rig(pools="Pool0:9GiB,Pool1:1GiB")
    array = rig.client()
    array.create_volume(spec("v1", provisioning=THICK))
    rig.do("dialect", copy_seconds=SLOW)
    order(rig.simulator, "migratevdisk -mdiskgrp Pool1 -vdisk v1")
    with pytest.raises(
        Fault, match=r"Pool0 has 8\.00 GiB free and 1\.00 GiB are needed.*lsmigrate"
    ) as caught:
        array.grow_volume(V1, 2 * GIB)
    assert caught.value.code is Code.POOL_FULL
    assert array.delete_volume(V1) is True


def test_a_volume_in_another_i_o_group_is_seen_through_the_groups_of_its_access(
    rig: Rig, volume: As18000
) -> None:
    assert _mapped(volume) == {"0": "0"}
    for line, luns in (
        ("movevdisk -iogrp 1 v1", {"0": "0"}),
        ("addvdiskaccess -iogrp 1 v1", {"0": "0", "1": "0"}),
        ("rmvdiskaccess -iogrp 0 v1", {"1": "0"}),
    ):
        order(rig.simulator, line)
        assert _mapped(volume) == luns
    assert volume.grow_volume(V1, 2 * GIB).size == 2 * GIB
    assert volume.unmap_volume(V1, NAMES[0]) is True
    assert volume.delete_volume(V1) is True


def test_a_volume_that_was_given_a_copy_is_a_mirror_and_grows_when_both_are_alike(
    rig: Rig, volume: As18000
) -> None:
    rig.do("dialect", copy_seconds=SLOW)
    order(rig.simulator, "addvdiskcopy -mdiskgrp Pool1 v1")
    found = volume.find_volume(V1)
    assert found is not None
    assert (found.level, found.online) == (Level.MIRROR, True)
    assert _mapped(volume) == {"0": "0"}
    with pytest.raises(
        Fault, match="wait until its copies are synchronised: see lsvdisksyncprogress"
    ) as caught:
        volume.grow_volume(V1, 2 * GIB)
    assert caught.value.code is Code.VOLUME_NOT_READY
    order(rig.simulator, "rmvdiskcopy -copy 1 v1")
    rig.do("dialect", copy_seconds=0)
    order(rig.simulator, "addvdiskcopy -mdiskgrp Pool1 v1")
    assert volume.grow_volume(V1, 2 * GIB).level is Level.MIRROR
    assert volume.unmap_volume(V1, NAMES[0]) is True
    assert volume.delete_volume(V1) is True


@pytest.mark.parametrize("thin_first", [True, False])
def test_a_thick_copy_beside_a_thin_one_does_not_unsay_what_was_written(
    rig: Rig, array: As18000, thin_first: bool
) -> None:
    thick, thin = "addvdiskcopy -mdiskgrp Pool1 v1", "addvdiskcopy -rsize 2% -autoexpand -mdiskgrp Pool1 v1"
    array.create_volume(spec("v1", provisioning=Provisioning(thin=thin_first)))
    rig.do("used", volume="v1", bytes=GIB // 2)
    order(rig.simulator, thick if thin_first else thin)
    assert array.volume_usage(V1) == Usage(thin=False, used=GIB // 2)
    order(rig.simulator, f"rmvdiskcopy -copy {0 if thin_first else 1} v1")
    assert array.volume_usage(V1) == Usage(thin=False, used=None)


def test_a_copy_that_is_split_off_is_another_volume_and_stays_when_ours_is_deleted(
    rig: Rig, array: As18000
) -> None:
    made = array.create_volume(spec("v1", **MIRROR))
    assert _mapped(array) == {"0": "0"}
    order(rig.simulator, "splitvdiskcopy -copy 1 -name half v1")
    found, half = array.find_volume(V1), array.find_volume(VolumeName("half"))
    assert found is not None
    assert half is not None
    assert (found.uid, found.level, found.pools) == (made.uid, Level.BASIC, ("Pool0",))
    assert half.uid != made.uid
    assert array.mappings(VolumeName("half")) == ()
    assert array.grow_volume(V1, 2 * GIB).size == 2 * GIB
    assert array.unmap_volume(V1, NAMES[0]) is True
    assert array.delete_volume(V1, made.uid) is True
    assert rig.volume_names() == ["half"]


@pytest.mark.parametrize("steps", [0, 1, 2], ids=["made", "started", "stopped"])
def test_a_snapshot_is_named_where_it_is_in_the_way(rig: Rig, volume: As18000, steps: int) -> None:
    volume.create_volume(spec("snap", provisioning=THICK))
    order(rig.simulator, "mklcmap -copyrate 0 -source v1 -target snap -name monday")
    order(rig.simulator, *[f"{verb} 0" for verb in ("startlcmap -prep", "stoplcmap")[:steps]])
    assert _mapped(volume) == {"0": "0"}
    with pytest.raises(Fault, match="monday to volume snap") as caught:
        volume.grow_volume(V1, 2 * GIB)
    assert caught.value.code is Code.VOLUME_NOT_READY
    volume.unmap_volume(V1, NAMES[0])
    for name, tie in (("v1", "monday to volume snap"), ("snap", "monday from volume v1")):
        with pytest.raises(Fault, match=tie) as caught:
            volume.delete_volume(VolumeName(name))
        assert caught.value.code is Code.VOLUME_NOT_READY
    order(rig.simulator, *(["stoplcmap 0"] if steps == 1 else []), "rmlcmap -force 0")
    assert volume.grow_volume(V1, 2 * GIB).size == 2 * GIB
    assert volume.delete_volume(V1) is True
    assert volume.delete_volume(VolumeName("snap")) is True


def test_a_snapshot_that_was_taken_after_we_looked_stops_the_deletion_all_the_same(
    rig: Rig, volume: As18000
) -> None:
    volume.create_volume(spec("snap", provisioning=THICK))
    rig.reset()
    rig.fault("rmvdisk", delay=0.5)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(volume.delete_volume, V1)
        assert settled(lambda: rig.commands()["lsvdisk"] == 1 and rig.do("counters")["running"]["now"] == 1)
        order(rig.simulator, "mklcmap -source v1 -target snap")
        with pytest.raises(Fault, match="lcmap0 to volume snap"):
            call.result()


def test_a_snapshot_of_an_active_active_volume_is_told_from_the_arrays_own_maps(
    rig: Rig, array: As18000
) -> None:
    made = array.create_volume(spec("v1", **ACTIVE_ACTIVE))
    assert made.copy_relations == 0
    array.create_volume(spec("snap"))
    order(rig.simulator, "mklcmap -copyrate 0 -source v1 -target snap -name monday")
    found = array.find_volume(V1)
    assert found is not None
    assert found.copy_relations == 1
    with pytest.raises(
        Fault, match=r"1 LocalCopy map\(s\), monday to volume snap \(idle_or_copied\)\. Delete"
    ):
        array.delete_volume(V1)
    order(rig.simulator, "rmlcmap monday")
    assert array.delete_volume(V1) is True
    assert rig.volume_names() == ["snap"]


def test_a_clone_that_is_whole_leaves_both_free(rig: Rig, volume: As18000) -> None:
    volume.create_volume(spec("clone", provisioning=THICK))
    order(rig.simulator, "mklcmap -copyrate 100 -autodelete -source v1 -target clone", "startlcmap -prep 0")
    assert volume.grow_volume(V1, 2 * GIB).size == 2 * GIB
    assert volume.delete_volume(V1) is True
