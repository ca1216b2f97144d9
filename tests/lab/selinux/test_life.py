"""Enforcing, with no rule silent: a volume's life, growth, restarts, a boot; nothing of ours is denied."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

import pytest

from nodeagent.administration.denials import rules
from tests.lab.crash.life import start
from tests.lab.link import over
from tests.lab.load import succeeded
from tests.lab.selinux.domains import domain
from tests.soak import in_turn, of_today
from tools.lab import denials
from tools.lab.kubelet import STUB, Kubelet
from tools.lab.product import LABELLED, Product

if TYPE_CHECKING:
    from tests.lab.selinux.conftest import MakeVolume
    from tools.lab import Machine
    from tools.lab.san import San

LINKS = ("iscsi", "fc", "fc", "iscsi", "fc", "iscsi", "iscsi", "fc")
"""Each kind of test meets each link in eight days, here and on the other releases."""
EVEN, ODD = in_turn(0, 2), in_turn(1, 2)
pytestmark = [pytest.mark.lab, pytest.mark.timeout(600), over(*of_today(LINKS, 8))]
LIMIT = 60  # seconds for a command in an emulated machine
GIB = 1 << 30
POD = "system_u:object_r:user_home_t:s0"  # in the place of a container's (conftest)
DOMAINS = {
    "instorage-nodeagent.service": "instorage_agent_t",
    "instorage-helper.service": "instorage_helper_t",
}
PLUGINS = "/var/lib/kubelet/plugins"
NO_FOLDER = f"mkdir -p {PLUGINS} && find {PLUGINS} -mindepth 1 -depth -type d -empty -delete"
# Before anything of ours, iscsid or multipathd: the lab's kernel is told to begin permissive.
ENFORCES = """
[Unit]
DefaultDependencies=no
After=systemd-remount-fs.service
Before=sysinit.target iscsid.socket multipathd.service
[Service]
Type=oneshot
ExecStart=/usr/sbin/auditctl -b 65536
ExecStart=-/usr/sbin/auditctl --reset-lost
ExecStart=/usr/sbin/setenforce 1
[Install]
WantedBy=sysinit.target
"""


# The lab's own script for its links, in the domain of scripts, as its agent is.
PREPARE_BOOT = """
chcon -t initrc_exec_t /usr/local/sbin/labnet && systemctl daemon-reload &&
systemctl enable lab-enforces.service instorage-node.target
"""


def enforcing(node: Machine) -> bool:
    return node.run("getenforce", LIMIT).stdout.strip() == "Enforcing"


@pytest.mark.parametrize("fs_type", [pytest.param("ext4", marks=EVEN), pytest.param("xfs", marks=ODD)])
def test_a_volume_lives_its_life_and_every_process_is_in_its_domain(
    node: Machine, make_volume: MakeVolume, fs_type: str
) -> None:
    assert enforcing(node)
    kubelet = Kubelet(node, make_volume(), fs_type=fs_type)
    succeeded(kubelet.start_pod())
    assert {unit: domain(node, unit, LIMIT) for unit in DOMAINS} == DOMAINS
    node.put(f"{kubelet.pod_directory}/row", "forty-two")
    succeeded([kubelet.expand(2 * GIB)])
    succeeded(kubelet.end_pod())


def test_a_node_without_attach_calls_mounts_and_unmounts(node: Machine, make_volume: MakeVolume) -> None:
    """The stub reads the setting beside it; the helper makes kubelet's folder, where kubelet makes none."""
    kubelet = Kubelet(node, make_volume())
    try:
        node.run("instoragectl attach-calls false", LIMIT)
        node.run(NO_FOLDER, LIMIT)
        assert json.loads(node.run(f"{STUB} init", LIMIT).stdout)["capabilities"]["attach"] is False
        succeeded([kubelet.call("mount")])
        assert node.run(["findmnt", "-no", "FSTYPE", kubelet.pod_directory]).stdout.strip() == "ext4"
        succeeded([kubelet.call("unmount")])
    finally:
        node.run("instoragectl attach-calls true", LIMIT)


def test_what_is_laid_down_has_its_labels(node: Machine) -> None:
    shown = node.run(f"restorecon -n -v -R {LABELLED} /var/lib/instorage /var/lib/instorage-helper", LIMIT)
    assert shown.stdout == ""


def test_a_look_at_the_configuration_by_the_driver_itself_is_denied_nothing(node: Machine) -> None:
    """As docs/install.md has it typed; what is denied to a domain of ours fails the test."""
    assert "storage-01" in node.run(f"{STUB} ext-check-cfg", LIMIT).stdout


