"""Hosts, their ports, and volumes mapped to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulator.conftest import IQN, Client

if TYPE_CHECKING:
    from simulator.array import Simulator

WWPN = "21000024FF3A0001"


def _volumes(ssh: Client, *names: str) -> None:
    for name in names:
        ssh.good(f"mcsop mkvdisk -name {name} -size 1 -unit gb -mdiskgrp Pool0 -iogrp 0")


def test_a_host_shows_each_port_with_its_own_keys(ssh: Client) -> None:
    assert (
        ssh.good(f"mcsop mkhost -force -iscsiname {IQN} -name h").stdout
        == "Host, id [0], successfully created\n"
    )
    ssh.good(f"mcsop addhostport -force -iscsiname {IQN}-2 h")
    ssh.good(f"mcsop addhostport -force -hbawwpn {WWPN.lower()} h")
    (pairs,) = ssh.good("mcsinq lshost -delim ! h").sections()
    assert [value for key, value in pairs if key == "iscsi_name"] == [IQN, f"{IQN}-2"]
    assert [value for key, value in pairs if key == "WWPN"] == [WWPN]
    assert [key for key, _ in pairs].count("node_logged_in_count") == 3
    assert dict(pairs)["port_count"] == "3"


def test_a_host_counts_logins_only_while_they_last(array: Simulator, ssh: Client) -> None:
    ssh.good(f"mcsop mkhost -force -iscsiname {IQN} -name h")

    def word() -> tuple[str, str, str]:
        pairs = dict(ssh.good("mcsinq lshost -delim ! h").sections()[0])
        return pairs["status"], pairs["node_logged_in_count"], pairs["state"]

    assert word() == ("offline", "0", "offline")
    array.control.do("logins", port=IQN, nodes=[1, 2])
    assert word() == ("online", "2", "inactive")
    _volumes(ssh, "v")
    ssh.good("mcsop mkvdiskhostmap -host h v")
    assert word() == ("online", "2", "active")
    array.control.do("portal", node=1, up=False)
    assert word() == ("degraded", "1", "active")
    assert [r["link_state"] for r in ssh.rows("lsportip") if r["IP_address"]] == ["inactive", "active"]


def test_a_logged_in_fibre_channel_port_is_seen_before_it_has_a_host(array: Simulator, ssh: Client) -> None:
    array.control.do("logins", port=WWPN, nodes=[1, 2])
    assert [r["name"] for r in ssh.rows(f"lsfabric -wwpn {WWPN}")] == ["", ""]
    ssh.good(f"mcsop mkhost -hbawwpn {WWPN} -name h -site site1")
    assert [r["node_name"] for r in ssh.rows("lsfabric -host h")] == ["node1", "node2"]
    assert ssh.rows("lsfabric -wwpn 2100002400000000") == []
    assert ssh.rows("lshost")[0]["site_name"] == "site1"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (f"mcsop mkhost -force -iscsiname {IQN}-2 -name h", "CMMVC6035E"),
        (f"mcsop mkhost -force -iscsiname {IQN} -name other", "CMMVC6578E"),
        ("mcsop mkhost -force -iscsiname nonsense -name other", "CMMVC6578E"),
        ("mcsop mkhost -force -hbawwpn 123 -name other", "CMMVC5867E"),
        ("mcsop mkhost -force -name other", "CMMVC5707E"),
        (f"mcsop mkhost -force -iscsiname {IQN}-2 -name 'bad/name'", "CMMVC6527E"),
        (f"mcsop addhostport -force -iscsiname {IQN} h", "CMMVC6578E"),
        (f"mcsop addhostport -force -iscsiname {IQN}-2 nix", "CMMVC5753E"),
        ("mcsop addhostport -force h", "CMMVC5707E"),
        ("mcsop rmhost nix", "CMMVC5753E"),
        ("mcsop rmhost h", "CMMVC5871E"),
        ("mcsinq lshost nix", "CMMVC5754E"),
        ("mcsinq lsfabric -host nix", "CMMVC5754E"),
        ("mcsop mkvdiskhostmap -host h nix", "CMMVC5753E"),
        ("mcsop mkvdiskhostmap -host nix v", "CMMVC5754E"),
        ("mcsop mkvdiskhostmap v", "CMMVC5707E"),
        ("mcsop mkvdiskhostmap -host h v", "CMMVC5878E"),
        ("mcsop mkvdiskhostmap -force -host h v", "CMMVC5878E"),
        ("mcsop mkvdiskhostmap -host h -scsi 0 w", "CMMVC5879E"),
        ("mcsop mkvdiskhostmap -host h -scsi 9999 w", "CMMVC5844E"),
        ("mcsop rmvdiskhostmap -host h w", "CMMVC5842E"),
        ("mcsop rmvdiskhostmap -host h nix", "CMMVC5753E"),
        ("mcsop rmvdiskhostmap -host nix v", "CMMVC5754E"),
        ("mcsinq lsvdiskhostmap nix", "CMMVC5754E"),
        ("mcsinq lshostvdiskmap nix", "CMMVC5754E"),
        ("mcsop rmvdisk v", "CMMVC5840E"),
    ],
)
def test_a_refusal_has_the_code_of_its_cause_and_changes_nothing(ssh: Client, line: str, code: str) -> None:
    _volumes(ssh, "v", "w")
    ssh.good(f"mcsop mkhost -force -iscsiname {IQN} -name h")
    ssh.good("mcsop mkvdiskhostmap -host h v")
    before = ssh.good("mcsinq lshost h;mcsinq lshost;mcsinq lshostvdiskmap h;mcsinq lsvdisk").stdout
    assert ssh.refusal(line) == code
    assert ssh.good("mcsinq lshost h;mcsinq lshost;mcsinq lshostvdiskmap h;mcsinq lsvdisk").stdout == before


def test_a_second_host_needs_force(ssh: Client) -> None:
    _volumes(ssh, "v")
    for number in (1, 2):
        ssh.good(f"mcsop mkhost -force -iscsiname {IQN}-{number} -name h{number}")
    ssh.good("mcsop mkvdiskhostmap -host h1 v")
    assert ssh.refusal("mcsop mkvdiskhostmap -host h2 v") == "CMMVC6071E"
    ssh.good("mcsop mkvdiskhostmap -force -host h2 v")
    assert [r["host_name"] for r in ssh.rows("lsvdiskhostmap v")] == ["h1", "h2"]


def test_a_freed_lun_number_is_given_again_at_once(ssh: Client) -> None:
    assert _numbers(ssh) == ["0", "1", "2", "1"]


def test_a_freed_lun_number_rests_when_told(array: Simulator, ssh: Client) -> None:
    array.control.do("dialect", lun_reuse="rest")
    assert _numbers(ssh) == ["0", "1", "2", "3"]


def _numbers(ssh: Client) -> list[str]:
    _volumes(ssh, "a", "b", "c", "d")
    ssh.good(f"mcsop mkhost -force -iscsiname {IQN} -name h")
    replies = [ssh.good(f"mcsop mkvdiskhostmap -host h {name}") for name in "abc"]
    ssh.good("mcsop rmvdiskhostmap -host h b")
    replies.append(ssh.good("mcsop mkvdiskhostmap -host h d"))
    return [reply.stdout.split("[")[1].split("]")[0] for reply in replies]


def test_an_active_active_mapping_has_a_row_for_each_io_group(ssh: Client) -> None:
    ssh.good("mcsop mkvolume -name aa -size 1 -unit gb -pool Pool0:Pool1 -iogrp 0:1")
    ssh.good(f"mcsop mkhost -force -iscsiname {IQN} -name h -site site2")
    ssh.good("mcsop mkvdiskhostmap -host h aa")
    assert [r["IO_group_name"] for r in ssh.rows("lsvdiskhostmap aa")] == ["io_grp0", "io_grp1"]
    ssh.good("mcsop rmvdiskhostmap -host h aa")
    assert ssh.rows("lsvdiskhostmap aa") == ssh.rows("lshostvdiskmap h") == []
    ssh.good("mcsop rmhost h")
    assert ssh.rows("lshost") == []
