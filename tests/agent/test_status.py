"""What the agent says of this host to systemd, and that looking for it keeps nobody from being answered."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from tests.agent.bench import Bench, pod_target, until
from tests.agent.reconciling import vendors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Systemd:
    """Hears what an agent notifies."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def heard(self, text: str) -> int:
        return sum(text in one for one in self.messages)


@pytest.fixture
def systemd(monkeypatch: pytest.MonkeyPatch) -> Systemd:
    made = Systemd()
    monkeypatch.setattr("nodeagent.__main__.notifier", lambda: made.messages.append)
    monkeypatch.setenv("WATCHDOG_USEC", "300000")
    return made


@pytest.fixture
def node(directory: Path, portal: Callable[[], str], systemd: Systemd) -> Iterator[Bench]:
    """A node whose agent is not started yet."""
    bench = Bench(directory, {1: portal()})
    yield bench
    bench.close()


@pytest.fixture
def hung(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """The barrier's directory hangs, as a network directory does, until the event is set."""
    gate = threading.Event()

    def present(_: object) -> None:
        gate.wait(60)

    monkeypatch.setattr("nodeagent.expansion.barrier.present", present)
    monkeypatch.setattr("nodeagent.service.status.HANGS_SECONDS", 0.3, raising=False)
    yield gate
    gate.set()


def test_a_directory_that_hangs_keeps_no_call_and_no_watchdog(
    node: Bench, systemd: Systemd, hung: threading.Event
) -> None:
    node.start()
    node.call("init").success()
    node.call("unmount", pod_target("vol1")).success()
    until(lambda: systemd.heard("READY=1"))
    assert systemd.heard("STATUS=") == 1
    assert systemd.heard("barrierPath") == 1, "it is not said what hangs"
    fed = systemd.heard("WATCHDOG=1")
    until(lambda: systemd.heard("WATCHDOG=1") > fed + 2)
    hung.set()
    until(lambda: systemd.heard("STATUS=Ready"))


def test_a_directory_that_begins_to_hang_keeps_no_call_and_no_watchdog(
    node: Bench, systemd: Systemd, hung: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("nodeagent.expansion.barrier.present", lambda _: None)
        node.start()
        until(lambda: systemd.heard("STATUS=Ready"))
    until(lambda: systemd.heard("barrierPath"))
    fed = systemd.heard("WATCHDOG=1")
    until(lambda: systemd.heard("WATCHDOG=1") > fed + 2)
    node.call("init").success()


def test_the_code_is_that_of_what_is_wrong(
    node: Bench, systemd: Systemd, caplog: pytest.LogCaptureFixture
) -> None:
    node.start()
    until(lambda: systemd.heard("STATUS=Ready"))
    barrier = node.paths.plugin / "aa-extend-failure.barrier"
    barrier.write_text("step 3 of 9")
    until(lambda: systemd.heard("was broken off"))
    barrier.unlink()
    until(lambda: systemd.heard("STATUS=Ready") == 2)
    node.stop()
    node.paths.configuration.unlink()
    node.start()
    until(lambda: systemd.heard("instorage.yaml"))
    said = [(one.__dict__["code"], one.getMessage()) for one in caplog.records if one.name.endswith("status")]
    assert [code for code, _ in said] == ["barrier"]  # a configuration that is missing is said by itself


def test_a_barrier_directory_that_hangs_at_the_start_keeps_nothing_from_being_looked_at(
    node: Bench, systemd: Systemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    monkeypatch.setattr("nodeagent.expansion.interrupted.settle", lambda _: gate.wait(60))
    monkeypatch.setattr("nodeagent.__main__.READY_SECONDS", 0.2)
    uid = vendors(node)
    node.start()
    until(lambda: systemd.heard("READY=1"))
    until(lambda: uid in node.records())
    gate.set()


def test_a_setting_of_attach_calls_that_cannot_be_read_is_said_until_it_can(
    node: Bench, systemd: Systemd
) -> None:
    file = node.paths.plugin / ".attach"
    file.mkdir()
    node.start()
    until(lambda: systemd.heard(f"STATUS=The node agent cannot read {file}"))
    assert systemd.heard("STATUS=Ready") == 0
    file.rmdir()
    until(lambda: systemd.heard("STATUS=Ready"))
