"""The site of this node's host object, and the addresses that it may use, as an attach meets them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.agent.bench import ACTIVE_ACTIVE, device_target, options

if TYPE_CHECKING:
    from tests.agent.bench import Bench

VOLUME = "vol1"


def host(bench: Bench) -> dict[str, Any]:
    (found,) = bench.do("hosts")
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("said", ["site2", "2", "{node1: site2, node2: site1}"])
def test_a_node_is_at_the_site_that_its_configuration_says(bench: Bench, said: str) -> None:
    bench.configure(host=f"  site: {said}\n")
    bench.create(VOLUME)
    bench.attach(VOLUME).success()
    assert host(bench)["site"] == 2


def test_an_active_active_volume_is_attached_though_nothing_says_the_nodes_site(bench: Bench) -> None:
    bench.create("plain")
    bench.attach("plain").success()
    assert host(bench)["site"] == 0
    bench.create(VOLUME, **ACTIVE_ACTIVE)
    bench.attach(VOLUME, options(VOLUME, volLevel="aa")).success()
    assert host(bench)["site"] == 1


def test_a_node_whose_object_is_at_another_site_attaches_nothing_and_says_why(bench: Bench) -> None:
    bench.make_host("iscsi-node1")
    bench.configure(host="  site: site2\n")
    bench.create(VOLUME)
    bench.attach(VOLUME).failure("iscsi-node1 on array storage-01 is at site site1")
    assert (bench.maps(VOLUME), bench.records(), host(bench)["site"]) == ([], {}, 1)


def test_a_node_whose_portset_has_no_address_is_told_so(bench: Bench) -> None:
    bench.restart(lambda: bench.do("dialect", portsets=True))
    bench.make_host("iscsi-node1")
    bench.array._cli.operate("chhost", "-portset", "4", "iscsi-node1")
    bench.create(VOLUME)
    bench.attach(VOLUME).failure("iscsi-node1 of array storage-01 may use the addresses of portset 4 alone")
    assert (bench.maps(VOLUME), bench.records()) == ([], {})


def test_a_node_of_an_array_without_any_address_is_told_so(bench: Bench) -> None:
    bench.create(VOLUME)
    bench.restart(lambda: bench.do("fault", command="lsportip", empty=True, times=0))
    bench.attach(VOLUME).failure("shows no iSCSI portal with a link on a node that is online")
    assert (bench.maps(VOLUME), bench.records()) == ([], {})


def test_a_node_attaches_over_the_addresses_of_a_firmware_with_portsets(bench: Bench) -> None:
    bench.restart(lambda: bench.do("dialect", portsets=True))
    bench.create(VOLUME)
    bench.attach(VOLUME).success()
    assert len(bench.helper.last("Attach")["paths"]) == len(bench.portals)


def test_an_object_with_this_nodes_name_and_its_adapters_is_used(bench: Bench) -> None:
    bench.make_host("iscsi-node1")
    bench.array._cli.operate("addhostport", "-force", "-hbawwpn", "2100000E1E30ACFC", "iscsi-node1")
    bench.create(VOLUME)
    bench.attach(VOLUME).failure("a port in it is not this machine's")
    bench.helper.wwpns = ["2100000e1e30acfc"]
    bench.attach(VOLUME).success()


def test_a_node_whose_initiators_name_has_capitals_attaches_and_detaches(bench: Bench) -> None:
    bench.helper.iqn = "iqn.1994-05.com.redhat:NODE1"
    bench.helper.mapped = lambda _: True
    bench.create(VOLUME)
    bench.attach(VOLUME).success()
    assert host(bench)["ports"][0]["name"] == "iqn.1994-05.com.redhat:node1"
    bench.call("unmountdevice", device_target(VOLUME)).success()
    assert bench.maps(VOLUME) == []
