"""What a claim waits for, from the objects of Kubernetes: class, provisioner, first consumer, PV."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodeagent.diagnosis import leader, pv
from nodeagent.diagnosis.event import JOURNAL, describe, describe_pv, told
from nodeagent.diagnosis.event import proof as proof_of
from nodeagent.diagnosis.foreign import typed
from nodeagent.diagnosis.link import KUBERNETES, NOBODY, RIGHT, UNSEEN, WAITS, WRONG, Link, moment, old
from nodeagent.diagnosis.objects import at, ends, first, sizes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodeagent.diagnosis.objects import Object, Objects

SELECTED = "volume.kubernetes.io/selected-node"
FAILED = ("ProvisioningFailed", "BindingWaits")
STATUS = "systemctl status instorage-provisioner"
NO_CLASS = '""'  # what a claim for a PV without a class must say, else it is given the default one
_MAKING_SECONDS = 600.0  # in which a volume is surely made, one with two sites too


def links(found: Objects) -> Iterator[Link]:
    """Yield what is to be said of claim, provisioner and PV."""
    if found.claim is not None:
        yield from _claim(found, found.claim)
    elif "claim" in found.unseen:
        yield Link("claim", UNSEEN, f"The claim could not be read: {found.unseen['claim']}")
    elif found.claim_name:
        yield _gone(found)
    yield from pv.links(found)
    if found.others:
        text = f"The pod uses {', '.join(found.others)} as well: ask for each by its name."
        yield Link("PV", UNSEEN, text)


def _gone(found: Objects) -> Link:
    """Return that there is no claim: it is to be made, unless its PV says that it was there and is gone."""
    named = f"{found.namespace}/{found.claim_name}"
    if ends(found.volume):
        proof = f"kubectl get pvc -n {found.namespace} {found.claim_name}"
        return Link("claim", RIGHT, f"Claim {named}, for which the PV was made, is gone.", proof=proof)
    command = typed("kubectl -n {} get pvc", found.namespace)
    read = f"{command} {found.claim_name}"
    if found.volume is None:
        return Link("claim", WRONG, f"There is no claim {named}: make it.", KUBERNETES, command, 0.0, read)
    name, spec = at(found.volume, "metadata", "name"), at(found.volume, "spec")
    of_class, size = at(spec, "storageClassName") or NO_CLASS, at(spec, "capacity", "storage")
    listed = at(spec, "accessModes")
    modes = ",".join(map(str, listed)) if isinstance(listed, list) else "ReadWriteOnce"
    text = (
        f"There is no claim {named}, for which the PV is kept: make it with volumeName {name}, "
        f"storageClassName {of_class}, storage {size} at most, accessModes {modes}."
    )
    return Link("claim", WRONG, text, KUBERNETES, command, 0.0, read)


def _claim(found: Objects, claim: Object) -> Iterator[Link]:
    phase, proof = at(claim, "status", "phase"), proof_of("pvc", claim)
    created = moment(at(claim, "metadata", "creationTimestamp"))
    if phase == "Bound":
        yield from _bound(found, claim, created, proof)
    elif phase == "Lost":
        volume = at(claim, "spec", "volumeName")
        text = f"The claim has lost its PV {volume}, which is gone: make the PV anew, or the claim."
        yield Link("claim", WRONG, text, KUBERNETES, describe(found), created, proof)
    else:
        yield from _pending(found, claim, created, proof)


def _bound(found: Objects, claim: Object, created: float, proof: str) -> Iterator[Link]:
    blocked = found.about(claim, "ExpansionBlocked")
    wanted, has = sizes(claim)
    if blocked and wanted != has:
        yield told("claim", blocked[0], found)
        return
    more = f" It asks for {wanted} and has {has}." if wanted != has and wanted and has else ""
    volume = at(claim, "spec", "volumeName")
    yield Link("claim", RIGHT, f"The claim is bound to PV {volume}." + more, NOBODY, "", created, proof)


def _pending(found: Objects, claim: Object, created: float, proof: str) -> Iterator[Link]:
    named = at(claim, "spec", "volumeName")
    if named:
        said = found.about(claim, *FAILED)
        yield told("claim", said[0], found) if said else _unbound(found, str(named), created, proof)
        return
    storage_class = at(claim, "spec", "storageClassName")
    if not storage_class:
        text = "The claim names no StorageClass, and the cluster has no default one: name one in a new claim."
        yield Link("claim", WRONG, text, KUBERNETES, "kubectl get storageclass", created, proof)
    elif found.storage_class is None:
        yield _without_class(found, str(storage_class), created, proof)
    elif not found.served:
        whose = at(found.storage_class, "provisioner")
        text = f"StorageClass {storage_class} is served by {whose}, not by this product: see that one's log."
        yield Link("claim", WAITS, text, KUBERNETES, describe(found), created, proof)
    elif _waits_for_consumer(found, claim):
        yield _consumer(found, claim, created, proof)
    else:
        yield from _provisioning(found, claim, created, proof)


def _unbound(found: Objects, named: str, created: float, proof: str) -> Link:
    """Return that a claim is not bound to the PV that it names, and in which state that one is."""
    command = describe_pv(named)
    if found.volume is None and "PV" not in found.unseen:
        text = f"The claim names PV {named}, which is not there: make that PV, or a claim that names another."
        return Link("claim", WRONG, text, KUBERNETES, "kubectl get pv", created, proof)
    text = f"The claim names PV {named} and is not bound to it."
    if found.volume is not None:
        phase = at(found.volume, "status", "phase")
        keys = [at(found.volume, "spec", "claimRef", key) for key in ("namespace", "name")]
        kept = "/".join(map(str, keys)) if all(keys) else ""
        if kept and kept != f"{found.namespace}/{found.claim_name}":
            text += (
                f" That PV is {phase}, and kept for {kept}, which has its data: leave it, and make a claim "
                "that names another PV, or none."
            )
            return Link("claim", WRONG, text, KUBERNETES, command, created, proof)
        if kept:
            text += f" That PV is {phase}, and kept for {kept}."
        else:
            text += f" That PV is {phase}, and kept for no claim."
    text += " Class, size and access modes of both must fit."
    return Link("claim", WRONG, text, KUBERNETES, command, created, proof)


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
        command = typed("kubectl -n {} describe pod {}", found.namespace, str(name))
        return Link("claim", WAITS, text, KUBERNETES, command, created, proof)
    text = "The claim waits for its first consumer: its class makes a volume when a pod uses the claim."
    if "pods" in found.unseen:
        text += f" Whether a pod does could not be seen: {found.unseen['pods']}"
    return Link("claim", WAITS, text, NOBODY, "", created, proof)


def _provisioning(found: Objects, claim: Object, created: float, proof: str) -> Iterator[Link]:
    provisioner = leader.link(found)
    yield provisioner
    failed = found.about(claim, *FAILED)
    begun = found.about(claim, "Provisioning")
    if failed and failed[0].get("type") != "Normal":
        yield told("claim", failed[0], found)
    elif begun:
        text, since = f"{at(begun[0], 'message')} It is bound when that is done.", moment(first(begun[0]))
        read = proof_of("event", begun[0])
        if old(since, _MAKING_SECONDS):
            text += " That takes long: the provisioner's journal says why."
            yield Link("claim", WAITS, text, KUBERNETES, JOURNAL, since, read)
        else:
            yield Link("claim", WAITS, text, NOBODY, "", since, read)
    else:
        yield _not_begun(found, provisioner, created, proof)


def _not_begun(found: Objects, provisioner: Link, created: float, proof: str) -> Link:
    """Return that the provisioner has not begun: nobody's to mend while that is new, or it is away itself."""
    text = "The claim waits for the provisioner, which has not begun with it."
    if provisioner.state == UNSEEN:
        text += " Whether the provisioner works is not known: see it on its host."
        return Link("claim", WAITS, text, KUBERNETES, STATUS, created, proof)
    if provisioner.state == WRONG:
        return Link("claim", WAITS, text, KUBERNETES, provisioner.command, created, proof)
    used = moment(at(found.pod, "metadata", "creationTimestamp"))  # a first consumer may have come late
    if old(max(created, used)):
        text += " It works, and should have begun by now: its journal says why."
        return Link("claim", WAITS, text, KUBERNETES, JOURNAL, created, proof)
    return Link("claim", WAITS, text, NOBODY, "", created, proof)
