"""`instoragectl why` on a true node: each fault is made; sentence, who must act and command are read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab.link import PATHS, WIRES, WORKS
from tests.lab.node.test_life import succeeded
from tests.lab.reachability import wait_until
from tests.soak import IN_SOAK
from tools.lab.kubelet import Kubelet
from tools.lab.product import PASSWORD

if TYPE_CHECKING:
    from tests.lab.node.conftest import MakeVolume
    from tools.lab import Machine
    from tools.lab.product import Product
    from tools.lab.san import San

pytestmark = [pytest.mark.lab, IN_SOAK, pytest.mark.timeout(300)]
PLUGIN = "/usr/libexec/kubernetes/kubelet-plugins/volume/exec/inspur~instorage-flexvolume"
LOST = 60.0  # seconds for a session and multipathd to see that a way is gone


@pytest.fixture
def pod(node: Machine, make_volume: MakeVolume) -> Kubelet:
    return Kubelet(node, make_volume())


def why(pod: Kubelet) -> dict[str, Any]:
    """Return what the command says of the volume; nothing there sees the API."""
    said = pod.machine.run(["instoragectl", "why", pod.volume, "--json"], 120, check=False).stdout
    found: dict[str, Any] = json.loads(said)
    print(found["sentence"], found["who"], found["do"], sep="\n")
    return found


def refused(pod: Kubelet, call: str = "waitforattach") -> dict[str, Any]:
    """Have a call fail, and ask why; the agent's answer is the sentence."""
    answer = pod.call(call)
    assert answer.answer["status"] == "Failure", answer
    return why(pod)


def test_both_cables_that_are_pulled_are_the_sans(pod: Kubelet, link: str) -> None:
    for wire in WIRES[link]:
        pod.machine.set_link(wire, up=False)
    try:
        found = refused(pod)
    finally:
        for wire in WIRES[link]:
            pod.machine.set_link(wire, up=True)
    assert "can be reached" in found["sentence"]
    assert (found["who"], found["do"]) == ("san", f"instoragectl doctor --volume {pod.volume}")
    succeeded([pod.call("waitforattach"), pod.call("mountdevice"), pod.call("unmountdevice")])


def test_one_cable_under_a_pod_is_the_sans_and_the_pod_works(pod: Kubelet, link: str) -> None:
    succeeded(pod.start_pod())
    ways = f"multipath -ll | grep -cE '{WORKS}'"
    wait_until(lambda: pod.machine.run(ways, check=False).stdout.strip() == str(PATHS[link]), LOST)
    pod.machine.set_link(WIRES[link][1], up=False)
    try:
        wait_until(lambda: f"1 of {PATHS[link]} paths" in why(pod)["sentence"], LOST)
        found = why(pod)
    finally:
        pod.machine.set_link(WIRES[link][1], up=True)
    assert "works, with a fault" in found["sentence"]
    assert (found["who"], found["do"]) == ("san", f"instoragectl doctor --volume {pod.volume}")
    succeeded(pod.end_pod())


def test_a_wrong_password_is_the_nodes(pod: Kubelet, product: Product) -> None:
    product.password = "not-the-password"
    product.configure()
    try:
        found = refused(pod)
    finally:
        product.password = PASSWORD
        product.configure()
    assert "password" in found["sentence"]
    assert "not-the-password" not in str(found)
    assert (found["who"], found["do"]) == ("node", f"{PLUGIN}/instorage-flexvolume ext-check-cfg")


def test_an_array_that_is_off_is_told_with_its_address(pod: Kubelet, san: San) -> None:
    san.stop()
    try:
        found = refused(pod)
    finally:
        san.start()
    assert "10.0.2.100" in found["sentence"]
    assert (found["who"], found["do"]) == ("node", "instoragectl arrays")


def test_data_on_a_new_volume_are_kubernetes_matter(pod: Kubelet) -> None:
    succeeded([pod.call("waitforattach")])
    write = f"printf precious | dd of={pod.device} bs=1 seek=28672 conv=notrunc,nocreat,fsync status=none"
    pod.machine.run(f"udevadm settle; {write}")  # the call waits for the map, not for udev's link
    found = refused(pod, "mountdevice")
    assert "it holds data (at byte 28672) that is no known file system" in found["sentence"]
    assert (found["who"], found["do"]) == ("kubernetes", "kubectl instorage doctor")
    assert pod.machine.run(f"dd if={pod.device} bs=1 skip=28672 count=8 status=none").stdout == "precious"
    succeeded([pod.call("unmountdevice")])


def test_a_first_use_that_is_read_only_is_kubernetes_matter(pod: Kubelet) -> None:
    reader = Kubelet(pod.machine, pod.volume, read_only=True)
    succeeded([reader.call("waitforattach")])
    found = refused(reader, "mountdevice")
    assert (found["who"], found["do"]) == ("kubernetes", f"kubectl get pv {pod.volume} -o yaml")
    succeeded([reader.call("unmountdevice")])


def test_a_helper_that_is_stopped_is_named_with_what_starts_it(pod: Kubelet) -> None:
    units = "instorage-helper.socket instorage-helper.service"
    pod.machine.run(f"systemctl stop {units}")
    found = refused(pod)
    try:
        assert found["who"] == "node"
        pod.machine.run(found["do"])
        succeeded([pod.call("waitforattach"), pod.call("mountdevice"), pod.call("unmountdevice")])
    finally:
        pod.machine.run("systemctl start instorage-helper.socket")
