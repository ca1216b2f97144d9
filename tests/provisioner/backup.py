"""A backup of claims and PVs as administrators make it: `kubectl get -o yaml`, then `kubectl create -f`."""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING

from provisioner.cluster import VOLUMES
from tests.provisioner.program import until

if TYPE_CHECKING:
    from provisioner.cluster import Cluster, Object

NAMESPACES = "/api/v1/namespaces"


def claims(namespace: str) -> str:
    return f"{NAMESPACES}/{namespace}/persistentvolumeclaims"


def exported(found: Object) -> Object:
    """What is in the file: the server's own fields are left out, annotations and claimRef are kept."""
    kept = copy.deepcopy(found)
    kept.pop("status", None)
    for key in (
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "managedFields",
        "selfLink",
        "deletionTimestamp",
    ):
        kept["metadata"].pop(key, None)
    if "namespace" in kept["metadata"]:
        kept["metadata"].pop("finalizers", None)
    return kept


def create(api: Cluster, kept: Object) -> Object:
    """Make a claim or a PV anew."""
    namespace = kept["metadata"].get("namespace")
    kind = "PersistentVolumeClaim" if namespace else "PersistentVolume"
    body = {"apiVersion": "v1", "kind": kind} | kept
    return api.create(claims(namespace) if namespace else VOLUMES, body)


def forget(api: Cluster, claim: Object, volume: Object) -> None:
    """Take claim and PV out of the cluster without anybody's finalizer: what a lost etcd does."""
    api.delete(
        f"{claims(claim['metadata']['namespace'])}/{claim['metadata']['name']}", claim["metadata"]["uid"]
    )
    path = f"{VOLUMES}/{volume['metadata']['name']}"
    api.patch(path, {"spec": {"persistentVolumeReclaimPolicy": "Retain"}})
    api.delete(path, volume["metadata"]["uid"])
    api.patch(path, {"metadata": {"finalizers": None}})
    until(lambda: api.get(path) is None, what="the PV is forgotten")


def said(api: Cluster, namespace: str, name: str) -> str:
    """What the provisioner's events say of an object, as kubectl describe shows it."""
    found, _ = api.objects(f"{NAMESPACES}/{namespace}/events")
    ours = [event for event in found if event["source"].get("component") == "instorage-provisioner"]
    about = [event for event in ours if event["involvedObject"]["name"] == name]
    return "\n".join(f"{event['reason']} {event['message']}" for event in about)


def obey(api: Cluster, text: str, uid: str) -> None:
    """Do what an event tells: give the PV to the claim of that UID."""
    for name, body in re.findall(r"kubectl patch pv (\S+) -p '([^']+)'", text):
        if uid in body:
            api.patch(f"{VOLUMES}/{name}", json.loads(body))
            return
    raise AssertionError(f"no command for {uid} in:\n{text}")
