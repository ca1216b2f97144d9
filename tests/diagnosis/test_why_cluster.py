"""What Kubernetes alone tells of a claim or a pod that waits: the sentence, who must act, the command."""

from __future__ import annotations

from typing import Any

import pytest

from nodeagent.diagnosis import link, remedy
from nodeagent.diagnosis.link import ARRAY, KUBERNETES, NOBODY, NODE, SAN, WAITS
from tests.diagnosis.recorded import VOLUME, Recorded, ago, serving, waiting


@pytest.fixture
def api() -> Recorded:
    return serving()


def test_a_pod_that_runs_works(api: Recorded) -> None:
    api.bound()
    api.pod(phase="Running")
    verdict = api.why()
    assert verdict.first is None
    assert verdict.sentence == "default/web works."
    assert (verdict.who, verdict.command) == (NOBODY, "")


def test_a_claim_waits_for_its_first_consumer_which_is_nobodys_fault(api: Recorded) -> None:
    api.storage_class(volumeBindingMode="WaitForFirstConsumer")
    api.claim()
    verdict = api.why("default/data")
    assert "waits for its first consumer" in verdict.sentence
    assert (verdict.who, verdict.command) == (NOBODY, "")
    assert verdict.first is not None
    assert verdict.first.state == WAITS


def test_a_scheduler_that_has_not_chosen_is_named_with_its_reason(api: Recorded) -> None:
    api.bound()
    said = {
        "type": "PodScheduled",
        "status": "False",
        "message": "0/2 nodes are available: 2 busy.",
    }
    api.pod("", conditions=[said | {"lastTransitionTime": ago(120)}])
    verdict = api.why()
    assert "The scheduler has not chosen a node for pod web: 0/2 nodes are available" in verdict.sentence
    assert "(2 min)" in verdict.sentence
    assert (verdict.who, verdict.command) == (KUBERNETES, "kubectl -n default describe pod web")


def test_a_scheduler_that_waits_for_the_claim_is_no_fault_of_its_own(api: Recorded) -> None:
    claim = api.claim()
    api.event(claim, "ProvisioningFailed", "Pool Pool0 on array storage-01 has 1.0 GiB free. [pool-full]")
    said = {
        "type": "PodScheduled",
        "status": "False",
        "message": "pod has unbound immediate PersistentVolumeClaims.",
    }
    api.pod("", conditions=[said])
    verdict = api.why()
    assert verdict.first is not None
    assert verdict.first.place == "claim"
    assert "has 1.0 GiB free" in verdict.sentence


@pytest.mark.parametrize(
    "said",
    [
        (
            "Volume v of 9.0 GiB does not fit on array storage-01: Pool0 has 1.0 GiB of 4.0 GiB free. Free "
            "space there, or use another pool. It is tried again by itself."
        ),
        (
            "Volume v on array storage-01 cannot grow to 9.00 GiB: pool Pool0 has 1.00 GiB free, 4.00 GiB "
            "are needed. Free space there, or add capacity to it. It is tried again by itself."
        ),
    ],
)
def test_a_full_pool_is_the_arrays_administrators(api: Recorded, said: str) -> None:
    claim = api.claim()
    api.event(claim, "ProvisioningFailed", f"{said} [pool-full]")
    verdict = api.why("default/data")
    assert (verdict.who, verdict.command) == (ARRAY, "mcsinq lsmdiskgrp Pool0")
    assert said in verdict.sentence
    assert "[pool-full]" not in verdict.sentence
    assert "Where: on the array's command line (SSH)." in list(link.lines(verdict, proof=False))
    assert "(4 min)" in verdict.sentence


@pytest.mark.parametrize(
    ("spec", "part"),
    [
        ({"storageClassName": None}, "names no StorageClass"),
        ({"storageClassName": "tin"}, "no StorageClass tin"),
    ],
)
def test_a_claim_without_a_class_is_told_so(api: Recorded, spec: dict[str, Any], part: str) -> None:
    api.claim(**spec)
    verdict = api.why("default/data")
    assert part in verdict.sentence
    assert (verdict.who, verdict.command) == (KUBERNETES, "kubectl get storageclass")


