"""The agent killed at each of its steps: the call repeated converges, and so does doing nothing more.

The agent is a process of its own, the array is simulated, the helper scripted; the same steps with a real
kernel are in tests/lab/crash.
"""

from __future__ import annotations

import threading
import time

import pytest

from instorage.volume_name import VolumeName
from tests.agent.bench import device_target, until
from tests.agent.helper_peer import FaultError
from tests.crash.table import STEPS, AgentStep, Step
from tests.crash.victim import CALLS, VOLUME, Victim, agent, volume

__all__ = ["agent", "volume"]
pytestmark = [pytest.mark.subprocess, pytest.mark.slow]
LIFE = ("attach", "mountdevice", "mount", "unmount", "unmountdevice")

LIVES: dict[Step, str] = {
    AgentStep.AGENT_ATTACH_HOST: "attach",
    AgentStep.AGENT_ATTACH_RECORDED: "attach",
    AgentStep.AGENT_ATTACH_MAPPED: "attach",
    AgentStep.AGENT_ATTACH_UP: "attach",
    AgentStep.AGENT_MOUNT_RECORDED: "mountdevice",
    AgentStep.AGENT_MOUNT_MOUNTED: "mountdevice",
    AgentStep.AGENT_MOUNT_BOUND: "mount",
    AgentStep.AGENT_UNMOUNT_UNMOUNTED: "unmount",
    AgentStep.AGENT_DETACH_UNMOUNTED: "unmountdevice",
    AgentStep.AGENT_DETACH_REMOVED: "unmountdevice",
    AgentStep.AGENT_DETACH_UNMAPPED: "unmountdevice",
    AgentStep.AGENT_DETACH_FORGOTTEN: "unmountdevice",
}
"""Steps of a pod's usual life, and the call in which each comes."""

GROWS = (
    AgentStep.AGENT_EXPAND_GROWN,
    AgentStep.AGENT_EXPAND_RESCANNED,
    AgentStep.AGENT_EXPAND_FILESYSTEM,
    AgentStep.AGENT_EXPAND_RECORDED,
)
"""Steps of the growth of any volume: tests/crash/test_growth_points.py."""

EXPANDS = (
    AgentStep.AGENT_EXPAND_BARRIER,
    AgentStep.AGENT_EXPAND_FROZEN,
    AgentStep.AGENT_EXPAND_THAWED,
    AgentStep.AGENT_EXPAND_ERASED,
    AgentStep.AGENT_EXPAND_PAIR_GROWN,
)
"""Steps of the expansion of an active-active volume: there too."""

FOUND = (
    AgentStep.AGENT_ATTACH_DOUBTED,
    AgentStep.AGENT_ATTACH_REFUSED,
    AgentStep.AGENT_ATTACH_ADMITTED,
    AgentStep.AGENT_ATTACH_LEFT,
    AgentStep.AGENT_DETACH_DOUBTED,
)
"""Steps with a mapping that this boot has not made: tests/crash/test_found_mapping_points.py."""

SPECIAL = {
    *GROWS,
    *EXPANDS,
    *FOUND,
    AgentStep.AGENT_EXPAND_NOTED,
    AgentStep.AGENT_EXPAND_FORGOTTEN,
    AgentStep.AGENT_EXPAND_BROKEN_OFF,
    AgentStep.AGENT_ATTACH_WITHDRAWN,
    AgentStep.AGENT_ATTACH_TAKEN_BACK,
    AgentStep.AGENT_LEFTOVER_UNMOUNTED,
    AgentStep.AGENT_LEFTOVER_REMOVED,
    AgentStep.AGENT_DETACH_FENCED,
    AgentStep.AGENT_ADOPT_RECORDED,
    AgentStep.AGENT_MOUNT_UNBOUND,
    AgentStep.AGENT_SETTLE_UNMOUNTED,
}
"""Steps that need more than a usual life; each has a test below, or in tests/crash/test_growth_points.py."""


def test_every_step_of_the_agent_is_killed_here() -> None:
    assert set(LIVES) | SPECIAL == {step for step in STEPS if step.startswith("agent.")}


@pytest.mark.parametrize("step", LIVES)
def test_the_same_call_again_converges(agent: Victim, volume: str, step: Step) -> None:
    killed = LIVES[step]
    for name in LIFE[: LIFE.index(killed)]:
        agent.call(name)
    agent.arm(step)
    agent.dies_in(*CALLS[killed])
    agent.start()
    for name in LIFE[LIFE.index(killed) :]:
        agent.call(name)
    assert agent.clean
    until(lambda: agent.bench.helper.locks == 0)  # a connection ends a moment after the answer
    assert agent.bench.helper.verbs().count("Mount") >= 1


