"""The drill of deploy/README.md, Backup and restore: a namespace is exported, lost, and made anew.

The export is what the README says, run by a shell, with jq; kubectl alone is a stand-in that has the objects.
"""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from provisioner.cluster import VOLUMES, Refusal
from tests.provisioner.backup import claims, create, obey, said
from tests.provisioner.program import ROOT, until

if TYPE_CHECKING:
    from pathlib import Path

    from provisioner.cluster import Cluster, Object
    from tests.provisioner.world import World

pytestmark = [pytest.mark.kube, pytest.mark.subprocess, pytest.mark.usefixtures("leaves_no_pv")]
RESYNC = 45.0  # seconds: kube-controller-manager looks again every 15 s
GONE = "its data cannot come back"
KUBECTL = """#!/bin/sh
case "$*" in
  "-n $TEAM get pvc -o json") cat all-pvc.json ;;
  "get pv -o json") cat all-pv.json ;;
  *) echo "unexpected: $*" >&2; exit 1 ;;
esac
"""


class Team:
    """A namespace and its claims."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.api: Cluster = world.api
        self.name = f"team-{world.number}"
        self._path = f"/api/v1/namespaces/{self.name}"
        self.make()

    def make(self) -> None:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.name}}
        self.api.create("/api/v1/namespaces", body)

    def lose(self) -> None:
        found = self.api.get(self._path) or {}
        self.api.delete(self._path, found["metadata"]["uid"])
        until(lambda: self.api.get(self._path) is None, 60, "the namespace is gone")

    def claims(self, name: str, class_name: str) -> None:
        resources = {"requests": {"storage": "1Gi"}}
        spec = {"accessModes": ["ReadWriteOnce"], "storageClassName": class_name, "resources": resources}
        create(self.api, {"metadata": {"name": name, "namespace": self.name}, "spec": spec})

    def claim(self, name: str) -> Object:
        return self.api.get(f"{claims(self.name)}/{name}") or {}

    def is_bound(self, name: str) -> bool:
        return bool((self.claim(name).get("status") or {}).get("phase") == "Bound")

    def volume(self, name: str) -> str:
        """The PV of a claim, once it is bound."""
        until(lambda: self.is_bound(name), 40, f"{name} is bound; {self.said(name)}")
        return str(self.claim(name)["spec"]["volumeName"])

    def said(self, name: str) -> str:
        return said(self.api, self.name, name)


def exported(team: Team, directory: Path) -> list[Object]:
    """Run the README's export; return what is in its files, PVs first."""
    text = (ROOT / "deploy/README.md").read_text()
    (block,) = re.findall(r"^    team=TEAM\n(?:^    .*\n)+", text, re.MULTILINE)
    whole = {
        "all-pvc.json": [team.claim(found["metadata"]["name"]) for found in listed(team, claims(team.name))],
        "all-pv.json": [team.world.volume(found["metadata"]["name"]) for found in listed(team, VOLUMES)],
    }
    for name, items in whole.items():
        (directory / name).write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    (directory / "kubectl").write_text(KUBECTL)
    (directory / "kubectl").chmod(0o755)
    environment = {"PATH": f"{directory}:/usr/bin:/bin", "TEAM": team.name}
    script = block.replace("team=TEAM", 'team="$TEAM"')
    subprocess.run(["sh", "-euc", script], cwd=directory, env=environment, check=True, timeout=20)
    files = [json.loads((directory / name).read_text())["items"] for name in ("pv.json", "pvc.json")]
    return [*files[0], *files[1]]


def listed(team: Team, path: str) -> list[Object]:
    return team.api.objects(path)[0]


def restored(team: Team, backup: list[Object]) -> None:
    """What `kubectl create -f` does: what is there already is said, and the next one follows."""
    for found in backup:
        try:
            create(team.api, found)
        except Refusal as refusal:
            assert refusal.status == 409, refusal


def told_how(team: Team, name: str) -> None:
    until(lambda: "BindingWaits" in team.said(name), what=f"{name} is told how to be bound")


def bound_again(team: Team, name: str) -> None:
    until(lambda: team.is_bound(name), RESYNC, what=f"{name} is bound again")


def test_a_namespace_is_lost_and_restored(served: World, tmp_path: Path) -> None:
    team = Team(served)
    kinds: dict[str, dict[str, Any]] = {
        "retain": {"reclaimPolicy": "Retain"},
        "delete": {"reclaimPolicy": "Delete"},
        "saved": {"reclaimPolicy": "Delete"},
        "waiting": {"reclaimPolicy": "Delete", "volumeBindingMode": "WaitForFirstConsumer"},
    }
    for name, fields in kinds.items():
        team.claims(name, served.storage_class(**fields))
    pvs = {name: team.volume(name) for name in ("retain", "delete", "saved")}
    backup = exported(team, tmp_path)
    assert {found["metadata"]["name"] for found in backup} == {*kinds, *pvs.values()}
    kept = {one["name"]: one["uid"] for one in served.do("volumes") if one["name"] != pvs["delete"]}

    saved = {"spec": {"persistentVolumeReclaimPolicy": "Retain"}}  # as the README says: before
    served.api.patch(f"{VOLUMES}/{pvs['saved']}", saved)
    team.lose()
    until(lambda: served.volume(pvs["delete"]) is None, what="the PV with policy Delete is gone")
    assert set(served.names()) == set(kept), "what comes back: the volumes with policy Retain"

    team.make()
    restored(team, backup)
    for name in ("retain", "saved"):
        told_how(team, name)
        obey(served.api, team.said(name), team.claim(name)["metadata"]["uid"])
    for name in ("retain", "saved"):
        bound_again(team, name)
        assert team.volume(name) == pvs[name]
    assert {one["name"]: one["uid"] for one in served.do("volumes")} == kept, "and no other one was made"

    cannot_come_back(team, pvs["delete"])
    assert not team.is_bound("waiting")
    assert team.said("waiting") == "", "it waits for a pod as before"
    for name in ("retain", "saved"):
        assert (served.volume(pvs[name]) or {})["spec"]["persistentVolumeReclaimPolicy"] == "Retain"


def cannot_come_back(team: Team, volume: str) -> None:
    """See that both are told so, and that the mend of the event works."""
    until(lambda: GONE in team.said("delete"), what="the claim is told that nothing comes back")
    team.world.says(volume, GONE)
    team.api.delete(f"{VOLUMES}/{volume}", (team.world.volume(volume) or {})["metadata"]["uid"])
    until(lambda: team.world.volume(volume) is None, what="that PV can be removed")
    claim = team.claim("delete")
    team.api.delete(f"{claims(team.name)}/delete", claim["metadata"]["uid"])
    until(lambda: not team.claim("delete"), what="the claim is gone")
    team.claims("delete", claim["spec"]["storageClassName"])
    made = team.volume("delete")
    assert made != volume
    team.api.delete(f"{claims(team.name)}/delete", team.claim("delete")["metadata"]["uid"])
    until(lambda: team.world.volume(made) is None, what="the new one is gone as well")
