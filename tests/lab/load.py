"""A node at work while its product is changed: a pod that writes, calls that wait for the array, new ones."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.lab.reachability import wait_until
from tests.lab.writer import Writer
from tests.soak import WHOLE
from tools.install import LIBEXEC, LIBRARY, PLUGIN
from tools.lab.kubelet import Kubelet

if TYPE_CHECKING:
    from collections.abc import Callable

    from tools.lab import Machine
    from tools.lab.channel import Result
    from tools.lab.kubelet import Answer
    from tools.lab.san import San

CALLS = 20  # in flight
VOLUMES = 8 if WHOLE else 4  # that they are for: equal calls are one operation
ARRAY_DELAY = 300.0  # seconds for which the array thinks about a mapping, unless the test ends it
BEGUN = 180  # seconds until the agent is stopped
STUB = "instorage-flexv"  # a process's name has 15 characters
STATE = "systemctl show -p ActiveState --value instorage-nodeagent"
CONFIG = f"/{PLUGIN}/config"
# Sockets, and what is an administrator's or the agent's.
KEPT = (
    f"stat -c '%n %i %a %U:%G' /run/instorage/agent.sock /run/instorage/helper.sock /{PLUGIN}/.agent.sock "
    f"{CONFIG} {CONFIG}/instorage.yaml /{PLUGIN}/log && md5sum {CONFIG}/instorage.yaml"
)
UNITS = "/usr/lib/systemd/system /usr/lib/sysusers.d /usr/lib/tmpfiles.d"
# A second name for every installed file: whoever has one open, or executes it, sees what these see.
HOLD = f"""
set -e; rm -rf /root/held; mkdir /root/held
find /{LIBRARY} /{LIBEXEC} /{PLUGIN} {UNITS} -xdev -type f ! -path '*/config/*' ! -path '*/log/*' -print0 |
  grep -z instorage | xargs -0 cp -l --parents -t /root/held
cd /root/held && find . -type f -exec md5sum {{}} + >/root/held.sums
"""
HELD = "cd /root/held && md5sum -c --quiet /root/held.sums; ended=$?; rm -rf /root/held*; exit $ended"


def volume(san: San) -> str:
    """Make a volume on the array as its administrator would."""
    name = f"pvc-{uuid.uuid4()}"
    san.command(f"mcsop mkvdisk -name {name} -size 1 -unit gb -mdiskgrp Pool0 -iogrp 0 -rsize 2% -autoexpand")
    return name


def succeeded(answers: list[Answer]) -> None:
    """Fail with what the calls that failed said."""
    failed = [f"{answer.call}: {answer.message}" for answer in answers if not answer.success]
    assert not failed, failed


@dataclass
class Load:
    """`through` does something to the product meanwhile: no call fails, no installed file is written into."""

    machine: Machine
    san: San
    pod: Kubelet = field(init=False)

    def through(self, act: Callable[[], Result]) -> Result:
        """Run what stops and starts the agent, and return what it returned."""
        self.pod = Kubelet(self.machine, volume(self.san))
        succeeded(self.pod.start_pod())
        with Writer(self.machine, f"{self.pod.pod_directory}/data") as writer:
            kept = self.machine.run(KEPT).stdout
            self.machine.run(HOLD, 300)
            result = self._busy(act)
            assert self.machine.run(KEPT).stdout == kept
            self.machine.run(HELD, 300)
            writer.goes_on()
            figures = writer.ends()
        assert figures["wrong"] == 0, figures
        print(f"the pod wrote {figures['written']} blocks; the slowest took {figures['longest_ms']} ms")
        succeeded(self.pod.end_pod())
        return result

    def _busy(self, act: Callable[[], Result]) -> Result:
        kubelets = [Kubelet(self.machine, volume(self.san)) for _ in range(VOLUMES)]
        self.san.control.do("fault", command="mkvdiskhostmap", times=0, delay=ARRAY_DELAY)
        done, held = threading.Event(), threading.Event()
        held.set()
        with ThreadPoolExecutor(CALLS + 2) as pool:
            try:
                waiting = [pool.submit(attached, kubelets[number % VOLUMES], held) for number in range(CALLS)]
                wait_until(lambda: self._stubs() == CALLS, 120)
                acting = pool.submit(act)
                coming = pool.submit(self._asked, done)
                wait_until(lambda: acting.done() or self._stopping(), BEGUN)
            finally:
                self.san.control.do("clear")
                held.clear()
            try:
                result = acting.result()
            finally:
                done.set()
            for call in (*waiting, coming):
                succeeded(call.result())
            for answers in pool.map(mounted_once, kubelets):  # at once: what rests 30 s is taken down
                succeeded(answers)
        return result

    def _stubs(self) -> int:
        return int(self.machine.run(f"pgrep -cx {STUB}", check=False).stdout)

    def _stopping(self) -> bool:
        return self.machine.run(STATE).stdout.strip() == "deactivating"

    def _asked(self, done: threading.Event) -> list[Answer]:
        """Ask again and again for what the pod has: some of these calls come while no agent is there."""
        answers = []
        while not done.is_set():
            answers.append(self.pod.call("mount"))
        return answers


def attached(kubelet: Kubelet, held: threading.Event) -> list[Answer]:
    """Make the one call of an attach, as often as kubelet is told that it is still worked on.

    And again, as kubelet does, if it waited as long for an array that is `held` as a call waits (60 s).
    """
    while True:
        slow = held.is_set()
        answers = list(kubelet.calls("waitforattach"))
        if not (slow and "is busy or slow" in answers[-1].message):
            return answers


def mounted_once(kubelet: Kubelet) -> list[Answer]:
    """Make the two calls that follow an attach and end it."""
    return [kubelet.call("mountdevice"), kubelet.call("unmountdevice")]
