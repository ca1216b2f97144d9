"""Creating, finding and deleting volumes on a simulated array, over SSH."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from instorage.arrays.as18000 import volumes
from instorage.arrays.model import Level, Provisioning
from instorage.volume_name import VolumeName
from instorage.wire.fault import Code, Fault
from instorage.wire.values import VolumeUid
from tests.arrays.conftest import ACTIVE_ACTIVE, GIB, LIMITS, MIRROR, NAMES, NODE, spec

if TYPE_CHECKING:
    from collections.abc import Callable

    from instorage.arrays.as18000 import As18000
    from tests.arrays.conftest import Rig

V1 = VolumeName("v1")


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


@pytest.mark.parametrize(
    ("changes", "level", "pools"),
    [
        ({}, Level.BASIC, ("Pool0",)),
        (MIRROR, Level.MIRROR, ("many",)),
        (ACTIVE_ACTIVE, Level.ACTIVE_ACTIVE, ("Pool0", "Pool1")),
    ],
)
@pytest.mark.parametrize(
    "how",
    [
        Provisioning(),
        Provisioning(thin=True, warning_percent=80, grain_kib=64, auto_expand=False),
        Provisioning(compressed=True),
        Provisioning(thin=True, initial_percent=20, tiering=True),
    ],
)
def test_every_kind_of_volume_is_made_found_taken_again_and_deleted(
    rig: Rig,
    array: As18000,
    changes: dict[str, object],
    level: Level,
    pools: tuple[str, ...],
    how: Provisioning,
) -> None:
    wanted = spec("v1", provisioning=how, **changes)
    made = array.create_volume(wanted)
    assert (made.level, made.pools, made.copy_relations) == (level, pools, 0)
    assert array.create_volume(wanted) == made
    assert array.volume_usage(V1).thin is (how.thin or how.compressed)
    assert array.delete_volume(V1) is True
    assert rig.volume_names() == []
    assert array.delete_volume(V1) is False


def test_the_size_is_rounded_up_to_whole_gib_and_the_volume_is_taken_again(array: As18000) -> None:
    wanted = spec("v1", gib=1.25)
    made = array.create_volume(wanted)
    assert made.size == 2 * GIB
    assert array.create_volume(wanted) == made


@pytest.mark.parametrize(
    ("second", "why"),
    [
        (spec("v1", gib=3), f"has {GIB} bytes"),
        (spec("v1", pools=("Pool1",)), "is in Pool0, Pool1 is asked for"),
        (spec("v1", **MIRROR), "is basic, mirror is asked for"),
    ],
)
def test_a_volume_that_does_not_fit_is_not_taken(array: As18000, second: object, why: str) -> None:
    array.create_volume(spec("v1"))
    with pytest.raises(Fault, match=why) as caught:
        array.create_volume(second)  # type: ignore[arg-type]
    assert caught.value.code is Code.VOLUME_EXISTS


def test_a_mirror_in_other_pools_is_not_taken(make_rig: Callable[..., Rig]) -> None:
    array = make_rig(pools="A:10GiB,B:10GiB,C:10GiB").client()
    array.create_volume(spec("v1", level=Level.MIRROR, pools=("A", "B")))
    with pytest.raises(Fault, match="is in A and B, A and C is asked for"):
        array.create_volume(spec("v1", level=Level.MIRROR, pools=("A", "C")))


def test_a_full_pool_is_said_with_its_figures(make_rig: Callable[..., Rig]) -> None:
    array = make_rig(pools="Pool0:10GiB,Pool1:10GiB").client()
    array.create_volume(spec("v1", gib=8, provisioning=Provisioning()))
    with pytest.raises(
        Fault, match=r"v2 of 3\.0 GiB does not fit.*Pool0 has 2\.0 GiB of 10\.0 GiB free"
    ) as caught:
        array.create_volume(spec("v2", gib=3, provisioning=Provisioning()))
    assert caught.value.code is Code.POOL_FULL
    assert caught.value.fields["free"] == 2 * GIB
    assert caught.value.fields["needed"] == 3 * GIB


@pytest.mark.parametrize(
    "changes",
    [
        {"pools": ("Nope",)},
        MIRROR | {"pools": ("Pool0", "Nope")},
        ACTIVE_ACTIVE | {"pools": ("Pool0", "Nope")},
    ],
)
def test_a_missing_pool_is_named(array: As18000, changes: dict[str, object]) -> None:
    with pytest.raises(Fault, match=r"no pool Nope on array storage-01: correct volPoolName") as caught:
        array.create_volume(spec("v1", **changes))
    assert caught.value.code is Code.POOL_MISSING


def test_an_unknown_io_group_is_said(array: As18000) -> None:
    with pytest.raises(Fault, match="I/O group") as caught:
        array.create_volume(spec("v1", io_groups=("io_grp9",)))
    assert caught.value.code is Code.BAD_REQUEST


def test_a_name_of_64_characters_never_reaches_the_array(rig: Rig, array: As18000) -> None:
    with pytest.raises(Fault, match="at most 63") as caught:
        array.create_volume(spec("v" * 64))
    assert caught.value.code is Code.NAME_INVALID
    assert rig.lines() == []


def test_a_pool_with_a_space_in_its_name_works(make_rig: Callable[..., Rig]) -> None:
    array = make_rig(pools="Pool A:10GiB,Pool B:10GiB").client()
    assert array.create_volume(spec("v1", pools=("Pool A",))).pools == ("Pool A",)
    array.create_volume(spec("v2", level=Level.MIRROR, pools=("Pool A", "Pool B")))
    pool = array.pool("Pool A")
    assert pool is not None
    assert (pool.name, pool.capacity, pool.online) == ("Pool A", 10 * GIB, True)
    assert array.pool("Pool C") is None


@pytest.mark.parametrize("point", ["before", "after"])
@pytest.mark.parametrize("how", ["connection", "channel"])
@pytest.mark.parametrize(("command", "changes"), [("mkvdisk", {}), ("mkvolume", ACTIVE_ACTIVE)])
def test_a_lost_answer_to_a_creation_ends_with_one_volume(
    rig: Rig, array: As18000, command: str, changes: dict[str, object], point: str, how: str
) -> None:
    rig.fault(command, **{point: how})
    made = array.create_volume(spec("v1", **changes))
    assert made == array.find_volume(V1)
    assert rig.commands()[command] == (2 if point == "before" else 1)


def test_an_array_that_falls_silent_under_a_creation_is_read_again(rig: Rig) -> None:
    quick = rig.client(limits=replace(LIMITS, operation=0.5))
    rig.fault("mkvdisk", after="silence")
    assert quick.create_volume(spec("v1")).name == "v1"
    assert rig.commands()["mkvdisk"] == 1


def test_a_creation_that_is_lost_twice_says_that_its_outcome_is_unknown(rig: Rig, array: As18000) -> None:
    rig.fault("mkvdisk", before="channel", times=2)
    with pytest.raises(Fault) as caught:
        array.create_volume(spec("v1"))
    assert caught.value.code is Code.OUTCOME_UNKNOWN


@pytest.mark.parametrize("warning_status", [0, 1])
def test_a_licence_warning_is_no_failure(make_rig: Callable[..., Rig], warning_status: int) -> None:
    rig = make_rig()
    rig.do("dialect", warning_status=str(warning_status))
    rig.fault("mkvdisk", warning="CMMVC6372W")
    assert rig.client().create_volume(spec("v1")).name == "v1"


def test_two_threads_that_create_the_same_volume_get_the_same_one(rig: Rig, array: As18000) -> None:
    rig.fault("mkvdisk", delay=0.2, times=2)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: array.create_volume(spec("v1")), range(2))
    assert first == second
    assert rig.volume_names() == ["v1"]
    assert rig.commands()["mkvdisk"] == 2


def test_a_creation_costs_three_commands(rig: Rig, array: As18000) -> None:
    array.create_volume(spec("v1"))
    assert rig.commands() == {"lsvdisk": 2, "mkvdisk": 1}


@pytest.mark.parametrize("changes", [{}, MIRROR, ACTIVE_ACTIVE])
def test_a_mapped_volume_is_not_deleted_and_the_host_is_named(
    rig: Rig, array: As18000, changes: dict[str, object]
) -> None:
    array.create_volume(spec("v1", **changes))
    host = array.ensure_host(NODE, link="iscsi", names=NAMES)
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
    rig: Rig, array: As18000, command: str, changes: dict[str, object], point: str
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
