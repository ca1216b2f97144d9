"""What kubelet 1.20 does to a FlexVolume driver, with its recorded argument lists, in a machine of the lab.

The calls are those of `tests/data/kubelet-1.20-calls.jsonl` (scenario a: attach true, one pod), with the
recorded volume, pod, node and device names replaced. kubelet makes a target directory before a mount call and
removes it after an unmount call (Kubernetes 1.20.2, pkg/volume/flexvolume: attacher.go, mounter.go,
detacher.go).
"""

from __future__ import annotations

import json
import shlex
import time
import uuid
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tools.lab.machine import Machine

RECORDED = Path(__file__).resolve().parents[2] / "tests/data/kubelet-1.20-calls.jsonl"
STUB = "/usr/libexec/kubernetes/kubelet-plugins/volume/exec/inspur~instorage-flexvolume/instorage-flexvolume"
RECORDED_VOLUME = "pvc-716cd0bb-e993-4dd3-96e4-3f620a9eced8"
RECORDED_POD = "431a7251-1df7-43a7-b81a-9e1d775a898e"
RECORDED_DEVICE = "/dev/loop0"
RECORDED_NODE = "node1"
START = ("waitforattach", "mountdevice", "mount")
END = ("unmount", "unmountdevice", "detach")
STILL_WORKING = "still working"
"""In a Failure of the stub when its own deadline came before the agent's answer."""
RECORDED_OPTIONS = ("pool", "volume_id")
_NEW_SIZE = 4  # where expandfs has it


@dataclass(frozen=True)
class Answer:
    """What the stub printed for one call, its exit status, and the seconds it took as seen in the machine."""

    call: str
    status: int
    answer: dict[str, Any]
    seconds: float

    @property
    def success(self) -> bool:
        """True for `Success`."""
        return self.answer.get("status") == "Success"

    @property
    def message(self) -> str:
        """The sentence for people, «» when there is none."""
        return str(self.answer.get("message", ""))


@dataclass
class Kubelet:
    """kubelet on `machine`, for one volume. `options` are the PV's flexVolume options."""

    machine: Machine
    volume: str
    node: str = "nodea"
    fs_type: str = "ext4"
    read_only: bool = False
    options: Mapping[str, str] = field(default_factory=dict)
    pod: str = field(default_factory=lambda: str(uuid.uuid4()))
    device: str = "/dev/nodea"
    program: str = STUB

    @property
    def device_mount(self) -> str:
        """The global mount directory."""
        return self._argv("mountdevice")[1]

    @property
    def pod_directory(self) -> str:
        """The volume's directory in the pod."""
        return self._argv("mount")[1]

    def call(self, name: str, *, timeout: float = 600) -> Answer:
        """Make one recorded call and return the stub's answer, which must be one JSON object."""
        return self._made(name, self._argv(name), timeout)

    def expand(self, size: int, *, timeout: float = 240) -> Answer:
        """Make the recorded call of a claim that was enlarged to `size` bytes, until it has an end."""
        argv = self._argv("expandfs")
        argv[_NEW_SIZE] = str(size)
        while STILL_WORKING in (answer := self._made("expandfs", argv, timeout)).message:
            pass  # kubelet asks again, and joins what is under way
        return answer

    def _made(self, name: str, argv: list[str], timeout: float) -> Answer:
        script = f"{shlex.quote(self.program)} {shlex.join(argv)}"
        if name in ("mountdevice", "mount"):
            script = f"mkdir -p -m 0750 {shlex.quote(argv[1])}; {script}"
        elif name in ("unmountdevice", "unmount"):
            script = f"{script}; status=$?; rmdir {shlex.quote(argv[1])} 2>/dev/null; exit $status"
        start = time.monotonic()
        ran = self.machine.run(script, timeout=timeout, check=False)
        seconds = time.monotonic() - start
        if ran.stderr:
            raise AssertionError(
                f"{name} wrote to standard error, which kubelet takes as broken JSON: {ran.stderr!r}"
            )
        answer = Answer(name, ran.exit_status, json.loads(ran.stdout), seconds)
        if name == "waitforattach" and answer.success:
            self.device = str(answer.answer["device"])
        if name == "mountdevice" and answer.answer.get("status") == "Not supported":
            return self._mounted_by_itself(seconds)
        return answer

    def _mounted_by_itself(self, seconds: float) -> Answer:
        """Format and mount a driver's device, as kubelet does for one that cannot."""
        device, target = shlex.quote(self.device), shlex.quote(self.device_mount)
        script = f"blkid -p -s TYPE -s PTTYPE -o export {device} || mkfs.{self.fs_type} -q -F -m0 {device}"
        ran = self.machine.run(f"{{ {script}; }} && mount -t {self.fs_type} {device} {target}", check=False)
        status = "Failure" if ran.exit_status else "Success"
        answer = {"status": status, "message": ran.stderr}
        return Answer("mountdevice", ran.exit_status, answer, seconds + ran.seconds)

    def start_pod(self) -> list[Answer]:
        """Make the calls of a pod's start, in kubelet's order, up to the first that fails."""
        return list(self.calls(*START))

    def end_pod(self) -> list[Answer]:
        """Make the calls of a pod's end, and the controller's detach, up to the first that fails."""
        return list(self.calls(*END))

    def calls(self, *names: str) -> Iterator[Answer]:
        """Make calls up to the first that fails, each when the iterator is asked for it."""
        for name in names:
            answer = self.call(name)
            while not answer.success and STILL_WORKING in answer.message:
                answer = self.call(name)  # kubelet asks again, and joins what is under way
            yield answer
            if not answer.success:
                break

    def _argv(self, name: str) -> list[str]:
        return [self._renamed(argument) for argument in _recorded(name)]

    def _renamed(self, argument: str) -> str:
        if argument.startswith("{"):
            return self._renamed_options(json.loads(argument))
        if argument == RECORDED_DEVICE:
            return self.device
        if argument == RECORDED_NODE:
            return self.node
        return argument.replace(RECORDED_POD, self.pod).replace(RECORDED_VOLUME, self.volume)

    def _renamed_options(self, recorded: dict[str, str]) -> str:
        named = {
            key: value.replace(RECORDED_POD, self.pod).replace(RECORDED_VOLUME, self.volume)
            for key, value in recorded.items()
            if key not in RECORDED_OPTIONS
        }
        named["kubernetes.io/fsType"] = self.fs_type
        named["kubernetes.io/readwrite"] = "ro" if self.read_only else "rw"
        return json.dumps(named | dict(self.options), sort_keys=True, separators=(",", ":"))


@cache
def _recorded(name: str) -> tuple[str, ...]:
    for line in RECORDED.read_text().splitlines():
        found = json.loads(line)
        if found.get("argv", [""])[0] == name and RECORDED_VOLUME in line:
            return tuple(found["argv"])
    raise LookupError(f"no recorded call {name}")
