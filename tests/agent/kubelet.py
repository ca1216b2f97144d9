"""kubelet and kube-controller-manager as an agent meets them: the C stub executed, again and again.

An operation is a row of calls; when one fails the whole row is done again after 0.5 s, and twice as long
after each further failure, at most 2 min 2 s, for ever (Kubernetes' exponentialbackoff, for each volume and
operation).
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.agent.bench import NODE, device_target, options, pod_target

if TYPE_CHECKING:
    from collections.abc import Callable

STUB = Path(__file__).resolve().parents[2] / "build/flexvolume-stub/instorage-flexvolume"
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 122.0
Call = tuple[str, ...]


@dataclass
class Kubelet:
    """Works on each volume in a thread of its own; `pace` makes its pauses shorter."""

    socket: Path
    pace: float = 1.0
    failures: Counter[str] = field(default_factory=Counter)
    last: dict[str, str] = field(default_factory=dict)
    """What the last failure of each volume said."""
    stopping: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def call(self, *argv: str) -> dict[str, Any]:
        done = subprocess.run(
            [STUB, *argv], env={"INSTORAGE_AGENT_SOCKET": str(self.socket)},
            stdin=subprocess.DEVNULL, capture_output=True, timeout=600, check=False,
        )  # fmt: skip
        assert done.stderr == b""
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def insist(self, volume: str, *row: Call) -> bool:
        """Do the row until all of it succeeds; False when the test ended before."""
        pause = FIRST_PAUSE
        while not self._done(volume, row):
            if self.stopping.wait(pause * self.pace):
                return False
            pause = min(pause * 2, LONGEST_PAUSE)
        return True

    def _done(self, volume: str, row: tuple[Call, ...]) -> bool:
        for argv in row:
            answer = self.call(*argv)
            if answer["status"] != "Success":
                self.failures[argv[0]] += 1
                self.last[volume] = answer["message"]
                return False
        return True

    def start_pod(self, volume: str, text: str) -> bool:
        """Attach, mount for the node, mount for the pod."""
        device = ("mountdevice", device_target(volume), "/dev/ignored", text)
        if not self.insist(volume, ("waitforattach", NODE, text), device):
            return False
        return self.insist(volume, ("mount", pod_target(volume), text))

    def end_pod(self, volume: str) -> bool:
        """Unmount; a device mount that is gone is not asked for again, whatever the call answered."""
        if not self.insist(volume, ("unmount", pod_target(volume))):
            return False
        answer = self.call("unmountdevice", device_target(volume))
        self.failures["unmountdevice"] += answer["status"] != "Success"
        return True

    def lose_pod(self, volume: str) -> bool:
        """End the pod and, as kube-controller-manager, take the volume from the node."""
        return self.end_pod(volume) and self.insist(volume, ("detach", volume, NODE))

    def restart_pod(self, volume: str, text: str) -> bool:
        """End the pod, and have it start again some seconds later."""
        ended = self.end_pod(volume)
        return ended and not self.stopping.wait(8 * self.pace) and self.start_pod(volume, text)

    def grow(self, volume: str, text: str, size: int) -> bool:
        return self.insist(volume, ("expandfs", text, "/dev/x", pod_target(volume), str(size), "1073741824"))

    def begin(self, work: Callable[..., bool], *arguments: Any) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        thread.start()
        self._threads.append(thread)

    def busy(self) -> int:
        """How many volumes are worked on."""
        return sum(thread.is_alive() for thread in self._threads)

    def stop(self, seconds: float = 60) -> None:
        self.stopping.set()
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0))


def text_of(volume: str, storage: str) -> str:
    return options(volume, storageName=storage)
