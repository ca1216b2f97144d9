"""Paths that heal: one that comes late or comes back is added to the map of a volume in use, unasked.

Nothing runs while all is well: the kernel's events, an attach or a detach ring, and only while something is
degraded it is looked at again every few seconds. A look reads sysfs; an array or the helper is asked only for
what can be added. Each array has a lane of its own, so that a dead one keeps no other's paths away.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from nodeagent.host import volume_paths
from nodeagent.host.uevents import Uevents
from nodeagent.recovery.health import Failed, judge
from nodeagent.recovery.lane import Lane

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from instorage.volume_name import VolumeName
    from instorage.wire.values import VolumeUid
    from nodeagent.host.uevents import Uevent
    from nodeagent.operation.node import Node, Operation
    from nodeagent.recovery.lane import Sick

LOOK_SECONDS = 5.0  # between two looks while something is degraded: a path is back within 15 s
REST_SECONDS = 0.5  # after a ring: events come in swarms
BLIND_SECONDS = 10.0  # between two looks where the kernel's events cannot be heard and volumes are here
_LOG = logging.getLogger(__name__)


class Healer:
    """One thread that looks, one that hears the kernel, one for each array that has something to mend.

    `begin` opens an operation with its own request id; `look` are the seconds between looks while degraded.
    """

    def __init__(
        self,
        node: Node,
        begin: Callable[[str, VolumeName | None], AbstractContextManager[Operation]],
        look: float = LOOK_SECONDS,
    ) -> None:
        self._node, self._begin, self._look = node, begin, look
        self._uevents: Uevents | None = None
        self._failed = Failed()  # replaced as a whole
        self._again: set[VolumeUid] = set()  # to be looked at again, though nobody rings
        self._broken_off = False  # whether the last look was: what it was to see is in no set
        self._lanes: dict[str, Lane] = {}
        self.looks = 0
        """How often anything was looked at: none while all is well."""
        self.thread = threading.Thread(target=self._run, name="healing", daemon=True)

    def start(self) -> None:
        """Begin with a look at everything."""
        try:
            self._uevents = Uevents()
            threading.Thread(target=self._hear, args=(self._uevents,), name="uevents", daemon=True).start()
        except OSError as error:
            self._blind(error)
        self._node.expected.look()
        self.thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._node.expected.close()
        if self._uevents is not None:
            self._uevents.close()

    def _hear(self, uevents: Uevents) -> None:
        try:
            while event := uevents.next():
                self._take(event)
        except OSError as error:
            self._blind(error)

    def _blind(self, error: OSError) -> None:
        """Look without the kernel's events from now on; nobody says any more that a path works again."""
        _LOG.warning(
            "The kernel's events cannot be heard (%s): paths are looked at every %.0f s instead. A "
            "policy that forbids the agent a netlink_kobject_uevent_socket does that.",
            error.strerror, BLIND_SECONDS,
        )  # fmt: skip
        self._uevents, self._failed = None, self._failed.doubted()
        self._node.expected.look()

    def _take(self, event: Uevent) -> None:
        """Keep which paths failed, and ring where one may have come or gone."""
        self._failed = self._failed.after(event)
        if event.of_a_path:
            self._node.expected.look()

    def _run(self) -> None:
        while (wake := self._node.expected.wait(self._pause())) is not None:
            if wake.uids or wake.everything:
                time.sleep(min(REST_SECONDS, self._look))  # the rest of a swarm comes within it
            everything = wake.everything or self._broken_off or self._uevents is None
            try:
                self._look_at(None if everything else wake.uids | self._again)
            except Exception:
                self._broken_off = True
                _LOG.exception("Healing met a defect of the agent and goes on")
            else:
                self._broken_off = False

    def _pause(self) -> float | None:
        if self._again or self._broken_off or any(lane.unfinished for lane in self._lanes.values()):
            return self._look
        return BLIND_SECONDS if self._uevents is None and self._node.records.all() else None

    def _look_at(self, uids: frozenset[VolumeUid] | None) -> None:
        """Judge these volumes (None: all), and have the arrays of those that are not well see to them."""
        self.looks += 1
        expected, records = self._node.expected, {record.uid: record for record in self._node.records.all()}
        wanted = records.keys() if uids is None else records.keys() & uids
        maps = volume_paths.maps(self._node.paths.sysfs, wanted) if wanted else {}
        of: dict[str, Sick] = {storage: {} for storage in expected.arrays()}
        for uid, found in maps.items():
            health = judge(found, expected.of(uid), self._failed)
            of.setdefault(records[uid].storage, {})[records[uid]] = found, health
        again: set[VolumeUid] = set()
        for storage, volumes in of.items():
            lane = self._lanes.setdefault(storage, Lane(self._node, self._begin, storage))
            again |= lane.see_to(volumes, self._failed)
        self._again = again
