"""Host objects that change their name, site or addresses, and what an array asks of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simulator.model.topology import Topology
from tests.simulator.conftest import IQN, Client

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.array import Simulator

AA = "mcsop mkvolume -name aa -size 1 -unit gb -pool Pool0:Pool1 -iogrp 0:1"


@pytest.fixture
def host(ssh: Client) -> Client:
    ssh.good(f"mcsop mkhost -force -iscsiname {IQN} -name h")
    return ssh


def test_a_renamed_host_keeps_its_number_ports_and_mappings(host: Client) -> None:
    host.good("mcsop mkvdisk -name v -size 1 -unit gb -mdiskgrp Pool0 -iogrp 0")
    host.good("mcsop mkvdiskhostmap -host h v")
    host.good("mcsop chhost -name esx-A h")
    (row,) = host.rows("lsvdiskhostmap v")
    assert (row["host_id"], row["host_name"]) == ("0", "esx-A")
    assert host.refusal("mcsinq lshost h") == "CMMVC5754E"
    host.good("mcsop rmvdiskhostmap -host esx-A v")


def test_an_active_active_volume_is_mapped_to_no_host_without_a_site(host: Client) -> None:
    host.good(AA)
    assert host.refusal("mcsop mkvdiskhostmap -host h aa") == "CMMVC9999E"
    host.good("mcsop chhost -site site2 h")
    assert host.rows("lshost")[0]["site_name"] == "site2"
    host.good("mcsop mkvdiskhostmap -host h aa")


@pytest.mark.parametrize("dialect", [{"host_site": False}, {"columns": "old"}])
def test_a_firmware_that_wants_no_site_maps_it(
    array: Simulator, host: Client, dialect: dict[str, object]
) -> None:
    array.control.do("dialect", **dialect)
    host.good(AA)
    host.good("mcsop mkvdiskhostmap -host h aa")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("mcsop chhost -name x nix", "CMMVC5753E"),
        ("mcsop chhost h", "CMMVC5707E"),
        ("mcsop chhost -name other h", "CMMVC6035E"),
        ("mcsop chhost -name 'bad/name' h", "CMMVC6527E"),
        ("mcsop chhost -site nowhere h", "CMMVC5754E"),
        ("mcsop chhost -portset 9 h", "CMMVC5754E"),
        ("mcsop chhost -site site1 -nosite h", "CMMVC5713E"),
        ("mcsop chhost -site site2 other", "CMMVC9999E"),
    ],
)
def test_a_change_is_refused_as_a_whole(host: Client, line: str, code: str) -> None:
    host.good(f"mcsop mkhost -force -iscsiname {IQN}-2 -name other -site site1")
    before = host.good("mcsinq lshost").stdout
    assert host.refusal(line) == code
    assert host.good("mcsinq lshost").stdout == before


def test_capitals_and_underscores_of_an_iscsi_name_are_taken_and_folded(ssh: Client) -> None:
    ssh.good("mcsop mkhost -force -iscsiname iqn.2026-01.com.example:Node_A -name h")
    assert (
        ssh.refusal("mcsop mkhost -force -iscsiname iqn.2026-01.com.example:NODE_A -name i") == "CMMVC6578E"
    )
    (pairs,) = ssh.good("mcsinq lshost -delim ! h").sections()
    assert dict(pairs)["iscsi_name"] == "iqn.2026-01.com.example:node_a"


def test_addresses_are_where_the_firmware_has_them(
    start: Callable[..., Simulator], connect: Callable[..., Client]
) -> None:
    array = start(
        topology=Topology(portals={1: "10.9.0.1:3260"}, addresses_6={1: "fd00::1"}, portsets={1: 4})
    )
    ssh = connect(array)
    (row,) = [row for row in ssh.rows("lsportip") if row["IP_address"]]
    assert row["IP_address_6"] == "fd00::1"
    assert ssh.refusal("mcsinq lsip") == "CMMVC7205E"
    array.control.do("dialect", portsets=True)
    assert ssh.refusal("mcsinq lsportip") == "CMMVC7205E"
    shown = [(row["portset_id"], row["IP_address"]) for row in ssh.rows("lsip")]
    assert shown == [("4", "10.9.0.1"), ("4", "fd00::1"), ("1", "192.168.77.1")]
    assert {row["id"]: row["type"] for row in ssh.rows("lsportset")}["1"] == "replication"
    assert len(ssh.rows("lsportethernet")) == 8
