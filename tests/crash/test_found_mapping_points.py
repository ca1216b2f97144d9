"""The agent is killed while it finds a mapping that this boot has not made: nobody loses a volume by it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nodeagent.operation.steps import Step
from tests.agent.bench import until
from tests.agent.helper_peer import IQN, FaultError
from tests.crash.test_agent_points import LIFE
from tests.crash.victim import CALLS, VOLUME, agent, volume

if TYPE_CHECKING:
    from tests.crash.victim import Victim

__all__ = ["agent", "volume"]
pytestmark = [pytest.mark.subprocess, pytest.mark.timeout(120)]
HOST = "iscsi-node1"


@pytest.fixture
def found(agent: Victim, volume: str) -> Victim:
    """The volume is mapped to this host object, and no record says by whom."""
    agent.bench.make_host(HOST)
    agent.bench.map(VOLUME, HOST)
    return agent


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def twin(agent: Victim) -> None:
    """Another machine with this one's InitiatorName is logged in."""
    agent.bench.do("logins", port=IQN, nodes=[1, 2])
    agent.bench.reset()


@pytest.mark.parametrize("step", [Step.AGENT_ATTACH_DOUBTED, Step.AGENT_ATTACH_ADMITTED])
def test_an_attach_by_a_found_mapping_converges(found: Victim, step: Step) -> None:
    found.arm(step)
    found.dies_in(*CALLS["attach"])
    found.start()
    for name in LIFE:
        found.call(name)
    assert found.clean


def test_a_refusal_beside_a_twin_leaves_it_its_mapping_and_here_no_record(found: Victim) -> None:
    twin(found)
    found.arm(Step.AGENT_ATTACH_REFUSED)
    found.dies_in(*CALLS["attach"])
    found.start(rest=0.2)
    found.bench.call(*CALLS["attach"]).failure("may write to this volume")
    assert found.bench.records() == {}
    assert found.bench.maps(VOLUME) == [HOST]


def test_an_attach_that_failed_leaves_a_mapping_to_who_made_it(found: Victim) -> None:
    found.bench.helper.script("Attach", fault=FaultError("no-path", "No path came up."))
    found.arm(Step.AGENT_ATTACH_LEFT)
    found.dies_in(*CALLS["attach"])
    assert found.bench.records() == {}
    assert found.bench.maps(VOLUME) == [HOST]


def test_a_doubt_about_a_record_of_another_boot_is_not_forgotten(found: Victim) -> None:
    found.call("attach")
    found.process.kill()
    found.process.wait(10)
    found.bench.helper.devices.clear()
    (record,) = (found.bench.directory / "state/volumes").iterdir()
    record.write_text(record.read_text().replace(boot_id(), "of-another-boot"))
    twin(found)
    found.arm(Step.AGENT_DETACH_DOUBTED)
    found.service.notified.settimeout(5)
    with pytest.raises(TimeoutError):  # what another boot has left is settled before it says that it is ready
        found.start()
    found.process = found.service.processes[-1]
    found.dies()
    found.service.notified.settimeout(20)
    found.start(rest=0.2)
    until(lambda: [one["doubted"] for one in found.bench.records().values()] == [0])
    assert found.bench.maps(VOLUME) == [HOST]
