"""One request as a tree in time: the call, its phases, what was done in each, the helper's programs below.

Made of what agent and helper wrote into the journal; their clock is one, CLOCK_MONOTONIC of the host. A thing
belongs to the smallest of a higher rank within which it lies.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nodeagent.diagnosis.entry import finite
from nodeagent.diagnosis.foreign import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nodeagent.diagnosis.entry import Entry

CALL, PHASE, HELPER, PROGRAM = "call", "phase", "helper", "program"
RANK = {CALL: 0, PHASE: 1, "command": 2, "verb": 2, "probe": 2, "wait": 3, HELPER: 3, PROGRAM: 4}
WAITING = "waiting for "
"""How a phase begins in which nothing is done but waiting, and which says for what."""
SLACK = 3.0  # ms: two processes look at the clock one after the other
LARGE = 100.0  # ms that are said when nothing explains them
MOST = 2000  # things of a request that are put in their places, which takes the square of their number


@dataclass
class Node:
    """A thing that took time: `at` and `took` in ms, the former from the beginning of the request."""

    kind: str
    what: str
    at: float
    took: float
    outcome: str = ""
    parts: list[Node] = field(default_factory=list)

    @property
    def end(self) -> float:
        """When it ended, in ms from the beginning of the request."""
        return self.at + self.took

    def to_json(self) -> dict[str, object]:
        """Return it, with its parts, as an object."""
        found: dict[str, object] = {"kind": self.kind, "what": self.what, "at": self.at, "ms": self.took}
        return found | {"outcome": self.outcome, "parts": [part.to_json() for part in self.parts]}


@dataclass(frozen=True)
class Timeline:
    """What is known of a request. `whole`: its end is in the journal; `dropped` spans were too many."""

    op: str
    title: str
    root: Node
    at: float
    whole: bool
    code: str = ""
    dropped: int = 0

    def walk(self) -> Iterator[tuple[int, Node]]:
        """Yield every node with its depth, as they began."""
        waiting = [(0, self.root)]
        while waiting:
            depth, node = waiting.pop()
            yield depth, node
            waiting += [(depth + 1, part) for part in reversed(node.parts)]

    def unexplained(self, least: float = LARGE) -> list[Node]:
        """Return the gaps of at least `least` ms in which nothing says what was done."""
        gaps = _gaps(self.root, self.root.parts, least) if self.whole else []
        for phase in self.root.parts:
            if phase.kind == PHASE and not phase.what.startswith(WAITING):
                gaps += _gaps(phase, phase.parts, least)
        return gaps


def built(op: str, entries: Iterable[Entry]) -> Timeline | None:
    """Return the timeline of a request from its entries; None when none says how long a thing took."""
    mine = [entry for entry in entries if entry.mark("op") == op]
    ended = next((entry for entry in mine if entry.mark("call") and entry.mark("began")), None)
    nodes = [node for entry in mine if (node := _of_helper(entry))]
    if ended is not None:
        nodes += list(_of_agent(ended))
    if not nodes:
        return None
    over, nodes = len(nodes[MOST:]), nodes[:MOST]
    began = ended.number("began") * 1000 if ended else min(node.at for node in nodes)
    for node in nodes:
        node.at = round(node.at - began, 1)
    took = ended.number("ms") if ended else max(node.end for node in nodes)
    call = ended.mark("call") if ended else "what is known of it"
    root = Node(CALL, call, 0.0, took, ended.mark("code") or "Success" if ended else "")
    _nest(root, nodes)
    return Timeline(
        op, _title(op, ended, took), root, (ended or mine[-1]).at - took / 1000, ended is not None,
        ended.mark("code") if ended else "", (int(ended.number("dropped")) if ended else 0) + over,
    )  # fmt: skip


def _title(op: str, ended: Entry | None, took: float) -> str:
    if ended is None:
        return f"Request {op}: its end is not in the journal; it goes on, was cut off, or failed as before"
    outcome = "failed" if ended.mark("code") else "succeeded"
    return f"{ended.mark('call')} of {ended.mark('volume')} {outcome} after {took:.0f} ms (request {op})"


def _of_agent(ended: Entry) -> Iterator[Node]:
    """Yield what the agent timed, `at` in ms of the host's clock; a span that is none hides no other."""
    try:
        spans = json.loads(ended.mark("spans") or "[]")
    except (ValueError, RecursionError):
        return
    for span in spans if isinstance(spans, list) else ():
        try:
            kind, what, at, took, outcome = span
            began, took = ended.number("began") * 1000 + finite(at), finite(took)
            yield Node(str(kind), printable(str(what)), began, took, printable(str(outcome)))
        except (TypeError, ValueError, OverflowError):
            continue


def _of_helper(entry: Entry) -> Node | None:
    for kind, mark, outcome in ((HELPER, "verb", "code"), (PROGRAM, "program", "said")):
        if entry.mark(mark) and entry.mark("began"):
            name = entry.mark(mark) if kind == PROGRAM else f"{entry.mark(mark)} in the helper"
            return Node(kind, name, entry.number("began") * 1000, entry.number("ms"), entry.mark(outcome))
    return None


def _nest(root: Node, nodes: Sequence[Node]) -> None:
    """Put each node below the one that it is a part of."""
    ordered = sorted(nodes, key=lambda node: (node.at, RANK.get(node.kind, 9)))
    for node in ordered:
        middle, rank = node.at + node.took / 2, RANK.get(node.kind, 9)
        around = [
            other for other in ordered
            if RANK.get(other.kind, 9) < rank and other.at - SLACK <= middle <= other.end + SLACK
            and other.took + SLACK >= node.took
        ]  # fmt: skip
        sure = [other for other in around if other.at <= middle <= other.end]  # SLACK is for those of none
        parent = max(sure or around, key=lambda other: (RANK.get(other.kind, 9), -other.took), default=root)
        parent.parts.append(node)


def _gaps(whole: Node, parts: Sequence[Node], least: float) -> list[Node]:
    """Return the times within `whole` that none of the parts covers."""
    gaps, reached = [], whole.at
    for part in [*sorted(parts, key=lambda one: one.at), Node("", "", whole.end, 0)]:
        if part.at - reached >= least:
            gaps.append(Node("gap", whole.what, round(reached, 1), round(part.at - reached, 1)))
        reached = max(reached, part.end)
    return gaps
