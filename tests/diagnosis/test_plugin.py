"""`kubectl instorage` as users get it: one file that runs with Python and kubectl alone."""

from __future__ import annotations

import ast
import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from instorage import places
from nodeagent.diagnosis import event, remedy
from nodeagent.diagnosis.kubectl import Kubectl
from nodeagent.diagnosis.objects import gathered
from tests.diagnosis.recorded import VOLUME, Recorded, ago, kubectl
from tools.dist import plugin

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.subprocess

SUMMARY = {"pods": [{"volume": [{"pvcRef": {"namespace": "default", "name": "data"}, "usedBytes": 3 << 29}]}]}
DEGRADED = {"severity": "warning", "check": "volumes", "code": "paths-degraded", "volume": VOLUME}
FINDING = {"severity": "error", "check": "portals", "sentence": "Portal 10.0.0.3:3260 does not answer."}
REPORT = {"format": 1, "node": "node1", "findings": [FINDING, DEGRADED], "looked": [VOLUME]}
Answer = tuple[int, str]


@pytest.fixture
def api() -> Recorded:
    made = Recorded()
    made.storage_class()
    made.lease()
    said = json.dumps(REPORT | {"at": ago(90)})
    made.node()["metadata"]["annotations"] = {"instorage.inspur.com/doctor": said}
    made.bound()
    made.pod()
    return made


@pytest.fixture
def ask(tmp_path: Path, api: Recorded) -> Callable[..., Answer]:
    """Run the file as kubectl does: by its name, in an empty directory, with no module of ours in reach."""
    file = tmp_path / "plugins" / plugin.NAME
    plugin.write(file)
    (tmp_path / "empty").mkdir()

    def run(*words: str) -> Answer:
        raw: dict[str, Any] = {
            "/api/v1/nodes/node1/proxy/stats/summary": SUMMARY,
        }
        found = kubectl(tmp_path, api, **raw)
        done = subprocess.run(
            [file, *words], env={"PATH": f"{found}:/usr/bin:/bin"}, cwd=tmp_path / "empty",
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout + done.stderr

    return run


def test_why_says_sentence_who_and_command_and_where_the_rest_is_seen(
    ask: Callable[..., Answer], api: Recorded
) -> None:
    api.failed_mount("No path to the volume came up. [no-path] (request 0a1b2c3d4e)")
    status, said = ask("why", "default/web")
    lines = said.splitlines()
    assert status == 2
    assert lines[0].startswith("Pod default/web waits since ")
    assert lines[0].endswith("On node1: No path to the volume came up.")
    assert lines[1:3] == [
        "Who must act: the SAN network's administrator.", f"Do: instoragectl doctor --volume {VOLUME}"
    ]  # fmt: skip
    assert any(line.startswith("? paths") and "node1" in line for line in lines)
    assert "read from" not in said
    assert "read from kubectl get event -n default" in ask("why", "default/web", "--proof")[1]
    assert json.loads(ask("why", "default/web", "--json")[1])["who"] == "san"


def test_a_pod_that_runs_ends_in_status_0_and_a_wait_in_1(ask: Callable[..., Answer], api: Recorded) -> None:
    assert ask("why", "default/web")[0] == 1
    api.pod(phase="Running")
    assert ask("why", "default/web")[0] == 0


def test_tree_has_the_chain(ask: Callable[..., Answer], api: Recorded) -> None:
    _, said = ask("tree", VOLUME)
    places = [line.split()[1] for line in said.splitlines() if "`-" in line]
    assert places == ["claim", "PV", "node", "agent", "paths"]


def test_volumes_are_listed_with_what_kubelet_and_the_nodes_report_say(
    ask: Callable[..., Answer], api: Recorded
) -> None:
    status, said = ask("volumes")
    head, row = (line.split() for line in said.splitlines())
    assert status == 0
    assert head == ["CLAIM", "PV", "ARRAY", "POOL", "KIND", "SIZE", "PHASE", "USED", "NODE", "PATHS", "AGE"]
    assert row[:10] == [
        "default/data",
        VOLUME,
        "storage-01",
        "Pool0",
        "basic",
        "5Gi",
        "Bound",
        "1.5Gi",
        "node1",
        "paths-degraded",
    ]
    assert len(ask("volumes", "-n", "other")[1].splitlines()) == 1


def test_arrays_are_counted_by_their_volumes(ask: Callable[..., Answer]) -> None:
    assert ask("arrays")[1].splitlines()[1].split("   ")[0] == "storage-01"
    (found,) = json.loads(ask("arrays", "--json")[1])["arrays"]
    assert found == {"array": "storage-01", "volumes": 1, "phases": {"Bound": 1}, "pools": {"Pool0": 1}}


def test_doctor_shows_what_nodes_reported_and_how_another_does(
    ask: Callable[..., Answer], api: Recorded
) -> None:
    api.node("node2")
    status, said = ask("doctor")
    assert status == 2
    assert "error portals: Portal 10.0.0.3:3260 does not answer." in said
    assert "node1: 2 findings, " in said
    assert "node2: no report. On it: systemctl status instorage-report.service" in said


def test_what_is_nowhere_is_one_line_of_error(ask: Callable[..., Answer]) -> None:
    status, said = ask("why", "default/nothing")
    assert status == 1
    assert (
        said
        == "kubectl instorage: Namespace default has neither a pod nor a claim nothing: correct the name.\n"
    )


def test_the_file_is_the_same_twice_and_holds_all_that_its_modules_import() -> None:
    assert plugin.made() == plugin.made()
    for module in plugin.MODULES:
        tree = ast.parse((plugin.ROOT / module).read_text(), feature_version=(3, 8))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith(("nodeagent", "instorage")):
                named = str(node.module).replace(".", "/")
                package = named in ("nodeagent/diagnosis", "instorage")
                wanted = {f"{named}/{alias.name}" for alias in node.names} if package else {named}
                assert {f"{one}.py" for one in wanted} <= set(plugin.MODULES), module


def test_nothing_younger_than_python_3_8_is_called() -> None:
    for module in plugin.MODULES:
        text = (plugin.ROOT / module).read_text()
        for young in (
            ".removeprefix(",
            ".removesuffix(",
            "strict=",
            "StrEnum",
            "match ",
            "kw_only",
            "slots=",
        ):
            assert young not in text, (module, young)


def test_a_server_that_is_away_is_asked_once_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = tmp_path / "count"
    program = tmp_path / "kubectl"
    away = "Unable to connect to the server: dial tcp 127.0.0.1:1: connect: connection refused"
    program.write_text(f"#!/bin/sh\necho x >>{counted}\necho '{away}' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    found = gathered(Kubectl(), "default/web")
    assert found.unseen["pod"] == found.unseen["claim"] == away
    assert counted.read_text() == "x\n"


def test_commands_lie_where_an_installation_puts_them() -> None:
    assert f"{places.PLUGIN}/instorage-flexvolume ext-check-cfg" == remedy.CHECK
    assert event._THERE[remedy.CHECK].startswith(f"{places.PROVISIONER}/")


def test_a_reader_that_has_enough_is_no_defect(ask: Callable[..., Answer], tmp_path: Path) -> None:
    ask("why", "default/web")
    command = f"{tmp_path}/plugins/{plugin.NAME} why default/web | true"
    path = {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"}
    done = subprocess.run(
        ["sh", "-c", command], env=path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
