"""Objects of Kubernetes as its API server gives them out, with what tests change in them; and a kubectl."""

from __future__ import annotations

import datetime
import json
from typing import TYPE_CHECKING, Any

from nodeagent.diagnosis import claim, link, pod
from nodeagent.diagnosis.objects import DRIVER, PROVISIONER, Unseen, gathered

if TYPE_CHECKING:
    from pathlib import Path

    from nodeagent.diagnosis.link import Verdict

    Object = dict[str, Any]

VOLUME = "pvc-6f2c1a4e-0000-4000-8000-000000000001"


def ago(seconds: float) -> str:
    """A time of the API."""
    at = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=seconds)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


class Recorded:
    """An API server's answers, by kind, namespace and name; `denied` kinds cannot be read."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str, str], Object] = {}
        self.events: list[Object] = []
        self.denied: dict[str, str] = {}

    def put(self, kind: str, name: str, namespace: str = "", **parts: Any) -> Object:
        metadata = {"name": name, "uid": f"uid-{kind}-{name}", "creationTimestamp": ago(600)}
        if namespace:
            metadata["namespace"] = namespace
        made = {"metadata": metadata | parts.pop("metadata", {}), **parts}
        self.kept[kind, namespace, name] = made
        return made

    def event(self, about: Object, reason: str, message: str, *, normal: bool = False, **more: Any) -> None:
        involved = {"uid": about["metadata"]["uid"], "name": about["metadata"]["name"]}
        self.events.append(
            {
                "metadata": {"name": f"{involved['name']}.{len(self.events)}", "namespace": "default"},
                "involvedObject": involved, "reason": reason, "message": message, "count": 3,
                "type": "Normal" if normal else "Warning",
                "firstTimestamp": ago(240), "lastTimestamp": ago(10),
            } | more
        )  # fmt: skip

    def __call__(self, kind: str, name: str = "", namespace: str = "") -> Object | None:
        if kind in self.denied:
            raise Unseen(self.denied[kind])
        if kind == "events":
            return {"items": self.events}
        if not name:
            singular = kind.rstrip("s")
            found = [one for key, one in self.kept.items() if key[0] in (kind, singular)]
            return {"items": [one for one in found if namespace in ("", one["metadata"].get("namespace"))]}
        return self.kept.get((kind, namespace, name))

    def claim(self, phase: str = "Pending", volume: str = "", **spec: Any) -> Object:
        fields = {"storageClassName": "gold", "resources": {"requests": {"storage": "5Gi"}}} | spec
        if volume:
            fields["volumeName"] = volume
        return self.put(
            "pvc", "data", "default", spec=fields, status={"phase": phase, "capacity": {"storage": "5Gi"}}
        )

    def storage_class(self, **parts: Any) -> Object:
        return self.put("storageclass", "gold", **({"provisioner": PROVISIONER} | parts))

    def lease(self, age: float = 2.0) -> Object:
        length = 15 if abs(age) < 15 else 1  # for so long it is looked whether one that is old is renewed
        spec = {"holderIdentity": "master_1", "leaseDurationSeconds": length, "renewTime": ago(age)}
        return self.put("lease", "inspur-instorage", "kube-system", spec=spec)

    def bound(self) -> tuple[Object, Object]:
        """A claim with its PV."""
        reference = {"namespace": "default", "name": "data"}
        options = {"storageName": "storage-01", "volPoolName": "Pool0"}
        spec = {"claimRef": reference, "flexVolume": {"driver": DRIVER, "options": options}}
        spec |= {"capacity": {"storage": "5Gi"}}
        return self.claim("Bound", VOLUME), self.put("pv", VOLUME, spec=spec, status={"phase": "Bound"})

    def pod(self, node: str = "node1", phase: str = "Pending", **status: Any) -> Object:
        volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
        spec: Object = {"volumes": volumes} | ({"nodeName": node} if node else {})
        began = {"startTime": ago(300)} if node else {}
        return self.put("pod", "web", "default", spec=spec, status={"phase": phase} | began | status)

    def node(self, name: str = "node1", *, ready: bool = True) -> Object:
        condition = {
            "type": "Ready",
            "status": "True" if ready else "Unknown",
            "lastTransitionTime": ago(400),
        }
        condition["message"] = "Kubelet stopped posting node status."
        return self.put("node", name, status={"conditions": [condition]})

    def failed_mount(self, said: str) -> None:
        """kubelet's event, with what the driver answered."""
        pod = self.kept["pod", "default", "web"]
        call = f'MountVolume.WaitForAttach failed for volume "{VOLUME}" : waitforattach command failed, '
        self.event(pod, "FailedMount", f"{call}status: Failure, reason: {said}")

    def why(self, subject: str = "default/web") -> Verdict:
        found = gathered(self, subject)
        return link.judged(subject, [*claim.links(found), *pod.links(found)])


def serving() -> Recorded:
    """A cluster with a class, a provisioner that works, and a node."""
    made = Recorded()
    made.storage_class()
    made.lease()
    made.node()
    return made


def waiting(api: Recorded) -> Recorded:
    """A pod on its node, whose claim is bound and whose volume is not there yet."""
    api.bound()
    api.pod(conditions=[{"type": "PodScheduled", "status": "True", "lastTransitionTime": ago(300)}])
    return api


KUBECTL = """#!/usr/bin/env python3
# kubectl, as far as it gets objects: out of a file
import json, sys
kept = json.load(open({file!r}))
words = [word for word in sys.argv[1:] if not word.startswith("--request")]
key = " ".join(words)
if key not in kept:
    print("Error from server (NotFound): " + key + " not found", file=sys.stderr)
    sys.exit(1)
print(json.dumps(kept[key]))
"""


def kubectl(directory: Path, recorded: Recorded, **raw: Any) -> Path:
    """Write a program that answers as kubectl does; return its directory, for PATH. `raw`: paths' answers."""
    answers: Object = {}
    for (kind, namespace, name), found in recorded.kept.items():
        where = f" -n {namespace}" if namespace else ""
        answers[f"get {kind}{where} -o json -- {name}"] = found
    for kind in ("pv", "pods", "nodes"):
        answers[f"get {kind} -o json"] = answers[f"get {kind} --all-namespaces -o json"] = recorded(kind)
    answers["get pods -n default -o json"] = recorded("pods", "", "default")
    answers["get events -n default -o json"] = {"items": recorded.events}
    answers |= {f"get --raw {path}": found for path, found in raw.items()}
    file = directory / "answers.json"
    file.write_text(json.dumps(answers))
    program = directory / "bin/kubectl"
    program.parent.mkdir(exist_ok=True)
    program.write_text(KUBECTL.format(file=str(file)))
    program.chmod(0o755)
    return program.parent
