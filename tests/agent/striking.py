"""The faults that strike a node of the bench, each with what heals it."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from instorage.wire.fault import Fault
from tests.agent.front import Front, Portals, Way
from tests.agent.peer_kernel import FaultError, until
from tests.faults.schedule import Kind, Work

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from tests.agent.bench import Bench
    from tests.agent.service import Service
    from tests.faults.schedule import Strike

BUSY, REFUSED = "CMMVC5786E", "CMMVC5982E"
MAPPED = 2.0  # seconds for a volume to be mapped, so that this can be taken away
VERBS = ("Attach", "Mount", "Bind", "Rescan", "GrowFilesystem", "Unmount", "Detach", "Inspect", "Lock")
CHANGES = ("mkvdiskhostmap", "rmvdiskhostmap", "expandvdisksize")
KINDS = [
    Kind("agent-killed"),
    Kind("helper-died"),
    Kind("helper-died-in-a-verb"),
    Kind("helper-slow"),
    Kind("helper-busy"),
    Kind("helper-failed"),
    Kind("array-busy"),
    Kind("array-slow"),
    Kind("array-refused"),
    Kind("array-silent"),
    Kind("array-gone"),
    Kind("array-hangs"),
    Kind("answer-lost"),
    Kind("ssh-dropped"),
    Kind("empty-answer"),
    Kind("path-silent", (Work.START, Work.GROW), aimed=True),
    Kind("lun-unmapped", (Work.START, Work.END), aimed=True),
    Kind("wrong-lun", (Work.START,), aimed=True),
    Kind("multipathd-away", (Work.START,)),
    Kind("portal-gone", (Work.START,)),
]


@dataclass
class Strikes:
    """A method for each kind, which returns what heals; `uids`: by the volume's name."""

    bench: Bench
    service: Service
    front: Front
    uids: dict[str, str]
    rest: float
    robbed: set[str] = field(default_factory=set)
    """Volumes whose mapping somebody has taken away: the pod that got one all the same sees errors only."""
    _portals: dict[int, Portals] = field(default_factory=dict)
    _agent: subprocess.Popen[bytes] | None = None

    def start_agent(self) -> None:
        """Start the agent, as systemd does after each of its ends."""
        self._agent = self.service.start(self.rest)

    def strike(self, strike: Strike, name: str) -> Callable[[], object] | None:
        """Strike with a kind of fault; None when there was nothing to strike."""
        method = getattr(self, "_" + strike.kind.replace("-", "_"))
        healing: Callable[[], object] | None = method(strike, name)
        return healing

    def _agent_killed(self, _: Strike, __: str) -> Callable[[], object]:
        assert self._agent is not None
        self._agent.kill()
        self._agent.wait(10)
        self.start_agent()
        return _nothing

    def _helper_died(self, _: Strike, __: str) -> Callable[[], object]:
        self.bench.helper.drop()
        return _nothing

    def _helper_died_in_a_verb(self, _: Strike, __: str) -> Callable[[], object]:
        return self._scripted(dies=True)

    def _helper_slow(self, _: Strike, __: str) -> Callable[[], object]:
        gate = threading.Event()
        clear = self._scripted(gate=gate)

        def heal() -> None:
            gate.set()
            clear()

        return heal

    def _helper_failed(self, _: Strike, __: str) -> Callable[[], object]:
        return self._scripted(fault=FaultError("tool-failed", "A program that root code needs has failed."))

    def _helper_busy(self, _: Strike, __: str) -> Callable[[], object]:
        self.bench.helper.busy_for = 5
        return lambda: setattr(self.bench.helper, "busy_for", 0)

    def _scripted(self, **what: Any) -> Callable[[], object]:
        """Have something happen to the next call of each verb, while it lasts."""
        for verb in VERBS:
            self.bench.helper.script(verb, **what)
        return self.bench.helper.scripts.clear

    def _array_busy(self, _: Strike, __: str) -> Callable[[], object]:
        return self._ordered(command="*", times=0, error=BUSY)

    def _array_slow(self, _: Strike, __: str) -> Callable[[], object]:
        return self._ordered(command="*", times=0, delay=0.4, jitter=0.4)

    def _array_refused(self, strike: Strike, _: str) -> Callable[[], object]:
        return self._ordered(command=f"{'mk' if strike.way else 'rm'}*", error=REFUSED)

    def _array_silent(self, _: Strike, __: str) -> Callable[[], object]:
        return self._ordered(command="*", times=2, before="silence")

    def _empty_answer(self, _: Strike, __: str) -> Callable[[], object]:
        return self._ordered(command="ls*", empty=True)

    def _answer_lost(self, _: Strike, __: str) -> Callable[[], object]:
        healing = [self._ordered(command=command, after="connection") for command in CHANGES]
        return lambda: [heal() for heal in healing]

    def _ordered(self, **fault: Any) -> Callable[[], object]:
        number = self.bench.do("fault", **fault)
        return lambda: self.bench.do("clear", number=number)

    def _ssh_dropped(self, _: Strike, __: str) -> Callable[[], object]:
        self.bench.do("drop-connections")
        return _nothing

    def _array_gone(self, _: Strike, __: str) -> Callable[[], object]:
        self.front.become(Way.REFUSES)
        return lambda: self.front.become(Way.OPEN)

    def _array_hangs(self, _: Strike, __: str) -> Callable[[], object]:
        self.front.become(Way.SWALLOWS)
        return lambda: self.front.become(Way.OPEN)

    def _path_silent(self, strike: Strike, name: str) -> Callable[[], object]:
        path = (self.uids[name], strike.way)
        self.bench.helper.silent.add(path)
        return lambda: self.bench.helper.silent.discard(path)

    def _wrong_lun(self, _: Strike, name: str) -> Callable[[], object]:
        self.bench.helper.strange.add(self.uids[name])
        return lambda: self.bench.helper.strange.discard(self.uids[name])

    def _multipathd_away(self, _: Strike, __: str) -> Callable[[], object]:
        self.bench.helper.no_map = True
        return lambda: setattr(self.bench.helper, "no_map", False)

    def _lun_unmapped(self, _: Strike, name: str) -> Callable[[], object] | None:
        """An administrator takes the mapping away, whatever the agent does meanwhile."""
        for host in until(lambda: self.bench.maps(name), MAPPED) or ():
            with suppress(Fault):  # the agent was first
                self.bench.array.unmap_volume(name, host)  # type: ignore[arg-type]
                self.robbed.add(name)
                return _nothing
        return None

    def _portal_gone(self, strike: Strike, _: str) -> Callable[[], object]:
        number = strike.way + 1
        self.portal(number, up=False)
        return lambda: self.portal(number, up=True)

    def portal(self, number: int, *, up: bool) -> None:
        """Open or close one of the array's portals."""
        if (listening := self._portals.pop(number, None)) is not None:
            listening.stop()
        if up:
            address = self.bench.portals[number].rpartition(":")[0]
            self._portals[number] = Portals(address)

    def close(self) -> None:
        for number in list(self._portals):
            self.portal(number, up=False)


def _nothing() -> None:
    """It has healed by itself."""
