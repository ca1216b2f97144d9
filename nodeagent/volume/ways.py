"""The ways to a volume, whatever the link, and which of them are taken when there are too many."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from instorage.wire.verbs import FcPath, IscsiPath
    from nodeagent.operation.expected import SanPath

MOST = 16  # paths of a volume, which the helper takes: adapters times target ports over Fibre Channel
T = TypeVar("T")


@dataclass(frozen=True)
class Ways:
    """The paths that the helper is asked for; `remark` says what is out already, empty when nothing is.

    `whole` are the paths that there should be, with those that cannot be used just now.
    """

    over_iscsi: tuple[IscsiPath, ...] = ()
    over_fc: tuple[FcPath, ...] = ()
    remark: str = ""
    whole: tuple[SanPath, ...] = ()


def spread(
    targets: Iterable[T],
    ends: Callable[[T], tuple[str, Iterable[str]]],
    most: int = MOST,
    first: Callable[[T], bool] = lambda _: False,
) -> list[T]:
    """Return targets of at most `most` paths in sum, in their order, spread evenly over nodes and adapters.

    `ends` gives the array's node, and the adapters of this machine that reach the target, each of which makes
    a path; none: the target is one path. Those of `first` are taken before all others.
    """
    left = [(target, node, tuple(adapters)) for target in targets for node, adapters in [ends(target)]]
    order = [target for target, _, _ in left]
    used: Counter[str] = Counter()
    chosen: list[T] = []
    room = most
    while left:
        best = min(
            left,
            key=lambda one: (not first(one[0]), used[one[1]], max((used[end] for end in one[2]), default=0)),
        )
        left.remove(best)
        target, node, adapters = best
        if (paths := max(len(adapters), 1)) <= room:
            chosen.append(target)
            room -= paths
            used.update((node, *adapters))
    return [target for target in order if target in chosen]
