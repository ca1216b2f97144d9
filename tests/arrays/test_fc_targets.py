"""Fibre Channel target ports as a simulated array tells them, over SSH."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instorage.arrays.as18000 import fc_targets
from instorage.arrays.model import Initiator
from instorage.wire.fault import Fault
from instorage.wire.values import Wwpn

if TYPE_CHECKING:
    from instorage.arrays.as18000 import As18000
    from tests.arrays.conftest import Rig

A, B = "2100000E1E30ACFC", "2100000E1E30ACFD"
MACHINE = Initiator(wwpns=(Wwpn.parse(A), Wwpn.parse(B)))
HOST = "fc-node1"


@pytest.fixture
def zoned(array: As18000) -> As18000:
    """A host object with both adapters; nobody is logged in."""
    array.ensure_host(MACHINE, link="fc", names=(HOST,))
    return array


@pytest.mark.parametrize("npiv", [True, False])
def test_targets_are_where_the_adapters_are_logged_in(rig: Rig, zoned: As18000, *, npiv: bool) -> None:
    rig.do("dialect", npiv=npiv)
    rig.do("logins", port=A, nodes=[1, 2])
    rig.do("logins", port=B, nodes=[1])
    rig.reset()
    found = zoned.fc_targets(HOST, ("0",))
    assert [(one.node, one.io_group, set(one.initiators)) for one in found] == [
        ("1", "0", {A.lower(), B.lower()}),
        ("2", "0", {A.lower()}),
    ]
    shown = {row["WWPN"].lower() for row in rows(zoned, "lsportfc")}
    assert all((one.wwpn in shown) is not npiv for one in found)
    assert rig.commands() == {"lsfabric": 1, "lsnode": 1, "lsportfc": 1}


def rows(array: As18000, query: str) -> list[dict[str, str]]:
    return [dict(row.fields) for row in array._cli.rows(query)]


def test_as_many_commands_as_over_iscsi_and_none_while_it_is_remembered(rig: Rig, zoned: As18000) -> None:
    rig.do("logins", port=A, nodes=[1, 2])
    rig.reset()
    zoned.iscsi_targets(("0",))
    over_iscsi = sum(rig.commands().values())
    rig.reset()
    first = zoned.fc_targets(HOST, ("0",))
    assert sum(rig.commands().values()) == over_iscsi
    rig.reset()
    assert zoned.fc_targets(HOST, ("0",)) is first
    assert rig.lines() == []
    zoned.forget()
    zoned.fc_targets(HOST)
    assert rig.commands() == {"lsfabric": 1, "lsnode": 1}


@pytest.mark.parametrize("npiv", [True, False])
def test_without_a_login_the_ports_that_are_open_to_hosts_are_told(
    rig: Rig, zoned: As18000, *, npiv: bool
) -> None:
    rig.do("dialect", npiv=npiv)
    found = zoned.fc_targets(HOST)
    permitted = {row["WWPN"].lower() for row in rows(zoned, "lstargetportfc")
                 if row["host_io_permitted"] == "yes" and row["current_node_id"]}  # fmt: skip
    assert {one.wwpn for one in found} == permitted
    assert {one.initiators for one in found} == {()}


def test_firmware_without_that_command_tells_its_physical_ports(rig: Rig, zoned: As18000) -> None:
    rig.fault("lstargetportfc", error="CMMVC5709E", times=0)
    found = zoned.fc_targets(HOST)
    active = {row["WWPN"].lower() for row in rows(zoned, "lsportfc") if row["status"] == "active"}
    assert {one.wwpn for one in found} == active


def test_without_a_cable_there_is_no_target_and_that_is_not_remembered(rig: Rig, zoned: As18000) -> None:
    rig.do("dialect", fc_links=False)
    assert zoned.fc_targets(HOST) == ()
    rig.do("dialect", fc_links=True)
    assert zoned.fc_targets(HOST)


def test_a_login_elsewhere_is_no_target_of_this_host(rig: Rig, zoned: As18000) -> None:
    other = Initiator(wwpns=(Wwpn.parse("21000024FF3A0001"),))
    zoned.ensure_host(other, link="fc", names=("fc-node2",))
    rig.do("logins", port="21000024FF3A0001", nodes=[1, 2])
    rig.do("logins", port=A, nodes=[2])
    assert [one.node for one in zoned.fc_targets(HOST)] == ["2"]


def test_a_group_without_a_target_is_asked_for_anew(
    rig: Rig, zoned: As18000, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fc_targets, "LACKING", 0.0)
    array = rig.client()
    rig.do("logins", port=A, nodes=[1])
    assert {one.io_group for one in array.fc_targets(HOST, ("0", "1"))} == {"0"}
    rig.do("logins", port=A, nodes=[1, 3])
    assert {one.io_group for one in array.fc_targets(HOST, ("0", "1"))} == {"0", "1"}


def test_a_name_that_could_mean_something_to_a_shell_never_leaves(rig: Rig, zoned: As18000) -> None:
    rig.reset()
    with pytest.raises(Fault):
        zoned.fc_targets("7; reboot")
    assert rig.lines() == []


@pytest.mark.parametrize("npiv", [True, False])
def test_the_arrays_identity_has_every_port_virtual_or_not(rig: Rig, array: As18000, *, npiv: bool) -> None:
    rig.do("dialect", npiv=npiv)
    physical = {row["WWPN"].lower() for row in rows(array, "lsportfc")}
    virtual = {row["WWPN"].lower() for row in rows(array, "lstargetportfc")}
    assert set(array.san_identity().wwpns) == physical | virtual
