"""What else Kubernetes tells: of kubelet, of containers, of what is nowhere; and of strange objects."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instorage.wire.fault import Code
from nodeagent.diagnosis import event, link, remedy
from nodeagent.diagnosis.finding import Who
from nodeagent.diagnosis.link import ARRAY, KUBERNETES, NOBODY, NODE, WAITS, WRONG
from nodeagent.diagnosis.objects import Unknown, Unseen, gathered
from tests.diagnosis.recorded import VOLUME, Recorded, ago, serving, waiting


@pytest.fixture
def api() -> Recorded:
    return serving()


def test_a_node_without_the_driver_is_told_to_install_it(api: Recorded) -> None:
    api.bound()
    pod = api.pod()
    api.event(
        pod, "FailedMount", f'MountVolume.SetUp failed for volume "{VOLUME}" : no volume plugin matched'
    )
    verdict = api.why()
    assert "does not find the driver inspur/instorage-flexvolume" in verdict.sentence
    assert (verdict.who, verdict.command) == (NODE, "./install.sh --node")
    said = list(link.lines(verdict, proof=False))
    assert "Where: in the folder of the unpacked archive, on that host, as root." in said


def test_kubelets_summary_alone_is_no_answer_of_the_agent(api: Recorded) -> None:
    pod = waiting(api).kept["pod", "default", "web"]
    api.event(pod, "FailedMount", "Unable to attach or mount volumes: timed out waiting for the condition")
    assert "has reported nothing of the volume yet" in api.why().sentence


def test_a_pod_whose_container_is_in_the_way_is_not_the_volumes(api: Recorded) -> None:
    api.bound()
    api.pod(containerStatuses=[{"name": "web", "state": {"waiting": {"reason": "ImagePullBackOff"}}}])
    assert (
        "The volume is not in the way: the pod's container waits for web: ImagePullBackOff"
        in api.why().sentence
    )


def test_an_expansion_that_is_stopped_is_a_fault_of_a_volume_that_works(api: Recorded) -> None:
    claim, _ = api.bound()
    claim["spec"]["resources"]["requests"]["storage"] = "9Gi"
    api.pod(phase="Running")
    full = f"Volume {VOLUME} on array storage-01 cannot grow to 9.00 GiB: pool Pool0 has 1.00 GiB free, "
    full += "4.00 GiB are needed. Free space there, or add capacity to it. It is tried again by itself."
    api.event(claim, "ExpansionBlocked", f"{full} [pool-full]")
    verdict = api.why()
    assert verdict.sentence.startswith("default/web works, with a fault")
    assert full in verdict.sentence
    assert (verdict.who, verdict.command) == (ARRAY, "mcsinq lsmdiskgrp Pool0")


@pytest.mark.parametrize("volume", ["", VOLUME])
@pytest.mark.parametrize("code", sorted(remedy.REMEDIES))
def test_no_command_has_a_word_to_replace(code: str, volume: str) -> None:
    found, mend = remedy.of_sentence(f"It is so. [{code}]", volume)
    assert found == code
    assert not {"VOLUME", "NODE", "POOL", "ARRAY"} & set(re.split(r"[\W_]+", mend.command))
    assert "{" not in mend.command
    if volume and mend.who != NOBODY:
        assert mend.command, "who must act is told how"


def test_a_volume_leads_to_its_claim_and_pod(api: Recorded) -> None:
    waiting(api).failed_mount("It is so. [no-path] (request 0a1b2c3d4e)")
    assert "It is so." in api.why(VOLUME).sentence


@pytest.mark.parametrize("namespace", ["default", "web"])
def test_a_volume_that_is_not_deleted_is_no_claim_that_is_missing(api: Recorded, namespace: str) -> None:
    _, volume = api.bound()
    del api.kept["pvc", "default", "data"]
    volume["status"]["phase"] = "Released"
    volume["spec"]["claimRef"]["namespace"] = namespace
    verdict = api.why(VOLUME)
    assert f"PV {VOLUME} is Released: its claim is gone, and its volume is kept" in verdict.sentence
    patch = '{"spec":{"claimRef":{"uid":null}}}'
    freed = (
        f"Only if a new claim {namespace}/data is to get the old data: kubectl patch pv {VOLUME} -p '{patch}'"
    )
    assert freed in verdict.sentence
    assert (verdict.who, verdict.command, verdict.status) == (NOBODY, "", 1)
    mapped = f"Volume {VOLUME} on array storage-01 is not deleted: it is mapped to iscsi-node2. It goes by "
    mapped += "itself when the mapping is gone: end the pod there that uses it. If that node is gone for "
    mapped += f"good: instoragectl release {VOLUME} --from NODE. It takes nothing from a node that the array "
    mapped += "does not call logged out."
    api.event(volume, "VolumeFailedDelete", f"{mapped} [volume-mapped]")
    verdict = api.why(VOLUME)
    assert "is not deleted: it is mapped to iscsi-node2." in verdict.sentence
    assert f"instoragectl release {VOLUME} --from node2." in verdict.sentence
    looked = "kubectl get pods -A -o wide --field-selector spec.nodeName=node2"
    assert (verdict.who, verdict.command) == (KUBERNETES, looked)


@pytest.mark.parametrize(("since", "who"), [(20, NOBODY), (2000, KUBERNETES), (None, KUBERNETES)])
def test_a_released_volume_that_is_to_be_deleted_is_not_to_be_made_free(
    api: Recorded, since: float | None, who: str
) -> None:
    _, volume = api.bound()
    del api.kept["pvc", "default", "data"]
    volume["spec"]["persistentVolumeReclaimPolicy"] = "Delete"
    volume["status"] = {"phase": "Released"} | ({"lastPhaseTransitionTime": ago(since)} if since else {})
    verdict = api.why(VOLUME)
    assert "the provisioner deletes it with its volume" in verdict.sentence
    assert (verdict.who, verdict.command) == (who, event.JOURNAL)


def test_a_claim_of_the_same_name_that_was_made_since_is_not_the_volumes(api: Recorded) -> None:
    _, volume = api.bound()
    volume["spec"]["claimRef"]["uid"] = "of-the-claim-before"
    volume["status"]["phase"] = "Released"
    assert "its claim is gone" in api.why(VOLUME).sentence


def test_a_pv_that_waits_for_a_claim_which_is_not_made_says_make_it(api: Recorded) -> None:
    _, volume = api.bound()
    del api.kept["pvc", "default", "data"]
    volume["status"]["phase"] = "Available"
    volume["spec"] |= {"storageClassName": "gold", "accessModes": ["ReadWriteOnce"]}
    assert (
        f"There is no claim default/data, for which the PV is kept: make it with volumeName {VOLUME}, "
        "storageClassName gold, storage 5Gi at most, accessModes ReadWriteOnce"
    ) in api.why(VOLUME).sentence


def test_a_claim_that_is_not_bound_to_the_pv_that_it_names_is_told_whose_that_is(api: Recorded) -> None:
    _, volume = api.bound()
    api.claim("Pending", VOLUME)
    volume["spec"]["claimRef"]["name"] = "other"
    verdict = api.why("default/data")
    assert "That PV is Bound, and kept for default/other, which has its data: leave it" in verdict.sentence
    assert (verdict.who, verdict.command) == (KUBERNETES, f"kubectl describe pv {VOLUME}")
    del api.kept["pv", "", VOLUME]
    assert f"The claim names PV {VOLUME}, which is not there" in api.why("default/data").sentence


def test_what_is_nowhere_is_said_and_what_cannot_be_read_is_not_called_missing(api: Recorded) -> None:
    with pytest.raises(Unknown, match="neither a pod nor a claim nothing"):
        gathered(api, "default/nothing")
    api.denied |= {"pod": "pods is forbidden", "pvc": "no"}
    assert gathered(api, "default/nothing").unseen == {"pod": "pods is forbidden", "claim": "no"}


def test_every_code_has_somebody_who_must_act() -> None:
    assert set(remedy.REMEDIES) == {code.value for code in Code}
    assert set(link.PEOPLE) == {who.value for who in Who}
    assert all(one.who in link.PEOPLE for one in remedy.REMEDIES.values())


def test_every_statement_that_is_seen_has_its_source(api: Recorded) -> None:
    waiting(api).failed_mount("It is so. [no-path] (request 0a1b2c3d4e)")
    assert [one for one in api.why().links if one.state != link.UNSEEN and not one.proof] == []


NAMES = st.sampled_from(
    ["phase", "volumeName", "renewTime", "leaseDurationSeconds", "conditions", "name", "uid", "volumes"]
)
PIECES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


@given(
    st.sampled_from(["spec", "status", "metadata"]),
    PIECES,
    st.sampled_from(["pod", "pvc", "pv", "node", "lease"]),
)
def test_strange_objects_end_in_a_verdict(part: str, piece: object, kind: str) -> None:
    api = Recorded()
    for make in (api.storage_class, api.lease, api.node, api.bound, api.pod):
        make()
    for key, one in api.kept.items():
        if key[0] == kind:
            one[part] = piece
    try:
        verdict = api.why()
    except (Unknown, Unseen):
        return
    assert verdict.sentence
    assert verdict.first is None or verdict.first.state in (WAITS, WRONG)


def test_what_is_out_of_sight_is_neither_right_nor_anybodys() -> None:
    unseen = link.judged("Volume v", [link.Link("PV", link.UNSEEN, "No kubectl.")])
    assert unseen.status == 1
    assert list(link.lines(unseen, proof=False))[1] == "Who must act: that cannot be told from here."
    assert "nothing of it could be looked at (PV), so nothing is known of it." in unseen.sentence
    assert "«kubectl instorage why»" in unseen.sentence
    running = [link.Link("pod", link.RIGHT, "It runs."), link.Link("array", link.UNSEEN, "No file.")]
    assert link.judged("Pod p", running).status == 0


def test_an_expansion_that_broke_off_is_a_fault_of_a_pod_that_runs(api: Recorded) -> None:
    claim, _ = api.bound()
    pod = api.pod(phase="Running")
    said = "The expansion of volume v broke off at step 6 of 9: «instoragectl barrier resume» ends it."
    api.event(
        pod, "VolumeResizeFailed", f'NodeExpandVolume failed for volume "{VOLUME}" : {said} [array-refused]'
    )
    assert api.why().works, "it was over, as the claim's size says"
    claim["spec"]["resources"]["requests"]["storage"] = "9Gi"
    verdict = api.why()
    assert verdict.sentence.startswith("default/web works, with a fault")
    assert "broke off at step 6 of 9" in verdict.sentence
    assert (verdict.who, verdict.command) == (NODE, "instoragectl barrier plan")
