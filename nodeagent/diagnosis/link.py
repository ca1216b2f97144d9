"""A link of the chain from a claim to its mount, and what the chain says: it works, or what is wrong first.

This module and those with which it goes into kubectl's plugin (`tools/dist/plugin.py` lists them) run on the
Python of an administrator's machine: 3.8 or later, the standard library, and of ours the language.
"""

from __future__ import annotations

import datetime
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from instorage.language import said
from nodeagent.diagnosis.console import look, place
from nodeagent.diagnosis.foreign import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

RIGHT, WAITS, WRONG, UNSEEN, ENDED = "right", "waits", "wrong", "unseen", "ended"
KUBERNETES, NODE, SAN, ARRAY, NOBODY = "kubernetes", "node", "san", "array", "nobody"
"""Whose administrator must act, the words of `Who`."""
PEOPLE = {
    KUBERNETES: "Kubernetes' administrator", NODE: "the node's administrator",
    SAN: "the SAN network's administrator", ARRAY: "the array's administrator", NOBODY: "nobody",
}  # fmt: skip
PLACES = ("pod", "provisioner", "claim", "PV", "node", "agent", "array", "paths", "mount")
"""The chain in its order; what is wrong first explains what stands below it."""
_ELSEWHERE = (
    "Ask «kubectl instorage why» on a machine whose kubectl reaches the cluster, or «instoragectl why» on a "
    "node, as root."
)
PATIENCE = 180.0
"""Seconds after which what goes by itself is looked into by somebody."""
_SIGNS = {RIGHT: "+", WAITS: "~", WRONG: "!", UNSEEN: "?", ENDED: "-"}


@dataclass(frozen=True)
class Link:
    """One statement. `sentence` is whole; `command` what is safe to do; `proof` where it was read.

    `since`: seconds since the epoch, 0 when that is not known.
    """

    place: str
    state: str
    sentence: str
    who: str = NOBODY
    command: str = ""
    since: float = 0.0
    proof: str = ""

    def __post_init__(self) -> None:
        """Take out of the texts what a terminal would obey: much in them was written by others."""
        for key in ("sentence", "command", "proof"):
            object.__setattr__(self, key, printable(getattr(self, key)))

    def to_json(self) -> dict[str, object]:
        """Return it as an object."""
        return asdict(self)


@dataclass(frozen=True)
class Verdict:
    """The answer to «why»: one sentence, who must act, the command; the chain, and its first wrong link."""

    sentence: str
    who: str
    command: str
    links: tuple[Link, ...]
    first: Link | None

    def to_json(self) -> dict[str, object]:
        """Return it as an object; `do` is the command, for `command` is what was called."""
        who = self.who if self.first is not None or self.works else ""
        found: dict[str, object] = {"sentence": self.sentence, "who": who, "do": self.command}
        first = self.links.index(self.first) if self.first else None
        return found | {"first": first, "links": [link.to_json() for link in self.links]}

    @property
    def status(self) -> int:
        """The exit status: 0, it works; 1, it waits, or that cannot be told; 2, something is wrong."""
        return 2 if self.first is not None and self.first.state == WRONG else int(not self.works)

    @property
    def works(self) -> bool:
        """True when nothing waits, and nothing that decides was out of sight."""
        return self.first is None and (works(self.links) or all(one.state == RIGHT for one in self.links))


def judged(subject: str, links: Iterable[Link]) -> Verdict:
    """Return what the chain of `subject` («Pod default/web») says.

    The first link that is wrong decides, else the first that waits; what could not be seen is named, and is
    never taken for right.
    """
    chain = tuple(sorted(links, key=lambda link: PLACES.index(link.place)))
    first = next((link for link in chain if link.state == WRONG), None)
    first = first or next((link for link in chain if link.state == WAITS), None)
    first = first or next((link for link in chain if link.state == ENDED), None)
    unseen = [link.place for link in chain if link.state == UNSEEN]
    if first is not None:
        since = f" since {clock(first.since)} ({age(first.since)})" if first.since else ""
        state = "works, with a fault" if works(chain) else "waits"
        state = "has ended" if first.state == ENDED else state
        sentence = f"{subject} {state}{since}: {first.sentence}"
        return Verdict(sentence, first.who, first.command, chain, first)
    if unseen and not works(chain):
        named = ", ".join(dict.fromkeys(unseen))
        if all(link.state == UNSEEN for link in chain):
            text = f"{subject}: nothing of it could be looked at ({named}), so nothing is known of it."
        else:
            text = f"{subject}: nothing wrong is seen, and this could not be looked at: {named}."
        return Verdict(f"{text} {_ELSEWHERE}", NOBODY, "", chain, None)
    return Verdict(f"{subject} works.", NOBODY, "", chain, None)


def works(chain: Sequence[Link]) -> bool:
    """Say whether the end of the chain is seen to be in use: the mount, or the pod that runs."""
    pods = [link.state for link in chain if link.place == "pod" and link.state != UNSEEN]
    ends = pods or [link.state for link in chain if link.place == "mount"]
    return RIGHT in ends and not {WAITS, WRONG} & set(ends)


def lines(verdict: Verdict, *, proof: bool) -> Iterator[str]:
    """Yield the verdict for people: the sentence, who, the command, then the chain."""
    yield verdict.sentence
    told = verdict.first is not None or verdict.works
    yield f"Who must act: {PEOPLE[verdict.who] if told else 'that cannot be told from here'}."
    if verdict.command:
        yield f"Do: {verdict.command}"
        yield f"Where: {place(verdict.command, tell=verdict.who in (ARRAY, SAN))}."
        if look(verdict.command):
            yield f"Look for: {look(verdict.command)}."
    yield ""
    for link in verdict.links:
        first = "  <-- first" if link is verdict.first else ""
        when = f"  [{age(link.since)}]" if link.since else ""
        yield f"{_SIGNS[link.state]} {link.place:<11} {said(link.sentence)}{when}{said(first)}"
        if proof and link.proof:
            yield f"  {'':<11} read from {link.proof}"


def age(since: float) -> str:
    """Return how long ago that was («4 min»), in the largest unit that gives two or more."""
    seconds = max(time.time() - since, 0.0)
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} s"


def old(since: float, seconds: float = PATIENCE) -> bool:
    """Say whether that is longer ago than what goes by itself takes."""
    return bool(since) and time.time() - since > seconds


def clock(at: float) -> str:
    """Return the local time of that moment, with the day when it is another one."""
    day = "" if time.time() - at < 43200 else "%Y-%m-%d "
    return time.strftime(f"{day}%H:%M:%S", time.localtime(at))


def moment(text: object) -> float:
    """Return the time that the API or a record writes (RFC 3339), 0 when it is none."""
    try:
        return datetime.datetime.fromisoformat(str(text).replace("Z", "+00:00")).timestamp()
    except ValueError:
        return 0.0
