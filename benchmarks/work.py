"""The same work for different drivers: a pod's volume started and ended, one or many at once."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from benchmarks.processes import busy_seconds, memory
from tools.lab.kubelet import STUB, Kubelet
from tools.lab.product import PASSWORD, USER
from tools.lab.topology import MANAGEMENT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tools.lab.machine import Machine
    from tools.lab.san import San

SCRIPT = Path(__file__).with_name("bare.sh")
GUEST_SCRIPT = "/run/bare/bare.sh"
FIRST_LUN = 100  # of the bare script: none that the product gives
PATIENCE = 900  # seconds
AGAIN = 0.5  # seconds: kubelet's first pause after a call that failed
PORTS = {"iscsi": "/sys/class/iscsi_host", "fc": "/sys/class/fc_host"}
PATHS = {"iscsi": 2, "fc": 4}


class BenchmarkFailed(Exception):
    """A call that was to be measured failed; the text is the driver's."""


@dataclass(frozen=True)
class Volume:
    """A volume of the array, made for one measurement."""

    name: str
    uid: str
    number: int


class Driver(Protocol):
    """What brings a volume to a directory and takes it away; seconds as seen in the machine."""

    machine: Machine

    def start(self, volume: Volume) -> float:
        """Attach, format and mount it."""

    def end(self, volume: Volume) -> float:
        """Unmount and detach it."""


@dataclass
class Bare:
    """The floor: a shell script with one warm SSH connection (performance.md)."""

    machine: Machine
    link: str
    host: str = ""

    def prepare(self, host: str) -> None:
        """Put the script on the node and open its connection; `host` is the node's object on the array."""
        self.host = host
        self.machine.put(GUEST_SCRIPT, SCRIPT.read_bytes(), 0o755)
        self.machine.put("/run/bare/password", PASSWORD + "\n", 0o600)
        self.machine.run([GUEST_SCRIPT, "master", USER, next(iter(MANAGEMENT))])

    def start(self, volume: Volume) -> float:
        """Map, scan, have the map made, format, mount."""
        return self._run("start", volume, PORTS[self.link], str(PATHS[self.link]))

    def end(self, volume: Volume) -> float:
        """Unmount, flush, delete the disks, unmap."""
        return self._run("end", volume)

    def _run(self, verb: str, volume: Volume, *more: str) -> float:
        lun = str(FIRST_LUN + volume.number)
        argv = [GUEST_SCRIPT, verb, self.host, volume.name, volume.uid, lun, f"/run/bare/{volume.name}"]
        return self.machine.run([*argv, *more], PATIENCE).seconds


@dataclass
class FlexVolume:
    """A FlexVolume driver as kubelet calls it: ours, or another that reads the same configuration."""

    machine: Machine
    program: str = STUB
    failed: list[str] = field(default_factory=list)
    """Calls that failed and were made again."""
    _kubelets: dict[str, Kubelet] = field(default_factory=dict)

    def start(self, volume: Volume) -> float:
        """Make the two calls that the requirement counts; the bind into the pod is not among them."""
        kubelet = Kubelet(self.machine, volume.name, program=self.program)
        self._kubelets[volume.name] = kubelet
        return self._made(kubelet, ("waitforattach", "mountdevice"))

    def has(self, volume: Volume) -> bool:
        """Say whether it was started, and not ended."""
        return volume.name in self._kubelets

    def again(self, volume: Volume) -> float:
        """Ask for one that is there: after that helper and connection to the array are there, too."""
        return self._made(self._kubelets[volume.name], ("waitforattach",))

    def end(self, volume: Volume) -> float:
        """Make kubelet's call and the controller's that end it."""
        return self.unmount(volume) + self.detach(volume)

    def unmount(self, volume: Volume) -> float:
        """Make the node's call, after which the volume is nobody's."""
        return self._made(self._kubelets[volume.name], ("unmountdevice",))

    def detach(self, volume: Volume) -> float:
        """Make the controller's call, which looks whether it is."""
        return self._made(self._kubelets.pop(volume.name), ("detach",))

    def _made(self, kubelet: Kubelet, names: Sequence[str]) -> float:
        """Make calls in their order, each again while it fails, as kubelet does; BenchmarkFailed at last."""
        began = time.monotonic()
        for name in names:
            (answer,) = kubelet.calls(name)
            while not answer.success:
                failed = f"{answer.call} of {kubelet.volume}: {answer.message}"
                if time.monotonic() - began > PATIENCE:
                    raise BenchmarkFailed(failed)
                self.failed.append(failed)
                time.sleep(AGAIN)  # kubelet's
                (answer,) = kubelet.calls(name)
        return time.monotonic() - began


@dataclass
class Work:
    """Makes volumes and gives them to drivers, one or `count` at once."""

    san: San
    driver: Driver
    made: int = 0
    busy: float = 0.0
    """CPU seconds of the whole node during the last start: an emulator makes these longer, and not waits."""
    resident: dict[str, float] = field(default_factory=dict)
    """MiB of each of our processes once the last start was done, before its end."""

    def volumes(self, count: int) -> list[Volume]:
        """Make new volumes of 1 GiB on the array."""
        return [self._volume() for _ in range(count)]

    def at_once(self, count: int) -> tuple[float, float]:
        """Return the wall seconds of starting, and of ending, `count` volumes at once."""
        volumes = self.volumes(count)
        try:
            before = busy_seconds(self.driver.machine)
            start = self._timed(self.driver.start, volumes)
            self.busy = busy_seconds(self.driver.machine) - before
            self.resident = memory(self.driver.machine)
            return start, self._timed(self.driver.end, volumes)
        finally:
            for volume in volumes:
                self.san.command(f"mcsop rmvdisk -force {volume.name}")

    @staticmethod
    def _timed(act: Callable[[Volume], float], volumes: list[Volume]) -> float:
        began = time.monotonic()
        with ThreadPoolExecutor(len(volumes)) as pool:
            list(pool.map(act, volumes))
        return time.monotonic() - began

    def _volume(self) -> Volume:
        name = f"pvc-{uuid.uuid4()}"
        thin = "-mdiskgrp Pool0 -iogrp 0 -rsize 2% -autoexpand"
        self.san.command(f"mcsop mkvdisk -name {name} -size 1 -unit gb {thin}")
        (found,) = [one for one in self.san.control.do("volumes") if one["name"] == name]
        self.made += 1
        return Volume(name, str(found["uid"]).lower(), self.made % 100)
