"""Host objects over Fibre Channel, which administrators make when they zone: taken, completed or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instorage.arrays.model import Initiator
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Iqn, Wwpn
from tests.arrays.conftest import NODE

if TYPE_CHECKING:
    from instorage.arrays.as18000 import As18000
    from instorage.arrays.model import Host
    from tests.arrays.conftest import Rig

A, B, FOREIGN = "2100000E1E30ACFC", "2100000E1E30ACFD", "21000024FF3A0001"
MACHINE = Initiator(iqn=NODE.iqn, wwpns=(Wwpn.parse(A), Wwpn.parse(B)))
FC_NAMES = ("fc-node1", "fc-node1.example.org")


def make(array: As18000, name: str, *ports: str) -> None:
    array._cli.operate("mkhost", "-force", "-hbawwpn", ":".join(ports), "-name", name)


def ensure(array: As18000, assigned: str | None = None) -> Host:
    return array.ensure_host(MACHINE, link="fc", names=FC_NAMES, assigned=assigned)


def refused(array: As18000, assigned: str | None = None) -> Fault:
    with pytest.raises(Fault) as caught:
        ensure(array, assigned)
    assert caught.value.code is Code.HOST_OBJECT
    return caught.value


def hosts(rig: Rig) -> dict[str, list[str]]:
    return {host["name"]: [port["name"] for port in host["ports"]] for host in rig.do("hosts")}


@pytest.mark.parametrize("logged_in", [True, False])
def test_an_object_that_the_zoning_made_is_taken_logged_in_or_not(
    rig: Rig, array: As18000, *, logged_in: bool
) -> None:
    make(array, "K8S_NODE_3", A, B)
    if logged_in:
        rig.do("logins", port=B, nodes=[1])
    assert ensure(array).name == "K8S_NODE_3"
    assert hosts(rig) == {"K8S_NODE_3": [A, B]}


def test_the_array_names_the_holder_in_one_command(rig: Rig, array: As18000) -> None:
    for number in range(20):
        make(array, f"esx{number}", f"21000024FF3B{number:04X}")
    make(array, "K8S_NODE_3", A, B)
    rig.do("logins", port=A, nodes=[1, 2])
    rig.reset()
    assert ensure(array).name == "K8S_NODE_3"
    assert rig.commands() == {"lshost": 3, "lsfabric": 1}
    rig.reset()
    ensure(array)
    assert rig.lines() == [], "it is remembered"


@pytest.mark.parametrize("logged_in", [True, False])
def test_a_port_that_nobody_holds_is_added_to_it(rig: Rig, array: As18000, *, logged_in: bool) -> None:
    make(array, "K8S_NODE_3", A)
    if logged_in:
        rig.do("logins", port=A, nodes=[1])
    assert {port.name for port in ensure(array).ports} == {A.lower(), B.lower()}
    assert hosts(rig) == {"K8S_NODE_3": [A, B]}


@pytest.mark.parametrize("logged_in", [True, False])
def test_one_that_holds_a_foreign_port_is_refused_and_left_alone(
    rig: Rig, array: As18000, *, logged_in: bool
) -> None:
    make(array, "cluster", A, FOREIGN)
    if logged_in:
        rig.do("logins", port=A, nodes=[1])
    fault = refused(array)
    assert (fault.fields["host"], "rmhostport" in str(fault) or "host.objects" in str(fault)) == (
        "cluster",
        True,
    )
    assert FOREIGN.lower() in str(fault)
    assert hosts(rig) == {"cluster": [A, FOREIGN]}


def test_an_object_with_a_port_of_another_kind_is_refused(rig: Rig, array: As18000) -> None:
    make(array, "cluster", A)
    array._cli.operate("addhostport", "-force", "-iscsiname", "iqn.2000-01.org.other:1", "cluster")
    rig.do("logins", port=A, nodes=[1])
    assert "iqn.2000-01.org.other:1" in str(refused(array))


def test_an_object_with_the_iqn_of_this_machine_as_well_is_taken(rig: Rig, array: As18000) -> None:
    make(array, "both", A, B)
    array._cli.operate("addhostport", "-force", "-iscsiname", str(NODE.iqn), "both")
    rig.do("logins", port=A, nodes=[1])
    assert ensure(array).name == "both"


def test_ports_in_two_objects_are_refused_naming_both(rig: Rig, array: As18000) -> None:
    make(array, "left", A)
    make(array, "right", B)
    rig.do("logins", port=A, nodes=[1])
    rig.do("logins", port=B, nodes=[1])
    fault = refused(array)
    assert "host object right" in str(fault)
    assert "others in left" in str(fault)
    assert hosts(rig) == {"left": [A], "right": [B]}


def test_what_the_configuration_gives_to_this_node_is_never_passed_over(rig: Rig, array: As18000) -> None:
    make(array, "K8S_NODE_3", A, B)
    rig.do("logins", port=A, nodes=[1])
    assert refused(array, assigned="given").fields["host"] == "K8S_NODE_3"


def test_over_iscsi_a_foreign_name_stays_foreign(rig: Rig, array: As18000) -> None:
    array._cli.operate("mkhost", "-force", "-iscsiname", str(NODE.iqn), "-name", "esx7")
    with pytest.raises(Fault, match="host object esx7"):
        array.ensure_host(MACHINE, link="iscsi", names=("iscsi-node1",))


def test_another_machines_object_under_our_name_is_refused(array: As18000) -> None:
    make(array, FC_NAMES[0], FOREIGN)
    assert FOREIGN.lower() in str(refused(array))


def test_a_machine_with_adapters_and_no_iscsi_gets_an_object(rig: Rig, array: As18000) -> None:
    host = array.ensure_host(Initiator(wwpns=MACHINE.wwpns), link="fc", names=FC_NAMES)
    assert (host.name, hosts(rig)) == ("fc-node1", {"fc-node1": [A, B]})
    other = Initiator(Iqn("iqn.2000-01.org.other:1"), (Wwpn.parse(FOREIGN),))
    assert array.ensure_host(other, link="fc", names=("fc-node2",)).name == "fc-node2"
