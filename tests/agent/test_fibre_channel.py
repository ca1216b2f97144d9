"""The life of a volume over Fibre Channel: host object, targets, detach, growth, what goes wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.agent.bench import Bench, compared, device_target, pod_target, until
from tests.agent.simulated_array import GIB, WWPNS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OURS = [wwpn.lower() for wwpn in WWPNS]
HOST = "fc-node1"


@pytest.fixture
def fabric(bench: Bench) -> Bench:
    """Both adapters are logged in to a port of each node of the first I/O group."""
    bench.plug(1, 2)
    bench.create("pvc-1")
    compared()
    bench.reset()
    return bench


def ports(bench: Bench) -> list[str]:
    """The target ports that the helper was asked for last."""
    asked = bench.helper.last("Attach")
    assert asked["paths"] == []
    return [path["target"] for path in asked["fc_paths"]]


def open_ports(bench: Bench, *nodes: int) -> set[str]:
    rows = bench.array._cli.rows("lstargetportfc")
    return {
        row["WWPN"].lower()
        for row in rows
        if row["host_io_permitted"] == "yes" and row["current_node_id"] in map(str, nodes)
    }


def hosts(bench: Bench) -> dict[str, list[str]]:
    return {host["name"]: [port["name"] for port in host["ports"]] for host in bench.do("hosts")}


def test_a_volume_is_attached_mounted_grown_and_detached(fabric: Bench) -> None:
    fabric.use("pvc-1")
    assert hosts(fabric) == {HOST: [*WWPNS]}
    assert fabric.maps("pvc-1") == [HOST]
    assert set(ports(fabric)) == open_ports(fabric, 1, 2)
    assert len(fabric.helper.found) == 1
    assert [*fabric.helper.found.values()] == [4], "two adapters times two ports"
    fabric.expandfs("pvc-1", 2 * GIB).success()
    fabric.call("unmount", pod_target("pvc-1")).success()
    fabric.call("unmountdevice", device_target("pvc-1")).success()
    assert fabric.maps("pvc-1") == []
    assert fabric.records() == {}


def test_an_attach_takes_no_more_commands_than_over_iscsi(directory: Path, portal: Callable[[], str]) -> None:
    """The first of an agent, with what it asks at its start, and the second."""

    def count(link: str) -> tuple[int, int]:
        bench = Bench(directory / link, {1: portal(), 2: portal()})
        try:
            if link == "fc":
                bench.plug(1, 2)
                bench.array._cli.operate("mkhost", "-force", "-hbawwpn", ":".join(WWPNS), "-name", HOST)
            else:
                bench.make_host("iscsi-node1")
            bench.create("pvc-1")
            bench.create("pvc-2")
            bench.reset()
            bench.start()
            compared()
            bench.attach("pvc-1").success()
            first = len(bench.commands())
            bench.attach("pvc-2").success()
            return first, len(bench.commands()) - first
        finally:
            bench.close()

    over_iscsi, over_fc = count("iscsi"), count("fc")
    assert over_fc[0] <= over_iscsi[0]
    assert over_fc[1] <= over_iscsi[1]


def test_the_object_that_the_zoning_made_is_taken(fabric: Bench) -> None:
    fabric.array._cli.operate("mkhost", "-force", "-hbawwpn", WWPNS[0], "-name", "K8S_NODE_3")
    fabric.use("pvc-1")
    assert hosts(fabric) == {"K8S_NODE_3": [*WWPNS]}
    assert [record["host"] for record in fabric.records().values()] == ["K8S_NODE_3"]
    fabric.call("unmount", pod_target("pvc-1")).success()
    fabric.call("unmountdevice", device_target("pvc-1")).success()
    assert fabric.maps("pvc-1") == []


def test_an_object_with_another_machines_port_is_not_used(fabric: Bench) -> None:
    ports = f"{WWPNS[0]}:21000024FF3A0001"
    fabric.array._cli.operate("mkhost", "-force", "-hbawwpn", ports, "-name", "cluster")
    assert "host object cluster" in fabric.attach("pvc-1").failure()
    assert fabric.maps("pvc-1") == []
    assert hosts(fabric) == {"cluster": ports.split(":")}


def test_a_machine_without_an_adapter_is_told_so(fabric: Bench) -> None:
    fabric.helper.wwpns = []
    assert "/sys/class/fc_host" in fabric.attach("pvc-1").failure()
    assert fabric.helper.verbs().count("Attach") == 0


def test_where_the_array_shows_no_login_the_ports_that_the_kernel_sees_are_asked_for(bench: Bench) -> None:
    bench.plug()
    bench.create("pvc-1")
    (seen,) = open_ports(bench, 2)
    bench.see(0, 1, seen)
    bench.see(0, 2, "5006016012345678")  # another array's
    bench.attach("pvc-1").success()
    assert ports(bench) == [seen]


def test_where_neither_sees_the_other_both_names_are_told_and_nothing_stays_mapped(bench: Bench) -> None:
    bench.plug()
    bench.create("pvc-1")
    said = bench.attach("pvc-1").failure()
    assert "zone them together" in said
    assert all(name in said for name in (*OURS, *open_ports(bench, 1, 2)))
    assert bench.maps("pvc-1") == []


def test_a_host_that_reaches_another_io_group_alone_is_told_which(bench: Bench) -> None:
    bench.plug(3, 4)
    bench.create("pvc-1")
    said = bench.attach("pvc-1").failure()
    assert "I/O group 0" in said
    assert "nodes 3, 4 alone" in said


def test_a_port_that_no_adapter_sees_is_a_remark_and_the_volume_is_attached(fabric: Bench) -> None:
    (lost,) = open_ports(fabric, 2)
    fabric.helper.unseen = {lost}
    message = fabric.attach("pvc-1").success().message
    assert f"Attached, but degraded: 1 paths refused: port {lost} (" in message


def test_a_detach_for_a_node_over_fibre_channel_needs_the_arrays_word_that_it_is_gone(fabric: Bench) -> None:
    fabric.use("pvc-1")
    said = fabric.call("detach", "pvc-1", "node1").failure()
    assert "is logged in" in said
    assert fabric.maps("pvc-1") == [HOST]


def test_what_an_earlier_boot_left_is_taken_down(fabric: Bench) -> None:
    fabric.attach("pvc-1").success()
    fabric.restart(lambda: fabric.set_boot("22222222-boot"))
    until(lambda: not fabric.records(), 30)
    assert fabric.maps("pvc-1") == []
