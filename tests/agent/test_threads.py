"""Each kind of thread of the agent meets a defect: whoever waits is told, and none is gone unseen.

call: answers, and so do those who joined it. inquiry: answers for its array. settling, adoption: tried again
(tests/agent/test_lanes.py). reconciliation, status: go on, and end the process if they do not. comparison:
said. array-connection: its connection ends, and with it every wait.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, NoReturn

import paramiko
import pytest

from instorage.volume_name import VolumeName
from nodeagent.operation.progress import Progress
from nodeagent.service import threads
from nodeagent.service.dispatch import new_request
from nodeagent.service.flight import Flights
from tests.agent.bench import NODE, device_target, until

if TYPE_CHECKING:
    from tests.agent.bench import Bench


class Waiting:
    """A caller that waits patiently."""

    def progress(self, text: str) -> None:
        pass

    def gone(self) -> bool:
        return False


def defect(*_: object, **__: object) -> NoReturn:
    raise ValueError("a defect")


def test_who_joined_a_run_that_ends_by_a_defect_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    flights, gate, answers = Flights(), threading.Event(), []

    def work() -> NoReturn:
        gate.wait(10)
        raise ValueError("a defect")

    def run() -> None:
        answers.append(flights.run("key", Progress(new_request()), Waiting(), work))

    monkeypatch.setattr("threading.excepthook", lambda _: None)
    runners = [threading.Thread(target=run, daemon=True) for _ in range(3)]
    runners[0].start()
    until(flights.oldest)
    for runner in runners[1:]:
        runner.start()
    until(lambda: len(flights._flights["key"].progress._listeners) == 3)
    gate.set()
    until(lambda: len(answers) == 2, 5)
    assert {(answer.status, "defect" in answer.message) for answer in answers if answer} == {
        ("Failure", True)
    }


@pytest.mark.parametrize("where", ["flexvolume.parse", "journal.working_on"])
def test_a_call_that_meets_a_defect_is_answered(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(f"nodeagent.operation.{where}", defect)
        bench.attach("vol1").failure("The node agent failed (ValueError)")
    bench.create("vol1")
    bench.attach("vol1").success()


def test_options_as_deep_as_a_call_may_be_are_answered(bench: Bench) -> None:
    bench.call("waitforattach", NODE, "[" * 60_000).failure()
    bench.call("init").success()


def test_an_array_client_with_a_defect_answers_for_its_array(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    uid = "6" + "0" * 31
    bench.helper.devices[uid] = "/dev/disk/by-id/x"
    bench.helper.mounts[device_target("vol1")] = (uid, False)
    monkeypatch.setattr("instorage.arrays.as18000.As18000.find_volume_by_uid", defect)
    reply = bench.call("unmountdevice", device_target("vol1"))
    reply.failure("could not be asked (ValueError)")
    assert reply.seconds < 5
    assert bench.helper.mounts


def test_reconciliation_goes_on_after_a_defect(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.rest = 0.3
    agent = bench.restart()
    bench.call("init").success()
    bench.create("vol1")
    with monkeypatch.context() as patch:
        patch.setattr("nodeagent.recovery.reconciliation.Reconciler._lane", defect)
        bench.attach("vol1").success()
        time.sleep(0.5)  # longer than its rest: it has met the defect
        assert agent._reconciler.thread.is_alive()
    until(lambda: not bench.maps("vol1"))


@pytest.mark.parametrize("which", ["_reconciler", "_status"])
def test_an_agent_without_a_thread_that_it_needs_ends_to_be_started_anew(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, which: str
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "300000")
    agent = bench.restart()
    bench.call("init").success()
    assert not agent.failed
    dead = threading.Thread(target=lambda: None, name="dead")
    dead.start()
    dead.join()
    getattr(agent, which).thread = dead
    _, thread = bench._agents[-1]
    thread.join(10)
    assert not thread.is_alive()
    assert agent.failed
    assert "Thread dead has ended" in caplog.text


def test_the_comparison_with_an_array_that_meets_a_defect_keeps_no_other(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bench.create("strange")
    bench.make_host("iscsi-node1")
    bench.map("strange", "iscsi-node1")
    bench.helper.formatting = {"6" + "e" * 31}
    monkeypatch.setattr("nodeagent.recovery.vanished.forget_format", defect)
    bench.restart()
    until(lambda: "maps volume strange to this host" in caplog.text)
    until(lambda: "by a defect of the agent" in caplog.text)


def test_a_connection_without_its_watch_is_no_connection(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = paramiko.Channel.close

    def broken(channel: paramiko.Channel) -> None:
        if threading.current_thread().name == "array-connection":
            raise ValueError("a defect")
        closed(channel)

    monkeypatch.setattr("threading.excepthook", lambda _: None)
    monkeypatch.setattr("paramiko.Channel.close", broken)
    bench.create("vol1")
    bench.attach("vol1").success()
    (watch,) = [one for one in threading.enumerate() if one.name == "array-connection"][-1:]
    connection = watch._target.__self__  # type: ignore[attr-defined]
    with connection._changed:
        connection._deadlines["a channel that is overdue"] = 0.0
        connection._changed.notify()
    watch.join(10)
    assert not connection.usable
    assert not connection._transport.is_active(), "its commands would wait without a deadline"
    bench.create("vol2")
    bench.attach("vol2").success()


def test_an_array_that_detach_cannot_ask_by_a_defect_is_not_said_to_have_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.create("vol1")
    bench.attach("vol1").success()
    monkeypatch.setattr("instorage.arrays.as18000.As18000.find_volume", defect)
    reply = bench.call("detach", VolumeName("vol1"), NODE)
    reply.failure("could not be asked (ValueError)")
    assert reply.seconds < 5


def test_the_end_of_any_thread_is_in_the_journal(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("threading.excepthook", threads.say_end)
    one = threading.Thread(target=defect, name="call")
    one.start()
    one.join()
    found = [record for record in caplog.records if record.levelno == logging.CRITICAL]
    assert [record.getMessage() for record in found] == ["Thread call ended by a defect of the agent"]
    assert found[0].exc_info
