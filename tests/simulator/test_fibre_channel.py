"""FC ports, logins and what hosts may log in to, as administrators and the vendor's drivers ask for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from simulator.array import Simulator
    from tests.simulator.conftest import Client

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
