"""The whole product grows volumes under a writer that checks itself: kubelet's call, agent, helper, SAN.

Active-active expansions are broken off at a covering choice of steps and troubles; each at every step, with
the helper scripted, is in tests/agent.
"""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.lab.growing import HERE, WRITER
from tools.install import PLUGIN
from tools.lab.kubelet import Kubelet
from tools.lab.product import Product
from tools.lab.san import San

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tools.lab import Lab, Machine

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
GIB = 1 << 30
BARRIER = f"/{PLUGIN}/aa-extend-failure.barrier"
THIN = "-rsize 2% -autoexpand"
KINDS = {
    "thin": f"mkvdisk -name {{}} -size 1 -unit gb -mdiskgrp Pool0 -iogrp 0 {THIN}",
    "mirror": f"mkvdisk -name {{}} -size 1 -unit gb -mdiskgrp Pool0:Pool1 -copies 2 -iogrp 0 {THIN}",
    "aa": "mkvolume -name {} -size 1 -unit gb -pool Pool0:Pool1 -iogrp 0:1 -buffersize 2% -thin",
}


@pytest.fixture(scope="module")
def san(lab: Lab) -> Iterator[San]:
    lab.start("array", "a")
    with San(lab) as san:
        yield san


@pytest.fixture(scope="module")
def node(lab: Lab, san: San) -> Machine:
    product = Product(lab.node("a"))
    product.install()
    product.machine.put(WRITER, (HERE / "checking_writer.py").read_bytes())
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
        self.file = f"{self.kubelet.pod_directory}/data"
        node.run(
            "rm -f /run/writer.stop /run/writer.out; systemd-run -q --collect --unit=checking-writer sh -c "
            f"'python3 {WRITER} {self.file} /run/writer.stop > /run/writer.out 2>&1'"
        )
        self.goes_on()

    def goes_on(self) -> None:
        """Wait until more was written."""

        def written() -> str:
            return self.node.run(f"stat -c %y {self.file}", check=False).stdout

        before = written()
        wait(lambda: written() != before, "the writer stands still", 60)

    def expand(self) -> tuple[bool, dict[str, object]]:
        """kubelet's recorded call: from 1 to 2 GiB."""
        (answer,) = self.kubelet.calls("expandfs")
        return answer.success, answer.answer

    def size(self) -> int:
        shown = self.node.run(f"stat -f -c '%b %S' {self.kubelet.device_mount}").stdout.split()
        return int(shown[0]) * int(shown[1])

    def ends_well(self) -> None:
        """All that was written is right, and the volume goes without a trace."""
        self.goes_on()
        self.node.run("touch /run/writer.stop")
        wait(lambda: bool(self.node.run("cat /run/writer.out").stdout), "the writer does not end", 60)
        figures = json.loads(self.node.run("cat /run/writer.out").stdout)
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


@pytest.mark.parametrize(("kind", "fs_type"), [("thin", "ext4"), ("mirror", "xfs"), ("aa", "ext4")])
def test_a_volume_grows_under_a_writer(san: San, node: Machine, kind: str, fs_type: str) -> None:
    pod = Pod(san, node, kind, fs_type)
    before = pod.size()
    success, answer = pod.expand()
    assert success, answer
    assert answer["volumeNewSize"] == 2 * GIB
    assert before < GIB < pod.size()
    assert node.run(f"ls {BARRIER}", check=False).exit_status != 0
    print(node.run("journalctl -b -q -o cat -u instorage-nodeagent | grep 'was frozen'", check=False).stdout)
    pod.ends_well()


# --- active-active: broken off, explained, finished by one command


def refused(pod: Pod, command: str, skip: int) -> None:
    pod.san.control.do("fault", command=command, skip=skip, error="CMMVC5786E")


def lost(pod: Pod, command: str, skip: int) -> None:
    """The array's command line goes away before the command and stays away for a while."""
    pod.san.control.do("fault", command=command, skip=skip, before="connection")


def killed(unit: str) -> Callable[[Pod, str, int], None]:
    def kill(pod: Pod, command: str, skip: int) -> None:
        """Have the command take 8 s, and kill while it is under way."""
        pod.san.control.do("fault", command=command, skip=skip, delay=8.0)
        pod.node.run(
            f"systemd-run -q --collect sh -c 'while ! grep -qs running {BARRIER}; do sleep 0.1; done; "
            f"sleep 4; systemctl kill -s KILL instorage-{unit}.service'"
        )

    return kill


@pytest.mark.parametrize(
    ("command", "skip", "trouble"),
    [
        pytest.param("rmrcrelationship", 0, refused, id="step 1 refused"),
        pytest.param("expandvdisksize", 1, killed("nodeagent"), id="agent killed in step 3"),
        pytest.param("expandvdisksize", 2, lost, id="array lost in step 4"),
        pytest.param("expandvdisksize", 3, killed("helper"), id="helper killed in step 5"),
        pytest.param("mkrcrelationship", 0, killed("nodeagent"), id="agent killed in step 6"),
        pytest.param("chrcrelationship", 1, refused, id="step 9 refused"),
    ],
)
def test_a_broken_off_expansion_is_thawed_explained_and_finished(
    san: San, node: Machine, command: str, skip: int, trouble: Callable[[Pod, str, int], None]
) -> None:
    pod = Pod(san, node, "aa", "ext4")
    trouble(pod, command, skip)
    success, answer = pod.expand()
    assert not success, answer
    pod.goes_on()
    wait(
        lambda: node.run(f"grep -q 'was broken off' {BARRIER}", check=False).exit_status == 0,
        "no barrier",
        60,
    )
    print(node.run(f"cat {BARRIER}").stdout.partition("For programs")[0])
    other = Kubelet(node, pod.volume)
    assert BARRIER in other.call("waitforattach").message
    success, answer = pod.expand()
    assert not success
    assert "instoragectl barrier plan" in str(answer["message"])
    san.control.do("clear")
    assert "mcsop " in node.run("instoragectl barrier plan", 120).stdout
    print(node.run("instoragectl barrier resume", 240).stdout)
    assert "nothing is to be done" in node.run("instoragectl barrier resume", 60).stdout
    success, answer = pod.expand()
    assert success, answer
    assert answer["volumeNewSize"] == 2 * GIB
    assert {row["size"] for row in san.control.do("volumes")} == {2 * GIB}
    assert pod.size() > GIB
    pod.ends_well()
    san.command(f"mcsop rmvolume {pod.volume}")
