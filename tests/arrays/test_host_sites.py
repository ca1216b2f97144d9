"""At which site of a two-site array this machine's host object is, or comes to be, over SSH."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instorage.volume_name import VolumeName
from instorage.wire.fault import Code, Fault
from tests.arrays.conftest import ACTIVE_ACTIVE, NAMES, NODE, spec

if TYPE_CHECKING:
    from instorage.arrays.as18000 import As18000
    from instorage.arrays.model import Host
    from tests.arrays.conftest import Rig

AA = VolumeName("aa")
IQN = str(NODE.iqn)


def ensure(array: As18000, site: str = "", volume: VolumeName | None = None) -> Host:
    return array.ensure_host(NODE, link="iscsi", names=NAMES, site=site, volume=volume)


def site_of(rig: Rig) -> int:
    return int(rig.do("hosts")[0]["site"])


def made(array: As18000, *words: str) -> None:
    array._cli.operate("mkhost", "-force", "-iscsiname", IQN, "-name", NAMES[0], *words)


@pytest.mark.parametrize("site", ["site2", "2"])
def test_a_new_host_object_is_made_at_the_site_that_the_configuration_says(
    rig: Rig, array: As18000, site: str
) -> None:
    host = ensure(array, site)
    assert host.site is not None
    assert (host.site.id, host.site.name, site_of(rig)) == ("2", "site2", 2)
    assert f"mcsop mkhost -force -iscsiname {IQN} -name iscsi-node1 -site site2" in rig.lines()


def test_an_object_of_ours_without_a_site_is_given_the_configured_one(rig: Rig, array: As18000) -> None:
    made(array)
    ensure(array, "site2")
    assert site_of(rig) == 2
    assert "mcsop chhost -site site2 iscsi-node1" in rig.lines()


def test_without_a_configured_site_it_is_that_of_the_first_active_active_volumes_master(
    rig: Rig, array: As18000
) -> None:
    array.create_volume(
        spec("aa", pools=("Pool1", "Pool0"), level=ACTIVE_ACTIVE["level"], io_groups=("1", "0"))
    )
    assert ensure(array, volume=AA).site is not None
    assert site_of(rig) == 2
    array.map_volume(AA, NAMES[0])


def test_an_object_that_was_found_for_a_basic_volume_gets_its_site_with_the_first_active_active_one(
    rig: Rig, array: As18000
) -> None:
    array.create_volume(spec("aa", **ACTIVE_ACTIVE))
    ensure(array)
    assert site_of(rig) == 0
    with pytest.raises(Fault, match="site of the host object"):
        array.map_volume(AA, NAMES[0])
    ensure(array, volume=AA)
    assert site_of(rig) == 1
    array.map_volume(AA, NAMES[0])
    rig.reset()
    ensure(array, volume=AA)
    assert rig.lines() == []


def test_an_object_at_another_site_than_the_configured_one_is_refused_by_name_and_left_alone(
    rig: Rig, array: As18000
) -> None:
    made(array, "-site", "site1")
    rig.reset()
    with pytest.raises(
        Fault, match=r"iscsi-node1 on array storage-01 is at site site1.*is at site2"
    ) as caught:
        ensure(array, "site2")
    assert caught.value.code is Code.HOST_OBJECT
    assert (caught.value.fields["host"], caught.value.fields["site"]) == ("iscsi-node1", "site1")
    assert (site_of(rig), rig.commands()) == (1, {"lshost": 1})


def test_a_site_that_somebody_else_has_chosen_is_kept_when_none_is_configured(
    rig: Rig, array: As18000
) -> None:
    made(array, "-site", "site2")
    array.create_volume(spec("aa", **ACTIVE_ACTIVE))
    ensure(array, volume=AA)
    assert site_of(rig) == 2


def test_a_site_that_the_array_does_not_have_is_said_with_those_that_it_has(rig: Rig, array: As18000) -> None:
    with pytest.raises(Fault, match=r"no site hall-b .*it has site1 \(1\), site2 \(2\)") as caught:
        ensure(array, "hall-b")
    assert caught.value.code is Code.HOST_OBJECT
    assert rig.do("hosts") == []


def test_an_array_that_knows_no_sites_is_asked_for_none(rig: Rig, array: As18000) -> None:
    rig.do("dialect", columns="old")
    assert ensure(array, "site2").site is None
    assert not any("-site" in line for line in rig.lines())


@pytest.mark.parametrize("point", ["before", "after"])
@pytest.mark.parametrize("command", ["mkhost", "chhost"])
def test_a_lost_answer_to_making_or_moving_converges(
    rig: Rig, array: As18000, command: str, point: str
) -> None:
    if command == "chhost":
        made(array)
    rig.fault(command, **{point: "connection"})
    ensure(array, "site2")
    assert site_of(rig) == 2
