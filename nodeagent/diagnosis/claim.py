"""What a claim waits for, from the objects of Kubernetes: class, provisioner, first consumer, PV."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from nodeagent.diagnosis import remedy
from nodeagent.diagnosis.link import KUBERNETES, NOBODY, NODE, RIGHT, UNSEEN, WAITS, WRONG, Link, moment
from nodeagent.diagnosis.objects import DRIVER, LEASE_NAMESPACE, at, ends, first

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodeagent.diagnosis.objects import Object, Objects

SELECTED = "volume.kubernetes.io/selected-node"
FAILED = ("ProvisioningFailed", "BindingWaits")
NOT_DELETED = ("VolumeFailedDelete", "VolumeDeletionWaits", "VolumeDeletionStuck")
_LEASE_SECONDS = 15.0


def links(found: Objects) -> Iterator[Link]:
    """Yield what is to be said of claim, provisioner and PV."""
    if found.claim is not None:
        yield from _claim(found, found.claim)
    elif "claim" in found.unseen:
        yield Link("claim", UNSEEN, f"The claim could not be read: {found.unseen['claim']}")
    elif found.claim_name:
        yield _gone(found)
    yield from _volume(found)


def _gone(found: Objects) -> Link:
    """Return that there is no claim: it is to be made, unless its PV says that it was there and is gone."""
    named = f"{found.namespace}/{found.claim_name}"
    if ends(found.volume):
        proof = f"kubectl get pvc -n {found.namespace} {found.claim_name}"
        return Link("claim", RIGHT, f"Claim {named}, for which the PV was made, is gone.", proof=proof)
    return _wrong("claim", f"There is no claim {named}: make it.", found, "pvc")


def _claim(found: Objects, claim: Object) -> Iterator[Link]:
    phase, proof = at(claim, "status", "phase"), _proof("pvc", claim)
    created = moment(at(claim, "metadata", "creationTimestamp"))
    if phase == "Bound":
        yield from _bound(found, claim, created, proof)
    elif phase == "Lost":
        volume = at(claim, "spec", "volumeName")
        text = f"The claim has lost its PV {volume}, which is gone: make the PV anew, or the claim."
        yield Link("claim", WRONG, text, KUBERNETES, _describe(claim), created, proof)
    else:
        yield from _pending(found, claim, created, proof)


def _bound(found: Objects, claim: Object, created: float, proof: str) -> Iterator[Link]:
    blocked = found.about(claim, "ExpansionBlocked")
    wanted, has = (
        at(claim, *path, "storage") for path in (("spec", "resources", "requests"), ("status", "capacity"))
    )
    if blocked and wanted != has:
        yield _said("claim", blocked[0], found)
        return
    more = f" It asks for {wanted} and has {has}." if wanted != has and wanted and has else ""
    volume = at(claim, "spec", "volumeName")
    yield Link("claim", RIGHT, f"The claim is bound to PV {volume}." + more, NOBODY, "", created, proof)


def _pending(found: Objects, claim: Object, created: float, proof: str) -> Iterator[Link]:
    named = at(claim, "spec", "volumeName")
    if named:
        said = found.about(claim, *FAILED)
        text = f"The claim names PV {named} and is not bound to it: see whether that PV is there and free."
        waiting = Link("claim", WRONG, text, KUBERNETES, f"kubectl describe pv {named}", created, proof)
        yield _said("claim", said[0], found) if said else waiting
        return
    storage_class = at(claim, "spec", "storageClassName")
    if not storage_class:
        text = "The claim names no StorageClass, and the cluster has no default one: name one in a new claim."
        yield Link("claim", WRONG, text, KUBERNETES, "kubectl get storageclass", created, proof)
    elif found.storage_class is None:
        yield _without_class(found, str(storage_class), created, proof)
    elif not found.served:
        whose = at(found.storage_class, "provisioner")
        text = f"StorageClass {storage_class} is served by {whose}, not by this product: see there."
        yield Link("claim", WAITS, text, KUBERNETES, _describe(claim), created, proof)
    elif _waits_for_consumer(found, claim):
        yield _consumer(found, claim, created, proof)
    else:
        yield from _provisioning(found, claim, created, proof)


def _without_class(found: Objects, named: str, created: float, proof: str) -> Link:
    if "class" in found.unseen:
        return Link("claim", UNSEEN, f"StorageClass {named} could not be read: {found.unseen['class']}")
    text = (
        f"There is no StorageClass {named}, which the claim names: make it, or name another in a new claim."
    )
    return Link("claim", WRONG, text, KUBERNETES, "kubectl get storageclass", created, proof)


def _waits_for_consumer(found: Objects, claim: Object) -> bool:
    mode = at(found.storage_class, "volumeBindingMode")
    return mode == "WaitForFirstConsumer" and not at(claim, "metadata", "annotations", SELECTED)


def _consumer(found: Objects, claim: Object, created: float, proof: str) -> Link:
    """Return that a claim waits for a pod, or for the scheduler to choose the pod's node."""
    if found.pod is not None:
        name = at(found.pod, "metadata", "name")
        text = f"The claim waits until the scheduler has chosen a node for pod {name}, which uses it first."
        command = f"kubectl -n {found.namespace} describe pod {name}"
        return Link("claim", WAITS, text, KUBERNETES, command, created, proof)
    text = "The claim waits for its first consumer: its class makes a volume when a pod uses the claim."
    if "pods" in found.unseen:
        text += f" Whether a pod does could not be seen: {found.unseen['pods']}"
    return Link("claim", WAITS, text, NOBODY, "", created, proof)


