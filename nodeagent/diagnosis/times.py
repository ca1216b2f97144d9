"""`instoragectl times`: how long calls, their phases and what was done in them took."""

from __future__ import annotations

import contextlib
import json
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault
from nodeagent.diagnosis import entry, picture, timeline, trace
from nodeagent.diagnosis.foreign import printable
from nodeagent.diagnosis.outcome import Outcome
from nodeagent.diagnosis.waiting import waited

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Sequence

    from nodeagent.diagnosis.entry import Entry

_SLOWEST = 5
_CALLS = ("waitforattach", "mountdevice", "mount", "unmount", "unmountdevice", "detach", "expandfs")
_FOR_ANOTHER = re.compile(rf"waiting for (?:{'|'.join(_CALLS)}) of .*")
_COMMAND = re.compile(r"(\S+: )mcs\w+ (\S+).*")


@dataclass
class Figures:
    """How long one thing took each time, in ms. `under`: the call of a phase, empty for a call itself."""

    kind: str
    what: str
    under: str = ""
    took: list[float] = field(default_factory=list)

    def percentile(self, share: float) -> float:
        """Return the least of the times that at least `share` of them do not exceed."""
        ordered = sorted(self.took)
        return ordered[max(0, -int(-len(ordered) * share // 1) - 1)]

    def to_json(self) -> dict[str, object]:
        """Return them as an object."""
        found: dict[str, object] = {"kind": self.kind, "what": self.what, "call": self.under}
        figures = {"p50": self.percentile(0.5), "p95": self.percentile(0.95), "max": max(self.took)}
        return found | {"count": len(self.took), **figures}


def run(given: argparse.Namespace) -> Outcome:
    """Return the figures of every call that ended since a time, and the slowest ones."""
    with waited("reading the journal"):
        matches = tuple(f"INSTORAGE_CALL={call}" for call in _CALLS)
        found = entry.read(matches, file=given.journal, since="" if given.journal else given.since)
    calls = [one for one in found if one.mark("ms")]
    if not calls:
        text = f"The journal has no call that ended since {given.since}: ask for longer (--since), on a node "
        raise Fault(Code.BAD_REQUEST, f"{text}with volumes, as root or a member of systemd-journal.")
    figures = gathered(calls)
    slowest = sorted(calls, key=lambda one: -one.number("ms"))[:_SLOWEST]
    lines = [*table(figures), "", *_slowest(slowest)]
    if given.svg:
        trace.written(given.svg, drawn(figures, given.since))
        lines.append(f"{given.svg} has the picture: open it in a browser.")
    data: dict[str, object] = {"figures": [one.to_json() for one in figures]}
    return Outcome(lines, data | {"slowest": [_named(one) for one in slowest]})


def gathered(calls: Iterable[Entry]) -> list[Figures]:
    """Return the figures: each call with its phases, then array commands and orders to the helper."""
    found: dict[tuple[str, str, str], Figures] = {}

    def note(kind: str, what: str, under: str, took: float) -> None:
        found.setdefault((kind, under, what), Figures(kind, what, under)).took.append(took)

    for one in calls:
        call = one.mark("call")
        note(timeline.CALL, call, "", one.number("ms"))
        for phase, took in _phases(one):
            note(timeline.PHASE, _FOR_ANOTHER.sub("waiting for another call", phase), call, took)
        made = timeline.built(one.mark("op"), (one,))
        for _, node in made.walk() if made else ():
            if node.kind in ("command", "verb"):
                note(node.kind, _COMMAND.sub(r"\1\2", node.what), "", node.took)
    order = {kind: number for number, kind in enumerate((timeline.CALL, "command", "verb"))}
    return sorted(found.values(), key=lambda one: _place(one, order))


def _place(one: Figures, order: dict[str, int]) -> tuple[int, str, int, float]:
    if one.kind == timeline.PHASE:
        return 0, one.under, 1, -sum(one.took)
    return order[one.kind], one.what, 0, 0.0


def _phases(one: Entry) -> Iterator[tuple[str, float]]:
    try:
        phases = json.loads(one.mark("phases") or "{}")
    except (ValueError, RecursionError):
        return
    for phase, took in phases.items() if isinstance(phases, dict) else ():
        with contextlib.suppress(ValueError, TypeError, OverflowError):
            yield re.sub(r"\d+", "N", printable(str(phase))), entry.finite(took)


def table(figures: Sequence[Figures]) -> Iterator[str]:
    """Yield the figures as lines, all times in ms."""
    yield f"{'':<58} {'count':>6} {'p50':>8} {'p95':>8} {'max':>8}  ms"
    for one in figures:
        name = f"    {one.what}" if one.kind == timeline.PHASE else one.what
        shown = (one.percentile(0.5), one.percentile(0.95), max(one.took))
        yield f"{name:<58.58} {len(one.took):>6} " + " ".join(f"{took:8.0f}" for took in shown)


def _slowest(calls: Sequence[Entry]) -> Iterator[str]:
    yield "The slowest (instoragectl trace REQUEST shows where the time went):"
    for one in calls:
        at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(one.at))
        failed = f", {one.mark('code')}" if one.mark("code") else ""
        what = f"{one.mark('call')} of {one.mark('volume')}{failed}"
        yield f"{one.number('ms'):9.0f} ms  {what}, {at}, request {one.mark('op')}"


def _named(one: Entry) -> dict[str, object]:
    names = ("op", "call", "volume", "code")
    return {name: one.mark(name) for name in names} | {"ms": one.number("ms"), "at": round(one.at, 3)}


def drawn(figures: Sequence[Figures], since: str) -> str:
    """Return the figures as SVG: in each row the longest, over it 95 % of them, over that the half."""
    rows = []
    for one in figures:
        bars = (("max", max(one.took)), ("p95", one.percentile(0.95)), ("p50", one.percentile(0.5)))
        made = tuple(picture.Bar(kind, 0.0, took) for kind, took in bars)
        rows.append(picture.Row(one.what, int(one.kind == timeline.PHASE), made, f"{len(one.took)} times"))
    return picture.drawn(f"Where the time of calls went since {since}", rows)
