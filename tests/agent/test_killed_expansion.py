"""The agent killed in the midst of an active-active expansion, the node restarted over it, and the repair."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instorage.arrays.expansion import NINE, Step
from tests.agent.bench import GIB, Bench, device_target, until
from tests.agent.expanding import VOLUME, Pair, left_of
from tests.agent.service import Service
from tests.soak import WHOLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.subprocess, pytest.mark.slow]
KILLED_AT = NINE if WHOLE else (Step.UNTIE, Step.GROW_AUX, Step.TIE)


@pytest.fixture
def service(directory: Path, portal: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """An agent that is a process of its own."""
    made = Service(Bench(directory, {1: portal(), 2: portal()}))
    monkeypatch.setenv("INSTORAGE_HELPER_SOCKET", str(directory / "helper.sock"))
    monkeypatch.setenv("STATE_DIRECTORY", str(directory / "state"))
    monkeypatch.setattr("nodeagent.administration.barrier.leave_root", lambda _: None)
    yield made
    made.close()
    made.bench.close()


def killed_at(service: Service, step: Step) -> Pair:
    """Kill the agent when `step` is recorded and not yet sent."""
    process = service.start()
    pair = Pair(service.bench)

    def kill() -> None:
        process.kill()
        process.wait(10)

    service.bench.helper.before[step] = kill
    pair.begin()
    until(lambda: process.returncode is not None)
    until(lambda: service.bench.helper.locks == 0)
    return pair


@pytest.mark.parametrize("step", KILLED_AT)
def test_a_killed_agent_leaves_all_that_is_needed_to_finish(service: Service, step: Step) -> None:
    pair = killed_at(service, step)
    bench = service.bench
    assert not bench.helper.frozen(pair.uid)
    assert pair.record.state == "running"
    assert "is under way" in bench.helper.barrier.read_text()
    service.start()
    assert pair.record.state == "failed"
    text = bench.helper.barrier.read_text()
    assert "was broken off" in text
    for command in bench.array.expansion_plan(pair.record).commands:
        assert command.command in text
    assert pair.left() == left_of(step)
    assert f"barrier file {bench.helper.barrier}" in service.log()
    bench.create("other")
    bench.attach("other").failure(str(bench.helper.barrier))
    pair.expand().failure("instoragectl barrier plan")
    pair.age()
    bench.reset()
    assert "is whole" in pair.resume()
    assert pair.syncs() == 0, "whether the first command left the agent nobody knows"
    assert pair.expand().success().answer["volumeNewSize"] == 2 * GIB
    bench.attach("other").success()
    pair.assert_whole()


def test_a_reboot_with_the_barrier_there_maps_and_unmaps_nothing(service: Service) -> None:
    pair = killed_at(service, Step.GROW_AUX)
    bench = service.bench
    bench.set_boot("22222222-boot")
    bench.helper.mounts.clear()
    bench.reset()
    service.start(rest=0.2)
    service.hear_status(str(bench.helper.barrier))
    until(lambda: "could not be taken down" in service.log())
    assert [name for name in bench.commands() if not name.startswith("ls")] == []
    assert bench.maps(VOLUME) == ["iscsi-node1"]
    assert pair.uid in bench.records()
    bench.call("unmountdevice", device_target(VOLUME)).failure(str(bench.helper.barrier))
    bench.call("init").success()


def test_a_barrier_that_a_person_removed_does_not_come_back(service: Service) -> None:
    pair = killed_at(service, Step.GROW_AUX)
    bench = service.bench
    bench.helper.barrier.unlink()
    service.start()
    assert pair.record.state == "failed"
    assert not bench.helper.barrier.exists()
    bench.create("other")
    bench.attach("other").success()
    assert "expandvdisksize" in pair.plan()
    pair.expand().failure("instoragectl barrier plan")
    pair.age()
    assert "is whole" in pair.resume()
    assert not bench.helper.barrier.exists()
    assert pair.expand().success().answer["volumeNewSize"] == 2 * GIB
    pair.assert_whole()


def test_the_status_follows_the_barrier(service: Service) -> None:
    barrier = service.bench.helper.barrier
    barrier.write_text("")
    service.start(WATCHDOG_USEC="600000")
    service.hear_status(str(barrier))
    barrier.unlink()
    service.hear("STATUS=Ready")
