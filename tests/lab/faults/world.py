"""A whole node under randomised faults: the true product, kernel, iscsid, multipathd and SAN.

In each pod a program writes numbered blocks and checks them; a row in each volume says whose it is.
"""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.faults.schedule import VOLUMES, Work
from tests.lab.crash.life import once, repeat, start
from tests.lab.faults.striking import Strikes
from tests.lab.link import WIRES
from tests.lab.reachability import wait_until
from tests.lab.writer import Writer
from tools.lab.kubelet import Kubelet

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.schedule import Strike, Turn
    from tools.lab.product import Product
    from tools.lab.san import San

GIB = 1 << 30
KIND = "-mdiskgrp Pool0 -iogrp 0 -rsize 2% -autoexpand"
PATIENCE = 180.0  # seconds for kubelet's repeats of one operation
REST = 0.3  # of a writer after each block: up to four write at once, and the SAN is emulated, too
CLEAN = 90.0  # until nothing is left of what nobody uses: reconciliation rests for 30

# Prints mount source, UID of the device and what was marked; marks a volume for the first time. One command
# for all of it: each costs an emulated machine as much as a write.
LOOK = """set -e
source=$(findmnt -nro SOURCE {pod}); at=/sys/block/$(basename $(readlink -f $source))
cd {pod}; echo $source
cat $at/dm/uuid 2>/dev/null || cat $at/device/wwid  # a disk, when multipathd was away
! test -e row || cat row
test -z "{mark}" || {{ printf %s {mark} >row; sync row .; }}
"""


@dataclass
class LabWorld:
    """`names`: the volumes by their number; `sizes`: bytes; `pods`, `writers`: of those that are used."""

    product: Product
    san: San
    link: str
    usual: float = 4.0
    longest: float = 8.0
    names: list[str] = field(default_factory=lambda: [f"pvc-{uuid.uuid4()}" for _ in range(VOLUMES)])
    pods: dict[str, Kubelet] = field(default_factory=dict)
    writers: dict[str, Writer] = field(default_factory=dict)
    marked: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.node = self.product.machine
        for name in self.names:
            self.san.command(f"mcsop mkvdisk -name {name} -size 1 -unit gb {KIND}")
        self.uids = {row["name"]: row["uid"].lower() for row in self.san.control.do("volumes")}
        self.sizes = dict.fromkeys(self.names, GIB)
        self.strikes = Strikes(self.node, self.san, self.link)

    def prepare(self, turn: Turn) -> None:
        """Have the pods that are to end look at what they wrote."""
        _side_by_side(self._rest, [self.names[volume] for volume, work in turn.work if work is Work.END])

    def _rest(self, name: str) -> None:
        """Stop a pod's writer; all that it wrote must be there."""
        figures = self.writers.pop(name).ends()
        print(name, figures)
        assert figures["wrong"] == 0, name
        assert figures["written"] > 0, name

    def work(self, volume: int, work: Work) -> None:
        """Do with a volume what kubelet does, again and again until it has succeeded."""
        name = self.names[volume]
        {Work.START: self._start, Work.GROW: self._grow, Work.END: self._end}[work](name)

    def _start(self, name: str) -> None:
        pod = self.pods[name] = Kubelet(self.node, name)
        start(pod)

    def _grow(self, name: str) -> None:
        size, deadline = self.sizes[name] + GIB, time.monotonic() + PATIENCE
        while why := self._refused(name, size):
            assert time.monotonic() < deadline, f"{name} does not grow: {why}"
            print(f"expandfs again: {why}")
            time.sleep(0.5)
        self.sizes[name] = size

    def _refused(self, name: str, size: int) -> str:
        try:
            answer = self.pods[name].expand(size)
        except ValueError:
            return "the stub was killed"
        return "" if answer.success else answer.message or str(answer)

    def _end(self, name: str) -> None:
        """As kubelet, which does not ask again once the directory is no mount point."""
        pod = self.pods.pop(name)
        for call in ("unmount", "unmountdevice"):
            repeat(pod, call)
        once(pod, "detach")

    def strike(self, strike: Strike) -> Callable[[], object] | None:
        """Have something go wrong; return what heals it."""
        return self.strikes.strike(strike, self.names[strike.volume])

    def check(self) -> None:
        """Look at every volume: in use as it was written, on its own device; else nothing of it."""
        robbed = self.strikes.robbed & self.pods.keys() - self._mapped()
        _side_by_side(self._restart, sorted(robbed))
        self.strikes.robbed.clear()
        _side_by_side(self._look, sorted(self.pods))
        deadline = time.monotonic() + CLEAN
        while (found := self._strange()) and time.monotonic() < deadline:
            time.sleep(0.5)
        assert not found, f"here or mapped, and no pod's, or the reverse: {found}"

    def _restart(self, name: str) -> None:
        """A pod whose volume was taken away sees errors only: it is ended, and started anew."""
        if name in self.writers:
            self.writers.pop(name).__exit__()
        self._end(name)
        self._start(name)

    def _look(self, name: str) -> None:
        pod, mark = self.pods[name], "" if name in self.marked else name
        shown = self.node.run(LOOK.format(pod=pod.pod_directory, mark=mark), 120).stdout.split()
        source, device, row = shown[0], shown[1].lower(), shown[2:]
        assert device.endswith(self.uids[name]), f"{name} is on {source}, {device}"
        assert row == ([] if mark else [name]), f"{name} has a row {row}, written before: {not mark}"
        self.marked.add(name)
        if name in self.writers:
            self.writers[name].goes_on()
        else:
            unit = f"writer{self.names.index(name)}"
            self.writers[name] = Writer(self.node, f"{pod.pod_directory}/data", unit, REST)
            self.writers[name].start()

    def _strange(self) -> set[str]:
        """What node and array have beside the pods' volumes, and what of these they have not."""
        return (self._here() ^ {self.uids[name] for name in self.pods}) | (self._mapped() ^ set(self.pods))

    def _here(self) -> set[str]:
        """UIDs of the maps, disks and records on the node."""
        looks = "cat /sys/block/dm-*/dm/uuid /sys/block/sd*/device/wwid; ls /var/lib/instorage/volumes"
        shown = self.node.run(looks, check=False).stdout.splitlines()
        return {line.strip().removeprefix("mpath-3").removeprefix("naa.").lower() for line in shown}

    def _mapped(self) -> set[str]:
        return {row["name"] for row in self.san.control.do("volumes") if row["maps"]}

    def finish(self) -> None:
        """Each volume must be usable, with what was written to it; then all end, and nothing is left."""
        _side_by_side(self._start, sorted(set(self.names) - self.pods.keys()))
        self.check()
        _side_by_side(self._rest, sorted(self.pods))
        _side_by_side(self._end, sorted(self.pods))
        self.check()
        wait_until(lambda: not self.product.residue(), CLEAN)

    def close(self) -> None:
        """Let everything go that is still held up by a fault."""
        self.san.control.do("clear")
        for wire in WIRES[self.link]:
            self.node.set_link(wire, up=True)


def _side_by_side(work: Callable[[str], None], names: list[str]) -> None:
    """Do it with all, for they are independent; raise the first error once all have come to an end."""
    with ThreadPoolExecutor(VOLUMES) as pool:
        list(pool.map(work, names))
