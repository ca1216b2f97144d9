"""The engine: runs commands on the state, keeps state, store and data plane in step.

Queries read the state of the moment without a lock. Operations run one at a time: an operation computes the
new state, its acts on the data plane follow, then the store; only then others see it. When an act fails, the
acts before it are taken back and nothing has changed.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from simulator.dataplane.plane import DataPlane, DataPlaneError, FcTarget, Lun, Target
from simulator.execution.commands import OPERATIONS, QUERIES, Named
from simulator.language.arguments import parse
from simulator.language.codes import ArrayError
from simulator.language.dialect import Dialect
from simulator.language.tables import render
from simulator.model import availability
from simulator.model.capacity import Usage
from simulator.model.context import Change, Context, Sensors, Step
from simulator.model.copying import settled as copies_settled
from simulator.model.replication import settled as relationships_settled
from simulator.model.state import State
from simulator.model.store import Store
from simulator.model.topology import Topology


class DataPlaneRefusedError(ArrayError):
    """The data plane failed: the family's words for a system that is not well, with the cause kept apart."""

    def __init__(self, cause: DataPlaneError) -> None:
        super().__init__("CMMVC5786E")
        self.cause = str(cause)


class Engine:
    """One array; thread safe."""

    def __init__(self, topology: Topology, store: Store, plane: DataPlane, dialect: Dialect) -> None:
        self.topology = topology
        self.dialect = dialect
        self.plane = plane
        self.logins: dict[str, list[int]] = {}  # said by a test: FC, or no data plane
        self.written: dict[str, int] = {}  # bytes used per UID, said by a test
        self.closed: frozenset[int] = frozenset()
        self._store = store
        self._changing = threading.Lock()
        self._state = store.load()

    @property
    def state(self) -> State:
        """The state of this moment; never changes in place."""
        now = time.time()
        return copies_settled(relationships_settled(self._state, now), now)

    def run(self, command: Named) -> str:
        """Run one command and return its stdout; raises ArrayError."""
        try:
            if command.name in QUERIES:
                return self._query(command)
            accepted, operation = OPERATIONS[command.name]
            arguments = parse(command.words, accepted)
            return self.change(lambda context: operation(context, arguments))
        except DataPlaneError as error:
            raise DataPlaneRefusedError(error) from error

    def change(self, operation: Callable[[Context], Change]) -> str:
        """Carry an operation out as a whole or not at all; raises ArrayError, DataPlaneError."""
        with self._changing:
            wanted = operation(self.context())
            self._perform(wanted.steps)
            self._store.save(wanted.state)
            self._state = wanted.state
        return wanted.text

    def reconcile(self) -> None:
        """Make the data plane export what the state says: what else it has goes away, with its data."""
        with self._changing:
            state = self._state
            self._open_targets()
            there = self.plane.inventory()
            wanted = self._wanted_luns(state)
            kinds = self.topology.port_kinds
            initiators = [name for host in state.hosts.values() for name in host.names(*kinds)]
            for lun in there.luns:
                if lun not in wanted:
                    self.plane.unmap(lun.initiator, lun.lun)
            for initiator in set(there.initiators) - set(initiators):
                self.plane.expel(initiator)
            for uid in there.volumes.keys() - {vdisk.uid for vdisk in state.vdisks.values()}:
                self.plane.delete(uid)
            for initiator in initiators:
                self.plane.admit(initiator)
            for lun, size in wanted.items():
                self.plane.map(lun.uid, size, lun.initiator, lun.lun)
        for site in state.down:
            self._portals_of(site, up=False)

    def _open_targets(self) -> None:
        """Have the data plane answer at every port; paths of the first node that has one are optimized."""
        nodes = [node for node in self.topology.nodes if node.portal or node.wwpns]
        first = nodes[0].id if nodes else 0
        self.plane.open(
            [Target(n.id, n.iqn, n.portal, optimized=n.id == first) for n in nodes if n.portal],
            [FcTarget(n.id, w, n.id == first, self.topology.zone) for n in nodes for w in n.wwpns],
        )

    def portal(self, node: int, *, up: bool) -> None:
        """Close or open a node's iSCSI portal and FC ports; ValueError when it has none."""
        known = self.topology.node(node)
        if known is None or not (known.portal or known.wwpns):
            raise ValueError(f"node {node} has no portal")
        self.plane.portal(node, up=up)
        self.closed = self.closed - {node} if up else self.closed | {node}

    def site(self, site: int, *, up: bool) -> None:
        """Lose a whole site, or have it back: its nodes, pools and portals; ValueError when there is none."""
        if not any(node.site == site for node in self.topology.nodes):
            raise ValueError(f"no nodes at site {site}")
        self.change(lambda context: Change(self._with_site(context, site, up=up)))
        self._portals_of(site, up=up)

    def _with_site(self, context: Context, site: int, *, up: bool) -> State:
        now, state = context.sensors.now(), context.state
        if up:
            return availability.site_back(state, self.topology, site, now, context.dialect.copy_seconds)
        return availability.site_lost(state, self.topology, site, now)

    def _portals_of(self, site: int, *, up: bool) -> None:
        for node in self.topology.nodes:
            if node.site == site and (node.portal or node.wwpns):
                self.portal(node.id, up=up)

    def _query(self, command: Named) -> str:
        accepted, query = QUERIES[command.name]
        arguments = parse(command.words, accepted)
        context = self.context()
        return render(query(context, arguments), arguments, empty_header=context.dialect.empty_header)

    def context(self) -> Context:
        """Return what a command sees at this moment."""
        sensors = Sensors(self._usage, self._sessions, self._fabric, time.time, self.closed)
        return Context(self.state, self.topology, self.dialect, sensors)

    def _usage(self) -> Usage:
        return self.plane.usage() | self.written

    def _sessions(self) -> dict[str, list[int]]:
        said = {name: [n for n in nodes if n not in self.closed] for name, nodes in self.logins.items()}
        return self.plane.sessions() | said

    def _fabric(self) -> dict[str, list[str]]:
        there = self.plane.fabric() if self.topology.wwpns else {}
        return {wwpn: ports for wwpn, ports in there.items() if wwpn not in self.logins}

    def _perform(self, steps: tuple[Step, ...]) -> None:
        begun: list[Step] = []
        try:
            for step in steps:
                begun.append(step)
                step.do(self.plane)
        except DataPlaneError:
            # The step that failed may have been done in part, or its answer lost: it is taken back as well.
            for step in reversed(begun):
                if step.undo:
                    with suppress(DataPlaneError):
                        step.undo(self.plane)
            raise

    def _wanted_luns(self, state: State) -> dict[Lun, int]:
        """Return the LUNs that the mappings call for, with the volumes' sizes."""
        groups = self.topology.exporting_groups()
        wanted = {}
        for m in state.hostmaps:
            vdisk = state.vdisks[m.vdisk]
            names = state.hosts[m.host].names(*self.topology.port_kinds)
            for name in names if groups & set(vdisk.access) else []:
                wanted[Lun(name, m.lun, vdisk.uid)] = vdisk.size
        return wanted
