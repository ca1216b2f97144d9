"""A node as the vendor's plugin leaves it is taken over: pods write on, volumes grow and end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab.load import succeeded
from tests.lab.node.vendors_program import Vendors
from tests.lab.reachability import wait_until
from tests.packaging.vendors import PROGRAM, STUB
from tests.soak import IN_SOAK
from tools.lab.archive import built
from tools.lab.kubelet import Kubelet
from tools.lab.product import CONFIGURATION, Product
from tools.lab.topology import PORTALS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.node.conftest import MakeVolume
    from tools.lab import Lab, Machine
    from tools.lab.archive import Unpacked
    from tools.lab.san import San

# Four minutes. Every day natively: tests/packaging/test_vendors_node.py.
pytestmark = [pytest.mark.lab, pytest.mark.timeout(1500), IN_SOAK]
GIB = 1 << 30
ADOPTED = 60  # seconds until the agent has written the records
KINDS = ("disk", "map")


@pytest.fixture(scope="module")
def product(lab: Lab, san: San) -> Product:
    """The product of node a, which nobody has installed yet."""
    return Product(lab.node("a"))


@pytest.fixture(scope="module")
def archive(lab: Lab, san: San) -> Unpacked:
    """What an administrator has, unpacked on the node."""
    return built().put_on(lab.node("a"))


@pytest.fixture
def pods(node: Machine, san: San, make_volume: MakeVolume) -> Iterator[dict[str, Kubelet]]:
    """Two pods that write: to a bare disk of two, as with Debian's `find_multipaths`, and to a map."""
    vendors, found = Vendors(node, san), {}
    vendors.deploy()
    for kind in KINDS:
        pod = found[kind] = Kubelet(node, make_volume())
        disks = vendors.disks(vendors.map(pod.volume))
        assert len(disks) == len(PORTALS)
        vendors.mount(vendors.map_of(disks[0]) if kind == "map" else disks[0], pod)
        vendors.write(pod, f"writer-{kind}")
    yield found
    node.run("systemctl stop 'writer-*'; rm -f /etc/multipath.conf; multipathd reconfigure", check=False)


def writes(vendors: Vendors, pod: Kubelet) -> None:
    before = len(vendors.rows(pod))
    wait_until(lambda: len(vendors.rows(pod)) > before, 30)
    rows = vendors.rows(pod)
    assert rows == [str(number) for number in range(1, len(rows) + 1)]


def goes_on(vendors: Vendors, pods: dict[str, Kubelet]) -> None:
    """Every pod writes, and no row was lost."""
    for pod in pods.values():
        writes(vendors, pod)


def taken_over(vendors: Vendors, archive: Unpacked, pods: dict[str, Kubelet]) -> None:
    """Install, as --check has said; the agent has a record of each volume."""
    node, configuration = vendors.node, vendors.node.read(CONFIGURATION)
    said = archive.run("--check", "--node").stdout
    assert "The vendor's K8sPlugin 2.1.0 is taken over:" in said
    assert all(f"{pod.device_mount}: goes on" in said for pod in pods.values())
    assert said.count("brings no other volumes any more") == len(PORTALS)
    archive.run("--node")
    assert (node.read(CONFIGURATION), node.read(f"/{STUB}.vendor").decode()) == (configuration, PROGRAM)
    shown = node.run("iscsiadm -m session | while read _ _ portal target _; do "
                     "iscsiadm -m node -p ${portal%,*} -T $target; done").stdout  # fmt: skip
    assert shown.count("node.session.scan = manual") == len(PORTALS)
    records = "cat /var/lib/instorage/volumes/* 2>/dev/null"
    wait_until(
        lambda: all(pod.volume in node.run(records, check=False).stdout for pod in pods.values()), ADOPTED
    )


def test_its_volumes_go_on_grow_and_end(
    product: Product,
    archive: Unpacked,
    node: Machine,
    san: San,
    pods: dict[str, Kubelet],
    make_volume: MakeVolume,
) -> None:
    vendors = Vendors(node, san)
    kinds = [
        node.run(f"findmnt -no MAJ:MIN {pods[kind].device_mount}").stdout.split(":")[0] for kind in KINDS
    ]
    assert [kind.strip() for kind in kinds] == ["8", "253"]  # a disk, a map
    taken_over(vendors, archive, pods)
    goes_on(vendors, pods)
    for pod in pods.values():
        succeeded([pod.expand(2 * GIB)])
        blocks, size = node.run(f"stat -f -c '%b %S' {pod.pod_directory}").stdout.split()
        assert int(blocks) * int(size) > 1.8 * GIB
    goes_on(vendors, pods)
    beside = Kubelet(node, make_volume())
    succeeded([*beside.start_pod(), *beside.end_pod()])
    node.run("systemctl stop 'writer-*'")
    for pod in pods.values():
        succeeded(pod.end_pod())
    node.run("systemctl restart iscsid; iscsiadm -m session")  # whose sessions had brought every LUN
    wait_until(lambda: not product.residue(), 60)
    assert not [volume for volume in san.control.do("volumes") if volume["maps"]]


def test_their_data_is_there_for_the_next_pod_and_the_vendors_program_on_request(
    product: Product, archive: Unpacked, node: Machine, make_volume: MakeVolume
) -> None:
    pod = Kubelet(node, make_volume())
    succeeded(pod.start_pod())
    succeeded(pod.end_pod())
    said = archive.run("--uninstall").stdout
    assert f"install -m 0755 /{STUB}.vendor /{STUB}" in said
    assert node.run(["test", "-e", f"/{STUB}"], check=False).exit_status == 1
    node.run(f"install -m 0755 /{STUB}.vendor /{STUB}")
    archive.run("--node")
    again = Kubelet(node, pod.volume)
    succeeded([*again.start_pod(), *again.end_pod()])
