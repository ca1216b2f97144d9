"""A node on which all but the agent goes wrong on command, and the agent dies: a world of tests/faults.

The agent is a process; the array is simulated, its way there can be closed; the helper is the scripted one,
whose kernel keeps the agent honest. What a pod wrote is a word for each UID, which a format takes away.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.agent.bench import GIB, NODE, Bench, device_target, options, pod_target, until
from tests.agent.dead_arrays import PRELUDE
from tests.agent.front import Front
from tests.agent.service import Service
from tests.agent.striking import KINDS, Strikes
from tests.faults.schedule import VOLUMES, Work

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.agent.call import Reply
    from tests.faults.schedule import Strike, Turn

__all__ = ["KINDS"]
PATIENCE = 120.0  # seconds for kubelet's repeats of one operation
ANSWER = 90.0  # for one answer
SETTLED = 60.0
REST = 0.5  # of reconciliation
PACE = 0.05  # of the waits for an array that is dead
EACH_COMMAND = 0.08  # seconds that the array takes, so that there is something to meet


@dataclass
class FaultyNode:
    """`names`: the volumes by their number; `sizes`: bytes that each must have; `written`: by UID."""

    bench: Bench
    usual: float = 0.6
    longest: float = 1.5
    names: list[str] = field(default_factory=lambda: [f"vol{number}" for number in range(VOLUMES)])
    uids: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    written: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        bench = self.bench
        self.front = Front(("127.0.0.1", bench.port))
        bench.write_configuration(
            f"host:\n  link: iscsi\n  nodeName: {NODE}\nstorage:\n- name: storage-01\n  type: AS18000\n"
            f"  host: 127.0.0.1:{self.front.port}\n  username: superuser\n  password: passw0rd\n"
        )
        self.uids = {name: bench.create(name) for name in self.names}
        self.sizes = dict.fromkeys(self.names, GIB)
        bench.do("fault", command="*", times=0, delay=EACH_COMMAND)
        self._mount = bench.helper.do_mount
        bench.helper.do_mount = self._mounted  # type: ignore[method-assign]
        self.service = Service(bench, PRELUDE.format(pace=PACE, directory=str(bench.directory)))
        self.strikes = Strikes(bench, self.service, self.front, self.uids, REST)
        self.strikes.start_agent()

    def _mounted(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Mount; a format loses what was written."""
        reply = self._mount(asked)
        if reply["formatted"]:
            self.written.pop(asked["uid"], None)
        return reply

    def prepare(self, turn: Turn) -> None:
        """Nothing comes before the work."""

    def work(self, volume: int, work: Work) -> None:
        """Do with a volume what kubelet does, again and again until it has succeeded."""
        name = self.names[volume]
        {Work.START: self._start, Work.GROW: self._grow, Work.END: self._end}[work](name)

    def _start(self, name: str) -> None:
        known = name in self.written.values()
        text, uid = options(name), self.uids[name]
        device = ("mountdevice", device_target(name), "/dev/ignored", text)
        self._insist(("waitforattach", NODE, text), device)
        self._insist(("mount", pod_target(name), text))
        assert self.bench.helper.mounts[pod_target(name)] == (uid, False), "another device is mounted"
        assert self.written.get(uid) == (name if known else None), f"{name} lost what was written"
        self.written[uid] = name
        self.used.add(name)

    def _grow(self, name: str) -> None:
        size = self.sizes[name] + GIB
        self._insist(("expandfs", options(name), "/dev/x", pod_target(name), str(size), str(size - GIB)))
        self.sizes[name] = size

    def _end(self, name: str) -> None:
        """A device mount that is gone is not asked for again, whatever the call answered."""
        self.used.discard(name)
        self._insist(("unmount", pod_target(name)))
        deadline = time.monotonic() + PATIENCE
        while device_target(name) in self.bench.helper.mounts:
            assert time.monotonic() < deadline, f"{name} does not end: {self._said}"
            self._once("unmountdevice", device_target(name))
        self._insist(("detach", name, NODE))

    def _insist(self, *row: tuple[str, ...]) -> None:
        deadline, pause = time.monotonic() + PATIENCE, 0.05
        while not all((answer := self._once(*argv)) and answer.answer["status"] == "Success" for argv in row):
            assert time.monotonic() < deadline, f"{row[-1][0]} does not succeed again: {self._said}"
            time.sleep(pause)
            pause = min(pause * 2, 1.0)

    def _once(self, *argv: str) -> Reply | None:
        """Make a call; None when the agent died under it."""
        stub = self.bench.begin(*argv)
        until(lambda: stub.answered, ANSWER)
        try:
            reply = stub.reply()
        except AssertionError:
            return None
        self._said = reply.message
        return reply

    def strike(self, strike: Strike) -> Callable[[], object] | None:
        """Have something go wrong; return what heals it."""
        return self.strikes.strike(strike, self.names[strike.volume])

    def check(self) -> None:
        """Look at every volume: in use as it was written, of the right size; of others nothing is here."""
        bench = self.bench
        for name in self.strikes.robbed & self.used:
            if not bench.maps(name):  # its pod is started anew
                self._end(name)
                self._start(name)
        self.strikes.robbed.clear()
        for name in self.used:
            uid = self.uids[name]
            both = {device_target(name): (uid, False), pod_target(name): (uid, False)}
            assert {target: bench.helper.mounts.get(target) for target in both} == both, name
            assert self.written[uid] == name
            assert bench.maps(name) == [f"iscsi-{NODE}"], name
            assert uid in bench.records(), name
            assert {bench.size(uid), bench.helper.sizes[uid]} == {self.sizes[name]}, name
        until(lambda: not self._left(), SETTLED)
        assert "Traceback" not in self.service.log(), self.service.log()[-5000:]

    def _left(self) -> dict[str, object]:
        """What is here of volumes that nobody uses."""
        bench, gone = self.bench, [name for name in self.names if name not in self.used]
        uids = {self.uids[name] for name in gone}
        found: dict[str, object] = {
            "mapped": [name for name in gone if bench.maps(name)],
            "records": uids & bench.records().keys(),
            "devices": uids & bench.helper.devices.keys(),
            "mounts": [target for target, (uid, _) in bench.helper.mounts.items() if uid in uids],
            "formats": uids & bench.helper.formatting,
        }
        return {what: left for what, left in found.items() if left}

    def finish(self) -> None:
        """End every pod; then each volume must be usable, with what was written to it."""
        for name in sorted(self.used):
            self._end(name)
        self.check()
        for name in self.names:
            self._start(name)
            self._grow(name)
        self.check()
        for name in self.names:
            self._end(name)
        self.check()
        until(lambda: self.bench.helper.locks == 0)

    def close(self) -> None:
        self.strikes.close()
        self.service.close()
        self.front.stop()
        self.bench.close()


def faulty(directory: Path, portals: dict[int, str]) -> FaultyNode:
    """Return a world of its own."""
    return FaultyNode(Bench(directory, portals))
