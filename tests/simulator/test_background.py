"""What goes on in the background: mirrors, migrations and LocalCopy maps take their time, and it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulator.conftest import IQN

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.array import Simulator
    from tests.simulator.conftest import Client

GIB = 1 << 30
BASE = "mcsop mkvdisk -size 1 -unit gb -iogrp 0 -mdiskgrp Pool0 -name"


@pytest.fixture
def slow(array: Simulator, ssh: Client) -> Client:
    """An array with volume v on which an hour's work has just begun wherever some is."""
    array.control.do("dialect", copy_seconds=3600)
    ssh.good(f"{BASE} v")
    return ssh


def _free(ssh: Client, pool: str) -> int:
    return int(ssh.rows(f"lsmdiskgrp -bytes -filtervalue name={pool}")[0]["free_capacity"])


def _migrations(ssh: Client) -> list[dict[str, str]]:
    return [dict(section) for section in ssh.good("mcsinq lsmigrate -delim !").sections() if section]


def test_a_migration_takes_space_in_both_pools_until_it_ends(
    array: Simulator, slow: Client, start: Callable[..., Simulator], connect: Callable[..., Client]
) -> None:
    before = _free(slow, "Pool0"), _free(slow, "Pool1")
    slow.good("mcsop migratevdisk -mdiskgrp Pool1 -vdisk v")
    assert (_free(slow, "Pool0"), _free(slow, "Pool1")) == (before[0], before[1] - GIB)
    (under_way,) = _migrations(slow)
    assert under_way["migrate_type"] == "MDisk_Group_Migration"
    assert (under_way["migrate_source_vdisk_index"], under_way["migrate_target_mdisk_grp"]) == ("0", "1")
    assert 0 <= int(under_way["progress"]) < 100
    assert slow.rows("lsvdisk")[0]["mdisk_grp_name"] == "Pool0"
    assert slow.refusal("mcsop migratevdisk -mdiskgrp Pool1 -vdisk v") == "CMMVC5849E"
    array.stop()
    again = connect(start())  # a restart does not lose it
    assert len(_migrations(again)) == 1


def test_a_migration_that_is_over_leaves_nothing_in_the_old_pool(array: Simulator, ssh: Client) -> None:
    before = _free(ssh, "Pool0")
    ssh.good(f"{BASE} v")
    ssh.good("mcsop migratevdisk -mdiskgrp Pool1 -vdisk v")
    assert _migrations(ssh) == []
    assert _free(ssh, "Pool0") == before
    assert ssh.rows("lsvdisk")[0]["mdisk_grp_name"] == "Pool1"


def test_a_migration_needs_space_and_an_online_volume(
    start: Callable[..., Simulator], connect: Callable[..., Client]
) -> None:
    array = start(pools="Pool0:9GiB,Pool1:1GiB")
    ssh = connect(array)
    ssh.good(f"{BASE} v")
    ssh.good(f"{BASE} w")
    ssh.good("mcsop migratevdisk -mdiskgrp Pool1 -vdisk w")
    assert ssh.refusal("mcsop migratevdisk -mdiskgrp Pool1 -vdisk v") == "CMMVC5860E"
    ssh.good("mcsop rmvdisk w")
    array.control.do("vdisk-status", volume="v", status="offline")
    assert ssh.refusal("mcsop migratevdisk -mdiskgrp Pool1 -vdisk v") == "CMMVC5782E"


