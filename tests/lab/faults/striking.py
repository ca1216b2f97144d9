"""The faults of a SAN and of a node in the lab, each with what heals it.

Short ones: no map's queueing time ends under them. Longer ones are tests/lab/node/test_fault_matrix.py.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.faults.schedule import Kind, Work
from tests.lab.link import WIRES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.schedule import Strike
    from tools.lab import Machine
    from tools.lab.san import San

BUSY, REFUSED = "CMMVC5786E", "CMMVC5982E"
CHANGES = ("mkvdiskhostmap", "rmvdiskhostmap", "expandvdisksize")
MAPPED = 10.0  # seconds for a volume to be mapped, so that this can be taken away
KINDS = [
    Kind("agent-killed"),
    Kind("helper-killed"),
    Kind("multipathd-killed"),
    Kind("link-down"),
    Kind("both-links-down"),
    Kind("target-gone"),
    Kind("target-restarted"),
    Kind("sessions-dropped"),
    Kind("lun-unmapped", (Work.START, Work.END), aimed=True),
    Kind("array-busy"),
    Kind("array-slow"),
    Kind("array-refused"),
    Kind("array-silent"),
    Kind("array-cut"),
    Kind("answer-lost"),
    Kind("ssh-dropped"),
]
OF_ISCSI = Kind("iscsid-killed")
KILL = "systemctl kill -s KILL {}.service"


def kinds(link: str) -> list[Kind]:
    """Return the kinds of faults that a link knows."""
    return [*KINDS, *([OF_ISCSI] if link == "iscsi" else [])]


@dataclass
class Strikes:
    """A method for each kind, which returns what heals."""

    node: Machine
    san: San
    link: str
    robbed: set[str] = field(default_factory=set)
    """Volumes whose mapping somebody has taken away: the pod that got one all the same sees errors only."""

    def strike(self, strike: Strike, name: str) -> Callable[[], object] | None:
        """Strike with a kind of fault; None when there was nothing to strike."""
        method = getattr(self, "_" + strike.kind.replace("-", "_"))
        healing: Callable[[], object] | None = method(strike, name)
        return healing

    def _agent_killed(self, _: Strike, __: str) -> Callable[[], object]:
        return self._killed("instorage-nodeagent")

    def _helper_killed(self, _: Strike, __: str) -> Callable[[], object]:
        return self._killed("instorage-helper")

    def _multipathd_killed(self, _: Strike, __: str) -> Callable[[], object]:
        return self._killed("multipathd", "systemctl start multipathd.socket multipathd.service")

    def _iscsid_killed(self, _: Strike, __: str) -> Callable[[], object]:
        return self._killed("iscsid", "systemctl start iscsid.socket iscsid.service")

    def _killed(self, unit: str, heal: str = "") -> Callable[[], object]:
        self.node.run(KILL.format(unit), check=False)  # the helper may have left by itself
        return lambda: self.node.run(heal) if heal else None

    def _link_down(self, strike: Strike, _: str) -> Callable[[], object]:
        return self._pulled(WIRES[self.link][strike.way])

    def _both_links_down(self, _: Strike, __: str) -> Callable[[], object]:
        return self._pulled(*WIRES[self.link])

    def _pulled(self, *wires: str) -> Callable[[], object]:
        for wire in wires:
            self.node.set_link(wire, up=False)

        def plug() -> None:
            for wire in wires:
                self.node.set_link(wire, up=True)

        return plug

    def _target_gone(self, strike: Strike, _: str) -> Callable[[], object]:
        self.san.control.do("portal", node=strike.way + 1, up=False)
        return lambda: self.san.control.do("portal", node=strike.way + 1, up=True)

    def _target_restarted(self, strike: Strike, name: str) -> Callable[[], object]:
        self._target_gone(strike, name)()
        return _nothing

    def _sessions_dropped(self, _: Strike, __: str) -> Callable[[], object] | None:
        hosts = [host["name"] for host in self.san.control.do("hosts")]
        for host in hosts:
            self.san.control.do("drop-sessions", host=host)
        return _nothing if hosts else None

    def _lun_unmapped(self, _: Strike, name: str) -> Callable[[], object] | None:
        """An administrator takes the mapping away, whatever the agent does meanwhile."""
        deadline = time.monotonic() + MAPPED
        while not (maps := self._maps(name)) and time.monotonic() < deadline:
            time.sleep(0.05)
        for host in maps:
            with suppress(RuntimeError):  # the agent was first
                self.san.command(f"mcsop rmvdiskhostmap -host {host} {name}")
                self.robbed.add(name)
                return _nothing
        return None

    def _maps(self, name: str) -> list[str]:
        rows = [row for row in self.san.control.do("volumes") if row["name"] == name]
        return [mapping["host"] for row in rows for mapping in row["maps"]]

    def _array_busy(self, _: Strike, __: str) -> Callable[[], object]:
        return self._ordered(command="*", times=0, error=BUSY)

    def _array_slow(self, _: Strike, __: str) -> Callable[[], object]:
        return self._ordered(command="*", times=0, delay=1.0, jitter=1.5)

    def _array_refused(self, strike: Strike, _: str) -> Callable[[], object]:
        return self._ordered(command=f"{'mk' if strike.way else 'rm'}*", error=REFUSED)

    def _array_silent(self, _: Strike, __: str) -> Callable[[], object]:
        return self._ordered(command="*", times=2, before="silence")

    def _array_cut(self, _: Strike, __: str) -> Callable[[], object]:
        return self._ordered(command="*", times=0, before="connection")

    def _answer_lost(self, _: Strike, __: str) -> Callable[[], object]:
        healing = [self._ordered(command=command, after="connection") for command in CHANGES]
        return lambda: [heal() for heal in healing]

    def _ordered(self, **fault: Any) -> Callable[[], object]:
        number = self.san.control.do("fault", **fault)
        return lambda: self.san.control.do("clear", number=number)

    def _ssh_dropped(self, _: Strike, __: str) -> Callable[[], object]:
        self.san.control.do("drop-connections")
        return _nothing


def _nothing() -> None:
    """It has healed by itself."""
