"""How a volume in use stands: which of its paths work, which are lost and why, as this host can tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nodeagent.host.uevents import LOST
from nodeagent.operation.expected import end_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from nodeagent.host.uevents import Uevent
    from nodeagent.host.volume_paths import End, VolumeMap
    from nodeagent.operation.expected import SanPath

CHECKS_FAIL = "multipathd's checks of disk {} fail"
NO_DISK = "no disk of it is in the map"


@dataclass(frozen=True)
class Failed:
    """major:minor of paths that multipathd has given up, as the kernel's maps said.

    `unsure`: those of which that was so until events were lost. Nobody but root can ask, and a path that
    works must not be called lost for ever; so they count as working until the kernel says it anew.
    """

    now: frozenset[str] = frozenset()
    unsure: frozenset[str] = frozenset()

    def after(self, event: Uevent) -> Failed:
        """Return what is known after an event: a number that is free the kernel gives to the next disk.

        Forgotten when a disk comes, too: the map says of one that went before that it failed.
        """
        if event is LOST:
            return self.doubted()
        settled = {event.failed, event.reinstated, event.changed_hands}
        now = (self.now | {event.failed}) - {event.reinstated, event.changed_hands, ""}
        return Failed(now, self.unsure - settled)

    def doubted(self) -> Failed:
        """Return what is known once events were lost, or are heard no more."""
        return Failed(unsure=self.unsure | self.now)


@dataclass(frozen=True)
class Health:
    """`lost`: where paths should lead and do not work, with the reason; `left` of `whole` paths work.

    `missing` are those of the lost that have no disk in the map: they can be added. `works`: where paths lead
    that work; of the `unsure` among them multipathd may know better (`Failed`).
    """

    lost: Mapping[End, str]
    missing: frozenset[End]
    works: frozenset[End]
    left: int
    whole: int
    unsure: frozenset[End] = frozenset()

    @property
    def by_design(self) -> bool:
        """Whether it never had but one path."""
        return self.whole == 1


def judge(found: VolumeMap, wanted: Collection[SanPath] | None, failed: Failed) -> Health:
    """Compare the map with what its array says (None: not known yet).

    A disk that leads to a portal that the array has no more counts as none: it never comes back.
    """
    ends = None if wanted is None else {end_of(path) for path in wanted}
    lost: dict[End, str] = {}
    works: set[End] = set()
    left = whole = 0
    for path in found.paths:
        if ends is not None and path.end.portal and path.end not in ends:
            continue
        whole += 1
        trouble = path.trouble or (CHECKS_FAIL.format(path.disk) if path.number in failed.now else "")
        if trouble:
            lost[path.end] = trouble
        else:
            works.add(path.end)
            left += 1
    missing = (ends or set()) - works - lost.keys()
    lost |= dict.fromkeys(missing, NO_DISK)
    unsure = frozenset(path.end for path in found.paths if path.number in failed.unsure)
    return Health(lost, frozenset(missing), frozenset(works), left, whole + len(missing), unsure & works)
