"""`kubectl instorage volumes` and `doctor`: what a node did not say was not looked at."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from nodeagent.diagnosis import cluster, plugin
from nodeagent.diagnosis.kubectl import Kubectl
from nodeagent.diagnosis.objects import Unseen
from nodeagent.diagnosis.report import KEY
from tests.diagnosis.recorded import VOLUME, Recorded, ago, kubectl, serving

if TYPE_CHECKING:
    from pathlib import Path

    Object = dict[str, Any]

GOOD: dict[str, Any] = {"errors": 0, "warnings": 0, "findings": [], "looked": [VOLUME], "unseen": []}
DEGRADED = {"severity": "warning", "check": "volumes", "code": "paths-degraded", "volume": VOLUME}
SUMMARY = "/api/v1/nodes/{node}/proxy/stats/summary"

pytestmark = pytest.mark.subprocess


@pytest.fixture
def api() -> Recorded:
    made = serving()
    made.bound()
    made.pod(phase="Running")
    return made


def says(api: Recorded, node: str = "node1", age: float = 90, **report: Any) -> None:
    said = json.dumps(GOOD | report | {"at": ago(age)})
    api.node(node)["metadata"]["annotations"] = {KEY: said}


def rows(directory: Path, monkeypatch: pytest.MonkeyPatch, api: Recorded, **raw: Any) -> list[Object]:
    monkeypatch.setenv("PATH", f"{kubectl(directory, api, **raw)}:/usr/bin:/bin")
    return cluster.volumes(Kubectl())


@pytest.mark.parametrize(
    ("report", "paths"),
    [
        ({}, "ok"),
        ({"unseen": ["arrays", "portals"]}, "ok"),
        ({"findings": [DEGRADED], "warnings": 1}, "paths-degraded"),
        ({"findings": [DEGRADED], "warnings": 21}, "paths-degraded,?"),
        ({"errors": 3}, "?"),
        ({"looked": []}, "?"),
        ({"looked": None}, "?"),
        ({"unseen": ["volumes"]}, "?"),
        ({"age": 9000}, "?"),
        ({"age": -9000}, "?"),
    ],
)
def test_paths_are_ok_only_when_they_were_looked_at_lately_and_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, api: Recorded, report: dict[str, Any], paths: str
) -> None:
    says(api, **report)
    (row,) = rows(tmp_path, monkeypatch, api)
    assert row["paths"] == paths
    assert paths in cluster.shown(row)


@pytest.mark.parametrize(
    ("second", "paths"),
    [({}, "ok"), ({"findings": [DEGRADED]}, "paths-degraded"), ({"looked": []}, "?"), (None, "?")],
)
def test_of_two_nodes_the_worst_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, api: Recorded, second: dict[str, Any] | None, paths: str
) -> None:
    says(api)
    other = json.loads(json.dumps(api.kept["pod", "default", "web"]))
    other["metadata"]["name"], other["spec"]["nodeName"] = "web2", "node2"
    api.kept["pod", "default", "web2"] = other
    if second is not None:
        says(api, "node2", **second)
    (row,) = rows(tmp_path, monkeypatch, api)
    assert row["nodes"] == ["node1", "node2"]
    assert row["paths"] == paths


def test_a_released_pv_has_nothing_of_its_namesakes_pod(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, api: Recorded
) -> None:
    says(api)
    old = json.loads(json.dumps(api.kept["pv", "", VOLUME]))
    old["metadata"]["name"], old["status"]["phase"] = "pvc-old", "Released"
    api.kept["pv", "", "pvc-old"] = old
    used = {
        "pods": [{"volume": [{"pvcRef": {"namespace": "default", "name": "data"}, "usedBytes": 5 << 30}]}]
    }
    found = {
        one["pv"]: one for one in rows(tmp_path, monkeypatch, api, **{SUMMARY.format(node="node1"): used})
    }
    assert (found[VOLUME]["nodes"], found[VOLUME]["used"], found[VOLUME]["paths"]) == (
        ["node1"],
        5 << 30,
        "ok",
    )
    assert (found["pvc-old"]["nodes"], found["pvc-old"]["used"], found["pvc-old"]["paths"]) == (
        [],
        None,
        None,
    )
    place = cluster.COLUMNS.index("PHASE")
    assert [cluster.shown(found[name])[place] for name in (VOLUME, "pvc-old")] == ["Bound", "Released"]


def test_a_node_whose_use_cannot_be_read_is_said_and_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, api: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    says(api)
    monkeypatch.setenv("PATH", f"{kubectl(tmp_path, api)}:/usr/bin:/bin")
    assert plugin.main(["volumes"]) == 0
    said = capsys.readouterr().out
    assert "USED on node node1 could not be read: " in said
    assert said.splitlines()[1].split()[cluster.COLUMNS.index("USED")] == "?"


def test_a_list_or_a_node_that_does_not_answer_is_not_the_servers_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "kubectl"
    program.write_text(
        "#!/bin/sh\ncase \"$*\" in *' -- '*) echo '{}'; exit;; esac\n"
        "echo 'Unable to connect to the server: net/http: timed out (Client.Timeout exceeded)' >&2; exit 1\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    asked = Kubectl()
    for words in (("events", "", "default"), ("pods", "", "default")):
        with pytest.raises(Unseen, match="timed out"):
            asked(*words)
    with pytest.raises(Unseen, match="timed out"):
        asked.run("get", "--raw", SUMMARY.format(node="node1"))
    assert asked("pod", "web", "default") == {}


@pytest.mark.parametrize(
    ("report", "status", "part"),
    [
        ({}, 0, "0 findings"),
        ({"findings": 5}, 0, "0 findings"),
        ({"findings": [DEGRADED, 7], "warnings": 1}, 1, "1 findings"),
        ({"findings": [DEGRADED], "warnings": 1, "errors": 4}, 2, "4 more are not in the report"),
        ({"age": 92_000_000}, 1, "That is no news."),
        ({"unseen": ["volumes"]}, 1, "Not looked at: volumes."),
        ({"errors": "x", "unseen": 5, "looked": 5}, 0, "0 findings"),
    ],
)
def test_the_doctors_status_counts_all_findings_and_what_is_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, api: Recorded, capsys: pytest.CaptureFixture[str],
    report: dict[str, Any], status: int, part: str,
) -> None:  # fmt: skip
    says(api, **report)
    monkeypatch.setenv("PATH", f"{kubectl(tmp_path, api)}:/usr/bin:/bin")
    assert plugin.main(["doctor"]) == status
    assert part in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "[" * 100_000, "5", None])
def test_a_node_without_a_report_is_not_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, api: Recorded, capsys: pytest.CaptureFixture[str],
    text: str | None,
) -> None:  # fmt: skip
    api.node("node1")["metadata"]["annotations"] = {} if text is None else {KEY: text}
    monkeypatch.setenv("PATH", f"{kubectl(tmp_path, api)}:/usr/bin:/bin")
    assert plugin.main(["doctor"]) == 1
    assert "node1: no report." in capsys.readouterr().out


class Renewing(Recorded):
    """A cluster whose provisioner renews its Lease by a clock of its own."""

    def __call__(self, kind: str, name: str = "", namespace: str = "") -> Object | None:
        if kind == "lease":
            self.looks = getattr(self, "looks", 0) + 1
            self.kept[kind, namespace, name]["spec"]["renewTime"] = ago(3600 - self.looks)
        return super().__call__(kind, name, namespace)


def test_a_provisioner_whose_clock_differs_works_and_one_that_renews_nothing_does_not() -> None:
    living = Renewing()
    for api in (living, dead := Recorded()):
        api.storage_class()
        api.claim()
    living.lease(3600)
    dead.lease(-3000)  # by this clock it was renewed in 50 minutes
    assert "has not renewed" not in living.why("default/data").sentence
    assert any("master_1 works" in one.sentence for one in living.why("default/data").links)
    assert "The provisioner is away: master_1 has not renewed" in dead.why("default/data").sentence
    dead.denied["lease"] = "leases is forbidden"
    assert "is away" not in dead.why("default/data").sentence
