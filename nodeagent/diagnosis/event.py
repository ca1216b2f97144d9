"""An event of the provisioner's as a link: its sentence, who must act by its code, since when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodeagent.diagnosis import remedy
from nodeagent.diagnosis.foreign import typed
from nodeagent.diagnosis.link import KUBERNETES, NODE, WAITS, WRONG, Link, moment
from nodeagent.diagnosis.objects import at, first

if TYPE_CHECKING:
    from nodeagent.diagnosis.objects import Object, Objects

JOURNAL = "journalctl -e -u instorage-provisioner"
_THERE = {remedy.CHECK: "/opt/inspur-instorage-provisioner/instorage-provisioner ext-check-cfg"}
"""What a node's commands are on the host of the provisioner; any other is its journal's."""


def told(place: str, event: Object, found: Objects) -> Link:
    """Return the link of an event of ours about a claim or a PV."""
    message = str(event.get("message") or "")
    code, mend = remedy.of_sentence(message, found.volume_name)
    command = mend.command
    if mend.who == NODE and code:  # it is said by the provisioner, on its host
        command = _THERE.get(command, JOURNAL)
    elif not code or (mend.who == KUBERNETES and not command):
        command = describe_pv(found.volume_name) if place == "PV" else describe(found)
    who = KUBERNETES if mend.who == NODE else mend.who
    if code == "array-refused" and place == "claim":  # of what the class asks for
        named = str(at(found.storage_class, "metadata", "name"))
        who, command = KUBERNETES, typed("kubectl get storageclass {} -o yaml", named)
    state = WAITS if event.get("type") == "Normal" else WRONG
    read = f"{proof('event', event)} ({event.get('count') or 1} times)"
    return Link(place, state, remedy.bare(message), who, command, moment(first(event)), read)


def describe(found: Objects) -> str:
    """Return the command that shows the claim with its events."""
    return typed("kubectl -n {} describe pvc {}", found.namespace, found.claim_name)


def describe_pv(name: str) -> str:
    """Return the command that shows a PV with its events."""
    return typed("kubectl describe pv {}", name, without="kubectl get pv")


def proof(kind: str, thing: Object) -> str:
    """Return the command that an object was read by."""
    namespace, name = at(thing, "metadata", "namespace"), at(thing, "metadata", "name")
    return f"kubectl get {kind} {f'-n {namespace} ' if namespace else ''}{name}"
