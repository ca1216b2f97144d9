"""Why a claim, a pod or a PV waits, on a real control plane: what is broken is told, and mended as told."""

from __future__ import annotations

import datetime
import os
import shlex
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from nodeagent.diagnosis import plugin
from nodeagent.diagnosis.kubectl import Kubectl
from nodeagent.diagnosis.objects import PROVISIONER
from provisioner.cluster import VOLUMES
from tests.provisioner.program import takes_pods, until
from tests.provisioner.world import CLAIMS
from tools.kube import build

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nodeagent.diagnosis.link import Verdict
    from provisioner.cluster import Cluster, Object
    from tests.provisioner.world import World
    from tools.kube.control_plane import ControlPlane

pytestmark = [pytest.mark.kube, pytest.mark.timeout(300)]  # kubectl is a program for each object

PODS = "/api/v1/namespaces/default/pods"
NODES = "/api/v1/nodes"
NODE = "node-of-why"
HOST = "iscsi-node9"


@pytest.fixture
def why(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Verdict]:
    """Ask as `kubectl instorage why` does, with a real kubectl."""
    monkeypatch.setenv("PATH", f"{build.program('kubectl').parent}:{os.environ['PATH']}")
    kubectl = "--kubeconfig", str(plane.kubeconfig("admin"))
    return lambda subject: plugin.judged(subject, Kubectl(*kubectl))


@pytest.fixture
def world(leaves_no_pv: None, world: World) -> Iterator[World]:
    """As an administrator who gave the provisioner no other name: by its Lease it is known to be ours.

    The next test's has the same name: it must find neither the Lease held nor a claim.
    """
    world.provisioner = PROVISIONER
    yield world
    for program in world.programs:
        if program.running:
            program.stop()
    for claim in world.api.objects(CLAIMS)[0]:
        if claim["metadata"]["name"].startswith(f"claim-{world.number}-"):
            world.api.delete(world.claim_path(claim["metadata"]["name"]), claim["metadata"]["uid"])


@pytest.fixture
def scheduler(plane: ControlPlane) -> Iterator[None]:
    plane.start_scheduler()
    yield
    plane.end("kube-scheduler")


@pytest.fixture
def make_pod(api: Cluster) -> Iterator[Callable[..., str]]:
    """Make pods that use a claim; they are gone before the node that they name is."""
    made: list[str] = []
    takes_pods(api, "default")

    def make(claim: str, **spec: Any) -> str:
        name = f"why-{len(made)}-{claim}"
        container = {"name": "c", "image": "none", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}
        volume = {"name": "v", "persistentVolumeClaim": {"claimName": claim}}
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}}
        fields = {"terminationGracePeriodSeconds": 0, "containers": [container], "volumes": [volume]}
        api.create(PODS, body | {"spec": fields | spec})
        made.append(name)
        return f"default/{name}"

    yield make
    for name in made:
        if (found := api.get(f"{PODS}/{name}")) is not None:
            api.delete(f"{PODS}/{name}", found["metadata"]["uid"])


@pytest.fixture
def node(api: Cluster) -> Iterator[str]:
    """A node that reported once that it is ready, and has no kubelet any more."""
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "posting ready status"}
    times = {"lastHeartbeatTime": now, "lastTransitionTime": now}
    body: Object = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}}
    room = {"pods": "10", "cpu": "4", "memory": "4Gi"}
    status = {"conditions": [ready | times], "capacity": room, "allocatable": room}
    made = api.create(NODES, body | {"status": status})
    yield NODE
    api.delete(f"{NODES}/{NODE}", made["metadata"]["uid"])


def told(why: Callable[[str], Verdict], subject: str, text: str, seconds: float = 60) -> Verdict:
    """Ask until the sentence has this text."""
    said = [why(subject)]

    def is_told() -> bool:
        if text not in said[-1].sentence:
            said.append(why(subject))
        return text in said[-1].sentence

    until(is_told, seconds, f"{text}, not {said}")
    return said[-1]


def test_a_claim_that_waits_for_its_first_consumer_then_for_the_scheduler_then_for_kubelet(
    served: World, why: Callable[[str], Verdict], make_pod: Callable[..., str], node: str, scheduler: None
) -> None:
    claim = served.claim(served.storage_class(volumeBindingMode="WaitForFirstConsumer"))
    alone = why(f"default/{claim}")
    assert "waits for its first consumer" in alone.sentence
    assert (alone.who, alone.command, alone.status) == ("nobody", "", 1)
    pod = make_pod(claim, nodeSelector={"kubernetes.io/hostname": "of-none"})
    unchosen = told(why, pod, "The scheduler has not chosen a node")
    assert "0/1 nodes are available" in unchosen.sentence
    assert unchosen.who == "kubernetes"
    assert unchosen.command == f"kubectl -n default describe pod {pod.partition('/')[2]}"
    assert any("until the scheduler has chosen a node" in one.sentence for one in unchosen.links)
    pod = make_pod(claim)
    waits = told(why, pod, f"kubelet of {node} has reported nothing of the volume yet")
    assert (waits.who, waits.command) == ("nobody", ""), "the pod is new"
    assert served.bound(claim)["metadata"]["name"] in served.names()


