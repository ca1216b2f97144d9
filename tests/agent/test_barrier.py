"""The barrier file: where it counts, whom it stops, and what instoragectl does about it."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from instorage.arrays.expansion import Step
from nodeagent.administration import barrier, ctl
from tests.agent.bench import GIB, Bench, device_target, options
from tests.agent.expanding import VOLUME, Pair

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def run(pair: Pair, *arguments: str, status: int = 0) -> None:
    """Run instoragectl barrier."""
    config = ("--config", str(pair.bench.paths.configuration))
    assert ctl.main(["barrier", *arguments, *config]) == status


def said(capsys: pytest.CaptureFixture[str]) -> str:
    found = capsys.readouterr()
    return found.out + found.err


# --- whom it stops


@pytest.mark.parametrize("text", ["", "step 3 of 9", "{", '{"schema": 9}', "\udcff"])
def test_a_file_that_somebody_else_wrote_stops_attach_and_detach_of_this_host(
    bench: Bench, text: str
) -> None:
    for name in ("vol1", "vol2"):
        bench.create(name)
    bench.attach("vol1").success()
    bench.mount_device("vol1").success()
    bench.make_host("iscsi-node2", "iqn.1993-08.org.debian:01:node2")
    bench.map("vol2", "iscsi-node2")
    bench.do("logins", port="iqn.1993-08.org.debian:01:node2", nodes=[])
    barrier = bench.paths.plugin / "aa-extend-failure.barrier"
    barrier.write_bytes(text.encode(errors="surrogateescape"))
    bench.reset()
    for call in (
        ("waitforattach", "", options("vol2")),
        ("unmountdevice", device_target("vol1")),
        ("detach", "vol1", "node1"),
    ):
        message = bench.call(*call).failure(f"barrier file {barrier}")
        assert "instoragectl barrier resume" in message
    assert bench.commands() == []
    assert device_target("vol1") in bench.helper.mounts
    bench.call("detach", "vol2", "node2").success()
    assert bench.maps("vol2") == []
    barrier.unlink()
    bench.call("unmountdevice", device_target("vol1")).success()
    bench.attach("vol2").success()


def test_a_barrier_in_the_directory_of_any_array_counts(bench: Bench) -> None:
    other = bench.directory / "elsewhere"
    other.mkdir()
    bench.configure(
        storage="- name: storage-02\n  type: AS18000\n  host: 127.0.0.1:1\n  username: u\n  password: p\n"
        f"  barrierPath: {other}\n"
    )
    bench.create("vol1")
    (other / "aa-extend-failure.barrier").write_text("")
    bench.attach("vol1").failure(str(other / "aa-extend-failure.barrier"))
    (other / "aa-extend-failure.barrier").unlink()
    bench.attach("vol1").success()


def test_an_active_active_volume_is_not_expanded_beside_a_barrier(pair: Pair) -> None:
    pair.bench.helper.barrier.write_text("of another volume")
    pair.bench.reset()
    pair.expand().failure(str(pair.bench.helper.barrier))
    assert pair.bench.size(pair.uid) == GIB
    assert "Lock" not in pair.bench.helper.verbs()[pair.bench.helper.verbs().index("Bind") :]


# --- where it is written


def configure_elsewhere(pair: Pair) -> Path:
    other = pair.bench.directory / "elsewhere"
    pair.bench.configure(
        storage=f"  barrierPath: {other}\n- name: storage-02\n  type: AS18000\n  host: 127.0.0.1:1\n"
        "  username: u\n  password: p\n"
    )
    return other / "aa-extend-failure.barrier"


def test_a_directory_of_the_agents_own_gets_the_same_text_and_loses_it_in_the_end(pair: Pair) -> None:
    own = configure_elsewhere(pair)
    own.parent.mkdir()
    pair.break_off()
    assert own.read_text() == pair.bench.helper.barrier.read_text()
    assert "was broken off" in own.read_text()
    assert [path.name for path in own.parent.iterdir()] == [own.name]
    pair.age()
    assert "is whole" in pair.resume()
    assert not own.exists()
    assert pair.expand().success().answer["volumeNewSize"] == 2 * GIB
    pair.assert_whole()


def test_without_a_place_for_the_barrier_nothing_is_begun(pair: Pair) -> None:
    own = configure_elsewhere(pair)
    pair.expand().failure(f"The barrier file {own} cannot be written (No such file or directory)")
    assert [name for name in pair.bench.commands() if not name.startswith("ls")] == []
    pair.assert_whole(GIB)


# --- instoragectl barrier


def test_show_and_plan_tell_file_record_and_commands(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    run(pair, "show")
    assert "No barrier file is here" in (text := said(capsys))
    assert "No record of a broken-off active-active expansion is kept" in text
    pair.break_off()
    run(pair, "show")
    text = said(capsys)
    assert f"Barrier file {pair.bench.helper.barrier}: an active-active expansion of volume vol1" in text
    assert f"from {GIB} to {2 * GIB} bytes: failed. Reached: step 3 of 9 (expand-aux)" in text
    assert "CMMVC5982E" in text
    for arguments in (["plan"], ["plan", VOLUME]):
        run(pair, *arguments)
        text = said(capsys)
        assert f"mcsop expandvdisksize -size 1 -unit gb {pair.names['aux']}" in text
        assert "-sync " not in text.replace("never with -sync", "")
    run(pair, "plan", "other", status=1)
    assert "No configured array has a volume other" in said(capsys)


def test_without_a_record_the_plan_says_what_it_sees_and_what_is_to_be_found_out(
    pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    pair.break_off()
    pair.bench.helper.kept.clear()
    pair.bench.helper.barrier.unlink()
    run(pair, "plan", VOLUME)
    text = said(capsys)
    assert "No record of a broken-off active-active expansion is kept on this node for volume vol1" in text
    assert f"Array storage-01: vol1 (tied to nothing): {2 * GIB} bytes" in text
    assert "Find out which of them are the aux" in text


def test_a_record_that_only_the_barrier_file_has_is_enough(pair: Pair) -> None:
    pair.break_off()
    pair.age()
    pair.bench.helper.kept.clear()
    assert "expandvdisksize" in pair.plan()
    text = pair.bench.helper.barrier.read_text()
    line = text.splitlines()[-1]
    pair.bench.helper.barrier.write_text(text.replace(line, json.dumps(json.loads(line) | {"sent": 0})))
    assert "is whole" in pair.resume()
    pair.assert_whole()


def test_resume_of_a_volume_that_is_not_mounted_here_never_syncs(pair: Pair) -> None:
    pair.break_off(Step.UNTIE)
    pair.age()
    pair.bench.helper.mounts.clear()
    pair.bench.reset()
    pair.bench.helper.calls.clear()
    assert "is whole" in pair.resume()
    assert pair.syncs() == 0
    assert "Freeze" not in pair.bench.helper.verbs()
    pair.assert_whole()


def test_resume_waits_for_nobody_who_works_on_it(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(barrier, "WAIT_SECONDS", 0.2)
    gate, at = threading.Event(), threading.Event()

    def hold() -> None:
        at.set()
        assert gate.wait(30)

    pair.bench.helper.before[Step.GROW_AUX] = hold
    call = pair.begin()
    assert at.wait(10)
    for arguments in (["resume"], ["clear"]):
        run(pair, *arguments, status=1)
    assert pair.bench.helper.barrier.exists()
    gate.set()
    call.reply().success()
    pair.assert_whole()


def test_resume_begins_only_when_nothing_is_attached_or_detached(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pair.break_off()
    pair.age()
    pair.bench.helper.barrier.unlink()
    pair.bench.create("other")
    gate = threading.Event()
    script = pair.bench.helper.script("Attach", gate=gate)
    call = pair.bench.begin("waitforattach", "", options("other"))
    assert script.reached.wait(10)
    monkeypatch.setattr(barrier, "WAIT_SECONDS", 0.2)
    run(pair, "resume", status=1)
    assert "The host lock is held" in said(capsys)
    gate.set()
    call.reply().success()
    run(pair, "resume")
    pair.assert_whole()


def test_resume_that_breaks_off_is_resumed(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    pair.break_off()
    pair.bench.do("fault", command="mkrcrelationship", error="CMMVC5982E")
    pair.age()
    run(pair, "resume", status=1)
    assert "step 6 of 9" in said(capsys)
    assert "step 6 of 9 (mkrcrelationship)" in pair.bench.helper.barrier.read_text()
    pair.age()
    run(pair, "resume")
    text = said(capsys)
    assert "step 6 of 9: mkrcrelationship" in text
    assert "kubelet's next try grows the file system" in text
    pair.assert_whole()


def test_clear_removes_the_file_and_keeps_what_is_known_until_the_volume_is_whole(
    pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    pair.break_off()
    run(pair, "clear")
    assert "vol1 is not whole: its record is kept" in said(capsys)
    assert not pair.bench.helper.barrier.exists()
    assert pair.uid in pair.bench.helper.kept
    pair.bench.create("other")
    pair.bench.attach("other").success()
    run(pair, "plan")
    assert "expandvdisksize" in said(capsys)
    pair.age()
    run(pair, "resume")
    assert not pair.bench.helper.barrier.exists()
    run(pair, "clear")
    pair.assert_whole()
