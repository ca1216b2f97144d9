"""Events on claims and volumes: what `kubectl describe` shows, written by one thread beside the work."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import hashlib
import logging
import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provisioner.cluster import Away, Refusal
from provisioner.pods import Pods

if TYPE_CHECKING:
    from provisioner.cluster import Cluster, Object

MESSAGE_LIMIT = 1024  # the API refuses longer ones
BACKLOG = 10_000
DRAIN_SECONDS = 5.0
CLAIM = "PersistentVolumeClaim"
OVER = "It is over"
"""How an event begins whose trouble has ended."""
NAME_LIMIT = 253  # characters of an object's name, each part of it between letters or digits
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Event:
    """One thing to be said of an object: `reason` is a word, `message` a sentence.

    `ends`: the reasons of those of its events that this one brings to an end.
    """

    about: Object
    kind: str
    normal: bool
    reason: str
    message: str
    ends: tuple[str, ...] = ()


class Events:
    """Says things of objects, one event for each reason: what is said again renews it and raises its count.

    So it shows since when, how often, and what is the matter now; at the end, that it is over. What is wrong
    with a claim its waiting pods are told as well. An event that cannot be written is no reason to hold up
    the work: it is logged.
    """

    def __init__(self, cluster: Cluster, component: str, host: str) -> None:
        self._cluster = cluster
        self._pods = Pods(cluster)
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
        """Write the event, a claim's trouble on its waiting pods too, and end those that it ends."""
        self._put(event)
        ended = [reason for reason in event.ends if self._end(dataclasses.replace(event, reason=reason))]
        if event.kind != CLAIM or (event.normal and not ended):
            return
        for pod in self._pods.waiting(event.about):
            told = dataclasses.replace(event, about=pod, kind="Pod")
            if not event.normal:
                self._put(told)
            for reason in ended:
                self._end(dataclasses.replace(told, reason=reason))

    def _put(self, event: Event) -> None:
        body = self._body(event)
        kinds = f"/api/v1/namespaces/{body['metadata']['namespace']}/events"
        try:
            self._cluster.create(kinds, body)
        except Refusal as refusal:
            if refusal.status != 409:
                raise
            self._renew(f"{kinds}/{body['metadata']['name']}", body)

    def _renew(self, path: str, body: Object) -> None:
        """Have an event that is there say what is now; one that has just expired is written anew later."""
        found = self._cluster.get(path)
        if found is not None:
            change = {key: body[key] for key in ("message", "type", "lastTimestamp")}
            if str(found.get("message", "")).startswith(OVER):  # another trouble, that begins now
                change |= {"firstTimestamp": body["firstTimestamp"], "count": 1}
            else:
                change["count"] = int(found.get("count") or 1) + 1
            self._cluster.patch(path, change)

    def _end(self, event: Event) -> bool:
        """Say in an event of that reason that it is over; False when there is none that goes on."""
        body = self._body(event)
        path = f"/api/v1/namespaces/{body['metadata']['namespace']}/events/{body['metadata']['name']}"
        found = self._cluster.get(path)
        message = str((found or {}).get("message", ""))
        if found is None or message.startswith(OVER):
            return False
        said = f"{OVER} at {body['lastTimestamp']}: {message}"[:MESSAGE_LIMIT]
        self._cluster.patch(path, {"type": "Normal", "message": said})
        return True

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
        said = "\0".join((metadata["uid"], event.reason, self._source["host"]))
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
