"""`instoragectl tree`: a volume's whole chain on one screen, from the claim to the mount."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodeagent.diagnosis import link, why
from nodeagent.diagnosis.outcome import Outcome

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from nodeagent.diagnosis.link import Link


def run(given: argparse.Namespace) -> Outcome:
    """Return the chain of a volume, an age and a proof a line; exit status as `why`."""
    verdict = why.judged(given.volume, given.config)
    status = 0 if verdict.first is None else 2 if verdict.first.state == link.WRONG else 1
    return Outcome([verdict.sentence, *drawn(verdict.links, proof=True)], verdict.to_json(), status)


def drawn(links: Sequence[Link], *, proof: bool) -> Iterator[str]:
    """Yield a branch a place, deeper with each, and in it a line a statement."""
    depth, place = -1, ""
    for one in links:
        if one.place != place:
            depth, place = depth + 1, one.place
            head = f"{'   ' * depth}`- {one.place}"
        else:
            head = f"{'   ' * depth}   {'':<{len(one.place)}}"
        when = f", {link.age(one.since)}" if one.since else ""
        read = f"  [{one.proof}{when}]" if proof and one.proof else f"  [{when[2:]}]" if when else ""
        sign = "" if one.state == link.RIGHT else f"{one.state.upper()}: "
        yield f"{head} {sign}{one.sentence}{read}"
