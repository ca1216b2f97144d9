"""The work: what changed becomes a key, a worker looks at the key's object and does what is to be done."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from instorage import operation
from instorage.wire.fault import Code, Fault
from provisioner import persistent_volume
from provisioner.claims import class_of, is_ours, notes, wanted
from provisioner.cluster import CLAIMS, CLASSES, VOLUMES, Away, Refusal
from provisioner.events import Event
from provisioner.reflection import Reflection
from provisioner.work_queue import Key, WorkQueue

if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioner.cluster import Cluster, Object
    from provisioner.creation import Creation
    from provisioner.deletion import Deletion
    from provisioner.events import Events
    from provisioner.growth import Growth
    from provisioner.orphans import Orphans
    from provisioner.rebinding import Rebinding

CLAIM, VOLUME, ARRAY = "claim", "volume", "array"
LOOK_SECONDS = 20.0  # an idle worker comes round that often, to say that it lives
STUCK_SECONDS = 600.0  # each array call and API request has a shorter deadline
_LOG = logging.getLogger(__name__)
_DEAD = (
    Code.ARRAY_UNREACHABLE,
    Code.ARRAY_AUTHENTICATION,
    Code.ARRAY_HOST_KEY,
    Code.TIMEOUT,
    Code.OUTCOME_UNKNOWN,
)


@dataclass(frozen=True)
class Work:
    """What workers do, and whom they tell."""

    creation: Creation
    deletion: Deletion
    growth: Growth
    rebinding: Rebinding
    orphans: Orphans
    events: Events

    def waits(self, claim: Object) -> bool:
        """Say whether a claim that names a PV may wait for something: for it, or for more room in it."""
        return self.growth.concerns(claim) or self.rebinding.concerns(claim)


class Controller:
    """Follows claims, classes and PVs, and works on them with `threads` workers, from `start` to `stop`."""

    def __init__(
        self, cluster: Cluster, work: Work, provisioner: str, threads: int, alive: Callable[[], None]
    ) -> None:
        self._work = work
        self._provisioner = provisioner
        self._alive = alive
        self._default = work.orphans.arrays()[0]
        self._queue = WorkQueue(self._array_of, max(1, threads * 3 // 4))
        self._classes = Reflection(cluster, CLASSES, self._class_changed)
        self._claims = Reflection(cluster, CLAIMS, self._claim_changed)
        self._volumes = Reflection(cluster, VOLUMES, self._volume_changed)
        self._workers = [
            threading.Thread(target=self._run, name=f"worker-{number}", daemon=True)
            for number in range(threads)
        ]

    def start(self) -> None:
        """Follow the API server; workers begin when all three copies are whole."""
        for reflection in self._reflections:
            reflection.start()
        for array in self._work.orphans.arrays():
            self._queue.add((ARRAY, array))
        for worker in self._workers:
            worker.start()

    @property
    def ready(self) -> bool:
        """True after the first list of everything."""
        return all(reflection.listed.is_set() for reflection in self._reflections)

    def stop(self, seconds: float) -> bool:
        """Take nothing new, finish what is under way; False when that takes longer than `seconds`."""
        self._queue.close()
        deadline = time.monotonic() + seconds
        for reflection in self._reflections:
            reflection.stop()
        for worker in self._workers:
            worker.join(timeout=max(0.0, deadline - time.monotonic()))
        return not any(worker.is_alive() for worker in self._workers)

    @property
    def _reflections(self) -> tuple[Reflection, Reflection, Reflection]:
        return self._classes, self._volumes, self._claims

    def _class_changed(self, _old: Object | None, new: Object | None) -> None:
        """Look again at the claims of a class that came or changed."""
        if new is not None and new.get("provisioner") == self._provisioner:
            for claim in self._claims.all():
                if class_of(claim) == new["metadata"]["name"] and not claim["spec"].get("volumeName"):
                    self._queue.add((CLAIM, claim["metadata"]["uid"]))

    def _claim_changed(self, old: Object | None, new: Object | None) -> None:
        claim = new or old or {}
        uid = claim["metadata"]["uid"]
        self._work.creation.seen(claim, gone=new is None, early=not self._claims.listed.is_set())
        if new is None:
            if self._work.creation.begun(uid) is not None:
                self._queue.add((CLAIM, uid))
            for volume in self._volumes.all():
                if persistent_volume.names_claim(volume, claim):
                    self._volume_changed(None, volume)
        elif self._unbound(new) or self._work.creation.begun(uid) or self._work.waits(new):
            self._queue.add((CLAIM, uid))

    def _unbound(self, claim: Object) -> bool:
        return is_ours(claim, self._class(class_of(claim)), self._provisioner)

    def _volume_changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None:
            if self._work.deletion.concerns(new):
                self._queue.add((VOLUME, new["metadata"]["uid"]))
        elif old is not None:
            self._work.deletion.vanished(old)

    def _class(self, name: str) -> Object | None:
        return next((found for found in self._classes.all() if found["metadata"]["name"] == name), None)

    def _array_of(self, key: Key) -> str:
        """Return the array that a key is about, the default one when none is named."""
        if key[0] == ARRAY:
            return key[1]
        if key[0] == VOLUME:
            volume = self._volumes.get(key[1]) or {"spec": {}}
            return persistent_volume.options(volume).get("storageName") or self._default
        claim = self._claims.get(key[1])
        found = self._class(class_of(claim)) if claim else None
        return str(((found or {}).get("parameters") or {}).get("storageName") or self._default)

    def _run(self) -> None:
        for reflection in self._reflections:
            while not reflection.listed.wait(LOOK_SECONDS / 4):
                if self._queue.closed:
                    return
                self._alive()
        while not self._queue.closed:
            key = self._queue.take(LOOK_SECONDS)
            if key is not None:
                self._handle(key)
            if self._queue.oldest() < STUCK_SECONDS:
                self._alive()

    def _handle(self, key: Key) -> None:
        operation.current.set(uuid.uuid4().hex[:12])
        if self._done(key):
            self._queue.trouble(key, now=False)
            self._queue.done(key)
        else:
            _LOG.debug("%s %s: tried again in %.0f s", *key, self._queue.failed(key))

    def _done(self, key: Key) -> bool:
        """Do what a key needs; say what went wrong, and False, when it must be done again."""
        try:
            self._look(key)
        except Fault as fault:
            self._queue.trouble(key, now=fault.code in _DEAD)
            self._complain(key, fault.sentence)
        except (Away, Refusal) as error:
            _LOG.warning("%s %s: the API server did not do it: %s", *key, error)
        except Exception:
            _LOG.exception("%s %s: an error of this program", *key)
            self._complain(key, "An error of the provisioner itself: its log has it; please report it.")
        else:
            return True
        return False

    def _look(self, key: Key) -> None:
        if key[0] == ARRAY:
            self._work.orphans.run(key[1], lambda: self._claims.all() + self._volumes.all())
            return
        if key[0] == VOLUME:
            volume = self._volumes.get(key[1])
            if volume is not None and self._work.deletion.concerns(volume):
                self._work.deletion.run(volume)
            return
        claim = self._claims.get(key[1])
        begun = self._work.creation.begun(key[1])
        if begun is not None and (claim is None or claim["spec"].get("volumeName")):
            self._work.creation.undo(begun)
        elif claim is None:
            return
        elif claim["spec"].get("volumeName"):
            self._grow(claim)
        elif self._unbound(claim) and not self._made(claim):
            self._provision(claim)

    def _made(self, claim: Object) -> bool:
        """Say whether the claim's PV is there and only waits to be bound."""
        uid = claim["metadata"]["uid"]
        return any((found["spec"].get("claimRef") or {}).get("uid") == uid for found in self._volumes.all())

    def _provision(self, claim: Object) -> None:
        found = self._class(class_of(claim))
        if found is None:
            return
        try:
            asked = wanted(claim, found)
        except Fault as fault:  # nothing to wait for: a change of claim or class brings it back
            self._fail(claim, fault.sentence)
            return
        self._work.creation.run(asked)

    def _grow(self, claim: Object) -> None:
        name = claim["spec"]["volumeName"]
        volume = next((found for found in self._volumes.all() if found["metadata"]["name"] == name), None)
        if self._work.rebinding.concerns(claim):
            self._work.rebinding.run(claim, volume)
        elif volume is not None and notes(volume) and persistent_volume.is_ours(volume, self._provisioner):
            self._work.growth.run(claim, volume)

    def _complain(self, key: Key, sentence: str) -> None:
        volume = self._volumes.get(key[1]) if key[0] == VOLUME else None
        claim = self._claims.get(key[1]) if key[0] == CLAIM else None
        if claim is not None:
            self._fail(claim, sentence)
        elif volume is not None:
            event = Event(
                volume, "PersistentVolume", normal=False, reason="VolumeFailedDelete", message=sentence
            )
            self._work.events.say(event)
        else:
            _LOG.warning("%s %s: %s", *key, sentence)

    def _fail(self, claim: Object, sentence: str) -> None:
        named, waits = claim["spec"].get("volumeName"), self._work.rebinding.concerns(claim)
        reason = "BindingWaits" if waits else "ExpansionBlocked" if named else "ProvisioningFailed"
        event = Event(claim, "PersistentVolumeClaim", normal=False, reason=reason, message=sentence)
        self._work.events.say(event)
