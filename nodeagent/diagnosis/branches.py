"""A chain drawn as a tree: a branch a place, deeper with each, and in it a line a statement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.language import said
from nodeagent.diagnosis import link

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nodeagent.diagnosis.link import Link


def drawn(links: Sequence[Link], *, proof: bool) -> Iterator[str]:
    """Yield the lines; with `proof` where each statement was read."""
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
        yield f"{head} {sign}{said(one.sentence)}{read}"
