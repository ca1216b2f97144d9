"""Whose host object it is: found, made, completed or refused on a simulated array, over SSH."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from instorage.arrays.model import Initiator
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Wwpn
from tests.arrays.conftest import NAMES, NODE

if TYPE_CHECKING:
    from instorage.arrays.as18000 import As18000
    from tests.arrays.conftest import Rig

IQN = str(NODE.iqn)
FOREIGN = "iqn.1993-08.org.debian:01:other"
FC = Initiator(iqn=NODE.iqn, wwpns=(Wwpn.parse("2100000E1E30ACFC"), Wwpn.parse("2100000e1e30acfd")))
FC_NAMES = ("fc-node1",)


def mkhost(array: As18000, name: str, *ports: str, flag: str = "-iscsiname") -> None:
    array._cli.operate("mkhost", "-force", flag, ports[0], "-name", name)
    for port in ports[1:]:
        array._cli.operate("addhostport", "-force", flag, port, name)


def hosts(rig: Rig) -> dict[str, list[str]]:
    return {host["name"]: [port["name"] for port in host["ports"]] for host in rig.do("hosts")}


def test_a_new_machine_gets_a_host_object_under_its_first_name(rig: Rig, array: As18000) -> None:
    host = array.ensure_host(NODE, link="iscsi", names=NAMES)
    assert (host.name, [port.name for port in host.ports]) == ("iscsi-node1", [IQN])
    assert hosts(rig) == {"iscsi-node1": [IQN]}


def test_an_object_found_once_costs_no_command_until_it_is_forgotten(rig: Rig, array: As18000) -> None:
    first = array.ensure_host(NODE, link="iscsi", names=NAMES)
    rig.reset()
    assert array.ensure_host(NODE, link="iscsi", names=NAMES) == first
    assert rig.lines() == []
    array.forget()
    assert array.ensure_host(NODE, link="iscsi", names=NAMES) == first
    assert rig.commands() == {"lshost": 1}


@pytest.mark.parametrize("others", [0, 100])
def test_finding_and_making_cost_the_same_however_many_host_objects_there_are(
    rig: Rig, array: As18000, others: int
) -> None:
    for number in range(others):
        mkhost(array, f"other-{number}", f"iqn.2000-01.org.other:{number}")
    rig.reset()
    array.ensure_host(NODE, link="iscsi", names=NAMES)
    assert rig.commands() == {"lshost": 3, "mkhost": 1}
    rig.reset()
    rig.client().ensure_host(NODE, link="iscsi", names=NAMES)
    assert rig.commands() == {"lshost": 1}


def test_the_object_under_the_second_name_is_used(rig: Rig, array: As18000) -> None:
    mkhost(array, NAMES[1], IQN)
    assert array.ensure_host(NODE, link="iscsi", names=NAMES).name == NAMES[1]
    assert list(hosts(rig)) == [NAMES[1]]


def test_the_object_that_the_configuration_gives_to_this_node_is_used(array: As18000) -> None:
    mkhost(array, "oracle_rac_1", IQN)
    assert array.ensure_host(NODE, link="iscsi", names=NAMES, assigned="oracle_rac_1").name == "oracle_rac_1"


def test_our_initiator_under_a_foreign_name_is_refused_with_the_line_to_add(rig: Rig, array: As18000) -> None:
    mkhost(array, "esx7", IQN)
    with pytest.raises(Fault, match=r"host object esx7 .*host\.objects: \{node1: esx7\}") as caught:
        array.ensure_host(NODE, link="iscsi", names=NAMES, node="node1")
    assert caught.value.code is Code.HOST_OBJECT
    assert (caught.value.fields["host"], caught.value.fields["ports"]) == ("esx7", IQN)
    assert caught.value.fields["line"] == "host.objects: {node1: esx7}"
    assert hosts(rig) == {"esx7": [IQN]}


@pytest.mark.parametrize("name", [NAMES[0], NAMES[1], "given"])
@pytest.mark.parametrize("ports", [(IQN, FOREIGN), (FOREIGN,)])
def test_an_object_of_ours_with_a_foreign_port_is_refused_and_left_alone(
    rig: Rig, array: As18000, name: str, ports: tuple[str, ...]
) -> None:
    mkhost(array, name, *ports)
    with pytest.raises(Fault, match=FOREIGN) as caught:
        array.ensure_host(NODE, link="iscsi", names=NAMES, assigned="given")
    assert caught.value.code is Code.HOST_OBJECT
    assert caught.value.fields["host"] == name
    assert hosts(rig) == {name: list(ports)}


def test_every_fibre_channel_port_of_the_machine_is_in_the_object(rig: Rig, array: As18000) -> None:
    host = array.ensure_host(FC, link="fc", names=FC_NAMES)
    assert [port.name for port in host.ports] == ["2100000e1e30acfc", "2100000e1e30acfd"]
    assert hosts(rig) == {"fc-node1": ["2100000E1E30ACFC", "2100000E1E30ACFD"]}


def test_a_port_that_our_object_lacks_is_added(rig: Rig, array: As18000) -> None:
    mkhost(array, "fc-node1", "2100000E1E30ACFD", flag="-hbawwpn")
    array.ensure_host(FC, link="fc", names=FC_NAMES)
    assert hosts(rig) == {"fc-node1": ["2100000E1E30ACFD", "2100000E1E30ACFC"]}


def test_a_port_that_a_foreign_object_holds_is_refused_naming_that_object(rig: Rig, array: As18000) -> None:
    mkhost(array, "fc-node1", "2100000E1E30ACFC", flag="-hbawwpn")
    mkhost(array, "esx7", "2100000E1E30ACFD", flag="-hbawwpn")
    with pytest.raises(Fault, match="host object esx7") as caught:
        array.ensure_host(FC, link="fc", names=FC_NAMES)
    assert caught.value.code is Code.HOST_OBJECT


def test_the_iscsi_and_the_fibre_channel_object_of_one_machine_may_be_one(array: As18000) -> None:
    mkhost(array, "both", IQN)
    host = array.ensure_host(FC, link="fc", names=FC_NAMES, assigned="both")
    assert {port.name for port in host.ports} == {IQN, "2100000e1e30acfc", "2100000e1e30acfd"}


def test_a_machine_without_an_initiator_is_told_where_to_look(rig: Rig, array: As18000) -> None:
    with pytest.raises(Fault, match=r"/etc/iscsi/initiatorname\.iscsi"):
        array.ensure_host(Initiator(), link="iscsi", names=NAMES)
    with pytest.raises(Fault, match="/sys/class/fc_host"):
        array.ensure_host(NODE, link="fc", names=FC_NAMES)
    assert rig.lines() == []


def test_a_name_that_would_select_an_object_by_its_number_never_leaves(rig: Rig, array: As18000) -> None:
    for names in (("7",), ("n" * 64,)):
        with pytest.raises(Fault) as caught:
            array.ensure_host(NODE, link="iscsi", names=names)
        assert caught.value.code is Code.NAME_INVALID
    assert rig.lines() == []


def test_two_processes_that_make_the_same_object_both_get_it(rig: Rig) -> None:
    rig.fault("mkhost", delay=0.2, times=2)
    clients = [rig.client(), rig.client()]
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda c: c.ensure_host(NODE, link="iscsi", names=NAMES), clients)
    assert first == second
    assert hosts(rig) == {"iscsi-node1": [IQN]}
    assert rig.commands()["mkhost"] == 2


def test_twenty_threads_of_one_process_search_once(rig: Rig, array: As18000) -> None:
    with ThreadPoolExecutor(20) as pool:
        found = set(pool.map(lambda _: array.ensure_host(NODE, link="iscsi", names=NAMES), range(20)))
    assert len(found) == 1
    assert rig.commands() == {"lshost": 3, "mkhost": 1}


@pytest.mark.parametrize("point", ["before", "after"])
@pytest.mark.parametrize("command", ["mkhost", "addhostport"])
def test_a_lost_answer_to_making_or_completing_converges(
    rig: Rig, array: As18000, command: str, point: str
) -> None:
    rig.fault(command, **{point: "connection"})
    array.ensure_host(FC, link="fc", names=FC_NAMES)
    assert hosts(rig) == {"fc-node1": ["2100000E1E30ACFC", "2100000E1E30ACFD"]}


@pytest.mark.parametrize("code", ["CMMVC6578E", "CMMVC6581E", "CMMVC5867E"])
def test_a_port_that_no_object_holds_and_the_array_refuses_is_said(
    rig: Rig, array: As18000, code: str
) -> None:
    rig.fault("mkhost", error=code, times=0)
    with pytest.raises(Fault, match="no object there holds it") as caught:
        array.ensure_host(NODE, link="iscsi", names=NAMES)
    assert caught.value.code is Code.HOST_OBJECT
    assert caught.value.fields["cmmvc"] == code


def test_the_logins_of_a_host_are_the_arrays_word(rig: Rig, array: As18000) -> None:
    array.ensure_host(NODE, link="iscsi", names=NAMES)
    host = array.find_host("iscsi-node1")
    assert host is not None
    assert host.ports[0].logins == 0
    rig.do("logins", port=IQN, nodes=[1, 2])
    host = array.find_host("iscsi-node1")
    assert host is not None
    assert host.ports[0].logins == 2
    assert array.find_host("nobody") is None


def test_an_empty_answer_does_not_make_a_host_vanish(rig: Rig, array: As18000) -> None:
    array.ensure_host(NODE, link="iscsi", names=NAMES)
    rig.fault("lshost", empty=True)
    assert array.find_host("iscsi-node1") is not None
    rig.fault("lshost", empty=True, times=2)
    with pytest.raises(Fault, match="it is empty") as caught:
        array.find_host("iscsi-node1")
    assert caught.value.code is Code.ARRAY_ANSWER
