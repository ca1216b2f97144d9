"""Why a pod waits, on real kubelets: what `kubectl instorage why` and the node's own programs say."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab.kube.world import until
from tests.soak import IN_SOAK
from tools.dist import plugin
from tools.kube.build import program

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.kube.world import World

pytestmark = [IN_SOAK, pytest.mark.lab, pytest.mark.kube, pytest.mark.timeout(1500)]


def instorage(world: World, directory: Path, *words: str) -> dict[str, Any]:
    """Run the plugin as kubectl finds it."""
    plugin.write(directory / plugin.NAME)
    kubectl = program("kubectl")
    environment = {"PATH": f"{directory}:{kubectl.parent}:{os.environ['PATH']}", "HOME": str(directory)}
    kubeconfig = str(world.cluster.plane.kubeconfig("admin"))
    argv = [str(kubectl), "instorage", *words, "--json", "--kubeconfig", kubeconfig]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=180, check=False, env=environment)
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_stopped_agent_is_named_and_mended_by_the_command_that_is_named(
    world: World, tmp_path: Path
) -> None:
    node = world.products["a"].machine
    claim = world.claim()
    units = "instorage-nodeagent.socket instorage-nodeagent-plugin.socket instorage-nodeagent.service"
    node.run(f"systemctl stop {units}")
    pod = world.pod(claim, "a")
    until(
        lambda: "start instorage-node.target" in instorage(world, tmp_path, "why", f"default/{pod}")["do"],
        lambda: world.cluster.said(pod),
    )
    found = instorage(world, tmp_path, "why", f"default/{pod}")
    assert found["who"] == "node"
    node.run(found["do"])
    world.cluster.wait_running(pod)
    assert instorage(world, tmp_path, "why", f"default/{pod}")["first"] is None


def test_a_failure_that_goes_on_is_one_event_that_is_counted(world: World) -> None:
    pod = world.pod(world.claim(), "a", read_only=True)

    def counted() -> list[dict[str, Any]]:
        found = json.loads(world.cluster.kubectl("get", "events", "-o", "json"))["items"]
        mine = [one for one in found if one["involvedObject"]["name"] == pod]
        return [one for one in mine if "[read-only-first-use]" in one["message"]]

    until(lambda: sum(one["count"] for one in counted()) >= 3, lambda: world.cluster.said(pod))
    assert len(counted()) == 1


def test_a_volume_in_use_is_traced_and_shown_from_claim_to_mount(world: World, tmp_path: Path) -> None:
    claim = world.claim()
    volume = world.cluster.wait_bound(claim)
    world.running(claim, "a")
    node = world.products["a"].machine
    trace = json.loads(node.run(f"instoragectl trace {volume} --json", timeout=120).stdout)
    assert trace["whole"]
    times = json.loads(node.run("instoragectl times --since -1h --json", timeout=120).stdout)
    assert {"waitforattach", "mountdevice", "mount"} <= {one["what"] for one in times["figures"]}
    call = json.loads(node.run("journalctl -o json -n 1 INSTORAGE_CALL=mountdevice").stdout)
    mount = json.loads(node.run(f"instoragectl trace {call['INSTORAGE_OP']} --json", timeout=120).stdout)
    programs = [part for part in _walk(mount["call"]) if part["kind"] == "program"]
    assert {"mkfs.ext4", "blkid"} <= {part["what"] for part in programs}
    phases = sum(part["ms"] for part in mount["call"]["parts"] if part["kind"] == "phase")
    whole = float(call["INSTORAGE_MS"])
    assert abs(phases - whole) <= max(0.03 * whole, 2.0), mount["call"]
    why = json.loads(node.run(f"instoragectl why {volume} --json; true", timeout=120).stdout)
    right = {one["place"] for one in why["links"] if one["state"] == "right"}
    assert {"agent", "array", "paths", "mount"} <= right
    (row,) = [one for one in instorage(world, tmp_path, "volumes")["volumes"] if one["pv"] == volume]
    assert row["nodes"] == [world.products["a"].machine.role.hostname]


def _walk(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [node, *(one for part in node["parts"] for one in _walk(part))]
