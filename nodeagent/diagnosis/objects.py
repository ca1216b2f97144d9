"""Kubernetes' objects around a volume: pod, claim, PV, class, node, events, the provisioner's Lease.

Each is asked for by itself; what cannot be had is noted with the reason, and is not the same as «not there».
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Object = dict[str, Any]
    Ask = Callable[..., "Object | None"]
    """Takes the words of `kubectl get`; None: not there; raises `Unseen`."""

DRIVER, PROVISIONER = "inspur/instorage-flexvolume", "inspur/instorage"
POOL_PARAMETER = "volPoolName"  # each class of ours must have it, and no other driver's has
COMPONENT, LEASE_NAMESPACE = "instorage-provisioner", "kube-system"
ENDS = ("Succeeded", "Failed")
"""Phases of a pod that is over."""
_OF_CLUSTER = "default"  # the namespace in which events about a PV are


class Unseen(Exception):
    """It could not be looked at; the text says why."""


class Unknown(Exception):
    """What was asked about is nowhere; the text says where it was looked for."""


@dataclass
class Objects:
    """What the API server has; `unseen` names what could not be read, and why."""

    pod: Object | None = None
    claim: Object | None = None
    volume: Object | None = None
    storage_class: Object | None = None
    node: Object | None = None
    lease: Object | None = None
    events: list[Object] = field(default_factory=list)
    unseen: dict[str, str] = field(default_factory=dict)
    namespace: str = ""
    claim_name: str = ""
    ask: Ask | None = None
    """By which they were asked for, for who must look twice."""
    others: list[str] = field(default_factory=list)
    """PVs of ours that the pod uses as well, and of which nothing is said."""

    @property
    def volume_name(self) -> str:
        """The PV's name, as far as an object names it; empty otherwise."""
        named = at(self.claim, "spec", "volumeName") or at(self.volume, "metadata", "name")
        return str(named or inline(self.pod) or "")

    @property
    def lease_name(self) -> str:
        """The Lease of the class's provisioner: its name with «-» for «/»."""
        return str(at(self.storage_class, "provisioner") or PROVISIONER).replace("/", "-")

    @property
    def served(self) -> bool:
        """Whether a provisioner of this product serves the class, under whatever name it was started.

        One of another name that has said nothing yet is known by what a class of ours alone must name.
        """
        if at(self.storage_class, "parameters", POOL_PARAMETER):
            return True
        told = {at(event, "source", "component") for event in self.about(self.claim)}
        return at(self.storage_class, "provisioner") == PROVISIONER or COMPONENT in told

    def about(self, thing: Object | None, *reasons: str) -> list[Object]:
        """Return the events about an object, of these reasons (all when none), the latest first."""
        uid = at(thing, "metadata", "uid")
        found = [
            event for event in self.events
            if uid and at(event, "involvedObject", "uid") == uid
            and (not reasons or event.get("reason") in reasons)
        ]  # fmt: skip
        return sorted(found, key=last, reverse=True)


def at(thing: Object | None, *path: str) -> Any:  # noqa: ANN401  # any part of any object
    """Return a part of an object, None where a step leads nowhere: objects are anybody's."""
    found: Any = thing
    for step in path:
        found = found.get(step) if isinstance(found, dict) else None
    return found


def items(thing: Object | None, *path: str) -> list[Object]:
    """Return the objects of a list within an object; what is none of them is left out."""
    found = at(thing, *path)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def last(event: Object) -> str:
    """Return when an event happened last, as it is written."""
    series = at(event, "series", "lastObservedTime")
    created = at(event, "metadata", "creationTimestamp")
    return str(event.get("lastTimestamp") or series or event.get("eventTime") or created or "")


def first(event: Object) -> str:
    """Return when an event happened first."""
    return str(event.get("firstTimestamp") or event.get("eventTime") or last(event))


def sizes(claim: Object | None) -> tuple[Any, Any]:
    """Return what a claim asks for, and what it has."""
    wanted = at(claim, "spec", "resources", "requests", "storage")
    return wanted, at(claim, "status", "capacity", "storage")


def grows(claim: Object | None) -> bool:
    """Say whether a claim asks for another size than its volume has."""
    wanted, has = sizes(claim)
    return bool(wanted) and wanted != has


def ends(volume: Object | None) -> bool:
    """Say whether a PV's claim is over: it waits for its deletion, or for somebody to make it free."""
    going = at(volume, "metadata", "deletionTimestamp")
    return bool(going) or at(volume, "status", "phase") in ("Released", "Failed")


def inline(pod: Object | None) -> str:
    """Return the volume of ours that a pod names itself, without a claim."""
    for one in items(pod, "spec", "volumes"):
        if at(one, "flexVolume", "driver") == DRIVER:
            return str(one.get("name") or "")
    return ""


