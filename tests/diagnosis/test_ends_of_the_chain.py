"""What ends a chain: a pod that runs whole, one that has ended, a mount that works, one that is elsewhere."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from nodeagent.diagnosis import agent, device, link, remedy
from nodeagent.diagnosis.link import ENDED, KUBERNETES, NOBODY, NODE, UNSEEN, WRONG
from nodeagent.diagnosis.objects import gathered
from tests.diagnosis.inspected import Node, of_place
from tests.diagnosis.recorded import VOLUME, Recorded, ago, kubectl, serving, waiting
from tests.diagnosis.test_device import UID, Sysfs

if TYPE_CHECKING:
    from pathlib import Path

CRASHES = {"name": "web", "ready": False, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
OTHER = "pvc-6f2c1a4e-0000-4000-8000-000000000002"


@pytest.fixture
def api() -> Recorded:
    made = serving()
    made.bound()
    made.pod(phase="Running", containerStatuses=[{"name": "web", "ready": True}])["spec"]["containers"] = [
        {"name": "web"}
    ]
    assert made.why().status == 0
    return made


def spoiled(api: Recorded, how: str) -> None:
    pod = api.kept["pod", "default", "web"]
    if how == "crashes":
        pod["status"]["containerStatuses"] = [CRASHES]
    elif how == "unsaid":
        pod["status"]["containerStatuses"] = []
    elif how == "not-ready":
        pod["status"]["conditions"] = [
            {"type": "Ready", "status": "False", "reason": "ReadinessGatesNotReady"}
        ]
    elif how == "deleted":
        pod["metadata"]["deletionTimestamp"] = ago(90_000_000)
    elif how == "node-away":
        api.node(ready=False)
    elif how == "node-gone":
        del api.kept["node", "", "node1"]


@pytest.mark.parametrize(
    ("how", "part"),
    [
        ("crashes", "web CrashLoopBackOff"), ("unsaid", "not ready: web"),
        ("not-ready", "ReadinessGatesNotReady"), ("deleted", "is being deleted"),
        ("node-away", "is not ready"), ("node-gone", "not in the cluster any more"),
    ],
)  # fmt: skip
def test_a_pod_that_does_not_run_whole_is_not_said_to_work(api: Recorded, how: str, part: str) -> None:
    spoiled(api, how)
    verdict = api.why()
    assert " works" not in verdict.sentence
    assert part in verdict.sentence
    assert verdict.status > 0


def test_a_pod_on_a_node_that_may_not_be_read_works_by_its_own_word(api: Recorded) -> None:
    api.denied["node"] = "nodes is forbidden"
    assert api.why().sentence == "default/web works."
    spoiled(api, "not-ready")
    assert " works" not in api.why().sentence


@pytest.mark.parametrize(("phase", "who", "command"), [
    ("Succeeded", NOBODY, ""), ("Failed", KUBERNETES, "kubectl -n default describe pod web"),
])  # fmt: skip
def test_a_pod_that_is_over_waits_for_nothing(api: Recorded, phase: str, who: str, command: str) -> None:
    api.kept["pod", "default", "web"]["status"] |= {"phase": phase, "reason": "Evicted"}
    verdict = api.why()
    assert verdict.sentence == (
        f"default/web has ended: Pod web ended on node1 ({phase}, Evicted): it waits for no volume any more."
    )
    assert (verdict.who, verdict.command, verdict.status) == (who, command, 1)
    assert verdict.first is not None
    assert verdict.first.state == ENDED


def test_of_a_pod_with_two_volumes_the_one_that_fails_is_looked_at_and_the_other_named() -> None:
    api = waiting(serving())
    pod = api.kept["pod", "default", "web"]
    second = json.loads(json.dumps(api.kept["pv", "", VOLUME]).replace(VOLUME, OTHER))
    api.kept["pv", "", OTHER] = second
    claim = json.loads(json.dumps(api.kept["pvc", "default", "data"]).replace(VOLUME, OTHER))
    api.kept["pvc", "default", "more"] = claim
    pod["spec"]["volumes"].append({"name": "more", "persistentVolumeClaim": {"claimName": "more"}})
    said = "MountVolume.WaitForAttach failed, status: Failure, reason: No path came up. [no-path]"
    api.event(pod, "FailedMount", f'for volume "{VOLUME}" : {said}', lastTimestamp=ago(500))
    api.event(pod, "FailedMount", f'for volume "{OTHER}" : {said}', lastTimestamp=ago(20))
    verdict = api.why()
    assert gathered(api, "default/web").volume_name == OTHER
    assert verdict.command == f"instoragectl doctor --volume {OTHER}"
    assert any(VOLUME in one.sentence for one in verdict.links if one.state == UNSEEN)


@pytest.fixture
def sysfs(tmp_path: Path) -> Sysfs:
    made = Sysfs(tmp_path / "sys")
    made.disk(0)
    made.disk(1)
    made.map()
    return made


@pytest.mark.parametrize(
    ("more", "errors", "how"), [("ro,errors=remount-ro", "7", "(ro)"), ("rw", "7", "(errors_count 7)")]
)
def test_an_ext_that_the_kernel_set_read_only_or_distrusts_does_not_work(
    sysfs: Sysfs, more: str, errors: str, how: str
) -> None:
    sysfs.mount(more=more)
    sysfs.file("fs/ext4/dm-0/errors_count", errors)
    verdict = sysfs.why()
    assert how in verdict.sentence
    assert "works" not in verdict.sentence
    assert verdict.status == 2


def test_what_was_mounted_read_only_is_in_order(sysfs: Sysfs) -> None:
    sysfs.mount("ro,relatime", "ro")
    sysfs.file("fs/ext4/dm-0/errors_count", "0")
    assert sysfs.why().sentence == "Volume v works."


def test_of_an_xfs_it_is_said_that_it_was_not_opened(sysfs: Sysfs) -> None:
    sysfs.mount(kind="xfs")
    verdict = sysfs.why()
    assert "works" not in verdict.sentence
    assert any("it was not opened" in one.sentence for one in verdict.links)


def test_a_disk_beside_the_map_is_no_path_of_it(sysfs: Sysfs) -> None:
    sysfs.mount()
    for disk in ("sda", "sdb"):
        sysfs.file(f"block/dm-0/slaves/{disk}/x", "")
    assert "works." in sysfs.why().sentence
    sysfs.disk(2)
    verdict = sysfs.why()
    assert "sdc is a path to the volume, and not in its map mpatha (dm-0)." in verdict.sentence
    assert (verdict.who, verdict.command) == (NODE, "instoragectl multipath")
    said = [one.sentence for one in device.links("v", UID, sysfs.kernel, attached=True)]
    assert any("over 2 paths" in one for one in said)


@pytest.mark.subprocess
def test_a_mount_on_the_former_node_is_no_sign_that_the_pod_works(node: Node) -> None:
    node.bench.create(VOLUME)
    node.bench.use(VOLUME)
    api = serving()
    api.bound()
    api.node("node2")
    api.pod("node2")
    reached(node, api)
    found = node.why("default/web")
    (said,) = of_place(found, "mount", "wrong")
    assert "is still here, on node1, and its pod is on node2" in said
    assert of_place(found, "mount", "right") == []
    assert " works" not in found["sentence"]


def reached(node: Node, api: Recorded) -> None:
    kubectl(node.bench.directory, api)
    for name in ("python3", "env"):
        (node.bench.directory / f"bin/{name}").symlink_to(f"/usr/bin/{name}")


def record(directory: Path, storage: str, uid: str) -> None:
    directory.mkdir(exist_ok=True)
    kept: dict[str, Any] = {"name": "v", "uid": uid, "storage": storage}
    (directory / uid).write_text(json.dumps(kept))


def test_of_two_records_of_a_name_that_of_the_pvs_array_counts_else_both(tmp_path: Path) -> None:
    records = tmp_path / "records"
    record(records, "hall-1", "a" * 32)
    record(records, "hall-2", "b" * 32)

    def said(storage: str) -> list[str]:
        found = agent.links("v", records, str(tmp_path / "none"), storage=storage)
        return [one.sentence for one in found if "attached here" in one.sentence]

    assert [one.partition("array ")[2][:6] for one in said("")] == ["hall-1", "hall-2"]
    assert [one.partition("array ")[2][:6] for one in said("hall-2")] == ["hall-2"]


def test_no_restart_is_named_that_may_break_an_expansion_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent, "SECONDS", 0.2)
    path = tmp_path / "agent.sock"

    def named(*, idle: bool) -> str:
        found = agent.links("v", tmp_path / "none", str(path), idle=idle)
        (link,) = [one for one in found if one.state == WRONG]
        return link.command

    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(path))
        assert [named(idle=idle) for idle in (True, False)] == [remedy.START] * 2  # nobody listens
        silent.listen()
        assert [named(idle=idle) for idle in (True, False)] == [remedy.RESTART, agent.STATUS]
    assert "restart" not in remedy.of_code("helper-unreachable").command
    api = waiting(serving())
    api.failed_mount("the node agent cannot be reached at /run/instorage/agent.sock")
    assert api.why().command == remedy.START


def test_a_chain_is_judged_by_its_pod_before_its_mount() -> None:
    mount = link.Link("mount", link.RIGHT, "Mounted.")
    assert link.works([mount, link.Link("pod", UNSEEN, "?")])
    assert not link.works([mount, link.Link("pod", link.WAITS, "It crashes.")])
    assert not link.works([mount, link.Link("mount", WRONG, "Given up.")])
