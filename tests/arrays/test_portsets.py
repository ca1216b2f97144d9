"""Portals of an array that has no lsportip, and of ports with two addresses, over SSH."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instorage.wire.fault import Code, Fault
from simulator.language.dialect import Dialect
from simulator.model.topology import Topology
from tests.arrays.conftest import NAMES, NODE

if TYPE_CHECKING:
    from collections.abc import Callable

    from instorage.arrays.as18000 import As18000
    from tests.arrays.conftest import Rig

PORTSETS = Dialect(portsets=True)
TWO = Topology(portals={1: "10.9.0.1:3260", 2: "10.9.1.1:3260"}, portsets={2: 4})
DUAL = Topology(portals={1: "10.9.0.1:3260"}, addresses_6={1: "fd00::1"})


def shown(array: As18000, portset: str = "") -> list[str]:
    return [str(target.portal) for target in array.iscsi_targets() if target.open_to(portset)]


def test_addresses_are_found_where_lsportip_is_gone_and_it_is_not_asked_each_time(
    make_rig: Callable[..., Rig],
) -> None:
    rig = make_rig(dialect=PORTSETS)
    array = rig.client()
    assert shown(array) == ["10.9.0.1:3260", "10.9.1.1:3260"]
    assert [target.io_group for target in array.iscsi_targets()] == ["0", "0"]
    rig.reset()
    array.forget()
    assert shown(array) == ["10.9.0.1:3260", "10.9.1.1:3260"]
    assert rig.commands() == {"lsip": 1, "lsportethernet": 1, "lsportset": 1, "lsnode": 1}


def test_a_port_without_a_link_is_left_out_there_too(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(dialect=PORTSETS)
    rig.do("portal", node=1, up=False)
    assert shown(rig.client()) == ["10.9.1.1:3260"]


@pytest.mark.parametrize("query", ["lsportethernet", "lsportset"])
def test_what_else_is_not_told_costs_no_address(make_rig: Callable[..., Rig], query: str) -> None:
    rig = make_rig(dialect=PORTSETS)
    rig.fault(query, error="CMMVC7205E", times=0)
    assert {"10.9.0.1:3260", "10.9.1.1:3260"} <= set(shown(rig.client()))


def test_a_host_gets_the_addresses_of_its_portset(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(dialect=PORTSETS, topology=TWO)
    array = rig.client()
    host = array.ensure_host(NODE, link="iscsi", names=NAMES)
    assert (host.portset, shown(array, host.portset)) == ("0", ["10.9.0.1:3260"])
    array._cli.operate("chhost", "-portset", "4", host.name)
    array.forget()
    host = array.ensure_host(NODE, link="iscsi", names=NAMES)
    assert shown(array, host.portset) == ["10.9.1.1:3260"]


def test_an_array_that_was_updated_meanwhile_is_followed_and_one_that_was_taken_back(rig: Rig) -> None:
    array = rig.client()
    usual = array.iscsi_targets()
    for portsets in (True, False):
        rig.do("dialect", portsets=portsets)
        array.forget()
        assert [target.portal for target in array.iscsi_targets()] == [target.portal for target in usual]


def test_a_firmware_that_refuses_both_is_said_with_the_first_refusal(rig: Rig, array: As18000) -> None:
    rig.fault("lsportip", error="CMMVC7016E", times=0)
    with pytest.raises(Fault, match="lsportip") as caught:
        array.iscsi_targets()
    assert caught.value.code is Code.ARRAY_AUTHENTICATION


@pytest.mark.parametrize("dialect", [Dialect(), PORTSETS])
def test_a_port_with_two_addresses_gives_both(make_rig: Callable[..., Rig], dialect: Dialect) -> None:
    array = make_rig(topology=DUAL, dialect=dialect).client()
    assert shown(array) == ["10.9.0.1:3260", "[fd00::1]:3260"]
    assert {str(portal) for portal in array.san_identity().portals} == {"10.9.0.1:3260", "[fd00::1]:3260"}


def test_a_firmware_without_failover_addresses_lacks_nothing(
    rig: Rig, array: As18000, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = array.iscsi_targets()
    asked = array._cli._repeated

    def without(command: str) -> object:
        output = asked(command)
        lines = [line.split("!") for line in output.stdout.splitlines()]
        if "lsportip" in command:
            at = lines[0].index("failover")
            kept = [lines[0], *(line for line in lines[1:] if line[at] == "no")]
            text = "".join("!".join(line[:at] + line[at + 1 :]) + "\n" for line in kept)
            return type(output)(output.status, text, output.stderr)
        return output

    monkeypatch.setattr(array._cli, "_repeated", without)
    array.forget()
    assert array.iscsi_targets() == usual