def test_a_pod_at_which_no_scheduler_looks_is_told_so(
    served: World, why: Callable[[str], Verdict], make_pod: Callable[..., str]
) -> None:
    claim = served.claim(served.storage_class())
    served.bound(claim)
    verdict = why(make_pod(claim))
    assert "The scheduler has not looked at pod" in verdict.sentence
    assert (verdict.who, verdict.command) == ("kubernetes", "kubectl -n kube-system get pods")


def test_a_provisioner_that_is_away_is_named_and_its_start_mends_it(
    world: World, why: Callable[[str], Verdict]
) -> None:
    world.array()
    world.start().says("Array storage-01 has 0 volume(s)")
    assert world.programs[-1].stop() == 0
    claim = world.claim(world.storage_class())
    verdict = why(f"default/{claim}")
    assert "The provisioner is away" in verdict.sentence
    assert (verdict.who, verdict.command) == ("kubernetes", "systemctl restart instorage-provisioner")
    world.start()
    world.bound(claim, 60)
    works = why(f"default/{claim}")
    assert (works.first, works.status) == (None, 0)


def test_a_full_pool_is_the_arrays_and_a_volume_less_mends_it(
    served: World, why: Callable[[str], Verdict]
) -> None:
    served.run("mcsop mkvdisk -name hog -size 98 -unit gb -mdiskgrp Pool0 -iogrp 0 -intier off")
    claim = served.claim(served.storage_class({"volPoolName": "Pool0"}), "4Gi")
    verdict = told(why, f"default/{claim}", "does not fit")
    assert (verdict.who, verdict.command) == ("array", "mcsinq lsmdiskgrp Pool0")
    assert "Pool0" in served.run(verdict.command)
    served.run("mcsop rmvdisk hog")
    served.bound(claim, 60)
    assert why(f"default/{claim}").status == 0


def test_a_wrong_password_of_the_provisioners_is_told_on_the_claim_and_mended_in_its_file(
    world: World, why: Callable[[str], Verdict]
) -> None:
    world.array()
    right = world.configuration.read_text()
    world.configuration.write_text(right.replace("passw0rd", "wr0ng"))
    world.start()
    claim = world.claim(world.storage_class())
    verdict = told(why, f"default/{claim}", "password")
    assert verdict.who == "kubernetes"
    assert verdict.command == "/opt/inspur-instorage-provisioner/instorage-provisioner ext-check-cfg"
    assert "wr0ng" not in verdict.sentence
    world.configuration.write_text(right)
    world.bound(claim, 90)


def test_a_volume_that_its_class_keeps_is_freed_for_its_claim_by_what_the_sentence_says(
    served: World, why: Callable[[str], Verdict], plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    retained = served.storage_class(reclaimPolicy="Retain")
    claim = served.claim(retained)
    volume = served.bound(claim)["metadata"]["name"]
    served.do("write", volume=volume, data="a row")
    served.delete_claim(claim)
    verdict = told(why, volume, "is Released")
    assert (verdict.who, verdict.command) == ("nobody", ""), "it is kept, as the class says"
    monkeypatch.setenv("KUBECONFIG", str(plane.kubeconfig("admin")))
    typed(verdict.sentence.partition("the old data: ")[2])
    served.claim(retained, name=claim)
    assert served.bound(claim, 60)["metadata"]["name"] == volume, "the old volume, with its data"
    assert why(f"default/{claim}").status == 0
    typed(f"""kubectl patch pv {volume} -p '{{"spec":{{"persistentVolumeReclaimPolicy":"Delete"}}}}'""")
    served.delete_claim(claim)
    until(lambda: served.names() == [], 60, "the volume is gone")


def typed(command: str) -> None:
    subprocess.run(shlex.split(command), check=True, timeout=60, capture_output=True)


def test_a_volume_that_is_not_deleted_since_a_host_has_it_is_told_of_its_pv(
    served: World, why: Callable[[str], Verdict]
) -> None:
    claim = served.claim(served.storage_class())
    volume = served.bound(claim)["metadata"]["name"]
    served.run(f"mcsop mkhost -iscsiname iqn.2020-01.org.example:n9 -name {HOST}")
    served.run(f"mcsop mkvdiskhostmap -host {HOST} {volume}")
    served.delete_claim(claim)
    verdict = told(why, volume, f"mapped to {HOST}")
    looked = "kubectl get pods -A -o wide --field-selector spec.nodeName=node9"
    assert (verdict.who, verdict.command) == ("kubernetes", looked)
    assert f"instoragectl release {volume} --from node9." in verdict.sentence
    served.run(f"mcsop rmvdiskhostmap -host {HOST} {volume}")
    until(lambda: served.api.get(f"{VOLUMES}/{volume}") is None, 60, "the PV is gone")
    assert served.names() == []


def test_a_volume_that_the_array_keeps_for_a_while_goes_by_itself(
    served: World, why: Callable[[str], Verdict]
) -> None:
    claim = served.claim(served.storage_class())
    volume = served.bound(claim)["metadata"]["name"]
    served.do("write", volume=volume, data="just now")
    served.do("dialect", protection_minutes=15)
    served.delete_claim(claim)
    verdict = told(why, volume, "volume protection is on")
    assert (verdict.who, verdict.command, verdict.status) == ("nobody", "", 1)