def test_a_new_copy_is_of_no_use_before_it_is_synchronised(slow: Client) -> None:
    slow.good("mcsop addvdiskcopy -mdiskgrp Pool1 v")
    (row,) = slow.rows("lsvdisksyncprogress")
    assert (row["copy_id"], int(row["progress"]) < 100, len(row["estimated_completion_time"])) == (
        "1",
        True,
        12,
    )
    assert slow.rows("lsvdisksyncprogress v")[0]["progress"] == "100"
    assert [row["sync"] for row in slow.rows("lsvdiskcopy v")] == ["yes", "no"]
    assert slow.refusal("mcsop splitvdiskcopy -copy 1 v") == "CMMVC6357E"
    assert slow.refusal("mcsop splitvdiskcopy -force -copy 0 v") == "CMMVC6357E"
    assert slow.refusal("mcsop rmvdiskcopy -copy 0 v") == "CMMVC6357E"
    assert slow.refusal("mcsop expandvdisksize -size 1 -unit gb v") == "CMMVC6357E"
    slow.good("mcsop rmvdiskcopy -copy 1 v")
    assert slow.rows("lsvdisksyncprogress") == []
    slow.good("mcsop expandvdisksize -size 1 -unit gb v")


def test_the_last_copy_goes_by_force_and_the_volume_with_it(ssh: Client) -> None:
    ssh.good(f"{BASE} v")
    ssh.good("mcsop rmvdiskcopy -force -copy 0 v")
    assert ssh.rows("lsvdisk") == []


def test_a_volume_without_a_mirror_counts_as_one_whole_copy(ssh: Client) -> None:
    ssh.good(f"{BASE} v")
    assert [row["progress"] for row in ssh.rows("lsvdisksyncprogress v")] == ["100"]
    assert ssh.rows("lsvdisksyncprogress") == []


def test_a_split_off_copy_is_a_volume_of_its_own_that_nobody_sees(array: Simulator, ssh: Client) -> None:
    ssh.good(f"{BASE} v")
    array.control.do("write", volume="v", data="a")
    ssh.good(f"mcsop mkhost -force -iscsiname {IQN} -name h")
    ssh.good("mcsop mkvdiskhostmap -host h v")
    ssh.good("mcsop addvdiskcopy -mdiskgrp Pool1 v")
    ssh.good("mcsop splitvdiskcopy -copy 1 -name half v")
    array.control.do("write", volume="v", data="b")
    v, half = array.control.do("volumes")
    assert v["uid"] != half["uid"]
    assert half["maps"] == []
    assert array.control.do("compare", volume="v", other="half")["contents"] == ["ab", "a"]


def test_a_clone_is_copied_in_the_background_and_holds_what_the_source_held(
    array: Simulator, slow: Client
) -> None:
    slow.good(f"{BASE} c")
    array.control.do("write", volume="v", data="a")
    slow.good("mcsop mklcmap -copyrate 50 -source v -target c")
    slow.good("mcsop startlcmap -prep 0")
    array.control.do("write", volume="v", data="b")
    (row,) = slow.rows("lslcmap")
    assert (row["status"], int(row["progress"]) < 100, len(row["start_time"])) == ("copying", True, 12)
    assert array.control.do("compare", volume="v", other="c")["contents"] == ["ab", "a"]
    array.control.do("dialect", copy_seconds=0)
    slow.good("mcsop chlcmap -copyrate 100 0")
    assert slow.rows("lslcmap")[0]["status"] == "idle_or_copied"


def test_maps_of_a_relationship_are_nobodys_to_change(ssh: Client) -> None:
    ssh.good("mcsop mkvolume -name aa -size 1 -unit gb -pool Pool0:Pool1 -iogrp 0:1")
    change = next(row["name"] for row in ssh.rows("lsvdisk") if row["function"] == "master_change")
    for line in ("stoplcmap 0", "rmlcmap -force 0", f"mklcmap -source {change} -target aa"):
        assert ssh.refusal(f"mcsop {line}") == "CMMVC5753E"
    assert ssh.refusal("mcsop movevdisk -iogrp 1 aa") == "CMMVC5838E"
    assert ssh.refusal("mcsop migratevdisk -mdiskgrp Pool1 -vdisk aa") == "CMMVC5753E"
    assert ssh.refusal("mcsop addvdiskcopy -mdiskgrp Pool1 aa") == "CMMVC5753E"
