"""Creating volumes on a simulated array, over SSH: every kind, once, whatever is lost or full."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from instorage.arrays.model import Level, Provisioning
from instorage.wire.fault import Code, Fault
from tests.arrays.conftest import ACTIVE_ACTIVE, GIB, LIMITS, MIRROR, V1, spec

if TYPE_CHECKING:
    from collections.abc import Callable

    from instorage.arrays.as18000 import As18000
    from tests.arrays.conftest import Rig


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
    changes: dict[str, Any],
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
def test_a_missing_pool_is_named(array: As18000, changes: dict[str, Any]) -> None:
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
    rig: Rig, array: As18000, command: str, changes: dict[str, Any], point: str, how: str
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


def test_a_pool_that_is_full_for_the_second_command_says_nothing_of_the_first_one(
    rig: Rig, array: As18000
) -> None:
    """What the first one, whose answer was lost, is about to make takes that very space."""
    rig.fault("mkvdisk", before="channel")
    rig.fault("mkvdisk", skip=1, error="CMMVC8710E")
    with pytest.raises(Fault, match=r"does not fit on array storage-01.*which may have been done") as caught:
        array.create_volume(spec("v1"), adopt=False)
    assert caught.value.code is Code.OUTCOME_UNKNOWN
    assert rig.commands()["mkvdisk"] == 2
    rig.fault("mkvdisk", error="CMMVC8710E")
    with pytest.raises(Fault) as caught:
        array.create_volume(spec("v1"), adopt=False)
    assert caught.value.code is Code.POOL_FULL, "no command of this call may have been carried out"


def test_what_hinders_the_look_at_a_new_volume_is_said_before_what_was_done(rig: Rig, array: As18000) -> None:
    """Events and journals cut a long sentence off, and at its end the cause was not seen."""
    rig.fault("lsvdisk", skip=1, error="CMMVC5999E", text="The view is being rebuilt.")
    with pytest.raises(Fault) as caught:
        array.create_volume(spec("v1"))
    assert caught.value.code is Code.OUTCOME_UNKNOWN
    cause, _, done = caught.value.sentence.partition("The view is being rebuilt.")
    assert re.match("Array storage-01 refused «mcsinq lsvdisk [^»]*»: CMMVC5999E $", cause)
    assert "«mcsop mkvdisk -name v1 " in done
    assert "may have been done or not" in done


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


def test_a_creation_costs_three_commands_once_the_pool_is_known(rig: Rig, array: As18000) -> None:
    array.create_volume(spec("v0"))
    rig.reset()
    array.create_volume(spec("v1"))
    assert rig.commands() == {"lsvdisk": 2, "mkvdisk": 1}
