"""Over which paths each volume of ours should be reached, as its array said last; and who waits to look.

Attaches, the comparison at the start and healing itself write it, so that nobody asks an array only to know
that all is well. For several threads.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from instorage.wire.verbs import FcPath, IscsiPath
from nodeagent.host.volume_paths import End

if TYPE_CHECKING:
    from collections.abc import Iterable

    from instorage.wire.values import VolumeUid, Wwpn


@dataclass(frozen=True)
class Nexus:
    """A path by one of this host's adapters (I_T nexus of SAM-5): each that sees a port makes its own."""

    path: FcPath
    initiator: Wwpn


SanPath = IscsiPath | Nexus
"""A path as the array gives it."""


def end_of(path: SanPath) -> End:
    """Return where a path leads, as sysfs tells it."""
    if isinstance(path, IscsiPath):
        return End(str(path.target).lower(), str(path.portal))
    return End(str(path.path.target).lower(), initiator=str(path.initiator).lower())


@dataclass(frozen=True)
class Wake:
    """What is to be looked at: some volumes, or `everything`."""

    uids: frozenset[VolumeUid] = frozenset()
    everything: bool = False


@dataclass
class _Array:
    ends: frozenset[End] = frozenset()
    stale: bool = False
    """Whether its ports are others than those by which the volumes' paths were reckoned."""


@dataclass
class Expected:
    """The paths of each volume by UID, the ends of each array, and a bell for who looks after them."""

    _paths: dict[VolumeUid, tuple[SanPath, ...]] = field(default_factory=dict)
    _queueing: dict[VolumeUid, str] = field(default_factory=dict)
    _arrays: dict[str, _Array] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _uids: set[VolumeUid] = field(default_factory=set)
    _everything: bool = False
    _closed: bool = False

    def note(self, storage: str, uid: VolumeUid, paths: Iterable[SanPath]) -> None:
        """Keep what an array says of one volume, and have it looked at.

        A port that no volume of that array had makes what is known of the others stale. One that it does not
        show just now stays expected, until `renew` leaves it out: its cable may be out.
        """
        found = {end_of(path): path for path in paths}
        ends = frozenset(found)
        with self._changed:
            array = self._arrays.setdefault(storage, _Array())
            array.stale = array.stale or bool(array.ends and ends - array.ends)
            array.ends |= ends
            before = {end_of(path): path for path in self._paths.get(uid, ())}
            self._paths[uid] = tuple((before | found).values())
            self._ring({uid})

    def renew(self, storage: str, ends: Iterable[End], found: dict[VolumeUid, tuple[SanPath, ...]]) -> None:
        """Keep what an array says of all of its volumes here, and of its own ends."""
        with self._changed:
            self._arrays[storage] = _Array(frozenset(ends))
            self._paths.update(found)

    def queues(self, uid: VolumeUid, said: str) -> None:
        """Keep what multipathd does with a volume's map that has no path."""
        with self._changed:
            self._queueing[uid] = said

    def forget(self, uid: VolumeUid) -> None:
        """Forget a volume that was taken down; the sessions that it used may lead nowhere now."""
        with self._changed:
            self._paths.pop(uid, None)
            self._queueing.pop(uid, None)
            self._ring({uid})

    def of(self, uid: VolumeUid) -> tuple[SanPath, ...] | None:
        """Return a volume's paths, None when its array was not asked yet."""
        with self._changed:
            return self._paths.get(uid)

    def queueing(self, uid: VolumeUid) -> str:
        """Return multipathd's word, empty when it was not asked."""
        with self._changed:
            return self._queueing.get(uid, "")

    def ends(self, storage: str) -> frozenset[End]:
        """Return every end of an array that is known."""
        with self._changed:
            return self._arrays.get(storage, _Array()).ends

    def arrays(self) -> tuple[str, ...]:
        """Return the arrays of which anything is known."""
        with self._changed:
            return tuple(sorted(self._arrays))

    def stale(self, storage: str) -> bool:
        """Say whether an array is to be asked anew."""
        with self._changed:
            return self._arrays.get(storage, _Array()).stale

    def look(self, uid: VolumeUid | None = None) -> None:
        """Ring: one volume, or everything, is to be looked at."""
        with self._changed:
            self._ring({uid} if uid else set(), everything=uid is None)

    def close(self) -> None:
        """Let go who waits, for good."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def wait(self, seconds: float | None) -> Wake | None:
        """Wait for the bell, at most so long; an empty Wake when nobody rang, None once it is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._uids or self._everything or self._closed, seconds)
            if self._closed:
                return None
            wake = Wake(frozenset(self._uids), self._everything)
            self._uids, self._everything = set(), False
            return wake

    def _ring(self, uids: set[VolumeUid], *, everything: bool = False) -> None:
        self._uids |= uids
        self._everything = self._everything or everything
        self._changed.notify_all()
