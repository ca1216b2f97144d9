"""A copy of all objects of one kind that follows the API server: list once, then watch."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from kubernetes.watch import Watch

from provisioner.cluster import Away, Refusal
from provisioner.lean import packed, unpacked
from provisioner.mirror import Mirror
from provisioner.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioner.cluster import Cluster, Object

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds between attempts while the server is away, or says no
HEALTHY = 60.0  # seconds of a watch after which earlier failures do not count
# Asking is refused (load, rights, a webhook): the version to go on from is as good as before. Everything else
# (410: too old; 504: ahead of the server) wants a new list.
_VERSION_HOLDS = (401, 403, 429, 500, 502, 503)
_LOG = logging.getLogger(__name__)


class Reflection:
    """The objects at `path`, in `copy`; `changed(old, new)` is called for each change, in one thread.

    A list after a gap is compared with the copy, so that a deletion in the gap is a change like any other.
    An object that nobody here understands is said and left out: never does one end the thread.
    """

    def __init__(
        self,
        cluster: Cluster,
        path: str,
        changed: Callable[[Object | None, Object | None], None],
        index: Callable[[Object], tuple[str, ...]] = lambda found: (str(found["metadata"]["name"]),),
    ) -> None:
        self._cluster = cluster
        self._path = path
        self._changed = changed
        self._version = ""  # to watch from; empty: list first
        self._doubted = False  # the server may have been another one meanwhile: is it behind that version?
        self._bookmarks = False  # the server sends them: from Kubernetes 1.16 on
        self._patience = Patience(FIRST_PAUSE, LONGEST_PAUSE)
        self._stopping = threading.Event()
        self._watch = Watch()
        self._thread = threading.Thread(target=self._run, name=path.rpartition("/")[2], daemon=True)
        self.copy = Mirror(index)
        self.listed = threading.Event()

    def start(self) -> None:
        """Begin to follow; `listed` is set once the copy is whole."""
        self._thread.start()

    def stop(self) -> None:
        """End; no change is reported afterwards."""
        self._stopping.set()
        self._watch.stop()
        self._thread.join(timeout=5)

    @property
    def alive(self) -> bool:
        """False when the thread has ended by a defect."""
        return self._stopping.is_set() or self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            trouble, asked = self._turn()
            if time.monotonic() - began >= HEALTHY:
                self._patience.reset()
            pause = self._patience.next(asked)
            if not self._stopping.is_set():
                level = logging.WARNING if trouble else logging.DEBUG
                what = trouble or f"ended the watch of {self._path}"
                _LOG.log(level, "The API server %s %s; asked again in %.1f s", self._cluster.url, what, pause)
                self._stopping.wait(pause)

    def _turn(self) -> tuple[str, float]:
        """Follow until it ends; return what went wrong, if anything, and the seconds that were asked for."""
        try:
            if self._doubted and self._version:
                self._doubt()
            if not self._version:
                self._list()
            self._follow()
        except Refusal as refusal:
            if refusal.status not in _VERSION_HOLDS:
                self._version = ""
            return f"refuses {self._path} ({refusal.status}): {refusal}", refusal.after
        except Away as away:
            self._doubted = True
            if away.silent:  # not even a bookmark: so it is when the version is ahead of the server's
                self._version = ""
                if not self._bookmarks:  # or nothing has changed, on a server that has none
                    return "", 0.0
            return f"does not answer: {away}", 0.0
        return "", 0.0

    def _doubt(self) -> None:
        """Forget a version that the server has not reached: etcd was restored to an older state."""
        now = self._cluster.version(self._path)
        if now.isdigit() and self._version.isdigit() and int(now) < int(self._version):
            _LOG.warning("%s is at %s, before %s: listed anew", self._path, now, self._version)
            self._version = ""
        self._doubted = False

    def _list(self) -> None:
        version, fresh = "", dict[str, bytes | None]()
        for page, now in self._cluster.pages(self._path):
            fresh |= self._packed(page)
            version = now
        for uid in self.copy.missing(fresh):
            self._put(uid, None)
        for uid, kept in fresh.items():
            if kept is not None:
                self._put(uid, unpacked(kept))
        self._version = version
        self._doubted = False
        self.listed.set()

    def _packed(self, page: list[Object]) -> dict[str, bytes | None]:
        """Return the objects as text by UID, None for one that is left alone: it is there, too."""
        kept: dict[str, bytes | None] = {}
        for found in page:
            try:
                kept[_uid(found)] = packed(found)
            except Exception:
                kept[_uid(found)] = None
                self._left_alone(found)
        return kept

    def _follow(self) -> None:
        """Watch until the server ends it."""
        for event in self._cluster.watch(self._watch, self._path, self._version):
            found = event["object"]
            if event["type"] == "BOOKMARK":
                self._bookmarks = True
            else:
                self._put(_uid(found), None if event["type"] == "DELETED" else found)
            self._version = str((found.get("metadata") or {}).get("resourceVersion") or self._version)
            if self._stopping.is_set():
                break

    def _put(self, uid: str, new: Object | None) -> None:
        try:
            if not uid:
                raise ValueError("an object without UID")
            old = self.copy.put(uid, new)
            same = old is new or (  # None both: it was deleted before it was known here
                old and new and old["metadata"]["resourceVersion"] == new["metadata"]["resourceVersion"]
            )
            if not same and not self._stopping.is_set():
                self._changed(old, new)
        except Exception:
            self._left_alone(new or {})

    def _left_alone(self, found: Object) -> None:
        metadata = found.get("metadata") or {}
        _LOG.exception(
            "%s %s (%s) is left alone: this program does not understand it; please report it",
            self._path, metadata.get("name"), metadata.get("uid"),
        )  # fmt: skip


def _uid(found: Object) -> str:
    return str((found.get("metadata") or {}).get("uid") or "")
