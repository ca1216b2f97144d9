"""Paths of one array that are missing in maps in use: tried, and given to multipathd by the helper.

Only ever added: nothing is removed or logged out here, but sessions of ours to portals that the array has
dropped, once no device is behind them.
"""

from __future__ import annotations

import functools
import logging
import time
from typing import TYPE_CHECKING

from instorage import operation as request
from instorage.configuration.settings import Link
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Bytes, Iqn, Portal
from instorage.wire.verbs import AttachRequest, FcPath, IscsiPath, LeaveRequest, Multipath
from nodeagent.host import sessions, volume_paths
from nodeagent.operation.expected import end_of
from nodeagent.volume import expected_paths

if TYPE_CHECKING:
    from instorage.arrays.model import Host, Mapping
    from instorage.arrays.protocol import Array
    from instorage.wire.values import VolumeUid
    from instorage.wire.verbs import AttachReply
    from nodeagent.host.volume_paths import End, VolumeMap
    from nodeagent.operation.expected import SanPath
    from nodeagent.operation.node import Node, Operation
    from nodeagent.operation.records import Record
    from nodeagent.recovery.health import Health

    _Mapped = dict[VolumeUid, tuple[Host, Mapping]]
    _Said = tuple[dict[VolumeUid, tuple[SanPath, ...]], set[End], set[str] | None]
    """The paths of each volume, the ends of the array, and its portals, up or down (None: not to be told)."""

WAIT_MS = 8000  # for login, disk and map of one volume, whose calls wait for it
LOCK_SECONDS = 1.0
ARRAY_SECONDS = 6.0  # for what an array is asked
WIDTH = 12  # volumes at a time; the helper serves 40 connections
_PASSING = (Code.LOCK_TIMEOUT, Code.LOCK_LOST, Code.HELPER_BUSY)
_LOG = logging.getLogger(__name__)


def refresh(operation: Operation, storage: str) -> None:
    """Ask an array anew over which paths its volumes are to be reached here. Raises what the array raises.

    A port that is down, or whose node is, is shown no more: what led there is expected until the array is
    configured without it, over Fibre Channel as long as the volume is here.
    """
    with request.within(ARRAY_SECONDS):
        array, expected = operation.array(storage), operation.node.expected
        over = _over_iscsi if operation.host.link is Link.ISCSI else _over_fc
        found, ends, still = over(operation, array, _mapped(operation, array))
        for uid, paths in found.items():
            kept = (path for path in expected.of(uid) or () if still is None or end_of(path).portal in still)
            found[uid] = tuple({end_of(path): path for path in (*kept, *paths)}.values())
            ends |= {end_of(path) for path in found[uid] if isinstance(path, FcPath)}
        expected.renew(storage, ends, found)


def _over_iscsi(operation: Operation, array: Array, mapped: _Mapped) -> _Said:
    targets, still = array.iscsi_targets(fresh=True), _configured(array)
    found: dict[VolumeUid, tuple[SanPath, ...]] = {}
    for uid, ends in expected_paths.used(operation.node, mapped).items():
        host, mapping = mapped[uid]
        first = {end for end in ends if still is None or end.portal in still}
        found[uid] = expected_paths.over_iscsi(mapping, targets, host.portset, first)
    return found, {volume_paths.End(target.iqn.lower(), str(target.portal)) for target in targets}, still


def _over_fc(operation: Operation, array: Array, mapped: _Mapped) -> _Said:
    names, sysfs = {host.name for host, _ in mapped.values()}, operation.node.paths.sysfs
    shown = {name: array.fc_targets(name, fresh=True) for name in names}
    found = {
        uid: expected_paths.over_fc(mapping, shown[host.name], sysfs)
        for uid, (host, mapping) in mapped.items()
    }
    return found, set(), None


def _mapped(operation: Operation, array: Array) -> _Mapped:
    """Return the mappings of recorded volumes, with their host objects."""
    records = [one for one in operation.node.records.all() if one.storage == array.name]
    found: _Mapped = {}
    for name in sorted({record.host for record in records}):
        host = array.find_host(name)
        mappings = {mapping.uid: mapping for mapping in array.host_mappings(name)} if host else {}
        for record in records:
            if host and record.host == name and record.uid in mappings:
                found[record.uid] = host, mappings[record.uid]
    return found


