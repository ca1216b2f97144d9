"""What a pod waits for: the scheduler, its node, kubelet, or what the node's agent answered."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nodeagent.diagnosis import remedy, running
from nodeagent.diagnosis.foreign import typed
from nodeagent.diagnosis.link import KUBERNETES, NOBODY, NODE, RIGHT, UNSEEN, WAITS, WRONG, Link, moment, old
from nodeagent.diagnosis.objects import DRIVER, ENDS, at, first, grows, items, last

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodeagent.diagnosis.objects import Object, Objects

RESIZE = "VolumeResizeFailed"
MOUNTING = ("FailedMount", "FailedAttachVolume", "FailedMapVolume", RESIZE)
UNBOUND = re.compile(r"unbound immediate PersistentVolumeClaims|persistentvolumeclaim \S+ not found")
_REASON = re.compile(r"(?:status: Failure, reason: |failed to (?:mount|unmount|attach) [^:]*: )(.*)", re.S)
_UNINSTALLED = re.compile(
    r"no volume plugin matched|failed to (?:get|find) (?:plugin|driver)|driver not found"
)
_ELSEWHERE = re.compile(r"Multi-Attach error|already (?:used by|exclusively attached)")
_AGENT_AWAY = re.compile(r"the node agent cannot be reached")


def links(found: Objects) -> Iterator[Link]:
    """Yield what is to be said of pod, node, and what its agent answered to kubelet."""
    pod = found.pod
    if pod is None:
        if "pod" in found.unseen or "pods" in found.unseen:
            why = found.unseen.get("pod") or found.unseen["pods"]
            yield Link("pod", UNSEEN, f"The pod could not be read: {why}")
        return
    name, node = at(pod, "metadata", "name"), at(pod, "spec", "nodeName")
    proof, phase = f"kubectl get pod -n {found.namespace} {name}", at(pod, "status", "phase")
    if not node:
        yield _unscheduled(found, pod, proof)
        return
    if phase in ENDS:
        yield running.ended(found, pod, proof)
        return
    if phase == "Running":
        yield running.link(found, pod, proof)
        yield from _node(found, str(node))
        if (refused := found.about(pod, RESIZE)) and grows(found.claim):
            yield _answered(refused[0], found, str(node))
        return
    yield from _node(found, str(node))
    yield from _kubelet(found, pod, str(node), proof)


def _unscheduled(found: Objects, pod: Object, proof: str) -> Link:
    name, created = at(pod, "metadata", "name"), moment(at(pod, "metadata", "creationTimestamp"))
    command = running.describe(found, pod)
    for one in items(pod, "status", "conditions"):
        if one.get("type") == "PodScheduled" and one.get("status") == "False":
            since = moment(one.get("lastTransitionTime")) or created
            said = str(one.get("message") or "it says no reason").rstrip(".")
            text = f"The scheduler has not chosen a node for pod {name}: {said}."
            if UNBOUND.search(said):  # the claim's link says why
                return Link("node", WAITS, text, NOBODY, "", since, f"{proof}, condition PodScheduled")
            return Link("node", WRONG, text, KUBERNETES, command, since, f"{proof}, condition PodScheduled")
    text = f"The scheduler has not looked at pod {name} yet: see whether kube-scheduler runs."
    return Link("node", WAITS, text, KUBERNETES, "kubectl -n kube-system get pods", created, proof)


def _node(found: Objects, name: str) -> Iterator[Link]:
    if found.node is None:
        if "node" in found.unseen:
            yield Link("node", UNSEEN, f"Node {name} could not be read: {found.unseen['node']}")
        else:
            text = f"Node {name}, on which the pod is, is not in the cluster any more: delete the pod."
            yield Link("node", WRONG, text, KUBERNETES, "kubectl get nodes", 0.0, f"kubectl get node {name}")
        return
    for one in items(found.node, "status", "conditions"):
        if one.get("type") == "Ready" and one.get("status") != "True":
            since, said = moment(one.get("lastTransitionTime")), one.get("message") or one.get("reason")
            text = f"Node {name} is not ready ({said}): see its kubelet, and whether the machine is up."
            proof = f"kubectl get node {name}, condition Ready"
            yield Link("node", WRONG, text, NODE, typed("kubectl describe node {}", name), since, proof)
            return
    yield Link("node", RIGHT, f"Node {name} is ready.", NOBODY, "", 0.0, f"kubectl get node {name}")


def _kubelet(found: Objects, pod: Object, node: str, proof: str) -> Iterator[Link]:
    """Yield what kubelet was answered last; that it has not asked, when no event says that it did."""
    began = moment(at(pod, "status", "startTime")) or _scheduled(pod)
    began = began or moment(at(pod, "metadata", "creationTimestamp"))
    ours = [event for event in found.about(pod, *MOUNTING) if _is_ours(event, found)]
    if ours:
        yield _answered(ours[0], found, node)
        return
    if "events" in found.unseen:
        yield Link("agent", UNSEEN, f"The pod's events could not be read: {found.unseen['events']}")
        return
    waiting = _container(pod)
    if waiting:
        text = f"The volume is not in the way: the pod's container waits for {waiting}."
        yield Link(
            "pod", WAITS, text, KUBERNETES, running.describe(found, pod), began, f"{proof}, containerStatuses"
        )
        return
    yield _not_asked(found, node, began)


def _not_asked(found: Objects, node: str, began: float) -> Link:
    """Return that no answer is known: nobody's to mend while that is new, else the node knows more."""
    text = f"kubelet of {node} has reported nothing of the volume yet."
    proof = f"no event of {MOUNTING[0]} on the pod"
    if began and not old(began):
        return Link("agent", WAITS, text, NOBODY, "", began, proof)
    if not found.volume_name:
        return Link(
            "agent", WAITS, text, NODE, remedy.kubelets_journal(DRIVER.rpartition("/")[2]), began, proof
        )
    text += f" Whether it has asked, and what is done, is known on {node}."
    return Link("agent", WAITS, text, NODE, remedy.look(found.volume_name), began, proof)


