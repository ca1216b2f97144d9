"""What the pages have typed of the node's services: looked at, stopped alone, not wanted, enabled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab.load import succeeded
from tests.lab.reachability import wait_until
from tests.soak import IN_SOAK
from tools.lab.kubelet import Kubelet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.node.conftest import MakeVolume
    from tools.lab import Machine

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900), IN_SOAK]
LIMIT = 120  # seconds for a command in an emulated machine
TARGET, AGENT, TIMER = "instorage-node.target", "instorage-nodeagent", "instorage-report.timer"
SOCKETS = ("instorage-nodeagent.socket", "instorage-nodeagent-plugin.socket")
STOPPED = 3  # systemctl(1): of a unit that is not active


def active(node: Machine, *units: str) -> list[str]:
    return node.run(["systemctl", "is-active", *units], LIMIT, check=False).stdout.split()


def enabled(node: Machine, unit: str) -> str:
    return node.run(["systemctl", "is-enabled", unit], LIMIT, check=False).stdout.strip()


def test_a_look_says_that_the_node_part_is_up_and_what_the_agent_says_of_itself(node: Machine) -> None:
    assert "Active: active since" in node.run("systemctl status instorage-node.target", LIMIT).stdout
    shown = node.run("systemctl status instorage-nodeagent", LIMIT).stdout
    assert "Active: active (running)" in shown
    assert 'Status: "Ready"' in shown
    node.run("systemctl stop instorage-node.target", LIMIT)
    try:
        wait_until(lambda: active(node, AGENT) == ["inactive"], LIMIT)  # the target does not wait for it
        stopped = node.run("systemctl status instorage-nodeagent", LIMIT, check=False)
        assert stopped.exit_status == STOPPED
        assert "Active: inactive (dead)" in stopped.stdout
        stopped = node.run("systemctl status instorage-node.target", LIMIT, check=False)
        assert stopped.exit_status == STOPPED
    finally:
        node.run("systemctl start instorage-node.target", LIMIT)


def test_the_agent_stopped_alone_has_its_sockets_named_and_is_started_by_the_next_call(node: Machine) -> None:
    stopped = node.run(f"systemctl stop instorage-nodeagent; systemctl is-active {AGENT}", LIMIT, check=False)
    assert stopped.stdout.strip() == "inactive"
    for socket in SOCKETS:
        assert socket in stopped.stderr
    assert active(node, *SOCKETS) == ["active", "active"]
    answer = Kubelet(node, "pvc-any").call("waitforattach")
    assert not answer.success
    assert "pvc-any" in answer.message, "it is the agent that answers, of a volume that is not there"
    assert "agent.sock" not in answer.message
    assert active(node, AGENT) == ["active"]


@pytest.fixture
def timer(node: Machine) -> Iterator[Machine]:
    """The node with its report's timer, which is there again in the end."""
    assert active(node, TIMER) == ["active"]
    yield node
    node.run(f"systemctl unmask {TIMER} && systemctl start {TIMER}", LIMIT)
    assert active(node, TIMER) == ["active"]


def test_a_report_that_is_not_wanted_stays_away_while_the_rest_is_restarted(timer: Machine) -> None:
    timer.run("systemctl mask --now instorage-report.timer", LIMIT)
    assert enabled(timer, TIMER) == "masked"
    assert active(timer, TIMER) != ["active"]  # «failed», for it was running
    timer.run("systemctl restart instorage-node.target", LIMIT)
    assert active(timer, TARGET, AGENT) == ["active", "active"]
    assert active(timer, TIMER) != ["active"]


@pytest.mark.usefixtures("iscsi_only")
def test_what_was_enabled_is_there_again_after_a_boot_and_serves_a_pod(
    node: Machine, make_volume: MakeVolume
) -> None:
    """The last test: it boots the machine."""
    node.run("systemctl disable --now instorage-node.target", LIMIT)
    assert (enabled(node, TARGET), active(node, TARGET, AGENT)) == ("disabled", ["inactive", "inactive"])
    node.run("systemctl enable --now instorage-node.target", LIMIT)
    assert (enabled(node, TARGET), active(node, TARGET, AGENT)) == ("enabled", ["active", "active"])
    node.reboot()
    node.set_clock()
    assert active(node, TARGET, AGENT, *SOCKETS) == ["active"] * 4
    kubelet = Kubelet(node, make_volume())
    succeeded(kubelet.start_pod())
    succeeded(kubelet.end_pod())
