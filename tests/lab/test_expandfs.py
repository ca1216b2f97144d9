"""The whole product grows volumes under a writer that checks itself: kubelet's call, agent, helper, SAN.

Active-active expansions are broken off at a covering choice of steps and troubles; each at every step, with
the helper scripted, is in tests/agent.
"""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.lab.writer import Writer
from tests.soak import IN_SOAK, WHOLE, in_turn
from tools.install import PLUGIN
from tools.lab.kubelet import Kubelet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tools.lab import Machine
    from tools.lab.product import Product
    from tools.lab.san import San

pytestmark = [pytest.mark.lab, in_turn(0, 2), pytest.mark.timeout(600)]
RECORDS = "/var/lib/instorage-helper/aa"
GIB = 1 << 30
BARRIER = f"/{PLUGIN}/aa-extend-failure.barrier"
THIN = "-rsize 2% -autoexpand"
KINDS = {
    "thin": f"mkvdisk -name {{}} -size 1 -unit gb -mdiskgrp Pool0 -iogrp 0 {THIN}",
    "mirror": f"mkvdisk -name {{}} -size 1 -unit gb -mdiskgrp Pool0:Pool1 -copies 2 -iogrp 0 {THIN}",
    "aa": "mkvolume -name {} -size 1 -unit gb -pool Pool0:Pool1 -iogrp 0:1 -buffersize 2% -thin",
}


@pytest.fixture(scope="module")
def node(product: Product) -> Machine:
    return product.machine


class Pod:
    """A pod with a volume, and a program in it that writes and checks."""

    def __init__(self, san: San, node: Machine, kind: str, fs_type: str) -> None:
        self.san, self.node, self.kind = san, node, kind
        self.volume = f"pvc-{uuid.uuid4()}"
        san.command("mcsop " + KINDS[kind].format(self.volume))
        self.kubelet = Kubelet(
            node, self.volume, fs_type=fs_type, options={"volLevel": "aa"} if kind == "aa" else {}
        )
        for answer in self.kubelet.start_pod():
            assert answer.success, answer
        self.writer = Writer(node, f"{self.kubelet.pod_directory}/data")
        self.writer.start()

    def expand(self, gib: int = 2) -> tuple[bool, dict[str, object]]:
        """Make kubelet's recorded call with another size."""
        answer = self.kubelet.expand(gib * GIB)
        return answer.success, answer.answer

    def size(self) -> int:
        shown = self.node.run(f"stat -f -c '%b %S' {self.kubelet.device_mount}").stdout.split()
        return int(shown[0]) * int(shown[1])

    def ends_well(self) -> None:
        """All that was written is right, and the volume goes without a trace."""
        self.writer.goes_on()
        figures = self.writer.ends()
        print(self.kind, figures)
        assert figures["wrong"] == 0
        assert figures["written"] > 0
        for answer in self.kubelet.end_pod():
            assert answer.success, answer


