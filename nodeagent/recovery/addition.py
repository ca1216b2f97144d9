"""Paths that are missing in maps in use: which can be reached, and those given to multipathd by the helper.

Only ever added: nothing is removed here, and no map is made.
"""

from __future__ import annotations

import functools
import logging
import time
from typing import TYPE_CHECKING

from instorage import operation as request
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Bytes, Portal
from instorage.wire.verbs import AttachRequest, IscsiPath, Multipath
from nodeagent.host import sessions, volume_paths
from nodeagent.operation.expected import Nexus, end_of
from nodeagent.recovery.refusals import Refusals

if TYPE_CHECKING:
    from instorage.wire.verbs import AttachReply, FcPath
    from nodeagent.host.volume_paths import End, VolumeMap
    from nodeagent.operation.expected import SanPath
    from nodeagent.operation.node import Operation
    from nodeagent.operation.records import Record
    from nodeagent.recovery.health import Health

WAIT_MS = 8000  # for login, disk and map of one volume, whose calls wait for it
LOCK_SECONDS = 1.0
WIDTH = 12  # volumes at a time; the helper serves 40 connections
NOT_TAKEN = "multipathd does not take its disk into the map: see its journal"
_PASSING = (Code.LOCK_TIMEOUT, Code.LOCK_LOST, Code.HELPER_BUSY)
_LOG = logging.getLogger(__name__)


def unreached(operation: Operation, health: list[Health]) -> dict[End, str]:
    """Return which missing ends cannot be reached now, and why: silent portals, absent ports."""
    sysfs = operation.node.paths.sysfs
    missing = {end for one in health for end in one.missing}
    connected = sessions.connected(sysfs)
    asked = {end: Portal.parse(end.portal) for end in missing if end.portal}
    away = [portal for portal in asked.values() if str(portal) not in connected]
    silent = operation.node.portals.probe(away)
    found = {end: f"the portal {silent[portal]}" for end, portal in asked.items() if portal in silent}
    online = volume_paths.online_ports(sysfs)
    no_port = {end for end in missing if not end.portal and end not in online}
    return found | dict.fromkeys(no_port, "the adapter does not see the port")


class Addition:
    """Adds what is missing for the volumes of one array; `add` is for one thread at a time."""

    def __init__(self) -> None:
        self._refusals = Refusals()

    def add(
        self, operation: Operation, sick: dict[Record, tuple[VolumeMap, Health]], closed: dict[End, str]
    ) -> tuple[dict[End, str], bool]:
        """Have the helper add what can be reached, many volumes at a time.

        Returns why the rest is not added, and whether anything was.
        """
        jobs = []
        why: dict[End, str] = {}
        for record, (found, health) in sick.items():
            wanted = [
                one for one in operation.node.expected.of(record.uid) or () if end_of(one) in health.missing
            ]
            resting = self._refusals.resting(found, map(end_of, wanted))
            why |= resting
            paths = [one for one in wanted if end_of(one) not in closed.keys() | resting.keys()]
            if paths:
                jobs.append(functools.partial(self._add_one, operation, record, found, paths))
        answers = request.overlap(jobs, width=WIDTH)
        for said, _ in answers:
            why |= said
        return why, any(added for _, added in answers)

    def _add_one(
        self, operation: Operation, record: Record, found: VolumeMap, paths: list[SanPath]
    ) -> tuple[dict[End, str], bool]:
        deadline = time.monotonic() + LOCK_SECONDS
        try:
            with operation.node.locks.held(
                record.name, f"healing of {record.name}", operation.progress, deadline
            ):
                if operation.node.records.get(record.uid) is None:
                    return {}, False
                reply = _ask(operation, record, found, paths)
        except Fault as fault:
            if fault.code in _PASSING:
                return {}, False
            _LOG.debug("Volume %s: no path was added: %s", record.name, fault)
            self._refusals.note(found, map(end_of, paths), fault.code.value, fault.sentence)
            self._refusals.tell(record, found, fault)
            return {end_of(path): fault.sentence for path in paths}, False
        operation.node.expected.queues(record.uid, reply.queueing)
        for one in reply.refused:
            ends = (end_of(path) for path in paths if _asked(path) == (one.path or one.fc_path))
            self._refusals.note(found, ends, one.code, one.sentence)
        return _added(operation, record, paths, reply)


def _added(
    operation: Operation, record: Record, paths: list[SanPath], reply: AttachReply
) -> tuple[dict[End, str], bool]:
    """Return why some of these paths were not added, and whether any was: which are in the map now.

    What the helper refused over Fibre Channel it tells by the port, which other adapters may see.
    """
    sysfs = operation.node.paths.sysfs
    now = volume_paths.maps(sysfs, {record.uid}).get(record.uid)
    inside = {path.end for path in now.paths} if now else set()
    said = {one.path or one.fc_path: one.sentence for one in reply.refused}
    ends = {end_of(path): _asked(path) for path in paths}
    why = {end: said.get(path, NOT_TAKEN) for end, path in ends.items() if end not in inside}
    if added := sorted(str(end) for end in ends.keys() - why.keys()):
        operation.node.expected.look(record.uid)
        _LOG.info("Volume %s: %s given to multipathd again", record.name, ", ".join(added))
    return why, bool(added)


def _asked(path: SanPath) -> IscsiPath | FcPath:
    """Return what the helper is asked for: over Fibre Channel all adapters at once."""
    return path.path if isinstance(path, Nexus) else path


def _ask(operation: Operation, record: Record, found: VolumeMap, paths: list[SanPath]) -> AttachReply:
    """Ask with the host lock, which an expansion has for itself alone: then it is tried later."""
    with operation.helper() as helper:
        helper.lock(LOCK_SECONDS)
        return helper.attach(
            AttachRequest(
                op=operation.op,
                uid=record.uid,
                size=Bytes(found.size),
                paths=tuple(path for path in paths if isinstance(path, IscsiPath)),
                multipath=Multipath.PREFERRED,
                wait_ms=WAIT_MS,
                fc_paths=tuple(dict.fromkeys(path.path for path in paths if isinstance(path, Nexus))),
                add_only=True,
            )
        )