def claims_of(pod: Object) -> list[str]:
    """Return the names of the claims that a pod uses."""
    found = [at(one, "persistentVolumeClaim", "claimName") for one in items(pod, "spec", "volumes")]
    return [str(name) for name in found if name]


def gathered(ask: Ask, subject: str) -> Objects:
    """Return what the API server has around a volume, `NAMESPACE/PVC` or `NAMESPACE/POD`.

    `Unknown`: the server has neither claim nor pod of that name. A volume without a PV is none of its.
    """
    found = Objects(ask=ask)
    namespace, slash, name = subject.rpartition("/")
    if slash:
        found.namespace = namespace
        found.pod = _had(found, "pod", ask, "pod", name, namespace)
        if found.pod is None:
            found.claim = _had(found, "claim", ask, "pvc", name, namespace)
            found.claim_name = name
            if found.claim is None and not found.unseen:
                raise Unknown(
                    f"Namespace {namespace} has neither a pod nor a claim {name}: correct the name."
                )
        elif named := claims_of(found.pod):
            found.claim = _claim(found, ask, named)
    else:
        found.volume = _had(found, "PV", ask, "pv", name)
        _claim_of_volume(found, ask)
    _rest(found, ask)
    return found


def _claim(found: Objects, ask: Ask, named: list[str]) -> Object | None:
    """Return the claim of a pod that is not bound, else one of ours, else the first.

    Of several of ours the one that the newest event about the pod names.
    """
    claims = {name: _had(found, "claim", ask, "pvc", name, found.namespace) for name in named}
    for name, claim in claims.items():
        if at(claim, "status", "phase") != "Bound":
            found.claim_name = name
            return claim
    volumes = {
        name: _had(found, "PV", ask, "pv", str(at(claim, "spec", "volumeName")))
        for name, claim in claims.items()
    }
    ours = {name: one for name, one in volumes.items() if at(one, "spec", "flexVolume", "driver") == DRIVER}
    if not ours:
        found.claim_name = named[0]
        return claims[named[0]]
    if len(ours) > 1:
        _events(found, ask)
    found.claim_name = _told(found, ours)
    found.volume = ours[found.claim_name]
    found.others = [
        str(at(one, "metadata", "name")) for name, one in ours.items() if name != found.claim_name
    ]
    return claims[found.claim_name]


def _told(found: Objects, ours: dict[str, Object | None]) -> str:
    """Return the claim whose PV the newest event about the pod names, else the first."""
    for event in found.about(found.pod):
        for name, volume in ours.items():
            if f'"{at(volume, "metadata", "name")}"' in str(event.get("message") or ""):
                return name
    return next(iter(ours))


def _claim_of_volume(found: Objects, ask: Ask) -> None:
    namespace, name = (at(found.volume, "spec", "claimRef", key) for key in ("namespace", "name"))
    if namespace and name:
        found.namespace, found.claim_name = str(namespace), str(name)
        claim = _had(found, "claim", ask, "pvc", found.claim_name, found.namespace)
        uids = {at(found.volume, "spec", "claimRef", "uid"), at(claim, "metadata", "uid")} - {None}
        found.claim = claim if len(uids) < 2 else None  # another of its name, made after it


def _rest(found: Objects, ask: Ask) -> None:
    if found.volume is None and found.volume_name and not inline(found.pod):
        found.volume = _had(found, "PV", ask, "pv", found.volume_name)
    if found.pod is None and found.claim is not None:
        found.pod = _pod_of(found, ask)
    named = at(found.claim, "spec", "storageClassName")
    if named and found.volume is None:
        found.storage_class = _had(found, "class", ask, "storageclass", str(named))
        found.lease = _had(found, "lease", ask, "lease", found.lease_name, LEASE_NAMESPACE)
    if node := at(found.pod, "spec", "nodeName"):
        found.node = _had(found, "node", ask, "node", str(node))
    _events(found, ask)
    if ends(found.volume) and found.namespace != _OF_CLUSTER:
        found.events += items(_had(found, "PV events", ask, "events", "", _OF_CLUSTER), "items")


def _events(found: Objects, ask: Ask) -> None:
    if found.namespace and not found.events and "events" not in found.unseen:
        found.events = items(_had(found, "events", ask, "events", "", found.namespace), "items")


def _pod_of(found: Objects, ask: Ask) -> Object | None:
    """Return a pod that uses the claim: one that does not run before one that does."""
    pods = items(_had(found, "pods", ask, "pods", "", found.namespace), "items")
    using = [pod for pod in pods if found.claim_name in claims_of(pod)]
    living = [pod for pod in using if at(pod, "status", "phase") not in ENDS]
    return min(living, key=lambda pod: at(pod, "status", "phase") == "Running", default=None)


def _had(found: Objects, what: str, ask: Ask, *words: str) -> Object | None:
    try:
        return ask(*words)
    except Unseen as error:
        found.unseen[what] = str(error)
        return None