@pytest.mark.parametrize("fs_type", [pytest.param("ext4", marks=ODD), pytest.param("xfs", marks=EVEN)])
def test_kubelets_relabelling_of_a_volume_works(node: Machine, make_volume: MakeVolume, fs_type: str) -> None:
    """As kubelet does it for selinuxRelabel: the mount must take labels, and keep them for the next pod."""
    kubelet = Kubelet(node, make_volume(), fs_type=fs_type)
    succeeded(kubelet.start_pod())
    assert "seclabel" in node.run(["findmnt", "-no", "OPTIONS", kubelet.pod_directory]).stdout.strip().split(
        ","
    )
    node.put(f"{kubelet.pod_directory}/row", "forty-two")
    node.run(f"chcon -R {POD} {kubelet.pod_directory}", LIMIT)
    succeeded(kubelet.end_pod())
    again = Kubelet(node, kubelet.volume, fs_type=fs_type)
    succeeded(again.start_pod())
    assert node.run(f"stat -c %C {again.pod_directory}/row").stdout.strip() == POD
    succeeded([again.expand(2 * GIB)])
    succeeded(again.end_pod())


@pytest.mark.parametrize("fs_type", [pytest.param("ext4", marks=EVEN), pytest.param("xfs", marks=ODD)])
def test_a_volume_of_one_label_gives_it_to_every_file(
    enforced: Product, node: Machine, make_volume: MakeVolume, fs_type: str
) -> None:
    with enforced.configured(mountContext=POD):
        kubelet = Kubelet(node, make_volume(), fs_type=fs_type)
        succeeded(kubelet.start_pod())
        node.put(f"{kubelet.pod_directory}/row", "forty-two")
        assert node.run(f"stat -c %C {kubelet.pod_directory}/row", LIMIT).stdout.strip() == POD
        refused = node.run(f"chcon -t unlabeled_t {kubelet.pod_directory}/row", LIMIT, check=False)
        assert refused.exit_status, "a label of its own, on a volume that has one for all"
        succeeded(kubelet.end_pod())


@EVEN
def test_an_active_active_volume_grows(node: Machine, san: San) -> None:
    volume = f"pvc-{uuid.uuid4()}"
    san.command(
        f"mcsop mkvolume -name {volume} -size 1 -unit gb -pool Pool0:Pool1 -iogrp 0:1 -buffersize 2% -thin"
    )
    kubelet = Kubelet(node, volume, options={"volLevel": "aa"})
    succeeded(kubelet.start_pod())
    succeeded([kubelet.expand(2 * GIB)])
    succeeded(kubelet.end_pod())
    san.command(f"mcsop rmvolume {volume}")


@ODD
def test_everything_is_restarted_under_a_mounted_volume(node: Machine, make_volume: MakeVolume) -> None:
    kubelet = Kubelet(node, make_volume())
    succeeded(kubelet.start_pod())
    for unit in ("instorage-node.target", "iscsid.service", "multipathd.service"):
        node.run(f"systemctl restart {unit}", 120)
    succeeded(kubelet.end_pod())


@EVEN
def test_the_doctor_finds_nothing_wrong_with_selinux(
    node: Machine, make_volume: MakeVolume, denied_besides: tuple[str, ...]
) -> None:
    kubelet = Kubelet(node, make_volume())
    succeeded(kubelet.start_pod())
    said = json.loads(node.run("instoragectl doctor --json; true", 120).stdout)
    assert "selinux" in said["checks"]
    ours = [one for one in said["findings"] if one["check"] == "selinux"]
    (note,) = (one["sentence"] for one in ours if one["severity"] == "ok")
    assert note.startswith("SELinux is enforcing; its policy has the module instorage ")
    found = {one["sentence"]: one["proof"] for one in ours if one["severity"] != "ok"}
    if node.run("journalctl -q -n 1", LIMIT, check=False).exit_status:  # Debian 13, in the lab's own domain
        found = {one: proof for one, proof in found.items() if "insufficient permissions" not in proof}
    besides = [one for one in found if any(f"«{rule}»" in one for rule in denied_besides)]
    assert {one: proof for one, proof in found.items() if one not in besides} == {}
    succeeded(kubelet.end_pod())


@ODD
def test_a_boot_is_enforced_and_its_volumes_come_back(
    node: Machine, make_volume: MakeVolume, denied_besides: tuple[str, ...]
) -> None:
    """At the end: what goes down unmounts in its own domain, and what comes up attaches anew."""
    node.put("/etc/systemd/system/lab-enforces.service", ENFORCES)
    node.run(PREPARE_BOOT, LIMIT)
    kubelet = Kubelet(node, make_volume())
    succeeded(kubelet.start_pod())
    before = denials.of(node)
    node.run("dmesg -n 6")  # the console says what is denied on the way down, and nothing else keeps it
    node.reboot()
    assert enforcing(node)
    assert {*before, *rules(node.console.splitlines())} <= {*denied_besides}
    again = Kubelet(node, kubelet.volume)
    start(again)  # until the ports have logged into their fabrics
    assert {unit: domain(node, unit, LIMIT) for unit in DOMAINS} == DOMAINS
    succeeded(again.end_pod())
