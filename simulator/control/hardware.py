"""Orders about what works: sites, nodes, portals, copies. `simulator.control` documents the protocol."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from simulator.execution.engine import Engine
from simulator.model import availability
from simulator.model.context import Change
from simulator.model.state import State, find


class Hardware:
    """Carries these orders out; ValueError when there is no such part, or no such state."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def verbs(self) -> dict[str, Callable[..., Any]]:
        """Return the orders by name."""
        return {
            "copy-status": self.copy,
            "node-status": self.node,
            "portal": self._engine.portal,
            "site": self._engine.site,
        }

    def node(self, node: int, status: str) -> None:
        """Say how a node is."""
        if self._engine.topology.node(node) is None or status not in availability.NODE_STATES:
            raise ValueError(f"no node {node} can be {status}")
        self._change(lambda state: replace(state, nodes={**state.nodes, node: status}))

    def copy(self, volume: str, copy: int, status: str = "online", progress: int = 100) -> None:
        """Say how a copy of a vdisk is, and how much of it is synchronised (percent)."""

        def changed(state: State) -> State:
            vdisk = find(state.vdisks, volume)
            if vdisk is None or copy not in {one.id for one in vdisk.copies}:
                raise ValueError(f"no copy {copy} of {volume}")
            copies = (
                replace(one, status=status, progress=progress) if one.id == copy else one
                for one in vdisk.copies
            )
            return state.with_vdisk(replace(vdisk, copies=tuple(copies)))

        self._change(changed)

    def _change(self, change: Callable[[State], State]) -> None:
        self._engine.change(lambda context: Change(change(context.state)))
