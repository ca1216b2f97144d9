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
from provisioner import complaint, persistent_volume
from provisioner.claims import is_ours, wanted
from provisioner.cluster import Away, Refusal
from provisioner.copies import Copies
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
    from provisioner.stranded import Stranded

CLAIM, VOLUME, ARRAY = "claim", "volume", "array"
LOOK_SECONDS = 20.0  # an idle worker comes round that often, to say that it lives
STUCK_SECONDS = 600.0  # each array call and API request has a shorter deadline
_LOG = logging.getLogger(__name__)
_DEAD = (
    Code.ARRAY_UNREACHABLE, Code.ARRAY_AUTHENTICATION, Code.ARRAY_HOST_KEY, Code.ARRAY_ALGORITHMS,
    Code.ARRAY_SESSIONS, Code.TIMEOUT, Code.OUTCOME_UNKNOWN,
)  # fmt: skip


@dataclass(frozen=True)
class Work:
    """What workers do, and whom they tell."""

    creation: Creation
    deletion: Deletion
    stranded: Stranded
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
        self._copies = Copies(cluster, self._class_changed, self._volume_changed, self._claim_changed)
        self._workers = [
            threading.Thread(target=self._run, name=f"worker-{number}", daemon=True)
            for number in range(threads)
        ]

    def start(self) -> None:
        """Follow the API server; workers begin when all three copies are whole."""
        self._work.creation.outlive()
        self._copies.start()
        for array in self._work.orphans.arrays():
            self._queue.add((ARRAY, array))
        for claim in self._work.creation.unfinished():  # of an earlier term: those gone since come in no list
            self._queue.add((CLAIM, claim))
        for worker in self._workers:
            worker.start()

    @property
    def ready(self) -> bool:
        """True after the first list of everything."""
        return self._copies.ready

    def stop(self, seconds: float, *, lost: bool = False) -> bool:
        """Take nothing new, finish what is under way; False when that takes longer than `seconds`."""
        self._queue.close()
        if lost:  # another one may lead already: nothing that workers are still at is proven any more
            self._work.creation.outlive()
        deadline = time.monotonic() + seconds
        self._copies.stop()
        for worker in self._workers:
            worker.join(timeout=max(0.0, deadline - time.monotonic()))
        self._work.creation.outlive()  # also for a worker that did not end
        return not any(worker.is_alive() for worker in self._workers)

    def _class_changed(self, _old: Object | None, new: Object | None) -> None:
        """Look again at the claims of a class that came or changed."""
        if new is not None and new.get("provisioner") == self._provisioner:
            for claim in self._copies.claims_of(new["metadata"]["name"]):
                if not claim["spec"].get("volumeName"):
                    self._queue.add((CLAIM, claim["metadata"]["uid"]))

    def _claim_changed(self, old: Object | None, new: Object | None) -> None:
        claim = new or old or {}
        uid = claim["metadata"]["uid"]
        self._work.creation.seen(claim, gone=new is None, early=not self._copies.claims_listed)
        if new is None:
            self._work.growth.forget(uid)
            if self._work.creation.begun(uid) is not None:
                self._queue.add((CLAIM, uid))
            for volume in self._copies.volumes_for(claim):
                self._volume_changed(None, volume)
        elif self._unbound(new) or self._work.creation.begun(uid) or self._work.waits(new):
            self._queue.add((CLAIM, uid))

    def _unbound(self, claim: Object) -> bool:
        return is_ours(claim, self._copies.storage_class(claim), self._provisioner)

    def _volume_changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None:
            if self._work.deletion.concerns(new) or self._work.stranded.concerns(new):
                self._queue.add((VOLUME, new["metadata"]["uid"]))
        elif old is not None:
            self._work.deletion.vanished(old)
            self._work.stranded.forget(old["metadata"]["uid"])
            claim = self._copies.claim_of(old)
            if claim is not None and self._unbound(claim):  # its PV went before it was bound
                self._queue.add((CLAIM, claim["metadata"]["uid"]))

    def _array_of(self, key: Key) -> str:
        """Return the array that a key is about, the default one when none is named."""
        if key[0] == ARRAY:
            return key[1]
        named = self._copies.array_of_volume if key[0] == VOLUME else self._copies.array_of_claim
        return named(key[1]) or self._default

    def _run(self) -> None:
        for reflection in self._copies.all:
            while not reflection.listed.wait(LOOK_SECONDS / 4):
                if self._queue.closed:
                    return
                self.look_alive()
        while not self._queue.closed:
            key = self._queue.take(LOOK_SECONDS)
            if key is not None:
                self._handle(key)
            self.look_alive()

    def look_alive(self) -> None:
        """Feed the watchdog, while every thread of this program gets on."""
        if self._queue.oldest() < STUCK_SECONDS and self._copies.alive and self._work.events.alive:
            self._alive()

    def _handle(self, key: Key) -> None:
        operation.current.set(uuid.uuid4().hex[:12])
        try:
            done = self._done(key)
        except Exception:  # not even a complaint is possible: the others go on
            _LOG.exception("%s %s: an error of this program; nothing can be said on the object", *key)
            done = False
        if done:
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
            said = complaint.of_fault(fault, again=True)
            self._complain(key, said, waits=fault.code is Code.VOLUME_PROTECTED)
        except Refusal as refusal:
            self._complain(key, complaint.of_refusal(refusal))
        except Away as away:
            _LOG.warning("%s %s: the API server did not do it: %s", *key, away)
        except Exception:
            _LOG.exception("%s %s: an error of this program", *key)
            self._complain(key, "An error of the provisioner itself: its log has it; please report it.")
        else:
            return True
        return False

    def _look(self, key: Key) -> None:
        if key[0] == ARRAY:
            self._work.orphans.run(key[1], self._copies.objects)
            return
        if key[0] == VOLUME:
            self._look_at_volume(key)
            return
        claim = self._copies.claim(key[1])
        begun = self._work.creation.begun(key[1])
        if begun is not None and (claim is None or claim["spec"].get("volumeName")):
            self._work.creation.undo(begun)
        elif claim is None:
            return
        elif claim["spec"].get("volumeName"):
            self._grow(claim)
        elif self._unbound(claim) and not self._copies.volumes_of(key[1]):  # one that waits to be bound
            self._provision(claim)

    def _look_at_volume(self, key: Key) -> None:
        volume = self._copies.volume(key[1])
        if volume is None:
            return
        if self._work.deletion.concerns(volume):
            self._work.deletion.run(volume)
        elif self._work.stranded.concerns(volume) and (again := self._work.stranded.run(volume)):
            self._queue.later(key, again)

    def _provision(self, claim: Object) -> None:
        found = self._copies.storage_class(claim)
        if found is None:
            return
        try:
            asked = wanted(claim, found)
        except Fault as fault:  # nothing to wait for: a change of claim or class brings it back
            self._work.events.say(complaint.of_claim(claim, complaint.of_fault(fault, again=False)))
            return
        self._work.creation.run(asked)

    def _grow(self, claim: Object) -> None:
        if self._work.rebinding.concerns(claim):
            self._work.rebinding.run(claim, self._copies.volume_named(claim["spec"]["volumeName"]))
            return
        if not self._work.growth.concerns(claim):  # bound while it was served: the array has nothing to say
            return
        if (held := self._copies.bound_volume(claim)) and persistent_volume.is_ours(held, self._provisioner):
            self._work.growth.run(claim, held)

    def _complain(self, key: Key, sentence: str, *, waits: bool = False) -> None:
        volume = self._copies.volume(key[1]) if key[0] == VOLUME else None
        claim = self._copies.claim(key[1]) if key[0] == CLAIM else None
        if claim is not None and sentence:
            binds = self._work.rebinding.concerns(claim)
            self._work.events.say(complaint.of_claim(claim, sentence, waits=binds))
        elif volume is not None and sentence:
            self._work.events.say(complaint.of_volume(volume, sentence, waits=waits))
        else:
            _LOG.warning("%s %s: %s", *key, sentence or "the API server refuses it for now")
