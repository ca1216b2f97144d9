"""Portals and target names as a simulated array tells them, over SSH."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instorage.arrays.as18000 import targets
from simulator.model.topology import Topology

if TYPE_CHECKING:
    from collections.abc import Callable

    from instorage.arrays.as18000 import As18000
    from tests.arrays.conftest import Rig


def test_portals_come_with_the_target_name_and_io_group_of_their_node(array: As18000) -> None:
    shown = [(str(t.portal), str(t.iqn), t.io_group) for t in array.iscsi_targets()]
    assert shown == [
        ("10.9.0.1:3260", "iqn.2004-12.com.inspur:mcs.mcs1.node1", "0"),
        ("10.9.1.1:3260", "iqn.2004-12.com.inspur:mcs.mcs1.node2", "0"),
    ]


def test_portals_are_asked_for_once_until_they_are_forgotten(rig: Rig, array: As18000) -> None:
    first = array.iscsi_targets()
    assert array.iscsi_targets() is first
    assert rig.commands() == {"lsportip": 1, "lsnode": 1}
    array.forget()
    array.iscsi_targets()
    assert rig.commands() == {"lsportip": 2, "lsnode": 2}


def test_a_group_that_never_has_a_portal_does_not_cost_two_commands_at_each_attach(rig: Rig) -> None:
    array = rig.client()
    seen = [array.iscsi_targets(("0", "1")) for _ in range(5)]
    assert rig.commands() == {"lsportip": 1, "lsnode": 1}
    assert seen == [seen[0]] * 5


def test_a_group_that_has_none_yet_is_asked_for_before_what_is_remembered_is_given_up(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets, "LACKING", 0.0)
    array = rig.client()
    rig.do("portal", node=1, up=False)
    assert len(array.iscsi_targets(("0",))) == 1
    array.iscsi_targets(("0", "1"))
    array.iscsi_targets(("0",))
    assert rig.commands() == {"lsportip": 2, "lsnode": 2}


def test_the_two_queries_overlap(rig: Rig, array: As18000) -> None:
    array.pool("Pool0")
    rig.fault("lsportip", delay=0.3)
    rig.fault("lsnode", delay=0.3)
    rig.reset()
    array.iscsi_targets()
    assert rig.do("counters")["running"]["peak"] == 2


@pytest.mark.parametrize(
    "dialect",
    [
        {"portip_state": "online"},
        {"link_state": "false"},
        {"failover_address": "true"},
        {"empty_header": "true"},
    ],
)
def test_every_firmwares_way_of_showing_ports_gives_the_same_portals(
    make_rig: Callable[..., Rig], dialect: dict[str, str]
) -> None:
    rig = make_rig()
    usual = rig.client().iscsi_targets()
    rig.do("dialect", **dialect)
    assert rig.client().iscsi_targets() == usual


def test_a_closed_portal_is_left_out(rig: Rig, array: As18000) -> None:
    rig.do("portal", node=1, up=False)
    assert [str(t.portal) for t in array.iscsi_targets()] == ["10.9.1.1:3260"]


def test_addresses_between_the_parts_of_the_array_are_left_out(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(topology=Topology(portals={1: "172.16.2.32:3260", 2: "10.9.1.1:3260"}))
    assert [str(t.portal) for t in rig.client().iscsi_targets()] == ["10.9.1.1:3260"]


def test_an_empty_answer_is_asked_again_and_nothing_is_not_remembered(rig: Rig, array: As18000) -> None:
    rig.fault("lsportip", empty=True)
    assert len(array.iscsi_targets()) == 2
    array.forget()
    rig.fault("lsportip", empty=True, times=2)
    assert array.iscsi_targets() == ()
    assert len(array.iscsi_targets()) == 2
