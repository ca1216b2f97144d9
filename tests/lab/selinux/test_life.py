"""Enforcing, with no rule silent: a volume's life, restarts, labels; nothing of ours is denied."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.soak import WHOLE
from tools.lab.kubelet import Kubelet
from tools.lab.product import LABELLED

if TYPE_CHECKING:
    from tests.lab.selinux.conftest import MakeVolume
    from tools.lab import Machine
    from tools.lab.kubelet import Answer

pytestmark = [pytest.mark.lab, pytest.mark.skipif(not WHOLE, reason="not yet seen in the lab")]
LIMIT = 60  # seconds for a command in an emulated machine
POD = "system_u:object_r:user_home_t:s0"  # a type that Debian 12 has, in the place of a container's
DOMAINS = {
    "instorage-nodeagent.service": "instorage_agent_t",
    "instorage-helper.service": "instorage_helper_t",
}


def succeeded(answers: list[Answer]) -> None:
    failed = [f"{answer.call}: {answer.message}" for answer in answers if not answer.success]
    assert not failed, failed


def domain(node: Machine, unit: str) -> str:
    """The type in which a unit's main process runs."""
    pid = node.run(f"systemctl show -p MainPID --value {unit}", LIMIT).stdout.strip()
    return node.run(f"cat /proc/{pid}/attr/current", LIMIT).stdout.strip("\0\n ").split(":")[2]


@pytest.mark.parametrize("fs_type", ["ext4", "xfs"])
def test_a_volume_lives_its_life_and_every_process_is_in_its_domain(
    node: Machine, make_volume: MakeVolume, fs_type: str
) -> None:
    assert node.run("getenforce").stdout.strip() == "Enforcing"
    kubelet = Kubelet(node, make_volume(), fs_type=fs_type)
    succeeded(kubelet.start_pod())
    assert {unit: domain(node, unit) for unit in DOMAINS} == DOMAINS
    node.put(f"{kubelet.pod_directory}/row", "forty-two")
    succeeded(kubelet.end_pod())


@pytest.mark.parametrize("fs_type", ["ext4", "xfs"])
def test_kubelets_relabelling_of_a_volume_works(node: Machine, make_volume: MakeVolume, fs_type: str) -> None:
    """As kubelet does it for selinuxRelabel: the mount must take labels, and keep them for the next pod."""
    kubelet = Kubelet(node, make_volume(), fs_type=fs_type)
    succeeded(kubelet.start_pod())
    assert "seclabel" in node.run(["findmnt", "-no", "OPTIONS", kubelet.pod_directory]).stdout.split(",")
    node.put(f"{kubelet.pod_directory}/row", "forty-two")
    node.run(f"chcon -R {POD} {kubelet.pod_directory}", LIMIT)
    succeeded(kubelet.end_pod())
    again = Kubelet(node, kubelet.volume, fs_type=fs_type)
    succeeded(again.start_pod())
    assert node.run(f"stat -c %C {again.pod_directory}/row").stdout.strip() == POD
    succeeded(again.end_pod())


def test_everything_is_restarted_under_a_mounted_volume(node: Machine, make_volume: MakeVolume) -> None:
    kubelet = Kubelet(node, make_volume())
    succeeded(kubelet.start_pod())
    for unit in ("instorage-node.target", "iscsid.service", "multipathd.service"):
        node.run(f"systemctl restart {unit}", 120)
    succeeded(kubelet.end_pod())


def test_what_is_laid_down_has_its_labels(node: Machine) -> None:
    shown = node.run(f"restorecon -n -v -R {LABELLED} /var/lib/instorage /var/lib/instorage-helper", LIMIT)
    assert shown.stdout == ""
