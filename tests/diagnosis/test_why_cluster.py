"""What Kubernetes alone tells of a claim or a pod that waits: the sentence, who must act, the command."""

from __future__ import annotations

from typing import Any

import pytest

from nodeagent.diagnosis import link
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
    assert verdict.who == NOBODY
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
        "Volume v of 9.0 GiB does not fit on array storage-01: Pool0 has 1.0 GiB of 4.0 GiB free.",
        "The volume cannot grow now: pool Pool0 on array storage-01 has 1.0 GiB free.",
    ],
)
def test_a_full_pool_is_the_arrays_administrators(api: Recorded, said: str) -> None:
    claim = api.claim()
    api.event(claim, "ProvisioningFailed", f"{said} [pool-full]")
    verdict = api.why("default/data")
    assert (verdict.who, verdict.command) == (ARRAY, "mcsinq lsmdiskgrp Pool0")
    assert "[pool-full]" not in verdict.sentence
    assert "(4 min)" in verdict.sentence


def test_a_provisioner_that_is_away_is_told_by_its_lease(api: Recorded) -> None:
    api.claim()
    api.lease(age=300)
    verdict = api.why("default/data")
    assert (
        "The provisioner is away: master_1 has not renewed Lease kube-system/inspur-instorage"
        in verdict.sentence
    )
    assert (verdict.who, verdict.command) == (KUBERNETES, "systemctl restart instorage-provisioner")


def test_a_provisioner_that_works_and_has_not_begun_is_waited_for(api: Recorded) -> None:
    api.claim()
    verdict = api.why("default/data")
    assert "has not begun with it" in verdict.sentence
    assert verdict.who == NOBODY


def test_a_provisioner_of_another_name_that_said_nothing_yet_is_known_by_the_classs_pool(
    api: Recorded,
) -> None:
    api.claim()
    api.storage_class(provisioner="example.org/gold", parameters={"volPoolName": "Pool0"})
    verdict = api.why("default/data")
    assert "No provisioner has ever worked here (Lease kube-system/example.org-gold" in verdict.sentence
    api.storage_class(provisioner="example.org/gold", parameters={"pool": "Pool0"})
    assert "not by this product" in api.why("default/data").sentence


def test_a_volume_that_is_being_made_is_nobodys_to_mend(api: Recorded) -> None:
    api.event(api.claim(), "Provisioning", f"Volume {VOLUME} is being made on storage-01.", normal=True)
    verdict = api.why("default/data")
    assert f"Volume {VOLUME} is being made on storage-01." in verdict.sentence
    assert verdict.who == NOBODY


def test_a_lease_that_may_not_be_read_is_not_called_away(api: Recorded) -> None:
    api.claim()
    api.denied["lease"] = "leases is forbidden"
    verdict = api.why("default/data")
    assert "away" not in verdict.sentence
    assert any(one.place == "provisioner" and one.state == link.UNSEEN for one in verdict.links)


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
    assert verdict.who == KUBERNETES


def test_kubelet_that_has_not_asked_yet_is_told_from_one_that_was_refused(api: Recorded) -> None:
    verdict = waiting(api).why()
    assert "kubelet of node1 has not asked for the volume yet" in verdict.sentence
    assert verdict.command == "journalctl -u kubelet"
    api.failed_mount("Array storage-01 cannot be reached. [array-unreachable] (request 0a1b2c3d4e)")
    assert "Array storage-01 cannot be reached." in api.why().sentence


def test_a_node_that_is_not_ready_comes_before_what_its_kubelet_did_not_do(api: Recorded) -> None:
    api.node(ready=False)
    verdict = waiting(api).why()
    assert "Node node1 is not ready" in verdict.sentence
    assert (verdict.who, verdict.command) == (NODE, "kubectl describe node node1")


def test_a_volume_that_another_node_has_is_released_from_that_one(api: Recorded) -> None:
    waiting(api).failed_mount(
        f"Volume {VOLUME} is mapped to host iscsi-node2: it can be used here when that node has let it go. "
        "[volume-mapped-elsewhere] (request 0a1b2c3d4e)"
    )
    verdict = api.why()
    assert "is mapped to host iscsi-node2" in verdict.sentence
    assert (verdict.who, verdict.command) == (KUBERNETES, f"instoragectl release {VOLUME} --from node2")


@pytest.mark.parametrize(
    ("code", "who", "command"),
    [
        ("array-unreachable", NODE, "instoragectl arrays"),
        ("array-authentication", NODE, "instorage-flexvolume ext-check-cfg"),
        ("array-sessions", ARRAY, "instoragectl arrays"),
        ("portal-unreachable", SAN, f"instoragectl doctor --volume {VOLUME}"),
        ("no-path", SAN, f"instoragectl doctor --volume {VOLUME}"),
        ("volume-missing", ARRAY, f"mcsinq lsvdisk -filtervalue name={VOLUME}"),
        ("read-only-first-use", KUBERNETES, f"kubectl get pv {VOLUME} -o yaml"),
        ("not-signed", KUBERNETES, "instoragectl adopt"),
        ("wrong-device", ARRAY, f"instoragectl doctor --volume {VOLUME}"),
        ("not-empty", ARRAY, f"instoragectl tree {VOLUME}"),
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