def test_kubelet_that_has_not_asked_yet_is_told_from_one_that_was_refused(api: Recorded) -> None:
    verdict = waiting(api).why()
    assert "kubelet of node1 has reported nothing of the volume yet" in verdict.sentence
    assert (verdict.who, verdict.command) == (NODE, f"instoragectl why {VOLUME}")
    assert "Look for: its first line." in list(link.lines(verdict, proof=False))
    status = api.kept["pod", "default", "web"]["status"]
    status["startTime"] = ago(20)
    assert (api.why().who, api.why().command) == (NOBODY, "")
    del status["startTime"], status["conditions"]
    assert "(10 min)" in api.why().sentence, "since the pod was made, where nothing later is known"
    api.failed_mount("Array storage-01 cannot be reached. [array-unreachable] (request 0a1b2c3d4e)")
    assert "Array storage-01 cannot be reached." in api.why().sentence


def test_a_node_that_is_not_ready_comes_before_what_its_kubelet_did_not_do(api: Recorded) -> None:
    api.node(ready=False)
    verdict = waiting(api).why()
    assert "Node node1 is not ready" in verdict.sentence
    assert (verdict.who, verdict.command) == (NODE, "kubectl describe node node1")


@pytest.mark.parametrize(
    ("host", "node", "of_node"),
    [
        ("iscsi-node2", "node2", " --field-selector spec.nodeName=node2"),
        ("lab-fc-node2.example", "node2.example", " --field-selector spec.nodeName=node2.example"),
    ],
)
def test_a_volume_that_another_node_has_is_looked_for_there_and_released(
    api: Recorded, host: str, node: str, of_node: str
) -> None:
    waiting(api).failed_mount(mapped_to(host))
    verdict = api.why()
    assert f"is mapped to host {host}, and one node alone may have it: end the pod" in verdict.sentence
    assert f"instoragectl release {VOLUME} --from {node}." in verdict.sentence
    assert (verdict.who, verdict.command) == (KUBERNETES, f"kubectl get pods -A -o wide{of_node}")


@pytest.mark.parametrize("host", ["by-hand", f"iscsi-{'n' * 57}"])
def test_a_host_that_is_no_node_by_its_name_is_looked_for_on_the_array(api: Recorded, host: str) -> None:
    waiting(api).failed_mount(mapped_to(host))
    verdict = api.why()
    assert f"is mapped to host {host}, and one node alone may have it: end the pod" in verdict.sentence
    assert "NODE" not in verdict.sentence, "it could not be typed"
    assert (verdict.who, verdict.command) == (ARRAY, f"mcsinq lshost {host}")


def mapped_to(host: str) -> str:
    """As nodeagent/volume/usable.py says it."""
    return (
        f"Volume {VOLUME} is mapped to host {host}, and one node alone may have it: end the pod there that "
        f"uses it, and the node lets it go. If that node is gone for good: instoragectl release {VOLUME} "
        "--from NODE. It takes nothing from a node that the array does not call logged out. "
        "[volume-mapped-elsewhere]"
    )


@pytest.mark.parametrize(
    ("code", "who", "command"),
    [
        ("array-unreachable", NODE, "instoragectl arrays"),
        ("array-authentication", NODE, remedy.CHECK),
        ("array-sessions", ARRAY, "instoragectl arrays"),
        ("portal-unreachable", SAN, f"instoragectl doctor --volume {VOLUME}"),
        ("no-path", SAN, f"instoragectl doctor --volume {VOLUME}"),
        ("volume-missing", ARRAY, f"mcsinq lsvdisk -filtervalue name={VOLUME}"),
        ("read-only-first-use", KUBERNETES, f"kubectl get pv {VOLUME} -o yaml"),
        ("not-signed", KUBERNETES, "instoragectl adopt"),
        ("wrong-device", NODE, f"instoragectl doctor --volume {VOLUME}"),
        ("not-empty", KUBERNETES, f"kubectl describe pv {VOLUME}"),
        ("barrier", NODE, "instoragectl barrier plan"),
    ],
)
def test_what_the_agent_answered_leads_to_who_must_act(
    api: Recorded, code: str, who: str, command: str
) -> None:
    waiting(api).failed_mount(f"It is so. [{code}] (request 0a1b2c3d4e)")
    verdict = api.why()
    assert "On node1: It is so." in verdict.sentence
    assert (verdict.who, verdict.command) == (who, command)
    assert verdict.first is not None
    assert "3 times" in verdict.first.proof
