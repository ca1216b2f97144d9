"""What is said of paths: each loss once, with its reason, and once when it is over."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from typing import TYPE_CHECKING

from nodeagent.volume import queueing

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from nodeagent.host.volume_paths import End
    from nodeagent.recovery.health import Health

MOST_NAMED = 5
_LOG = logging.getLogger(__name__)


class PathSaying:
    """Remembers what was said of one array's volumes, by name and end. For one thread at a time."""

    def __init__(self) -> None:
        self._lost: dict[str, dict[End, float]] = {}  # since when (monotonic seconds)
        self._dead: set[str] = set()

    def tell(
        self,
        array: str,
        found: Mapping[str, Health],
        why: Mapping[End, str],
        words: Mapping[str, str],
    ) -> None:
        """Say what has changed for these volumes; `why` is better known than what `Health` says.

        `words`: what multipathd said of each volume's map (`AttachReply.queueing`).
        """
        new: defaultdict[tuple[End, str], list[str]] = defaultdict(list)
        back: defaultdict[End, list[tuple[str, float]]] = defaultdict(list)
        gone: defaultdict[End, list[str]] = defaultdict(list)
        for name, health in sorted(found.items()):
            known = self._lost.setdefault(name, {})
            for end in health.lost.keys() - known.keys():
                known[end] = time.monotonic()
                new[end, why.get(end) or health.lost[end]].append(name)
            for end in known.keys() - health.lost.keys():
                since = known.pop(end)
                back[end].append((name, since)) if end in health.works else gone[end].append(name)
        for (end, reason), names in new.items():
            _say_lost(array, end, reason, {name: found[name] for name in names})
        for end, times in back.items():
            if any(end in found[name].unsure for name, _ in times):
                _say_unsure(array, end, [name for name, _ in times])
                continue
            away = time.monotonic() - min(at for _, at in times)
            whose = _named([name for name, _ in times])
            _LOG.warning("The path to %s of array %s is back for %s, after %.0f s.", end, array, whose, away)
        for end, names in gone.items():
            text = "Array %s has no %s any more: the path to it is not waited for, for %s."
            _LOG.warning(text, array, end, _named(names))
        self._tell_dead(found, words)

    def owes(self, name: str) -> bool:
        """Say whether a loss of this volume was said and its end was not."""
        return bool(self._lost.get(name))

    def keep(self, names: Collection[str]) -> None:
        """Forget the volumes that are not among `names`: they were taken down."""
        for name in self._lost.keys() - names:
            del self._lost[name]
            self._dead.discard(name)

    def _tell_dead(self, found: Mapping[str, Health], words: Mapping[str, str]) -> None:
        for name, health in found.items():
            dead, said = health.left == 0 and bool(health.lost), name in self._dead
            if dead and not said:
                self._dead.add(name)
                text = queueing.sentence(words[name])
                only = "its only one is lost" if health.by_design else f"all {health.whole} are lost"
                _LOG.error("Volume %s has no path left, %s. %s", name, only, text)
            elif said and not dead:
                self._dead.discard(name)
                if health.works - health.unsure:
                    _LOG.warning("Volume %s has a path again: %d of %d.", name, health.left, health.whole)


def _say_unsure(array: str, end: End, names: list[str]) -> None:
    _LOG.warning(
        "Whether multipathd's checks of the path to %s of array %s still fail is not known any more, for %s: "
        "events of the kernel were lost. It counts as working; see multipathd show paths.",
        end, array, _named(names),
    )  # fmt: skip


def _say_lost(array: str, end: End, reason: str, volumes: Mapping[str, Health]) -> None:
    worst = min(volumes.values(), key=lambda health: health.left)
    if worst.by_design:
        left = "It is the only one, by design"
    elif worst.left == 1:
        left = f"One path is left of {worst.whole}: the next that fails stops what uses it"
    else:
        left = f"{worst.left} of {worst.whole} paths are left"
    _LOG.warning(
        "The path to %s of array %s is lost for %s: %s. %s. It is added again as soon as it is back.",
        end, array, _named(list(volumes)), reason.rstrip("."), left,
    )  # fmt: skip


def _named(names: list[str]) -> str:
    if len(names) == 1:
        return f"volume {names[0]}"
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{len(names)} volumes ({', '.join(names[:MOST_NAMED])}{more})"