@pytest.mark.parametrize("step", LIVES)
def test_without_any_further_call_nothing_is_left_that_nobody_uses(
    agent: Victim, volume: str, step: Step
) -> None:
    killed = LIVES[step]
    for name in LIFE[: LIFE.index(killed)]:
        agent.call(name)
    agent.arm(step)
    agent.dies_in(*CALLS[killed])
    mounted = dict(agent.bench.helper.mounts)
    agent.start(rest=0.2)
    if mounted:  # kubelet has it: in use, and nothing of it may be touched
        until(lambda: agent.bench.helper.verbs().count("Inspect") > 1)
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            assert agent.bench.helper.mounts == mounted
            assert agent.bench.maps(VOLUME) == ["iscsi-node1"]
        agent.call("unmount")
        agent.call("unmountdevice")
    until(lambda: agent.clean)


def test_a_refused_attach_leaves_no_record(agent: Victim, volume: str) -> None:
    agent.bench.make_host("iscsi-other", "iqn.1993-08.org.debian:01:other")
    agent.bench.map(VOLUME, "iscsi-other")
    agent.arm(AgentStep.AGENT_ATTACH_WITHDRAWN)
    agent.dies_in(*CALLS["attach"])
    agent.start(rest=0.2)
    agent.bench.call(*CALLS["attach"]).failure("iscsi-other")
    assert agent.bench.records() == {}
    assert agent.bench.maps(VOLUME) == ["iscsi-other"]


@pytest.mark.parametrize("repeated", [True, False])
def test_an_attach_that_is_being_taken_back(agent: Victim, volume: str, repeated: bool) -> None:
    agent.bench.helper.script("Attach", fault=FaultError("wrong-device", "It is another volume."))
    agent.arm(AgentStep.AGENT_ATTACH_TAKEN_BACK)
    agent.dies_in(*CALLS["attach"])
    agent.start(rest=30 if repeated else 0.2)
    for name in LIFE if repeated else ():
        agent.call(name)
    until(lambda: agent.clean)


@pytest.mark.parametrize("step", [AgentStep.AGENT_LEFTOVER_UNMOUNTED, AgentStep.AGENT_LEFTOVER_REMOVED])
def test_what_is_left_of_a_fenced_volume_is_gone_before_it_is_mapped(
    agent: Victim, volume: str, step: Step
) -> None:
    for name in ("attach", "mountdevice", "mount"):
        agent.call(name)
    agent.bench.array.unmap_volume(VolumeName(VOLUME), "iscsi-node1")
    agent.arm(step)
    agent.dies_in(*CALLS["attach"])
    assert agent.bench.maps(VOLUME) == [], "mapped while an old mount was there"
    agent.start()
    agent.call("attach")
    assert agent.bench.helper.mounts == {}
    for name in LIFE[1:]:
        agent.call(name)
    assert agent.clean


def test_a_fence_is_not_done_twice(agent: Victim, volume: str) -> None:
    other = "iqn.1993-08.org.debian:01:node2"
    agent.bench.make_host("iscsi-node2", other)
    agent.bench.map(VOLUME, "iscsi-node2")
    agent.bench.do("logins", port=other, nodes=[])
    agent.arm(AgentStep.AGENT_DETACH_FENCED)
    agent.dies_in(*CALLS["detach"])
    agent.start()
    agent.call("attach")
    agent.call("detach")
    assert agent.bench.maps(VOLUME) == ["iscsi-node1"]


def test_a_volume_that_is_being_taken_over(agent: Victim, volume: str) -> None:
    agent.bench.make_host("iscsi-node1")
    agent.bench.map(VOLUME, "iscsi-node1")
    agent.bench.helper.devices[volume] = "/dev/disk/by-id/x"
    agent.bench.helper.mounts[device_target(VOLUME)] = (volume, False)
    agent.arm(AgentStep.AGENT_ADOPT_RECORDED)
    agent.dies_in(*CALLS["unmountdevice"])
    agent.start()
    assert agent.bench.helper.mounts, "kubelet repeats the call only while it is mounted"
    agent.call("unmountdevice")
    assert agent.clean


def test_a_device_mount_that_no_pod_wants_any_more(agent: Victim) -> None:
    agent.bench.paths.plugin.joinpath(".attach").write_text("false\n")
    agent.start(rest=0.2)
    agent.bench.create(VOLUME)
    agent.bench.helper.script("Bind", fault=FaultError("file-system", "The bind failed."))
    agent.arm(AgentStep.AGENT_SETTLE_UNMOUNTED)
    agent.bench.call(*CALLS["mount"]).failure("The bind failed.")
    agent.dies()
    agent.start(rest=0.2)
    until(lambda: agent.clean)


def test_a_bind_that_is_taken_back_since_its_caller_has_left(agent: Victim, volume: str) -> None:
    for name in ("attach", "mountdevice"):
        agent.call(name)
    gate = threading.Event()
    script = agent.bench.helper.script("Bind", gate=gate)
    agent.arm(AgentStep.AGENT_MOUNT_UNBOUND)
    stub = agent.bench.begin(*CALLS["mount"])
    assert script.reached.wait(10)
    stub.leave()
    gate.set()
    agent.dies()
    assert list(agent.bench.helper.mounts) == [device_target(VOLUME)]
    agent.start()
    for name in LIFE[2:]:
        agent.call(name)
    assert agent.clean