def _scheduled(pod: Object) -> float:
    for one in items(pod, "status", "conditions"):
        if one.get("type") == "PodScheduled":
            return moment(one.get("lastTransitionTime"))
    return 0.0


def _container(pod: Object) -> str:
    for kind in ("initContainerStatuses", "containerStatuses"):
        for one in items(pod, "status", kind):
            reason = str(at(one, "state", "waiting", "reason") or "")
            if reason and reason not in ("ContainerCreating", "PodInitializing"):
                return f"{one.get('name')}: {reason}"
    return ""


def _is_ours(event: Object, found: Objects) -> bool:
    """Say whether kubelet's event is about the volume, and not its summary («timed out waiting»)."""
    message = str(event.get("message") or "")
    return f'"{found.volume_name}"' in message or not at(found.volume, "metadata", "name")


def _answered(event: Object, found: Objects, node: str) -> Link:
    message, since = str(event.get("message") or ""), moment(first(event))
    times = f"{event.get('count') or 1} times, last {last(event)}"
    proof = f"kubectl get event -n {found.namespace} {at(event, 'metadata', 'name')} ({times})"
    reason = _REASON.search(message)
    sentence = (reason.group(1) if reason else message).strip()
    code, mend = remedy.of_sentence(sentence, found.volume_name)
    if code:
        text = f"On {node}: {remedy.bare(sentence)}"
        return Link("agent", WRONG, text, mend.who, mend.command, since, proof)
    if _UNINSTALLED.search(message):
        text = f"kubelet of {node} does not find the driver {DRIVER}: install the node part there."
        text += " kubelet needs no restart."
        return Link("agent", WRONG, text, NODE, "./install.sh --node", since, proof)
    if _AGENT_AWAY.search(message):
        return Link("agent", WRONG, f"On {node}: {sentence}", NODE, remedy.START, since, proof)
    if _ELSEWHERE.search(message):
        text = f"Kubernetes keeps the volume on another node: {message}"
        command = typed("kubectl -n {} get pods -o wide", found.namespace)
        return Link("node", WRONG, text, KUBERNETES, command, since, proof)
    command = remedy.look(found.volume_name)  # an agent that does not answer may be at an expansion
    return Link("agent", WRONG, f"On {node}: {sentence}", NODE, command, since, proof)
