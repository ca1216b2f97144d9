"""FC ports, logins and what hosts may log in to, as administrators and the vendor's drivers ask for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simulator.model.topology import Topology
from tests.simulator.conftest import IQN, Client
from tests.simulator.shelf import CREATE, Shelf, shelf

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.array import Simulator

__all__ = ["shelf"]

WWPN = "21000024FF3A0001"


def names(ssh: Client, line: str, column: str = "WWPN") -> set[str]:
    return {row[column] for row in ssh.rows(line)}


def test_each_node_has_an_active_port_as_a_driver_looks_for_it_at_its_start(ssh: Client) -> None:
    for node in ssh.rows("lsnode"):
        ports = ssh.rows(f"lsportfc -filtervalue node_id={node['id']}")
        assert [(row["type"], row["status"]) for row in ports] == [
            ("fc", "active"), ("fc", "inactive_unconfigured"),
        ]  # fmt: skip
        shown = ssh.good(f"mcsinq lsnode -delim ! {node['id']}").sections()[0]
        assert [value for key, value in shown if key == "port_id"] == [row["WWPN"] for row in ports]
        assert [value for key, value in shown if key == "port_status"] == ["active", "inactive"]


@pytest.mark.parametrize("npiv", [True, False])
def test_hosts_log_in_to_the_ports_that_are_open_to_them(
    array: Simulator, ssh: Client, *, npiv: bool
) -> None:
    array.control.do("dialect", npiv=npiv)
    array.control.do("logins", port=WWPN.lower(), nodes=[1, 3])
    ssh.good(f"mcsop mkhost -force -hbawwpn {WWPN} -name h -site site1")
    rows = ssh.rows("lstargetportfc")
    open_ports = {
        row["WWPN"]
        for row in rows
        if row["host_io_permitted"] == "yes" and row["current_node_id"] in ("1", "3")
    }
    assert names(ssh, "lsfabric -host h", "local_wwpn") == open_ports
    assert {row["virtualized"] for row in rows if row["WWPN"] in open_ports} == {"yes" if npiv else "no"}
    assert bool(open_ports & names(ssh, "lsportfc")) is not npiv
    assert len(rows) == (16 if npiv else 8)


def test_the_fabric_knows_an_adapter_before_and_after_it_has_a_host_object(
    array: Simulator, ssh: Client
) -> None:
    array.control.do("logins", port=WWPN, nodes=[1, 2])
    assert names(ssh, f"lsfabric -wwpn {WWPN}", "name") == {""}
    ssh.good(f"mcsop mkhost -force -hbawwpn {WWPN} -name h")
    ssh.good("mcsop chhost -name esx-1 h")
    assert names(ssh, f"lsfabric -wwpn {WWPN}", "name") == {"esx-1"}


def test_without_a_cable_there_is_neither_port_nor_login(array: Simulator, ssh: Client) -> None:
    array.control.do("logins", port=WWPN, nodes=[1, 2])
    array.control.do("dialect", fc_links=False)
    assert names(ssh, "lsportfc", "status") == {"inactive_unconfigured"}
    assert names(ssh, "lstargetportfc", "current_node_id") == {""}
    assert ssh.rows("lsfabric") == []


REAL: dict[int, tuple[str, ...]] = {
    1: ("200002000000F101", "200002000000F102"),
    2: ("200002000000F201", "200002000000F202"),
}
ADAPTER = "200002000000A302"


@pytest.fixture
def fabric(start: Callable[..., Simulator], shelf: Shelf) -> Simulator:
    """An array whose data plane has FC ports: two each of nodes 1 and 2."""
    return start(shelf, topology=Topology(wwpns=REAL, zone=(ADAPTER,)))


@pytest.mark.parametrize("npiv", [True, False])
def test_the_data_planes_ports_are_those_that_hosts_log_in_to(
    fabric: Simulator, connect: Callable[..., Client], shelf: Shelf, *, npiv: bool
) -> None:
    fabric.control.do("dialect", npiv=npiv)
    ssh = connect(fabric)
    assert [(port.node, port.wwpn, port.optimized, port.zone) for port in shelf.ports] == [
        (node, wwpn, node == 1, (ADAPTER,)) for node, wwpns in REAL.items() for wwpn in wwpns
    ]
    real = {wwpn for wwpns in REAL.values() for wwpn in wwpns}
    shown = ssh.rows("lstargetportfc")
    assert {
        row["WWPN"] for row in shown if row["host_io_permitted"] == "yes" and row["current_node_id"]
    } == real
    assert bool(real & names(ssh, "lsportfc")) is not npiv


def test_the_fabric_has_one_row_for_each_login_of_the_data_plane(
    fabric: Simulator, connect: Callable[..., Client], shelf: Shelf
) -> None:
    ssh = connect(fabric)
    assert ssh.rows("lsfabric") == []
    shelf.logged_in = {ADAPTER: [REAL[1][0], REAL[2][0]]}
    rows = {(row["remote_wwpn"], row["local_wwpn"], row["node_name"]) for row in ssh.rows("lsfabric")}
    assert rows == {(ADAPTER, REAL[1][0], "node1"), (ADAPTER, REAL[2][0], "node2")}
    ssh.good(f"mcsop mkhost -force -hbawwpn {ADAPTER} -name h")
    assert dict(ssh.good("mcsinq lshost -delim ! h").sections()[0])["node_logged_in_count"] == "2"
    shelf.logged_in = {ADAPTER: [REAL[2][0]]}
    assert names(ssh, "lsfabric -host h", "node_name") == {"node2"}


def test_a_mapping_shows_the_volume_to_a_hosts_ports_of_both_links(
    fabric: Simulator, connect: Callable[..., Client], shelf: Shelf
) -> None:
    ssh = connect(fabric)
    ssh.good(CREATE)
    ssh.good(f"mcsop mkhost -force -hbawwpn {ADAPTER} -name h;mcsop addhostport -force -iscsiname {IQN} h")
    ssh.good("mcsop mkvdiskhostmap -host h v")
    assert set(shelf.luns) == {(ADAPTER, 0), (IQN, 0)}
    ssh.good("mcsop rmvdiskhostmap -host h v")
    ssh.good("mcsop rmhost h")
    assert (shelf.luns, shelf.initiators) == ({}, set())


def test_without_real_ports_the_data_plane_is_asked_for_iscsi_alone(
    start: Callable[..., Simulator], connect: Callable[..., Client], shelf: Shelf
) -> None:
    ssh = connect(start(shelf))
    ssh.good(CREATE)
    ssh.good(f"mcsop mkhost -force -hbawwpn {ADAPTER} -name h")
    ssh.good("mcsop mkvdiskhostmap -host h v")
    assert (shelf.luns, shelf.initiators) == ({}, set())