def _provisioning(found: Objects, claim: Object, created: float, proof: str) -> Iterator[Link]:
    provisioner = _provisioner(found)
    yield provisioner
    failed = found.about(claim, *FAILED)
    begun = found.about(claim, "Provisioning")
    if failed and failed[0].get("type") != "Normal":
        yield _said("claim", failed[0], found)
    elif begun:
        text = f"{at(begun[0], 'message')} It is bound when that is done."
        yield Link("claim", WAITS, text, NOBODY, "", moment(first(begun[0])), _proof("event", begun[0]))
    else:
        text = "The claim waits for the provisioner, which has not begun with it."
        command = "" if provisioner.state == RIGHT else "systemctl restart instorage-provisioner"
        who = NOBODY if provisioner.state == RIGHT else KUBERNETES
        yield Link("claim", WAITS, text, who, command, created, proof)


def _provisioner(found: Objects) -> Link:
    """Return whether a provisioner works, by its Lease."""
    named = f"Lease {LEASE_NAMESPACE}/{found.lease_name}"
    if "lease" in found.unseen:
        return Link("provisioner", UNSEEN, f"{named} could not be read: {found.unseen['lease']}")
    command = "systemctl restart instorage-provisioner"
    if found.lease is None:
        text = f"No provisioner has ever worked here ({named} is not there): install and start it on a host."
        return Link(
            "provisioner", WRONG, text, KUBERNETES, command, 0.0, f"kubectl get lease {found.lease_name}"
        )
    spec = at(found.lease, "spec") or {}
    renewed, who = moment(at(found.lease, "spec", "renewTime")), at(spec, "holderIdentity")
    length = float(at(spec, "leaseDurationSeconds") or _LEASE_SECONDS)
    proof = f"{named}, renewTime {at(spec, 'renewTime')}"
    if not who or time.time() - renewed > 2 * length:
        text = (
            f"The provisioner is away: {who or 'who had it'} has not renewed {named}. Start it on its host."
        )
        return Link("provisioner", WRONG, text, KUBERNETES, command, renewed, proof)
    return Link("provisioner", RIGHT, f"The provisioner {who} works.", NOBODY, "", 0.0, proof)


def _volume(found: Objects) -> Iterator[Link]:
    volume = found.volume
    if volume is None:
        if "PV" in found.unseen:
            yield Link("PV", UNSEEN, f"The PV could not be read: {found.unseen['PV']}")
        return
    name, phase = at(volume, "metadata", "name"), at(volume, "status", "phase")
    proof, created = _proof("pv", volume), moment(at(volume, "metadata", "creationTimestamp"))
    driver = at(volume, "spec", "flexVolume", "driver")
    if driver != DRIVER:
        text = f"PV {name} is no volume of this product (driver {driver or 'none'}): look at its own."
        yield Link("PV", WRONG, text, KUBERNETES, f"kubectl get pv {name} -o yaml", created, proof)
    elif ends(volume) and (failed := found.about(volume, *NOT_DELETED)):
        yield _said("PV", failed[0], found)
    elif at(volume, "metadata", "deletionTimestamp"):
        yield Link("PV", WAITS, f"PV {name} is being deleted.", NOBODY, "", created, proof)
    elif phase in ("Failed", "Released"):
        text = f"PV {name} is {phase}: its claim is gone. It serves no other claim until it is made free."
        yield Link("PV", WRONG, text, KUBERNETES, f"kubectl describe pv {name}", created, proof)
    else:
        array = at(volume, "spec", "flexVolume", "options", "storageName") or "the first array"
        yield Link("PV", RIGHT, f"PV {name} is on {array}.", NOBODY, "", created, proof)


def _said(place: str, event: Object, found: Objects) -> Link:
    """Return the link of an event of ours: its sentence, who must act by its code, since when."""
    message = str(event.get("message") or "")
    code, mend = remedy.of_sentence(message, found.volume_name)
    if not code:
        of_pv = f"kubectl describe pv {found.volume_name}"
        of_claim = f"kubectl -n {found.namespace} describe pvc {found.claim_name}"
        mend = remedy.Remedy(KUBERNETES, of_pv if place == "PV" else of_claim)
    who = KUBERNETES if mend.who == NODE else mend.who  # it is said by the provisioner, on its host
    state = WAITS if event.get("type") == "Normal" else WRONG
    proof = f"{_proof('event', event)} ({event.get('count') or 1} times)"
    return Link(place, state, remedy.bare(message), who, mend.command, moment(first(event)), proof)


def _wrong(place: str, sentence: str, found: Objects, kind: str) -> Link:
    command = f"kubectl -n {found.namespace} get {kind}"
    return Link(place, WRONG, sentence, KUBERNETES, command, 0.0, f"{command} {found.claim_name}")


def _describe(claim: Object) -> str:
    return f"kubectl -n {at(claim, 'metadata', 'namespace')} describe pvc {at(claim, 'metadata', 'name')}"


def _proof(kind: str, thing: Object) -> str:
    namespace, name = at(thing, "metadata", "namespace"), at(thing, "metadata", "name")
    return f"kubectl get {kind} {f'-n {namespace} ' if namespace else ''}{name}"
