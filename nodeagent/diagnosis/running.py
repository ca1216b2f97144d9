"""A pod that has been started: whether it runs, whole, on a node that is there; or that it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodeagent.diagnosis.foreign import typed
from nodeagent.diagnosis.link import ENDED, KUBERNETES, NOBODY, RIGHT, WAITS, Link, moment, old
from nodeagent.diagnosis.objects import ENDS, at, items

if TYPE_CHECKING:
    from nodeagent.diagnosis.objects import Object, Objects


def link(found: Objects, pod: Object, proof: str) -> Link:
    """Return that it runs only when nothing that the API server has speaks against it.

    Its phase alone says little: it is «Running» in a crash loop, while it is deleted, and on a dead node.
    """
    name, node = str(at(pod, "metadata", "name")), at(pod, "spec", "nodeName")
    began, command = moment(at(pod, "status", "startTime")), describe(found, pod)
    if going := at(pod, "metadata", "deletionTimestamp"):
        since = moment(going)
        text = f"Pod {name} is being deleted, and has not ended yet on {node}."
        who = KUBERNETES if old(since) else NOBODY
        return Link("pod", WAITS, text, who, command, since, f"{proof}, deletionTimestamp")
    if not _node_is_ready(found):
        text = f"Pod {name} is on {node}, which is not ready: whether it runs is not known."
        return Link("pod", WAITS, text, KUBERNETES, command, began, f"{proof}; kubectl get node {node}")
    if unready := _unready(pod):
        text = f"Pod {name} is on {node}, and not ready: {unready}."
        return Link("pod", WAITS, text, KUBERNETES, command, began, f"{proof}, containerStatuses")
    return Link("pod", RIGHT, f"Pod {name} runs on {node}.", NOBODY, "", began, proof)


def ended(found: Objects, pod: Object, proof: str) -> Link:
    """Return that it is over: it asks for no volume any more."""
    name, phase, node = at(pod, "metadata", "name"), at(pod, "status", "phase"), at(pod, "spec", "nodeName")
    reason = at(pod, "status", "reason") or at(pod, "status", "message")
    why = f"{phase}, {reason}" if reason else str(phase)
    text = f"Pod {name} ended on {node} ({why}): it waits for no volume any more."
    if phase == ENDS[0]:
        return Link("pod", ENDED, text, NOBODY, "", 0.0, proof)
    return Link("pod", ENDED, text, KUBERNETES, describe(found, pod), 0.0, proof)


def describe(found: Objects, pod: Object) -> str:
    """Return the command that shows a pod with its events."""
    return typed("kubectl -n {} describe pod {}", found.namespace, str(at(pod, "metadata", "name")))


def _node_is_ready(found: Objects) -> bool:
    """Say whether nothing is known against its node. One that may not be read speaks by its pod's Ready."""
    if found.node is None:
        return "node" in found.unseen
    ready = [
        one.get("status") for one in items(found.node, "status", "conditions") if one.get("type") == "Ready"
    ]
    return ready == ["True"]


def _unready(pod: Object) -> str:
    """Return which container is not ready, and why; empty when all are."""
    statuses = {one.get("name"): one for one in items(pod, "status", "containerStatuses")}
    for name in [one.get("name") for one in items(pod, "spec", "containers")] or list(statuses):
        status = statuses.get(name)
        if at(status, "ready") is not True:
            reason = at(status, "state", "waiting", "reason") or at(status, "state", "terminated", "reason")
            return f"{name} {reason}" if reason else str(name)
    for one in items(pod, "status", "conditions"):
        if one.get("type") == "Ready" and one.get("status") != "True":
            return str(one.get("reason") or one.get("message") or "Ready")
    return ""
