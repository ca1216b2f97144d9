"""What could not be seen, or not to its end, is said as such: by doctor, its report, and its status."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from instorage.wire.fault import Code, Fault
from nodeagent.administration import report, status
from nodeagent.administration.doctor import examination, restart
from nodeagent.administration.doctor.arrays_child import LAST_SECONDS, WAITED, ArraysChild
from nodeagent.administration.doctor.host import Host, Setup
from nodeagent.administration.doctor.looks import Looks
from nodeagent.diagnosis.finding import Finding, Severity
from tests.ctl.test_paths import SETUP, UID, Seen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.ctl.node import Node

STOPPED = "its file system was shutdown after errors"
DEVICE = "/var/lib/kubelet/plugins/kubernetes.io/flexvolume/inspur/instorage-flexvolume/mounts/vol1"


def found(kept: dict[str, Any], setup: Setup = SETUP, volume: str = "") -> list[Finding]:
    return list(examination.examine(Host(Looks(kept=kept), setup, volume=volume), ("volumes",), 50).findings)


def fault(code: Code, sentence: str, **fields: str) -> dict[str, Any]:
    return {"fault": Fault(code, sentence, **fields).to_wire()}


def test_a_helper_that_hangs_is_a_warning_and_not_told_by_the_arrays() -> None:
    kept = Seen().kept() | {"kernel 1": fault(Code.TIMEOUT, "The helper did not answer.")}
    (one,) = found(kept)
    assert (one.code, one.severity) == ("not-seen", Severity.WARNING)
    kept["kernel 1"] = Seen().kept()["kernel 1"]
    kept["arrays 1"] = fault(Code.TIMEOUT, "The arrays did not answer.", **{WAITED: "0.1"})
    (one,) = found(kept)
    assert (one.code, one.severity) == ("not-seen", Severity.OK)  # «arrays» says it


def test_a_stopped_file_system_is_said_although_the_second_look_fails() -> None:
    seen = Seen()
    mount = {"target": DEVICE, "fs_type": "ext4", "read_only": True, "trouble": STOPPED}
    seen.kernel["mounts"] = [mount]
    kept = seen.kept() | {"arrays 2": fault(Code.TIMEOUT, "The arrays did not answer.", **{WAITED: "0.1"})}
    said = {one.code: one for one in found(kept)}
    assert set(said) == {"mount-trouble", "not-seen"}
    assert said["mount-trouble"].severity is Severity.ERROR
    assert said["mount-trouble"].cause.endswith("It was seen once: the second look failed.")
    assert said["mount-trouble"].command == "instoragectl doctor, for another look"


def test_a_volume_is_not_missing_while_an_array_is_silent() -> None:
    kept = Seen().kept()
    other = dataclasses.replace(SETUP.arrays[0], name="hall-2")
    setup = dataclasses.replace(SETUP, arrays=(*SETUP.arrays, other))
    away = {"found": {}, **fault(Code.ARRAY_UNREACHABLE, "It is away.")}
    kept["volumes pvc-9,pvc-9"] = {"is": {"storage-01": {"found": {"pvc-9": None}}, "hall-2": away}}
    (one,) = found(kept, setup, "pvc-9")
    assert (one.code, one.severity, one.risk) == ("volume-missing", Severity.WARNING, "")
    assert one.sentence == "No volume pvc-9 is on storage-01; hall-2 did not answer."
    kept["volumes pvc-9,pvc-9"]["is"]["hall-2"] = {"found": {"pvc-9": None}}
    (one,) = found(kept, setup, "pvc-9")
    assert one.severity is Severity.ERROR


@pytest.mark.subprocess
def test_an_array_that_hangs_does_not_hide_the_one_that_answers(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    from instorage.configuration.settings import load

    hanging = socket.create_server(("127.0.0.1", 0))
    port = hanging.getsockname()[1]
    entry = f"- {{name: hall-2, type: AS18000, host: '127.0.0.1:{port}', username: u, password: p4ssw0rd}}\n"
    node.configure(storage=entry)
    monkeypatch.setenv("STATE_DIRECTORY", str(node.paths.state))
    child = ArraysChild(load(node.paths.configuration), ("iqn.1993-08.org.debian:01:node1",))
    try:
        began = time.monotonic()
        answers = child.view(LAST_SECONDS + 8.0)
        assert time.monotonic() - began < LAST_SECONDS + 8.0
    finally:
        child.close()
        hanging.close()
    assert answers["storage-01"].get("fault") is None
    assert answers["hall-2"]["fault"]["sentence"] == "Array hall-2 did not answer within 8 s."


def without_mappings(seen: Seen) -> dict[str, Any]:
    return seen.kept() | {f"arrays {turn}": {"is": {}} for turn in (1, 2)}  # as the report has it


def test_paths_that_are_down_and_a_missing_map_are_told_where_no_array_is_asked() -> None:
    seen = Seen()
    assert found(without_mappings(seen)) == []
    seen.kernel["multipath"] = False
    for path in seen.paths:
        path["state"] = "transport-offline"
    assert [one.code for one in found(without_mappings(seen))] == ["path-down", "path-down", "no-map"]


def published(kept: dict[str, Any]) -> dict[str, Any]:
    done = examination.examine(Host(Looks(kept=kept), SETUP), ("volumes",), 50)
    return report.content("node1", done, ["vol1"])


def test_the_report_says_which_volumes_were_looked_at_and_which_checks_not_made() -> None:
    said = published(without_mappings(Seen()))
    assert (said["looked"], said["unseen"], said["findings"]) == (["vol1"], [], [])
    away = without_mappings(Seen()) | {"kernel 1": fault(Code.HELPER_UNREACHABLE, "It is away.")}
    said = published(away)
    assert (said["looked"], said["unseen"]) == ([], ["volumes"])


def test_the_report_counts_what_it_has_no_room_to_show() -> None:
    seen = Seen()
    template = seen.paths[0]
    seen.kernel["paths"] = [template | {"name": f"sd{n}", "state": "offline"} for n in range(report.MOST + 5)]
    said = published(without_mappings(seen))
    assert (len(said["findings"]), said["errors"]) == (report.MOST, report.MOST + 5)


def test_no_restart_is_named_while_an_expansion_is_under_way(tmp_path: Path) -> None:
    barrier = tmp_path / "aa-extend-failure.barrier"
    kept = tmp_path / restart.KEPT.lstrip("/")
    kept.mkdir(parents=True)

    def command() -> str:
        looks = Looks(tmp_path)
        looks.answer(restart.BARRIERS, lambda: [str(barrier)])
        return restart.command(Host(looks, SETUP))

    assert command() == restart.RESTART
    barrier.write_text("{}")
    assert command() == restart.WAIT
    barrier.unlink()
    for text, wanted in (
        ('{"state": "running"}', restart.WAIT),
        ("", restart.WAIT),
        ('{"state": "failed"}', restart.RESTART),
    ):
        (kept / UID).write_text(text)
        assert command() == wanted
    seen = Seen()
    unreadable = {f"records {turn}": {"is": {UID: "{"}} for turn in (1, 2, 3, 4)}
    (one,) = found(seen.kept() | unreadable)  # a bundle that does not say it
    assert (one.code, one.command) == ("record-unreadable", restart.WAIT)


def test_status_ends_when_the_helper_hangs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    never = threading.Event()
    host = Host(Looks(tmp_path), dataclasses.replace(SETUP, arrays=(), state=str(tmp_path)))

    def hanging(_: Host) -> Iterator[Finding]:
        host.looks.answer("kernel 1", lambda: never.wait(60))
        yield from ()

    monkeypatch.setattr(examination, "CHECKS", {"volumes": hanging})
    monkeypatch.setattr(examination.examine, "__defaults__", (("volumes",), 1.0))
    monkeypatch.setattr(examination, "this_node", lambda *_: contextlib.nullcontext(host))
    began = time.monotonic()
    said = status.run(None)  # type: ignore[arg-type]
    assert time.monotonic() - began < 30
    assert said.data
    assert said.data["volumes"] is None
    assert "  volumes   cannot be seen: a look hangs" in list(said.lines)
    never.set()
