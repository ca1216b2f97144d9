"""Growing basic, thin, compressed and mirrored volumes on a simulated array, over SSH."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from instorage.arrays.model import Provisioning
from instorage.volume_name import VolumeName
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Bytes
from tests.arrays.conftest import ACTIVE_ACTIVE, GIB, LIMITS, MIRROR, settled, spec

if TYPE_CHECKING:
    from collections.abc import Callable

    from instorage.arrays.as18000 import As18000
    from tests.arrays.conftest import Rig

MIB = 1 << 20
V1 = VolumeName("v1")
THICK = Provisioning()
KINDS = [
    pytest.param({"provisioning": THICK}, id="basic"),
    pytest.param({}, id="thin"),
    pytest.param({"provisioning": Provisioning(compressed=True)}, id="compressed"),
    pytest.param({"provisioning": THICK, **MIRROR}, id="mirror"),
    pytest.param(MIRROR, id="thin mirror"),
]


def _growths(rig: Rig) -> list[str]:
    return [line.partition(" expandvdisksize ")[2] for line in rig.lines() if "expandvdisksize" in line]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_grows_and_keeps_its_identity(rig: Rig, array: As18000, kind: dict[str, Any]) -> None:
    made = array.create_volume(spec("v1", **kind))
    assert array.grow_volume(V1, 3 * GIB) == replace(made, size=Bytes(3 * GIB))
    assert array.grow_volume(V1, 3 * GIB).size == 3 * GIB
    assert _growths(rig) == ["-size 2 -unit gb v1"]


@pytest.mark.parametrize(
    ("asked", "got", "sent"),
    [
        pytest.param(GIB // 2, 2 * GIB, [], id="smaller"),
        pytest.param(2 * GIB, 2 * GIB, [], id="equal"),
        pytest.param(2 * GIB + 1, 3 * GIB, ["-size 1 -unit gb v1"], id="1 byte above"),
        pytest.param(3 * GIB // 2, 2 * GIB, [], id="1.5 GiB, which it has by rounding"),
        pytest.param(7 * GIB // 2, 4 * GIB, ["-size 2 -unit gb v1"], id="3.5 GiB"),
        pytest.param(5 * GIB - 511, 5 * GIB, ["-size 3 -unit gb v1"], id="no multiple of a sector"),
    ],
)
def test_sizes_are_rounded_up_to_the_arrays_unit(
    rig: Rig, array: As18000, asked: int, got: int, sent: list[str]
) -> None:
    array.create_volume(spec("v1", gib=2))
    assert array.grow_volume(V1, asked).size == got
    assert _growths(rig) == sent


def test_a_volume_of_an_odd_size_grows_to_a_whole_one(rig: Rig, array: As18000) -> None:
    array.create_volume(spec("v1"))
    rig.do("resize", volume="v1", size=GIB + 512)
    assert array.grow_volume(V1, GIB + 512).size == GIB + 512
    assert array.grow_volume(V1, GIB + 513).size == 2 * GIB
    assert _growths(rig) == [f"-size {GIB - 512} -unit b v1"]


@pytest.mark.parametrize("changes", [{}, MIRROR])
def test_a_pool_that_is_one_extent_too_small_is_named_and_nothing_is_sent(
    make_rig: Callable[..., Rig], changes: dict[str, Any]
) -> None:
    rig = make_rig(pools="Pool0:9GiB,Pool1:4GiB")
    array = rig.client()
    kind: dict[str, Any] = {"pools": ("Pool1",), **changes, "provisioning": THICK}
    array.create_volume(spec("v1", **kind))
    rig.do("resize", volume="v1", size=GIB + 512)  # one extent more than a whole GiB
    array.create_volume(spec("v2", pools=("Pool1",), provisioning=THICK))
    with pytest.raises(Fault, match=r"pool Pool1 has 1\.75 GiB free, 2\.75 GiB are needed") as caught:
        array.grow_volume(V1, 4 * GIB)
    assert caught.value.code is Code.POOL_FULL
    assert caught.value.fields["needed"] == 2 * GIB + 768 * MIB
    assert _growths(rig) == []
    assert array.grow_volume(V1, 3 * GIB).size == 3 * GIB


def test_space_that_is_gone_when_the_array_looks_is_said_as_well(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    array = rig.client()
    array.create_volume(spec("v1", provisioning=THICK))
    rig.fault("expandvdisksize", error="CMMVC5860E")
    with pytest.raises(Fault, match="pool Pool0 has") as caught:
        array.grow_volume(V1, 2 * GIB)
    assert caught.value.code is Code.POOL_FULL


def test_what_is_in_the_way_is_named(rig: Rig, array: As18000) -> None:
    with pytest.raises(Fault, match="no volume v1") as caught:
        array.grow_volume(V1, GIB)
    assert caught.value.code is Code.VOLUME_MISSING
    for name in ("v1", "v2"):
        array.create_volume(spec(name))
    rig.do("snapshot", volume="v1", target="v2")
    with pytest.raises(Fault, match="delete its snapshots and clones first") as caught:
        array.grow_volume(V1, 2 * GIB)
    assert caught.value.code is Code.VOLUME_NOT_READY
    rig.do("dialect", format_seconds=3600)
    array.create_volume(spec("v3", provisioning=THICK))
    with pytest.raises(Fault, match="wait until the volume is formatted") as caught:
        array.grow_volume(VolumeName("v3"), 2 * GIB)
    assert caught.value.code is Code.VOLUME_NOT_READY
    array.create_volume(spec("aa", **ACTIVE_ACTIVE))
    with pytest.raises(Fault, match="active-active") as caught:
        array.grow_volume(VolumeName("aa"), 2 * GIB)
    assert caught.value.code is Code.NOT_SUPPORTED
    assert array.grow_volume(VolumeName("aa"), GIB).size == GIB


@pytest.mark.parametrize("how", ["connection", "channel"])
def test_a_growth_whose_answer_is_lost_is_done_once(rig: Rig, array: As18000, how: str) -> None:
    array.create_volume(spec("v1"))
    rig.fault("expandvdisksize", after=how)
    assert array.grow_volume(V1, 2 * GIB).size == 2 * GIB
    assert len(_growths(rig)) == 1


def test_a_growth_that_may_still_be_under_way_is_not_sent_again(rig: Rig) -> None:
    patience = 1.0
    array = rig.client(limits=replace(LIMITS, operation=patience))
    array.create_volume(spec("v1"))
    rig.fault("expandvdisksize", delay=3600)
    for _ in range(2):
        with pytest.raises(Fault) as caught:
            array.grow_volume(V1, 2 * GIB)
        assert caught.value.code is Code.OUTCOME_UNKNOWN
    rig.do("clear")  # the array goes on with it, long after its client gave up
    assert settled(lambda: rig.do("volumes")[0]["size"] == 2 * GIB)
    assert array.grow_volume(V1, 2 * GIB).size == 2 * GIB
    assert len(_growths(rig)) == 1


def test_a_growth_that_never_reached_the_array_is_sent_again_later(rig: Rig) -> None:
    array = rig.client(limits=replace(LIMITS, operation=0.3))
    array.create_volume(spec("v1"))
    rig.fault("expandvdisksize", before="connection")
    with pytest.raises(Fault, match="may have been done or not"):
        array.grow_volume(V1, 2 * GIB)
    assert settled(lambda: array._unsettled.left(array.find_volume(V1).uid) <= 0)  # type: ignore[union-attr]
    assert array.grow_volume(V1, 2 * GIB).size == 2 * GIB


def test_two_threads_that_grow_the_same_volume_grow_it_once(rig: Rig, array: As18000) -> None:
    array.create_volume(spec("v1"))
    rig.fault("lsvdisk", delay=0.1, times=2)
    with ThreadPoolExecutor(2) as pool:
        sizes = {volume.size for volume in pool.map(lambda _: array.grow_volume(V1, 2 * GIB), range(2))}
    assert sizes == {2 * GIB}
    assert len(_growths(rig)) == 1


def test_a_thin_growth_costs_four_commands_and_none_when_there_is_nothing_to_do(
    rig: Rig, array: As18000
) -> None:
    array.create_volume(spec("v1"))
    rig.reset()
    array.grow_volume(V1, 2 * GIB)
    assert rig.commands() == {"lsvdisk": 3, "expandvdisksize": 1}
    rig.reset()
    array.grow_volume(V1, 2 * GIB)
    assert rig.commands() == {"lsvdisk": 1}
