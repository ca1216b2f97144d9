"""Doctor on a node with real disks, sessions and units: nothing is wrong, then exactly what was broken."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from installer.multipath import DIRECTORY, NAME, TEXT
from tests.soak import IN_SOAK
from tools.lab.kubelet import Kubelet
from tools.lab.product import PASSWORD

if TYPE_CHECKING:
    from tests.lab.node.conftest import MakeVolume
    from tools.lab import Machine
    from tools.lab.product import Product

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900), IN_SOAK]
OF_THE_LAB = {"clock", "kubelet", "tools", "lease", "selinux"}
"""Of what the lab has not as a node has it: nobody sets the clock, no kubelet runs, the policy is permissive
(and its denials fail a test by themselves)."""


@pytest.fixture(scope="module", autouse=True)
def the_manuals_section(product: Product) -> None:
    """What the installer lays down besides what a checkout has."""
    product.machine.run(f"mkdir -p {DIRECTORY}")
    product.machine.put(f"{DIRECTORY}/{NAME}", TEXT)
    product.machine.run("systemctl restart multipathd")


def found(node: Machine, *arguments: str) -> dict[str, dict[str, Any]]:
    """Findings by code; those of the lab itself left out."""
    said = node.run(f"instoragectl doctor --json {' '.join(arguments)}; true", timeout=120).stdout
    print(said)
    rows = json.loads(said)["findings"]
    return {row["code"]: row for row in rows if row["severity"] != "ok" and row["check"] not in OF_THE_LAB}


def test_journalctl_explains_our_codes(node: Machine) -> None:
    node.run("journalctl --update-catalog")
    listed = node.run("journalctl --list-catalog").stdout
    assert "InStorage: The pool has not enough room (pool-full)" in listed


def test_the_bundle_of_a_node_is_examined_on_it(node: Machine) -> None:
    node.run("rm -f /root/bundle.tar.gz; instoragectl bundle --file /root/bundle.tar.gz", timeout=120)
    said = node.run("instoragectl doctor --json --bundle /root/bundle.tar.gz; true", timeout=120).stdout
    assert json.loads(said)["checks"]
    text = node.run("zcat /root/bundle.tar.gz | tr -d '\\0'").stdout
    assert PASSWORD not in text
    node.run("rm /root/bundle.tar.gz")


def test_the_report_without_a_kubelet_says_what_it_lacks(node: Machine) -> None:
    node.run("systemctl start instorage-report.service; true", timeout=120)
    said = node.run("journalctl -u instorage-report.service -n 5 --no-pager -o cat").stdout
    assert "No kubeconfig of a kubelet is in a known place" in said


def test_a_node_with_a_pod_is_well_and_each_fault_is_found(node: Machine, make_volume: MakeVolume) -> None:
    volume = make_volume()
    kubelet = Kubelet(node, volume)
    answers = kubelet.start_pod()
    assert all(answer.success for answer in answers), answers
    assert found(node) == {}
    assert found(node, "--volume", volume) == {}
    node.run("systemctl stop multipathd.socket multipathd.service")
    assert "unit-inactive" in found(node)
    node.run("systemctl start multipathd.socket multipathd.service")
    disk = node.run("ls /sys/class/iscsi_session | head -n 1").stdout.strip()
    path = node.run(f"ls -d /sys/class/iscsi_session/{disk}/device/target*/*:*/block/*").stdout.split()[0]
    name = path.rpartition("/")[2]
    node.run(f"echo offline >/sys/block/{name}/device/state")
    down = found(node)
    assert down["path-down"]["volume"] == volume
    assert name in down["path-down"]["sentence"]
    why = json.loads(node.run(f"instoragectl why {volume} --json; true", timeout=120).stdout)
    assert "works, with a fault" in why["sentence"]
    assert f"1 of 2 paths work: {name}" in why["sentence"]
    assert why["who"] == "san"
    node.run(f"echo running >/sys/block/{name}/device/state")
    assert all(answer.success for answer in kubelet.end_pod())
    assert found(node) == {}
