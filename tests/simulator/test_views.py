"""Answers look as the family prints them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulator.conftest import IQN, Client

if TYPE_CHECKING:
    from simulator.array import Simulator


@pytest.fixture
def one(ssh: Client) -> Client:
    """A client of an array with two volumes, one mapped to a host."""
    for name in ("alpha", '"beta one"'):
        ssh.good(f"mcsop mkvdisk -name {name} -size 1 -unit gb -mdiskgrp Pool0 -iogrp 0")
    ssh.good(f"mcsop mkhost -force -iscsiname {IQN} -name h")
    ssh.good("mcsop mkvdiskhostmap -host h alpha")
    return ssh


def test_a_list_without_rows_prints_nothing(array: Simulator, ssh: Client) -> None:
    assert ssh.good("mcsinq lsvdisk -delim !").stdout == ""
    array.control.do("dialect", empty_header=True)
    assert ssh.good("mcsinq lshost -delim !").stdout.startswith("id!name!port_count!")
    assert ssh.good("mcsinq lshost -delim ! -nohdr").stdout == ""


def test_columns_are_padded_without_a_delimiter(one: Client) -> None:
    header, first, second = one.good("mcsinq lsvdisk").stdout.splitlines()
    column = header.index("IO_group_id")
    assert first[column] == second[column] == "0"
    assert first.split()[:2] == ["0", "alpha"]
    assert "1.00GB" in first


def test_bytes_are_printed_only_when_asked_for(one: Client) -> None:
    assert one.rows("lsvdisk -bytes")[0]["capacity"] == str(1 << 30)
    assert one.rows("lsvdisk")[0]["capacity"] == "1.00GB"


def test_without_header_only_values_are_left(one: Client) -> None:
    assert one.good("mcsinq lsvdisk -nohdr -delim !").stdout.startswith("0!alpha!0!io_grp0!")
    assert one.good("mcsinq lsvdisk -nohdr -delim ! alpha").stdout.startswith("0\nalpha\n0\nio_grp0\n")


def test_a_detail_view_has_a_section_for_each_copy(one: Client) -> None:
    volume, copy = one.good("mcsinq lsvdisk -delim ! alpha").sections()
    assert volume[0] == ("id", "0")
    assert copy[0] == ("copy_id", "0")
    assert {"status", "mdisk_grp_id", "type", "fast_write_state"} <= set(dict(volume)) & set(dict(copy))


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("name=alpha", ["alpha"]),
        ("name=al", []),
        ('"name=al*"', ["alpha"]),
        ('"name=*one"', ["beta one"]),
        ('"volume_name=beta one"', ["beta one"]),
        ("name=alpha:IO_group_id=0", ["alpha"]),
        ("name=alpha:IO_group_id=1", []),
    ],
)
def test_a_filter_keeps_what_matches(one: Client, expression: str, names: list[str]) -> None:
    rows = one.good(f"mcsinq lsvdisk -delim ! -filtervalue {expression}").rows()
    assert [row["name"] for row in rows] == names


def test_a_filter_is_ignored_when_an_object_is_named(one: Client) -> None:
    assert "alpha" in one.good("mcsinq lsvdisk -filtervalue name=nix alpha").stdout


def test_filters_are_listed_on_request(one: Client) -> None:
    assert "vdisk_UID\n" in one.good("mcsinq lsvdisk -filtervalue?").stdout


@pytest.mark.parametrize("word", ['"beta one"', "'beta one'", "beta\\ one", "1", '"1"'])
def test_an_object_is_found_by_id_or_by_name_however_quoted(one: Client, word: str) -> None:
    assert "name!beta one\n" in one.good(f"mcsinq lsvdisk -delim ! {word}").stdout


def test_commands_work_without_their_prefix_but_not_with_the_wrong_one(one: Client) -> None:
    assert one.good("lsvdisk -delim !").stdout == one.good("mcsinq lsvdisk -delim !").stdout
    for line in ("mcsop lsvdisk", "mcsinq mkvdisk", "lsnonsense", "mcsinq"):
        reply = one.run(line)
        assert "is not a recognized command" in reply.stderr
        assert reply.status != 0


def test_a_batch_answers_in_order_with_the_last_status(one: Client) -> None:
    reply = one.run("lshost -delim ! h;echo;lshost -delim ! nix")
    assert reply.stdout.endswith("state!offline\n\n")
    assert (reply.code, reply.status) == ("CMMVC5754E", 1)
    assert one.run("lshost nix; echo done").status == 0
    assert one.run("lshost nix && echo done").stdout == ""


def test_an_unquoted_name_lets_its_text_run_as_a_command(one: Client) -> None:
    one.run("mcsop mkvdisk -size 1 -unit gb -mdiskgrp Pool0 -iogrp 0 -name x; mcsop rmvdisk 'beta one'")
    assert [row["name"] for row in one.rows("lsvdisk")] == ["alpha", "x"]


def test_old_firmware_has_fewer_columns(array: Simulator, one: Client) -> None:
    array.control.do("dialect", columns="old")
    rows = one.rows("lsvdisk")
    assert len(rows[0]) == 19
    assert list(rows[0])[-1] == "RC_change"
    assert list(one.rows("lshost")[0]) == ["id", "name", "port_count", "iogrp_count", "status"]


def test_some_firmware_prints_a_heading_without_a_field(array: Simulator, one: Client) -> None:
    array.control.do("dialect", hostmap_quirk=True)
    header, row = one.good("mcsinq lsvdiskhostmap -delim ! alpha").stdout.splitlines()
    assert "host_cluster_name" in header.split("!")
    assert len(row.split("!")) == len(header.split("!")) - 1


def test_preferred_node_may_be_empty_or_missing(array: Simulator, one: Client) -> None:
    def values() -> list[str]:
        pairs = one.good("mcsinq lsvdisk -delim ! alpha").sections()[0]
        return [value for key, value in pairs if key == "preferred_node_id"]

    assert values() == ["1"]
    array.control.do("dialect", preferred_node="empty")
    assert values() == [""]
    array.control.do("dialect", preferred_node="missing")
    assert values() == []


def test_ports_are_configured_or_online_with_or_without_a_link(array: Simulator, ssh: Client) -> None:
    portals = [r for r in ssh.rows("lsportip") if r["IP_address"]]
    assert [(r["node_id"], r["IP_address"], r["state"]) for r in portals] == [
        ("1", "10.9.0.1", "configured"),
        ("2", "10.9.1.1", "configured"),
    ]
    assert len(ssh.rows("lsportip")) == 16
    array.control.do("dialect", portip_state="online", link_state=False, failover_address=True)
    rows = [r for r in ssh.rows("lsportip") if r["IP_address"]]
    assert {r["state"] for r in rows} == {"online"}
    assert "link_state" not in rows[0]
    assert [r["IP_address"] for r in rows if r["failover"] == "yes"] == ["10.9.1.1", "10.9.0.1"]


def test_nodes_io_groups_and_the_system_fit_together(ssh: Client) -> None:
    nodes = ssh.rows("lsnode")
    assert [node["iscsi_name"] for node in nodes][:2] == [
        "iqn.2004-12.com.inspur:mcs.lab.node1",
        "iqn.2004-12.com.inspur:mcs.lab.node2",
    ]
    groups = ssh.rows("lsiogrp")
    assert [group["node_count"] for group in groups] == ["2", "2", "0", "0", "0"]
    assert [group["site_name"] for group in groups] == ["site1", "site2", "", "", ""]
    (system,) = ssh.good("mcsinq lssystem -bytes -delim !").sections()
    assert dict(system)["name"] == "lab"
    assert dict(system)["total_mdisk_capacity"] == str(200 << 30)


@pytest.mark.parametrize(
    "name", ["lsnodecanister", "lsportfc", "lssite", "lslicense", "lsguicapabilities", "lsiscsiauth"]
)
def test_the_lesser_queries_answer(ssh: Client, name: str) -> None:
    assert "!" in ssh.good(f"mcsinq {name} -delim !").stdout