def _configured(array: Array) -> set[str] | None:
    """Return the portals that an array has, up or down; None when it does not show them all just now."""
    try:
        return {str(portal) for portal in array.portals()}
    except Fault as fault:
        if fault.code is not Code.ARRAY_ANSWER:
            raise
        return None


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
    no_port = {end for end in missing if not end.portal and end.target not in online}
    return found | dict.fromkeys(no_port, "no adapter of this host sees the port")


def add(
    operation: Operation, sick: dict[Record, tuple[VolumeMap, Health]], closed: dict[End, str]
) -> tuple[dict[End, str], bool]:
    """Have the helper add what can be reached, many volumes at a time.

    Returns why the rest is not added, and whether anything was.
    """
    jobs = []
    for record, (found, health) in sick.items():
        wanted = operation.node.expected.of(record.uid) or ()
        paths = [one for one in wanted if end_of(one) in health.missing and end_of(one) not in closed]
        if paths:
            jobs.append(functools.partial(_add_one, operation, record, found, paths))
    why: dict[End, str] = {}
    answers = request.overlap(jobs, width=WIDTH)
    for said, _ in answers:
        why |= said
    return why, any(added for _, added in answers)


def _add_one(
    operation: Operation, record: Record, found: VolumeMap, paths: list[SanPath]
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
        return {end_of(path): fault.sentence for path in paths}, False
    operation.node.expected.queues(record.uid, reply.queueing)
    if not reply.found:
        text = "multipathd does not take its disk into the map: see its journal"
        return {end_of(path): text for path in paths}, False
    refused = {end_of(one.path or one.fc_path): one.sentence for one in reply.refused}  # type: ignore[arg-type]
    if added := [path for path in paths if end_of(path) not in refused]:
        operation.node.expected.look(record.uid)
        names = ", ".join(str(end_of(path)) for path in added)
        _LOG.info("Volume %s: %s given to multipathd again", record.name, names)
    return refused, bool(added)


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
                fc_paths=tuple(path for path in paths if isinstance(path, FcPath)),
                add_only=True,
            )
        )


def strays(node: Node, storage: str) -> set[End]:
    """Return where sessions lead that no volume needs: a target of this array, no known end, no device."""
    sysfs, known = node.paths.sysfs, node.expected.ends(storage)
    targets = {end.target for end in known}
    return {
        end
        for end, sid in ((volume_paths.session_end(one), one.sid) for one in sessions.sessions(sysfs))
        if end.target in targets and end not in known and not sessions.behind(sysfs, sid)
    }


def ports(node: Node, storage: str) -> set[End]:
    """Return the ports over Fibre Channel that are online and not known to be another array's.

    None where this array's volumes are here over iSCSI, or none is.
    """
    expected = node.expected
    if not any(not end.portal for end in expected.ends(storage)):
        return set()
    others = {end for one in expected.arrays() if one != storage for end in expected.ends(one)}
    return {volume_paths.End(name) for name in volume_paths.online_ports(node.paths.sysfs)} - others


def leave(operation: Operation, array: Array, found: set[End]) -> None:
    """End sessions to portals that the array has no more, be it up or down; the helper ends only ours."""
    with request.within(ARRAY_SECONDS):
        configured = _configured(array)
    gone = {end for end in found if configured is not None and end.portal not in configured}
    for target in sorted({end.target for end in gone}):
        asked = tuple(Portal.parse(end.portal) for end in sorted(gone, key=str) if end.target == target)
        with operation.helper() as helper:
            helper.leave(LeaveRequest(operation.op, Iqn.parse(target), asked, WAIT_MS))
    left = set(map(volume_paths.session_end, sessions.sessions(operation.node.paths.sysfs)))
    for end in sorted(gone - left, key=str):
        _LOG.warning("Array %s has no %s any more: our session to it is ended", array.name, end)
