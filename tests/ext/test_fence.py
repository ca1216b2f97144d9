"""`instoragectl fence NODE` on a simulated array: all volumes of a node that is gone, each by itself."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

import pytest

from instorage.arrays.as18000 import As18000
from instorage.arrays.endpoint import Endpoint
from instorage.arrays.model import Level, VolumeSpec
from instorage.volume_name import VolumeName
from instorage.wire.values import Bytes
from simulator.array import Settings, Simulator
from tests.ext.test_release import IQN, Site, site
from tests.ext.test_release_of_many import configure

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.subprocess, pytest.mark.slow]
__all__ = ["site"]
HOST = "iscsi-node1"
WWPN = "2100001B32A1B2C3"


@contextlib.contextmanager
def administered(site: Site) -> Iterator[As18000]:
    host, _, port = site.array.address.rpartition(":")
    endpoint = Endpoint("storage-01", host, int(port), "superuser", lambda: "passw0rd")
    with contextlib.closing(As18000(endpoint, site.directory / "known_hosts")) as client:
        yield client


@pytest.fixture
def three(site: Site) -> Site:
    """Volumes vol-1, vol-2 and vol-3 are mapped to node1, which is logged out."""
    with administered(site) as client:
        for name in ("vol-2", "vol-3"):
            client.create_volume(VolumeSpec(VolumeName(name), Bytes(1 << 30), ("Pool0",)))
            client.map_volume(VolumeName(name), HOST)
    return site


def mapped(site: Site) -> list[str]:
    return sorted(row["name"] for row in site.array.control.do("volumes") if row["maps"])


def test_the_plan_says_each_volume_and_changes_nothing(three: Site) -> None:
    status, said = three.ctl("fence", "node1", "--plan")
    assert status == 0
    assert "says twice that node1 is logged out (iscsi-node1)" in said
    for name in ("vol-1", "vol-2", "vol-3"):
        assert f"Volume {name} on array storage-01 would be unmapped from iscsi-node1." in said
    assert mapped(three) == ["vol-1", "vol-2", "vol-3"]


def test_every_volume_of_a_node_that_is_gone_is_taken_and_again_there_is_nothing_left(three: Site) -> None:
    status, said = three.ctl("fence", "node1")
    assert (status, mapped(three)) == (0, [])
    assert said.count("the node is fenced from it") == 3
    status, said = three.ctl("fence", "node1")
    assert (status, said) == (0, "Array storage-01 maps nothing to node1.\n")


@pytest.mark.parametrize("plan", [(), ("--plan",)])
def test_a_node_that_is_logged_in_keeps_all(three: Site, plan: tuple[str, ...]) -> None:
    three.array.control.do("logins", port=IQN, nodes=[1])
    status, said = three.ctl("fence", "node1", *plan)
    assert (status, mapped(three)) == (1, ["vol-1", "vol-2", "vol-3"])
    assert "is logged in, so the node lives" in said
    assert "Mapped as before: vol-1, vol-2, vol-3" in said
    assert "3 of 3 volumes stay mapped to node1" in said


def test_an_hba_that_is_logged_in_keeps_all_though_no_volume_is_mapped_over_it(three: Site) -> None:
    with administered(three) as client:
        client._cli.operate("mkhost", "-force", "-hbawwpn", WWPN, "-name", "fc-17")
    path = three.directory / "config/instorage.yaml"
    path.write_text(path.read_text().replace("nodeName: node9", "nodeName: node9, objects: {node1: fc-17}"))
    three.array.control.do("logins", port=WWPN, nodes=[1])
    status, said = three.ctl("fence", "node1")
    assert (status, mapped(three)) == (1, ["vol-1", "vol-2", "vol-3"])
    assert f"mcsop rmhostport -hbawwpn {WWPN} fc-17" in said


def test_one_volume_that_cannot_be_taken_keeps_no_other(three: Site) -> None:
    three.array.control.do("fault", command="rmvdiskhostmap", match="vol-1", error="CMMVC5982E", times=0)
    status, said = three.ctl("fence", "node1")
    assert (status, mapped(three)) == (1, ["vol-1"])
    assert "Volume vol-1 on array storage-01 stays mapped to node1" in said
    assert "1 of 3 volumes stay mapped to node1" in said


def test_half_an_active_active_volume_stays_and_keeps_no_other(three: Site) -> None:
    with administered(three) as client:
        pools = ("Pool0", "Pool1")
        client.create_volume(
            VolumeSpec(VolumeName("a-pair"), Bytes(1 << 30), pools, Level.ACTIVE_ACTIVE, ("0", "1"))
        )
        client.map_volume(VolumeName("a-pair"), HOST)
        (name,) = {row["name"] for row in client._cli.rows("lsrcrelationship")}
        client._cli.operate("rmrcrelationship", name)
    status, said = three.ctl("fence", "node1")
    assert status == 1
    assert "a-pair" in mapped(three)
    assert "instoragectl barrier plan a-pair" in said
    assert "instoragectl release a-pair --from node1" in said


def test_a_whole_active_active_volume_is_taken(site: Site) -> None:
    with administered(site) as client:
        pools = ("Pool0", "Pool1")
        client.create_volume(
            VolumeSpec(VolumeName("pair"), Bytes(1 << 30), pools, Level.ACTIVE_ACTIVE, ("0", "1"))
        )
        client.map_volume(VolumeName("pair"), HOST)
    assert site.ctl("fence", "node1", "--except", "vol-1")[0] == 0
    assert mapped(site) == ["vol-1"]


def test_a_node_that_comes_back_in_between_keeps_what_it_still_has(three: Site) -> None:
    """It is looked at once more before each volume."""

    def come_back() -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and mapped(three) != ["vol-2", "vol-3"]:
            time.sleep(0.02)
        three.array.control.do("logins", port=IQN, nodes=[1])

    three.array.control.do("fault", command="lshost", skip=4, delay=3.0, times=1)
    watching = threading.Thread(target=come_back)
    watching.start()
    status, said = three.ctl("fence", "node1")
    watching.join()
    assert (status, mapped(three)) == (1, ["vol-2", "vol-3"])
    assert "Meanwhile its host object iscsi-node1 is logged in" in said


def test_what_is_spared_stays_and_is_no_failure(three: Site) -> None:
    status, said = three.ctl("fence", "node1", "--except", "vol-2")
    assert (status, mapped(three)) == (0, ["vol-2"])
    assert "goes on mapping vol-2 to node1 (--except)" in said


def test_a_volume_to_be_spared_that_is_misspelt_stops_all(three: Site) -> None:
    status, said = three.ctl("fence", "node1", "--except", "vol-22")
    assert (status, mapped(three)) == (1, ["vol-1", "vol-2", "vol-3"])
    assert "--except vol-22: no array that answers maps that to node1. Nothing was changed." in said


def test_a_node_that_no_array_knows_is_an_error(three: Site) -> None:
    status, said = three.ctl("fence", "node2")
    assert (status, mapped(three)) == (1, ["vol-1", "vol-2", "vol-3"])
    assert "No array has a host object of node node2 (iscsi-node2): correct the name" in said


def test_the_machine_itself_is_not_fenced(three: Site) -> None:
    path = three.directory / "config/instorage.yaml"
    path.write_text(path.read_text().replace("nodeName: node9", "nodeName: node1"))
    status, said = three.ctl("fence", "node1")
    assert (status, mapped(three)) == (1, ["vol-1", "vol-2", "vol-3"])
    assert "node1 is this machine, which lives" in said


def test_an_array_that_is_dead_keeps_no_other_and_is_a_failure(three: Site) -> None:
    configure(three, dead="127.0.0.1:1", good=three.array.address)
    status, said = three.ctl("fence", "node1")
    assert (status, mapped(three)) == (1, [])
    assert "Array dead: what it maps to node1 is not known" in said
    assert "What dead maps to it is not known" in said


def test_an_array_that_cannot_say_whether_the_node_is_logged_in_keeps_its_volumes(three: Site) -> None:
    three.array.control.do("fault", command="lshost", skip=2, error="CMMVC5982E", times=0)
    status, said = three.ctl("fence", "node1")
    assert (status, mapped(three)) == (1, ["vol-1", "vol-2", "vol-3"])
    assert "what it maps to node1 is not known" in said


def test_an_object_that_is_not_shown_and_has_volumes_says_nothing_of_its_logins(three: Site) -> None:
    three.array.control.do("fault", command="lshost", error="CMMVC5754E", times=0)
    status, said = three.ctl("fence", "node1")
    assert (status, mapped(three)) == (1, ["vol-1", "vol-2", "vol-3"])
    assert "does not show that host" in said


@pytest.fixture
def twin(tmp_path: Path) -> Iterator[Site]:
    """Another array, which has the node's host object and vol-1, too."""
    (tmp_path / "twin").mkdir()
    with Simulator(Settings(tmp_path / "twin/array", tmp_path / "twin/control")) as array:
        yield Site(tmp_path / "twin", array)


