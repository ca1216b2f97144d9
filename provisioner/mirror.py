"""The objects of one kind as they are known here, found by UID and by what others ask for."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from provisioner.lean import packed, unpacked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from provisioner.cluster import Object


class Mirror:
    """Thread-safe; who asks gets a copy. `index` gives what an object is also found by: its name, its claim.

    With 10,000 claims a look through all of them for each is a minute of CPU, and to keep them as objects
    takes 6 MiB more than as text.
    """

    def __init__(self, index: Callable[[Object], tuple[str, ...]]) -> None:
        self._index = index
        self._guard = threading.Lock()
        self._objects: dict[str, bytes] = {}
        self._found: dict[str, dict[str, None]] = {}  # UIDs by key

    def get(self, uid: str) -> Object | None:
        """Return the object of that UID."""
        with self._guard:
            kept = self._objects.get(uid)
        return None if kept is None else unpacked(kept)

    def all(self) -> Iterator[Object]:
        """Yield all objects of now, one at a time."""
        with self._guard:
            kept = list(self._objects.values())
        return map(unpacked, kept)

    def by(self, key: str) -> Iterator[Object]:
        """Yield the objects that are found by that key now, one at a time."""
        with self._guard:
            kept = [self._objects[uid] for uid in self._found.get(key, ())]
        return map(unpacked, kept)

    def missing(self, uids: Iterable[str]) -> list[str]:
        """Return the UIDs of this copy that are not among `uids`."""
        there = set(uids)
        with self._guard:
            return [uid for uid in self._objects if uid not in there]

    def put(self, uid: str, new: Object | None) -> Object | None:
        """Keep an object, or forget it (None); return what was there before."""
        kept = None if new is None else packed(new)
        with self._guard:
            before = self._objects.pop(uid, None)
            old = None if before is None else unpacked(before)
            for key in self._index(old) if old is not None else ():
                self._forget(uid, key)
            if new is not None and kept is not None:
                self._objects[uid] = kept
                for key in self._index(new):
                    self._found.setdefault(key, {})[uid] = None
            return old

    def _forget(self, uid: str, key: str) -> None:
        of_key = self._found.get(key, {})
        of_key.pop(uid, None)
        if not of_key:
            self._found.pop(key, None)
