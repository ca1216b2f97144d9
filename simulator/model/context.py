"""What commands are made of: the context they read and the change they ask for."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from simulator.dataplane.plane import DataPlane
from simulator.language.dialect import Dialect
from simulator.model.capacity import Usage
from simulator.model.state import State
from simulator.model.topology import Topology

Call = Callable[[DataPlane], None]


@dataclass(frozen=True)
class Step:
    """One act on the data plane and how to take it back (None: it cannot be, so it comes last)."""

    do: Call
    undo: Call | None


@dataclass(frozen=True)
class Change:
    """What an operation asks for: the new state, the acts that make it true, the text of success."""

    state: State
    steps: tuple[Step, ...] = ()
    text: str = ""


@dataclass(frozen=True)
class Sensors:
    """Where a command reads what only the data plane knows (asked at most once a command), and the clock.

    `sessions` are the logins by port name: node ids; `fabric` the real FC ones: the nodes' WWPNs; `closed`
    the nodes whose portal is down.
    """

    usage: Callable[[], Usage]
    sessions: Callable[[], dict[str, list[int]]]
    fabric: Callable[[], dict[str, list[str]]]
    now: Callable[[], float]
    closed: frozenset[int]


@dataclass
class Context:
    """One command's view of the array; the state in it does not change while the command runs."""

    state: State
    topology: Topology
    dialect: Dialect
    sensors: Sensors

    @cached_property
    def usage(self) -> Usage:
        """Bytes written per volume UID; not asked for while every copy is thick."""
        thin = any(copy.thin for vdisk in self.state.vdisks.values() for copy in vdisk.copies)
        return self.sensors.usage() if thin else {}

    @cached_property
    def sessions(self) -> dict[str, list[int]]:
        """Node ids that each port name is logged in to."""
        return self.sensors.sessions()

    @cached_property
    def fabric(self) -> dict[str, list[str]]:
        """WWPNs of the nodes' ports that each WWPN is logged in to, where the data plane knows."""
        return self.sensors.fabric()
