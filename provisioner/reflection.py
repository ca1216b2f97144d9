"""A copy of all objects of one kind that follows the API server: list once, then watch."""

from __future__ import annotations

import logging
import random
import threading
from typing import TYPE_CHECKING

from kubernetes.watch import Watch

from provisioner.cluster import Away, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioner.cluster import Cluster, Object

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0  # seconds between attempts while the server is away
_LOG = logging.getLogger(__name__)
_TOO_OLD = 410


class Reflection:
    """The objects at `path` by UID; `changed(old, new)` is called for each change, in one thread.

    A list after a gap is compared with the copy, so that a deletion in the gap is a change like any other.
    """

    def __init__(
        self, cluster: Cluster, path: str, changed: Callable[[Object | None, Object | None], None]
    ) -> None:
        self._cluster = cluster
        self._path = path
        self._changed = changed
        self._guard = threading.Lock()
        self._objects: dict[str, Object] = {}
        self._version = ""  # to watch from; empty: list first
        self._stopping = threading.Event()
        self._watch = Watch()
        self._thread = threading.Thread(target=self._run, name=path.rpartition("/")[2], daemon=True)
        self.listed = threading.Event()

    def start(self) -> None:
        """Begin to follow; `listed` is set once the copy is whole."""
        self._thread.start()

    def stop(self) -> None:
        """End; no change is reported afterwards."""
        self._stopping.set()
        self._watch.stop()
        self._thread.join(timeout=5)

    def get(self, uid: str) -> Object | None:
        """Return the object of that UID."""
        with self._guard:
            return self._objects.get(uid)

    def all(self) -> list[Object]:
        """Return all objects."""
        with self._guard:
            return list(self._objects.values())

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            try:
                if not self._version:
                    self._list()
                pause = FIRST_PAUSE
                self._follow()
            except Refusal as refusal:
                self._version = ""
                if refusal.status != _TOO_OLD:
                    pause = self._wait(pause, f"refuses {self._path} ({refusal.status}): {refusal}")
            except Away as away:
                if not self._stopping.is_set():
                    pause = self._wait(pause, f"does not answer: {away}")

    def _wait(self, pause: float, what: str) -> float:
        _LOG.warning("The API server %s %s; asked again in %.1f s", self._cluster.url, what, pause)
        self._stopping.wait(pause * random.uniform(0.8, 1.2))
        return min(pause * 2, LONGEST_PAUSE)

    def _list(self) -> None:
        objects, version = self._cluster.objects(self._path)
        fresh = {found["metadata"]["uid"]: found for found in objects}
        with self._guard:
            gone = [uid for uid in self._objects if uid not in fresh]
        for uid in gone:
            self._put(uid, None)
        for uid, found in fresh.items():
            self._put(uid, found)
        self._version = version
        self.listed.set()

    def _follow(self) -> None:
        """Watch until the server ends it."""
        for event in self._cluster.watch(self._watch, self._path, self._version):
            found = event["object"]
            if event["type"] != "BOOKMARK":
                self._put(found["metadata"]["uid"], None if event["type"] == "DELETED" else found)
            self._version = found["metadata"]["resourceVersion"]
            if self._stopping.is_set():
                break

    def _put(self, uid: str, new: Object | None) -> None:
        with self._guard:
            old = self._objects.pop(uid, None)
            if new is not None:
                self._objects[uid] = new
        same = old and new and old["metadata"]["resourceVersion"] == new["metadata"]["resourceVersion"]
        if not same and not self._stopping.is_set():
            self._changed(old, new)