def wait(look: Callable[[], bool], what: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, what
        time.sleep(0.3)


@IN_SOAK
@pytest.mark.parametrize(("kind", "fs_type"), [("thin", "ext4"), ("mirror", "xfs")])
def test_a_volume_grows_under_a_writer(san: San, node: Machine, kind: str, fs_type: str) -> None:
    pod = Pod(san, node, kind, fs_type)
    grows(pod)
    pod.ends_well()
    san.command(f"mcsop rmvdisk {pod.volume}")


def grows(pod: Pod) -> None:
    before = pod.size()
    success, answer = pod.expand()
    assert success, answer
    assert answer["volumeNewSize"] == 2 * GIB
    assert before < GIB < pod.size()
    assert pod.node.run(f"ls {BARRIER}", check=False).exit_status != 0


# --- active-active: broken off, explained, finished by one command


@pytest.fixture(scope="module")
def volume(san: San, node: Machine) -> Iterator[Pod]:
    """An active-active volume that a pod writes to, through all that follows."""
    pod = Pod(san, node, "aa", "ext4")
    yield pod
    pod.ends_well()
    san.command(f"mcsop rmvolume {pod.volume}")


@pytest.fixture
def pair(volume: Pod) -> Iterator[Pod]:
    yield volume
    volume.san.control.do("clear")
    left = f'test -z "$(ls -A {RECORDS} 2>/dev/null)" || instoragectl barrier resume'
    volume.node.run(left, 240, check=False)  # of a failed test


def refused(pod: Pod, command: str, skip: int) -> None:
    pod.san.control.do("fault", command=command, skip=skip, error="CMMVC5982E")


def lost(pod: Pod, command: str, skip: int) -> None:
    """The connection breaks before the command."""
    pod.san.control.do("fault", command=command, skip=skip, before="connection")


def killed(unit: str) -> Callable[[Pod, str, int], None]:
    def kill(pod: Pod, command: str, skip: int) -> None:
        """Have the command take 6 s, and kill while it is under way."""
        pod.san.control.do("fault", command=command, skip=skip, delay=6.0)
        pod.node.run(
            f"systemd-run -q --collect sh -c 'while ! grep -qs running {BARRIER}; do sleep 0.1; done; "
            f"sleep 3; systemctl kill -s KILL instorage-{unit}.service'"
        )

    return kill


def test_an_active_active_volume_grows_under_a_writer(pair: Pod) -> None:
    grows(pair)
    journal = "journalctl -b -q -o cat -u instorage-nodeagent"
    print(pair.node.run(f"{journal} | grep 'was frozen'").stdout)


@pytest.mark.parametrize(
    ("command", "skip", "trouble"),
    [
        pytest.param("rmrcrelationship", 0, refused, id="step 1 refused"),
        pytest.param("expandvdisksize", 1, killed("nodeagent"), id="agent killed in step 3", marks=IN_SOAK),
        pytest.param("expandvdisksize", 2, lost, id="array lost in step 4", marks=IN_SOAK),
        pytest.param("expandvdisksize", 3, killed("helper"), id="helper killed in step 5"),
        pytest.param("mkrcrelationship", 0, killed("nodeagent"), id="agent killed in step 6", marks=IN_SOAK),
        pytest.param("addvdiskaccess", 0, lost, id="array lost in step 7"),
        pytest.param("chrcrelationship", 1, refused, id="step 9 refused", marks=IN_SOAK),
    ],
)
def test_a_broken_off_expansion_is_thawed_explained_and_finished(
    pair: Pod, command: str, skip: int, trouble: Callable[[Pod, str, int], None]
) -> None:
    node, san = pair.node, pair.san
    gib = next(row["size"] for row in san.control.do("volumes") if row["name"] == pair.volume) // GIB + 1
    trouble(pair, command, skip)
    success, answer = pair.expand(gib)
    assert not success, answer
    pair.writer.goes_on()
    said = f"grep -q '^The active-active .* was broken off' {BARRIER}"
    wait(lambda: node.run(said, check=False).exit_status == 0, "no barrier", 60)
    print(node.run(f"grep -E '^(Reached|Failed|Done)' {BARRIER}").stdout)
    assert BARRIER in Kubelet(node, pair.volume).call("waitforattach").message
    success, answer = pair.expand(gib)
    assert not success
    assert "instoragectl barrier plan" in str(answer["message"])
    san.control.do("clear")
    if WHOLE or trouble is refused:  # what it prints after each step is looked at in tests/agent
        assert "mcsop " in node.run("instoragectl barrier plan", 120).stdout
    node.run("date -s '+1 minute'")  # as when a person comes: no lost command can still be carried out
    print(node.run("instoragectl barrier resume", 240).stdout)
    assert not node.run(f"ls -A {RECORDS}").stdout, "resume would do something again"
    success, answer = pair.expand(gib)
    assert success, answer
    assert answer["volumeNewSize"] == gib * GIB
    assert {row["size"] for row in san.control.do("volumes")} == {gib * GIB}
    assert (gib - 1) * GIB < pair.size()
    pair.writer.goes_on()


def test_resume_once_more_does_nothing(pair: Pod) -> None:
    assert "nothing is to be done" in pair.node.run("instoragectl barrier resume", 60).stdout
