"""Events on claims and volumes: what `kubectl describe` shows, written by one thread beside the work."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import logging
import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provisioner.cluster import Away, Refusal

if TYPE_CHECKING:
    from provisioner.cluster import Cluster, Object

MESSAGE_LIMIT = 1024  # the API refuses longer ones
BACKLOG = 10_000
DRAIN_SECONDS = 5.0
NAME_LIMIT = 253  # characters of an object's name, each part of it between letters or digits
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Event:
    """One thing to be said of an object: `reason` is a word, `message` a sentence."""

    about: Object
    kind: str
    normal: bool
    reason: str
    message: str


class Events:
    """Says things of objects; the same thing said again raises the count of the event that is there.

    An event that cannot be written is no reason to hold up the work: it is logged.
    """

    def __init__(self, cluster: Cluster, component: str, host: str) -> None:
        self._cluster = cluster
        self._source = {"component": component, "host": host}
        self._waiting: queue.Queue[Event | None] = queue.Queue(BACKLOG)
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write what was said so far, for at most a few seconds."""
        with contextlib.suppress(queue.Full):  # so many that they are not written in time anyway
            self._waiting.put_nowait(None)
        self._thread.join(timeout=DRAIN_SECONDS)

    @property
    def alive(self) -> bool:
        """False when the thread that writes has ended by a defect."""
        return self._thread.is_alive()

    def say(self, event: Event) -> None:
        """Say a thing; returns at once."""
        level = logging.INFO if event.normal else logging.WARNING
        name = event.about["metadata"].get("namespace", "")
        shown = f"{name}/{event.about['metadata']['name']}" if name else event.about["metadata"]["name"]
        _LOG.log(level, "%s %s: %s: %s", event.kind, shown, event.reason, event.message)
        try:
            self._waiting.put_nowait(event)
        except queue.Full:
            _LOG.warning("An event is dropped: %d others wait for the API server", BACKLOG)

    def _run(self) -> None:
        while (event := self._waiting.get()) is not None:
            try:
                self._write(event)
            except (Away, Refusal) as error:
                _LOG.warning("The event «%s» could not be written: %s", event.reason, error)
            except Exception:  # about an object like no other: the next event is about another one
                _LOG.exception("The event «%s» is dropped by an error of this program", event.reason)

    def _write(self, event: Event) -> None:
        body = self._body(event)
        kinds = f"/api/v1/namespaces/{body['metadata']['namespace']}/events"
        try:
            self._cluster.create(kinds, body)
        except Refusal as refusal:
            if refusal.status != 409:
                raise
            self._count(f"{kinds}/{body['metadata']['name']}", body)

    def _count(self, path: str, body: Object) -> None:
        """Raise the count of an event that is there; one that has just expired is written anew later."""
        found = self._cluster.get(path)
        if found is not None:
            count = int(found.get("count") or 1) + 1
            self._cluster.patch(path, {"count": count, "lastTimestamp": body["lastTimestamp"]})

    def _body(self, event: Event) -> dict[str, Any]:
        metadata = event.about["metadata"]
        about = {
            "apiVersion": "v1",
            "kind": event.kind,
            "name": metadata["name"],
            "uid": metadata["uid"],
            "resourceVersion": metadata.get("resourceVersion", ""),
        }
        if metadata.get("namespace"):
            about["namespace"] = metadata["namespace"]
        said = "\0".join((metadata["uid"], event.reason, event.message, self._source["host"]))
        mark = hashlib.sha256(said.encode()).hexdigest()[:16]
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": _name(metadata["name"], mark),
                "namespace": metadata.get("namespace") or "default",
            },
            "involvedObject": about,
            "reason": event.reason,
            "message": event.message[:MESSAGE_LIMIT],
            "source": self._source,
            "type": "Normal" if event.normal else "Warning",
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }


def _name(about: str, mark: str) -> str:
    """Return an event's name: that of its object, as much as fits and ends as a name may, and the mark."""
    return f"{about[: NAME_LIMIT - len(mark) - 1].rstrip('-.')}.{mark}"
