"""On a real control plane: one event on claim and pod, and what `why` makes of both by a real kubectl."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from nodeagent.diagnosis import plugin
from nodeagent.diagnosis.kubectl import Kubectl
from provisioner.events import OVER
from tests.provisioner.program import until
from tools.dist import plugin as made
from tools.kube import build

if TYPE_CHECKING:
    from pathlib import Path

    from tests.provisioner.world import World
    from tools.kube.control_plane import ControlPlane

pytestmark = [pytest.mark.kube, pytest.mark.timeout(300)]  # kubectl is a program for each object

PODS = "/api/v1/namespaces/default/pods"


def pod(served: World, claim: str) -> str:
    """A pod that uses the claim; without a scheduler it stays pending, as one whose claim is not bound."""
    name = f"pod-of-{claim}"
    container = {"name": "c", "image": "none", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    spec: dict[str, Any] = {
        "containers": [container],
        "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": claim}}],
    }
    served.api.create(PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
    return name


def the_failure(served: World, thing: str) -> dict[str, Any]:
    (failed,) = [one for one in served.events(thing) if one["reason"] == "ProvisioningFailed"]
    return failed


def test_claim_and_pod_have_one_event_that_is_counted_and_ended_by_the_success(served: World) -> None:
    served.run("mcsop mkvdisk -name hog -size 98 -unit gb -mdiskgrp Pool0 -iogrp 0 -intier off")
    claim = served.claim(served.storage_class({"volPoolName": "Pool0"}), "4Gi")
    name = pod(served, claim)
    until(lambda: any(event["count"] > 1 for event in served.events(name)), 60, "the pod's event was counted")
    for thing in (claim, name):
        failed = the_failure(served, thing)
        assert "[pool-full]" in failed["message"]
        assert failed["type"] == "Warning"
    served.run("mcsop rmvdisk hog")
    served.bound(claim, 90)
    things = (claim, name)
    until(lambda: all(the_failure(served, one)["type"] == "Normal" for one in things), 30, "both have ended")
    for thing in things:
        failed = the_failure(served, thing)
        assert failed["message"].startswith(f"{OVER} at 20")
        assert "[pool-full]" in failed["message"]
        assert failed["count"] > 1


def test_the_plugin_tells_a_full_pool_from_what_kubectl_gets(
    served: World, plane: ControlPlane, tmp_path: Path
) -> None:
    claim = served.claim(served.storage_class({"volPoolName": "Pool0"}), "90000Gi")
    name = pod(served, claim)
    served.says(claim, "[pool-full]")
    file = tmp_path / made.NAME
    made.write(file)
    kubeconfig = str(plane.kubeconfig("admin"))
    argv = [sys.executable, "-I", str(file), "why", f"default/{name}", "--kubeconfig", kubeconfig]
    environment = os.environ | {"PATH": f"{build.program('kubectl').parent}:{os.environ['PATH']}"}
    done = subprocess.run(argv, capture_output=True, text=True, timeout=200, check=False, env=environment)
    assert done.returncode == 2, done.stderr
    assert "Who must act: the array's administrator." in done.stdout
    assert "Do: mcsinq lsmdiskgrp Pool0" in done.stdout


def test_a_claim_that_names_a_pv_which_is_not_there_is_told_so(
    served: World, plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = served.claim(served.storage_class(), volumeName="nothing-of-that-name")
    monkeypatch.setenv("PATH", f"{build.program('kubectl').parent}:{os.environ['PATH']}")
    verdict = plugin.judged(f"default/{claim}", Kubectl("--kubeconfig", str(plane.kubeconfig("admin"))))
    assert (verdict.who, verdict.command) == ("kubernetes", "kubectl get pv")
    assert "names PV nothing-of-that-name" in verdict.sentence
