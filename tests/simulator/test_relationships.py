"""What the nine steps of an active-active expansion do to the objects, and to the data of both sites."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from simulator.control.client import ControlError
from simulator.model.topology import Topology
from tests.simulator.conftest import IQN

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.array import Simulator
    from tests.simulator.conftest import Client

GIB = 1 << 30
FUNCTIONS = ["master", "aux", "master_change", "aux_change"]


class Pair:
    """An active-active volume, mapped to a host, and what a test does to it."""

    def __init__(self, array: Simulator, ssh: Client) -> None:
        self.array, self.ssh = array, ssh
        ssh.good("mcsop mkvolume -name aa -size 1 -unit gb -pool Pool0:Pool1 -iogrp 0:1 -thin")
        ssh.good(f"mcsop mkhost -force -iscsiname {IQN} -name h -site site1")
        ssh.good("mcsop mkvdiskhostmap -host h aa")
        self.names = {row["function"]: row["name"] for row in ssh.rows("lsvdisk")}
        self.write("first")

    def do(self, line: str) -> None:
        self.ssh.good("mcsop " + line.format_map(self.names))

    def refused(self, line: str) -> str:
        return self.ssh.refusal("mcsop " + line.format_map(self.names))

    def write(self, data: str) -> None:
        self.array.control.do("write", volume="aa", data=data)

    def compare(self) -> dict[str, Any]:
        found: dict[str, Any] = self.array.control.do("compare", volume="aa", other=self.names["aux"])
        return found

    def state(self) -> str:
        (row,) = self.ssh.rows("lsrcrelationship")
        return row["state"]

    def untie_and_grow(self) -> None:
        self.do("rmrcrelationship 0")
        for name in FUNCTIONS:
            self.do(f"expandvdisksize -size 1 -unit gb {{{name}}}")

    def tie(self, *, sync: bool) -> None:
        how = "-sync -activeactive" if sync else "-activeactive"
        self.do(f"mkrcrelationship -master {{master}} -aux {{aux}} -cluster mcs1 {how}")
        self.do("addvdiskaccess -iogrp io_grp1 {master}")
        self.do("chrcrelationship -masterchange {master_change} 0")
        self.do("chrcrelationship -auxchange {aux_change} 0")

    def picture(self) -> list[list[dict[str, str]]]:
        """Everything that the array shows of it, but sizes."""
        queries = ("lsvdisk -bytes", "lsrcrelationship", "lslcmap", "lsvdiskhostmap aa")
        kept = [self.ssh.rows(query) for query in queries]
        return [[{k: v for k, v in row.items() if k != "capacity"} for row in rows] for rows in kept]


@pytest.fixture
def pair(start: Callable[..., Simulator], connect: Callable[..., Client]) -> Pair:
    array = start(topology=Topology())
    return Pair(array, connect(array))


def test_the_nine_steps_end_in_the_original_picture_with_the_new_size(pair: Pair) -> None:
    before = pair.picture()
    pair.untie_and_grow()
    pair.tie(sync=True)
    assert pair.picture() == before
    assert {row["capacity"] for row in pair.ssh.rows("lsvdisk -bytes")} == {str(2 * GIB)}
    assert pair.compare()["equal"]


def test_without_its_relationship_a_volume_is_four_plain_vdisks(pair: Pair) -> None:
    assert [row["IO_group_id"] for row in pair.ssh.rows("lsvdiskhostmap aa")] == ["0", "1"]
    pair.do("rmrcrelationship 0")
    rows = pair.ssh.rows("lsvdisk")
    assert [row["function"] for row in rows] == [""] * 4
    assert [row["volume_name"] for row in rows] == [row["name"] for row in rows]
    assert {(row["RC_id"], row["RC_change"], row["lc_map_count"]) for row in rows} == {("", "no", "0")}
    assert pair.ssh.rows("lsrcrelationship") == pair.ssh.rows("lslcmap") == []
    assert [row["IO_group_id"] for row in pair.ssh.rows("lsvdiskhostmap aa")] == ["0"]


def test_a_write_while_synchronised_is_on_both_sites(pair: Pair) -> None:
    pair.write("second")
    assert pair.compare() == {"equal": True, "contents": ["firstsecond"] * 2}


def test_a_wrong_sync_is_seen_as_different_data_for_ever(pair: Pair) -> None:
    pair.untie_and_grow()
    pair.write("meanwhile")
    pair.tie(sync=True)
    assert pair.state() == "consistent_synchronized"
    pair.write("after")
    assert pair.compare() == {"equal": False, "contents": ["firstmeanwhileafter", "firstafter"]}


def test_without_sync_the_master_is_copied_in_the_background(pair: Pair) -> None:
    pair.array.control.do("dialect", copy_seconds=3600)
    pair.untie_and_grow()
    pair.write("meanwhile")
    pair.tie(sync=False)
    assert pair.state() == "inconsistent_copying"
    (row,) = pair.ssh.rows("lsrcrelationship")
    assert (row["progress"], row["sync"]) == ("0", "out_of_sync")
    assert not pair.compare()["equal"]
    pair.array.control.do("copied", volume="aa")
    assert pair.state() == "consistent_synchronized"
    assert pair.compare() == {"equal": True, "contents": ["firstmeanwhile"] * 2}


def test_a_copy_ends_by_itself_and_that_outlives_a_restart(
    pair: Pair, start: Callable[..., Simulator], connect: Callable[..., Client]
) -> None:
    pair.untie_and_grow()
    pair.write("meanwhile")
    pair.tie(sync=False)
    assert pair.state() == "consistent_synchronized"
    pair.array.stop()
    again = start()
    assert again.control.do("compare", volume="aa", other=pair.names["aux"])["equal"]
    assert connect(again).rows("lsrcrelationship")[0]["state"] == "consistent_synchronized"


def test_firmware_that_waits_for_the_order_copies_when_told(pair: Pair) -> None:
    pair.array.control.do("dialect", rc_start="command")
    pair.untie_and_grow()
    pair.write("meanwhile")
    pair.tie(sync=False)
    assert pair.state() == "inconsistent_stopped"
    pair.do("startrcrelationship -primary master 0")
    assert pair.state() == "consistent_synchronized"
    assert pair.compare()["equal"]
    assert pair.refused("startrcrelationship 0") == "CMMVC5982E"


def test_a_broken_link_leaves_writes_on_one_site(pair: Pair) -> None:
    pair.array.control.do("replication", volume="aa", state="consistent_stopped")
    pair.write("alone")
    assert pair.compare()["contents"] == ["firstalone", "first"]
    pair.array.control.do("replication", volume="aa", state="consistent_copying")
    assert pair.compare()["equal"]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("rmrcrelationship 7", "CMMVC5753E"),
        ("mkrcrelationship -master aa -aux nix -cluster mcs1 -activeactive", "CMMVC5754E"),
        ("mkrcrelationship -master aa -aux {aux} -cluster nix -activeactive", "CMMVC5754E"),
        ("mkrcrelationship -master aa -aux {aux} -cluster mcs1 -activeactive", "CMMVC5959E"),
        ("mkrcrelationship -master aa -aux {aux} -activeactive", "CMMVC5707E"),
        ("mkrcrelationship -master aa -aux {aux} -cluster mcs1", "CMMVC7205E"),
        ("chrcrelationship -masterchange {master_change} 0", "CMMVC5753E"),
        ("chrcrelationship -masterchange nix 0", "CMMVC5753E"),
        ("chrcrelationship -masterchange a -auxchange b 0", "CMMVC5713E"),
        ("addvdiskaccess -iogrp io_grp3 aa", "CMMVC5729E"),
        ("addvdiskaccess -iogrp io_grp1 nix", "CMMVC5753E"),
    ],
)
def test_a_step_that_cannot_be_is_refused(pair: Pair, line: str, code: str) -> None:
    before = pair.picture()
    assert pair.refused(line) == code
    assert pair.picture() == before


def test_vdisks_of_different_sizes_are_not_tied(pair: Pair) -> None:
    pair.do("rmrcrelationship 0")
    pair.do("expandvdisksize -size 1 -unit gb {master}")
    tie = "mkrcrelationship -master {master} -aux {aux} -cluster mcs1 -sync -activeactive"
    assert pair.refused(tie) == "CMMVC5924E"
    pair.do("expandvdisksize -size 1 -unit gb {aux}")
    pair.do(tie)
    assert pair.refused("chrcrelationship -masterchange {master_change} 0") == "CMMVC5924E"


def test_a_host_writes_to_no_secondary(pair: Pair) -> None:
    for name in ("aux", "aux_change"):
        with pytest.raises(ControlError, match="no host writes"):
            pair.array.control.do("write", volume=pair.names[name], data="x")
