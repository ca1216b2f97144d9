"""The calls of a volume's life as kubelet makes and repeats them, with a victim killed at a step of each."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.crash.table import AgentStep, HelperStep, Step
from tests.lab.crash import build

if TYPE_CHECKING:
    from tools.lab.kubelet import Answer, Kubelet
    from tools.lab.machine import Machine

PATIENCE = 120  # seconds for kubelet's repeats of one call to succeed
HIT = 20  # seconds after a call's end until the victim must have been killed (a detached stub leaves work)
COMES_IN = {
    "waitforattach": (
        AgentStep.AGENT_ATTACH_HOST,
        AgentStep.AGENT_ATTACH_RECORDED,
        AgentStep.AGENT_ATTACH_MAPPED,
        HelperStep.HELPER_ATTACH_LOGGED_IN,
        HelperStep.HELPER_ATTACH_SCANNED,
        HelperStep.HELPER_ATTACH_MAP_MADE,
        AgentStep.AGENT_ATTACH_UP,
    ),
    "mountdevice": (
        AgentStep.AGENT_MOUNT_RECORDED,
        HelperStep.HELPER_FORMAT_RECORDED,
        HelperStep.HELPER_FORMAT_MADE,
        HelperStep.HELPER_FORMAT_FORGOTTEN,
        HelperStep.HELPER_MOUNT_MOUNTED,
        AgentStep.AGENT_MOUNT_MOUNTED,
    ),
    "mount": (HelperStep.HELPER_BIND_BOUND, HelperStep.HELPER_BIND_RESTRICTED, AgentStep.AGENT_MOUNT_BOUND),
    "unmount": (HelperStep.HELPER_UNMOUNT_UNMOUNTED, AgentStep.AGENT_UNMOUNT_UNMOUNTED),
    "unmountdevice": (
        AgentStep.AGENT_DETACH_UNMOUNTED,
        HelperStep.HELPER_DETACH_FLUSHED,
        HelperStep.HELPER_DETACH_QUEUEING_ENDED,
        HelperStep.HELPER_DETACH_MAP_REMOVED,
        HelperStep.HELPER_DETACH_DISKS_REMOVED,
        AgentStep.AGENT_DETACH_REMOVED,
        AgentStep.AGENT_DETACH_UNMAPPED,
        AgentStep.AGENT_DETACH_FORGOTTEN,
    ),
}
"""The steps of a life without trouble, by the call in which each comes."""
LIFE = tuple(COMES_IN)
ANY = ("agent", "helper", "stub")
IN_HELPER = ("worker", "helper", "agent", "stub")
PROGRAMS: dict[Step, str] = {
    HelperStep.HELPER_FORMAT_RECORDED: "mkfs.ext4",
    HelperStep.HELPER_DETACH_MAP_REMOVED: "multipath",
}
"""Programs that run directly after a step."""


@dataclass(frozen=True)
class Kill:
    """A victim at a step."""

    step: Step
    victim: str

    def __str__(self) -> str:
        return f"{self.step}-{self.victim}"


def victims(step: Step) -> tuple[str, ...]:
    """Return everybody who can be killed at a step."""
    usual = IN_HELPER if step.startswith("helper.") else ANY
    return (*usual, PROGRAMS[step]) if step in PROGRAMS else usual


def rotated() -> list[Kill]:
    """Return each step once, the victims in rotation."""
    kills = []
    for number, step in enumerate(step for steps in COMES_IN.values() for step in steps):
        possible = victims(step)
        kills.append(Kill(step, PROGRAMS.get(step) or possible[number % len(possible)]))
    return kills


def everything() -> list[Kill]:
    """Return each step with each of its victims."""
    return [Kill(step, one) for steps in COMES_IN.values() for step in steps for one in victims(step)]


def lives(kills: list[Kill]) -> list[dict[str, Kill]]:
    """Deal kills out to lives: at most one in each call."""
    dealt: list[dict[str, Kill]] = []
    for call, steps in COMES_IN.items():
        for number, kill in enumerate(kill for kill in kills if kill.step in steps):
            if number == len(dealt):
                dealt.append({})
            dealt[number][call] = kill
    return dealt


def once(kubelet: Kubelet, call: str) -> Answer | None:
    """Make a call; None when the stub was killed."""
    try:
        return kubelet.call(call, timeout=150)
    except json.JSONDecodeError:
        return None
    except AssertionError as error:
        if "Killed" in str(error):  # what the shell that started the stub says, not the stub
            return None
        raise


def killed(kubelet: Kubelet, call: str, kill: Kill) -> None:
    """Make a call in which somebody is killed; it may succeed or fail."""
    build.arm(kubelet.machine, kill.step, kill.victim)
    answer = once(kubelet, call)
    assert build.hit(kubelet.machine, HIT), f"{call} never came to {kill.step}: {answer}"
    said = "no answer" if answer is None else f"{answer.answer['status']} {answer.message}"
    print(f"{call}, {kill.victim} killed at {kill.step}: {said}")


def repeat(kubelet: Kubelet, call: str) -> None:
    """Repeat a call as kubelet does until it succeeds.

    mountdevice with waitforattach before it, for to kubelet the two are one; unmountdevice only while the
    directory is mounted; mount and mountdevice only while it is not: what is mounted kubelet takes as done.
    """
    directory = {"mount": kubelet.pod_directory}.get(call, kubelet.device_mount)
    needed = {"mount": False, "mountdevice": False, "unmountdevice": True}.get(call)
    deadline = time.monotonic() + PATIENCE
    while True:
        if needed is not None and mounted(kubelet.machine, directory) is not needed:
            return
        answer = once(kubelet, call)
        if answer is not None and answer.success:
            return
        assert time.monotonic() < deadline, f"{call} does not succeed again: {answer}"
        print(f"{call} again: {answer.message if answer else 'no answer'}")
        time.sleep(0.5)
        if call == "mountdevice":
            once(kubelet, "waitforattach")


def start(kubelet: Kubelet) -> None:
    """Start a pod as kubelet does, each call repeated until it succeeds."""
    for call in ("waitforattach", "mountdevice", "mount"):
        repeat(kubelet, call)


def mounted(machine: Machine, directory: str) -> bool:
    """Whether a directory is a mount point."""
    return machine.run(["mountpoint", "-q", directory], check=False).exit_status == 0


def live(kubelet: Kubelet, kills: dict[str, Kill]) -> None:
    """Go through a life, every call repeated after its kill; the pod writes its volume's name."""
    for call in LIFE:
        if call in kills:
            killed(kubelet, call, kills[call])
        repeat(kubelet, call)
        if call == "mount":
            options = kubelet.machine.run(["findmnt", "-no", "OPTIONS", kubelet.pod_directory]).stdout
            assert {"nosuid", "nodev", "rw"} <= set(options.strip().split(","))
            kubelet.machine.run(f"echo {kubelet.volume} > {kubelet.pod_directory}/row")


def read_back(kubelet: Kubelet) -> None:
    """The next pod finds what the first wrote."""
    for call in ("waitforattach", "mountdevice"):
        repeat(kubelet, call)
    assert kubelet.machine.read(f"{kubelet.device_mount}/row").decode().strip() == kubelet.volume
    repeat(kubelet, "unmountdevice")
