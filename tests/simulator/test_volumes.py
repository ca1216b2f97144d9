"""Volumes come and go by the array's commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulator.conftest import IQN, Client

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.array import Simulator

GIB = 1 << 30
THIN = "-rsize 20% -warning 80% -autoexpand -grainsize 256 -intier off"
ALL_FIVE = "-removehostmappings -removercrelationships -removelcmaps -discardimage -cancelbackup"
# What a real MCS array printed (fact base 4.6), with the fields that are this array's own in braces.
CAPTURED = (
    "{id}!{name}!0!io_grp0!online!0!Pool0!1073741824!striped!!!!!{uid}!0!1!empty!0!no!0!0!Pool0!no!no!{id}!{name}"
    "!!off!off!"
)
COLUMNS = (
    "id name IO_group_id IO_group_name status mdisk_grp_id mdisk_grp_name capacity type LC_id LC_name RC_id"
    " RC_name vdisk_UID lc_map_count copy_count fast_write_state se_copy_count RC_change"
    " compressed_copy_count parent_mdisk_grp_id parent_mdisk_grp_name formatting encrypt volume_id"
    " volume_name function ica ica_bypass ica_pid"
)


def _free(ssh: Client, pool: str) -> int:
    reply = ssh.good(f"mcsinq lsmdiskgrp -bytes -delim ! -filtervalue name={pool}")
    return int(reply.rows()[0]["free_capacity"])


def test_a_row_of_lsvdisk_is_what_a_real_array_printed(ssh: Client) -> None:
    for number in range(9):
        ssh.good(f"mcsop mkvdisk -name test-v{number} -size 1 -unit gb -mdiskgrp Pool0 -iogrp 0 -intier on")
    header, *rows = ssh.good("mcsinq lsvdisk -bytes -delim !").stdout.splitlines()
    uid = ssh.rows("lsvdisk -filtervalue name=test-v8")[0]["vdisk_UID"]
    assert header == COLUMNS.replace(" ", "!")
    assert rows[8] == CAPTURED.format(id=8, name="test-v8", uid=uid)
    assert uid.startswith("6005076")
    assert len(uid) == 32
    assert uid == uid.upper()


def test_a_thick_volume_takes_its_whole_size_from_the_pool(ssh: Client) -> None:
    before = _free(ssh, "Pool0")
    reply = ssh.good("mcsop mkvdisk -name v -size 3 -unit gb -mdiskgrp Pool0 -iogrp io_grp0 -intier off")
    assert reply.stdout == "Virtual Disk, id [0], successfully created\n"
    assert before - _free(ssh, "Pool0") == 3 * GIB
    assert ssh.good("mcsop rmvdisk v").stdout == ""
    assert _free(ssh, "Pool0") == before


def test_a_thin_volume_takes_what_it_holds(array: Simulator, ssh: Client) -> None:
    before = _free(ssh, "Pool0")
    ssh.good(f"mcsop mkvdisk -name v -size 10 -unit gb -mdiskgrp Pool0 -iogrp 0 {THIN}")
    assert before - _free(ssh, "Pool0") == 2 * GIB
    array.control.do("used", volume="v", bytes=5 * GIB)
    assert before - _free(ssh, "Pool0") == 7 * GIB
    volume, copy = ssh.good("mcsinq lsvdisk -bytes -delim ! v").sections()
    assert dict(volume)["se_copy_count"] == "1"
    assert dict(copy)["used_capacity"] == str(5 * GIB)
    assert dict(copy)["grainsize"] == "256"
    assert dict(copy)["autoexpand"] == "on"


def test_a_compressed_volume_says_so(ssh: Client) -> None:
    ssh.good("mcsop mkvdisk -name v -size 10 -unit gb -mdiskgrp 0 -iogrp 0 -rsize 2% -autoexpand -compressed")
    assert ssh.rows("lsvdisk")[0]["compressed_copy_count"] == "1"
    assert ssh.rows("lsvdiskcopy v")[0]["compressed_copy"] == "yes"


def test_a_mirror_lies_in_two_pools_and_its_row_says_many(ssh: Client) -> None:
    before = _free(ssh, "Pool0"), _free(ssh, "Pool1")
    ssh.good("mcsop mkvdisk -name m -size 1 -unit gb -copies 2 -mdiskgrp Pool0:Pool1 -accessiogrp 0 -iogrp 0")
    (row,) = ssh.rows("lsvdisk")
    assert (row["mdisk_grp_name"], row["type"], row["copy_count"]) == ("many", "many", "2")
    assert len(ssh.good("mcsinq lsvdisk -delim ! m").sections()) == 3
    assert before == (_free(ssh, "Pool0") + GIB, _free(ssh, "Pool1") + GIB)
    assert [r["progress"] for r in ssh.rows("lsvdisksyncprogress m")] == ["100", "100"]


def test_an_active_active_volume_is_four_vdisks_under_one_name(ssh: Client) -> None:
    ssh.good(
        "mcsop mkvolume -name aa -size 2 -unit gb -pool Pool0:Pool1 -iogrp 0:1 -buffersize 20% -warning 80%"
        " -thin -grainsize 256"
    )
    rows = ssh.rows("lsvdisk -bytes -filtervalue volume_name=aa")
    assert [row["function"] for row in rows] == ["master", "aux", "master_change", "aux_change"]
    assert {row["volume_id"] for row in rows} == {rows[0]["id"]}
    assert {row["lc_map_count"] for row in rows} == {"2"}
    assert [row["RC_change"] for row in rows] == ["no", "no", "yes", "yes"]
    assert len({row["vdisk_UID"] for row in rows}) == 4
    (relationship,) = ssh.rows("lsrcrelationship")
    assert relationship["id"] == rows[0]["id"]
    assert relationship["copy_type"] == "activeactive"
    assert [row["rc_controlled"] for row in ssh.rows("lslcmap")] == ["yes"] * 4
    assert len(ssh.rows("lslcmap -filtervalue source_vdisk_name=aa")) == 1


def test_an_active_active_volume_goes_as_a_whole(ssh: Client) -> None:
    before = _free(ssh, "Pool0"), _free(ssh, "Pool1")
    ssh.good(
        "mcsop mkvolume -name aa -size 2 -unit gb -pool Pool0:Pool1 -iogrp 0:1 -buffersize 2% -compressed"
    )
    assert ssh.refusal("mcsop rmvdisk -force aa") == "CMMVC5840E"
    ssh.good(f"mcsop mkhost -force -iscsiname {IQN} -name h -site 1")
    ssh.good("mcsop mkvdiskhostmap -host h aa")
    assert ssh.refusal("mcsop rmvolume aa") == "CMMVC5840E"
    assert ssh.good(f"mcsop rmvolume {ALL_FIVE} aa").stdout == ""
    assert ssh.rows("lsvdisk") == ssh.rows("lslcmap") == ssh.rows("lsrcrelationship") == []
    assert (_free(ssh, "Pool0"), _free(ssh, "Pool1")) == before


def test_a_uid_is_never_given_twice_though_ids_are(ssh: Client) -> None:
    uids = []
    for _ in range(3):
        ssh.good("mcsop mkvdisk -name v -size 1 -unit gb -mdiskgrp Pool0 -iogrp 0")
        (row,) = ssh.rows("lsvdisk")
        assert row["id"] == "0"
        uids.append(row["vdisk_UID"])
        ssh.good("mcsop rmvdisk v")
    assert len(set(uids)) == 3


def test_a_pool_gives_no_more_than_it_has(ssh: Client) -> None:
    assert ssh.refusal("mcsop mkvdisk -name v -size 101 -unit gb -mdiskgrp Pool0 -iogrp 0") == "CMMVC8710E"
    ssh.good("mcsop mkvdisk -name v -size 100 -unit gb -mdiskgrp Pool0 -iogrp 0")
    assert ssh.refusal("mcsop mkvdisk -name w -size 512 -unit b -mdiskgrp Pool0 -iogrp 0") == "CMMVC8710E"
    assert [row["name"] for row in ssh.rows("lsvdisk")] == ["v"]


BASE = "mcsop mkvdisk -size 1 -unit gb -mdiskgrp Pool0 -iogrp 0"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("mcsop mkvdisk -name w -unit gb -mdiskgrp Pool0", "CMMVC5707E"),
        ("mcsop mkvdisk -name w -size 1 -unit gb", "CMMVC5707E"),
        (f"{BASE} -name taken", "CMMVC6035E"),
        (f"{BASE} -name 1abc", "CMMVC6527E"),
        (f"{BASE} -name 'a/b'", "CMMVC6527E"),
        (f"{BASE} -name 'ends '", "CMMVC6527E"),
        (f"{BASE} -name {'x' * 64}", "CMMVC5738E"),
        (f"{BASE} -name größe", "CMMVC6017E"),
        (f"{BASE} -name w -colour red", "CMMVC5709E"),
        (f"{BASE} -name w extra", "CMMVC5709E"),
        (f"{BASE} -name w -compressed", "CMMVC5707E"),
        (f"{BASE} -name w -rsize 2% -compressed -grainsize 32", "CMMVC5713E"),
        (f"{BASE} -name w -rsize 2% -grainsize 33", "CMMVC5711E"),
        (f"{BASE} -name w -copies 2", "CMMVC5711E"),
        ("mcsop mkvdisk -name w -size 0 -unit gb -mdiskgrp Pool0", "CMMVC5711E"),
        ("mcsop mkvdisk -name w -size 513 -unit b -mdiskgrp Pool0", "CMMVC5711E"),
        ("mcsop mkvdisk -name w -size 1 -unit gb -mdiskgrp Nix", "CMMVC5754E"),
        ("mcsop mkvdisk -name w -size 1 -unit gb -mdiskgrp Pool0 -iogrp 2", "CMMVC5729E"),
        ("mcsop mkvolume -name w -size 1 -unit gb -pool Pool0:Pool1 -iogrp 1:0", "CMMVC5711E"),
        ("mcsop mkvolume -name w -size 1 -unit gb -pool Pool0:Pool1 -thin -compressed", "CMMVC5713E"),
        ("mcsop rmvdisk nix", "CMMVC5753E"),
        ("mcsop rmvdisk", "CMMVC5701E"),
        ("mcsop rmvolume nix", "CMMVC5753E"),
        ("mcsinq lsvdisk nix", "CMMVC5754E"),
        ("mcsinq lsmdiskgrp nix", "CMMVC5754E"),
        ("mcsinq lsvdiskcopy nix", "CMMVC5804E"),
        ("mcsinq lsvdiskcopy", "CMMVC5804E"),
        ("mcsinq lsvdiskcopy -copy 1 taken", "CMMVC6353E"),
        ("mcsinq lsvdisk -filtervalue colour=red", "CMMVC5741E"),
    ],
)
def test_a_refusal_has_the_code_of_its_cause_and_changes_nothing(ssh: Client, line: str, code: str) -> None:
    ssh.good(f"{BASE} -name taken")
    assert ssh.refusal(line) == code
    assert [row["name"] for row in ssh.rows("lsvdisk")] == ["taken"]


def test_a_name_of_63_characters_is_allowed(ssh: Client) -> None:
    ssh.good(f"{BASE} -name {'x' * 63}")


def test_a_new_thick_volume_formats_for_a_while(
    start: Callable[..., Simulator], connect: Callable[..., Client]
) -> None:
    array = start()
    array.control.do("dialect", format_seconds=3600)
    ssh = connect(array)
    ssh.good(f"{BASE} -name thick")
    ssh.good(f"{BASE} -name unformatted -nofmtdisk")
    ssh.good(f"{BASE} -name thin -rsize 2%")
    assert [row["formatting"] for row in ssh.rows("lsvdisk")] == ["yes", "no", "no"]
