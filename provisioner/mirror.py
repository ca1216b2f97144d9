"""The objects of one kind as they are known here, found by UID and by one thing that others ask for."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from provisioner.cluster import Object


class Mirror:
    """Thread-safe. `index` names what an object is also found by: a name, the UID of its claim.

    With 10,000 claims a look through all of them for each is a minute of CPU.
    """

    def __init__(self, index: Callable[[Object], str]) -> None:
        self._index = index
        self._guard = threading.Lock()
        self._objects: dict[str, Object] = {}
        self._found: dict[str, dict[str, None]] = {}  # UIDs by index

    def get(self, uid: str) -> Object | None:
        """Return the object of that UID."""
        with self._guard:
            return self._objects.get(uid)

    def all(self) -> list[Object]:
        """Return all objects."""
        with self._guard:
            return list(self._objects.values())

    def by(self, key: str) -> list[Object]:
        """Return the objects of that index."""
        with self._guard:
            return [self._objects[uid] for uid in self._found.get(key, ())]

    def missing(self, uids: Iterable[str]) -> list[str]:
        """Return the UIDs of this copy that are not among `uids`."""
        there = set(uids)
        with self._guard:
            return [uid for uid in self._objects if uid not in there]

    def put(self, uid: str, new: Object | None) -> Object | None:
        """Keep an object, or forget it (None); return what was there before."""
        with self._guard:
            old = self._objects.pop(uid, None)
            if old is not None:
                self._forget(uid, self._index(old))
            if new is not None:
                self._found.setdefault(self._index(new), {})[uid] = None
                self._objects[uid] = new
            return old

    def _forget(self, uid: str, key: str) -> None:
        of_key = self._found[key]
        of_key.pop(uid, None)
        if not of_key:
            del self._found[key]