def test_a_node_that_one_array_says_is_logged_in_keeps_its_volumes_of_the_other(
    three: Site, twin: Site
) -> None:
    twin.array.control.do("logins", port=IQN, nodes=[1])
    configure(three, one=three.array.address, two=twin.array.address)
    status, said = three.ctl("fence", "node1")
    assert (status, mapped(three), mapped(twin)) == (1, ["vol-1", "vol-2", "vol-3"], ["vol-1"])
    assert "Array one: node1 lives by the word of array two" in said
    twin.array.control.do("logins", port=IQN, nodes=[])
    status, said = three.ctl("fence", "node1", "--storage", "one")
    assert (status, mapped(three), mapped(twin)) == (0, [], ["vol-1"])
    assert three.ctl("fence", "node1")[0] == 0
    assert mapped(twin) == []


@pytest.mark.parametrize("command", ["lshostvdiskmap", "lshost"])
def test_an_array_that_says_logged_in_and_fails_at_the_next_question_speaks_for_the_others(
    three: Site, twin: Site, command: str
) -> None:
    twin.array.control.do("logins", port=IQN, nodes=[1])
    twin.array.control.do(
        "fault", command=command, error="CMMVC5982E", times=0, skip=int(command == "lshost")
    )
    configure(three, one=three.array.address, two=twin.array.address)
    path = three.directory / "config/instorage.yaml"
    path.write_text(path.read_text().replace("node9", "node9, objects: {node1: esx-17}"))
    status, said = three.ctl("fence", "node1")
    assert (status, mapped(three), mapped(twin)) == (1, ["vol-1", "vol-2", "vol-3"], ["vol-1"])
    assert "Array one: node1 lives by the word of array two" in said
    assert "Array two: what it maps to node1 is not known" in said


def test_an_object_of_which_nothing_is_known_does_not_hide_the_one_that_is_logged_in(
    three: Site, twin: Site
) -> None:
    with administered(twin) as client:
        client._cli.operate("addhostport", "-force", "-saswwpn", "500062B200000001", HOST)
        client._cli.operate("mkhost", "-force", "-hbawwpn", WWPN, "-name", "fc-17")
    twin.array.control.do("dialect", sas_names=False)
    twin.array.control.do("logins", port=WWPN, nodes=[1])
    configure(three, one=three.array.address, two=twin.array.address)
    path = three.directory / "config/instorage.yaml"
    path.write_text(path.read_text().replace("node9", "node9, objects: {node1: fc-17}"))
    status, said = three.ctl("fence", "node1")
    assert (status, mapped(three), mapped(twin)) == (1, ["vol-1", "vol-2", "vol-3"], ["vol-1"])
    assert "Array one: node1 lives by the word of array two" in said
