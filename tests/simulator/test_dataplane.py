"""The engine and what exports the volumes stay in step, whatever fails.

LIO itself is tested in the lab (tests/lab/test_dataplane.py); here a shelf in memory stands in its place,
because it can be told to fail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulator.conftest import IQN, Client
from tests.simulator.shelf import CREATE, SECOND, Shelf, mapped, shelf

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.array import Simulator

__all__ = ["shelf"]


@pytest.fixture
def array(start: Callable[..., Simulator], shelf: Shelf) -> Simulator:
    return start(shelf)


def test_a_mapping_shows_the_volume_to_every_port_of_the_host(ssh: Client, shelf: Shelf) -> None:
    mapped(ssh)
    (uid,) = shelf.volumes
    assert shelf.luns == {(IQN, 0): uid, (SECOND, 0): uid}
    ssh.good(f"mcsop addhostport -force -iscsiname {IQN}-3 h")
    assert shelf.luns[f"{IQN}-3", 0] == uid
    ssh.good("mcsop rmvdiskhostmap -host h v")
    assert shelf.luns == {}
    assert shelf.volumes == {uid: 1 << 30}
    ssh.good("mcsop rmhost h;mcsop rmvdisk v")
    assert (shelf.initiators, shelf.volumes) == (set(), {})


def test_targets_are_those_that_the_array_names(ssh: Client, shelf: Shelf) -> None:
    names = {row["id"]: row["iscsi_name"] for row in ssh.rows("lsnode")}
    assert [(t.node, t.iqn, t.portal, t.optimized) for t in shelf.targets] == [
        (1, names["1"], "10.9.0.1:3260", True),
        (2, names["2"], "10.9.1.1:3260", False),
    ]


def test_a_volume_of_the_other_io_group_is_mapped_but_not_shown(ssh: Client, shelf: Shelf) -> None:
    ssh.good("mcsop mkvdisk -name v -size 1 -unit gb -mdiskgrp Pool1 -iogrp 1")
    ssh.good(f"mcsop mkhost -force -iscsiname {IQN} -name h;mcsop mkvdiskhostmap -host h v")
    assert [row["IO_group_id"] for row in ssh.rows("lsvdiskhostmap v")] == ["1"]
    assert shelf.luns == {}


@pytest.mark.parametrize(
    ("verb", "calls", "line"),
    [
        ("admit", 1, f"mcsop mkhost -force -iscsiname {IQN}-8,{IQN}-9 -name new"),
        ("map", 0, "mcsop mkvdiskhostmap -host h w"),
        ("map", 1, "mcsop mkvdiskhostmap -host h w"),
        ("unmap", 1, "mcsop rmvdiskhostmap -host h v"),
        ("delete", 0, "mcsop rmvdisk -force v"),
        ("map", 0, f"mcsop addhostport -force -iscsiname {IQN}-3 h"),
        ("sessions", 0, "mcsinq lshost h"),
    ],
)
def test_a_failing_data_plane_fails_the_command_and_nothing_has_changed(
    array: Simulator, ssh: Client, shelf: Shelf, verb: str, calls: int, line: str
) -> None:
    mapped(ssh)
    ssh.good(CREATE.replace("-name v", "-name w"))
    told = "lshost h;lshostvdiskmap;lsvdisk;lshost"
    before = ssh.good(told).stdout, shelf.luns.copy(), shelf.initiators.copy()
    shelf.failing[verb] = calls
    assert ssh.refusal(line) == "CMMVC5786E"
    assert (ssh.good(told).stdout, shelf.luns, shelf.initiators) == before
    assert array.control.do("counters")["events"] == {f"data plane: {verb} fails": 1}
    ssh.good(line)  # and once it works again, so does the command


def test_a_restart_makes_the_data_plane_equal_to_the_state(
    start: Callable[..., Simulator], connect: Callable[..., Client], shelf: Shelf
) -> None:
    first = start(shelf)
    mapped(connect(first))
    first.stop()
    wanted = shelf.inventory()
    shelf.initiators.add("iqn.stray")
    shelf.volumes["STRAY"] = 512
    shelf.luns["iqn.stray", 3] = "STRAY"
    shelf.luns[IQN, 7] = "STRAY"
    del shelf.luns[SECOND, 0]
    start(shelf)
    assert set(shelf.inventory().luns) == set(wanted.luns)
    assert (shelf.volumes, sorted(shelf.initiators)) == (wanted.volumes, wanted.initiators)


def test_a_wrong_lun_is_behind_the_mapping_until_it_is_cured(
    array: Simulator, ssh: Client, shelf: Shelf
) -> None:
    mapped(ssh)
    ssh.good(CREATE.replace("-name v", "-name w"))
    uids = [row["vdisk_UID"] for row in ssh.rows("lsvdisk")]
    array.control.do("map-wrong-lun", host="h", volume="v", instead="w")
    assert set(shelf.luns.values()) == {uids[1]}
    assert ssh.rows("lsvdiskhostmap v")[0]["vdisk_UID"] == uids[0]
    array.control.do("map-right-lun", host="h", volume="v")
    assert set(shelf.luns.values()) == {uids[0]}


def test_a_shrunk_volume_is_smaller_for_its_hosts(array: Simulator, ssh: Client, shelf: Shelf) -> None:
    mapped(ssh)
    array.control.do("shrink", volume="v", size=1 << 20)
    assert list(shelf.volumes.values()) == [1 << 20]
