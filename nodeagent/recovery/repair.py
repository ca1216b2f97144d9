"""What healing asks an array anew: where its volumes' paths lead, and which sessions lead nowhere.

Nothing is removed or logged out here, but sessions of ours to portals that the array has dropped, once no
device is behind them.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from instorage import operation as request
from instorage.configuration.settings import Link
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Iqn, Portal
from instorage.wire.verbs import IscsiPath, LeaveRequest
from nodeagent.host import sessions, volume_paths
from nodeagent.operation.expected import Nexus, end_of
from nodeagent.volume import expected_paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from instorage.arrays.model import Host, Mapping
    from instorage.arrays.protocol import Array
    from instorage.wire.values import VolumeUid
    from nodeagent.host.volume_paths import End
    from nodeagent.operation.expected import SanPath
    from nodeagent.operation.node import Node, Operation

    _Mapped = dict[VolumeUid, tuple[Host, Mapping]]
    _Said = tuple[dict[VolumeUid, tuple[SanPath, ...]], set[End], set[str] | None]
    """The paths of each volume, the array's ends, and its portals or ports, up or down (None: not told)."""

WAIT_MS = 8000  # for sessions to end
ARRAY_SECONDS = 6.0  # for what an array is asked
_LOG = logging.getLogger(__name__)


def refresh(operation: Operation, storage: str) -> None:
    """Ask an array anew over which paths its volumes are to be reached here. Raises what the array raises.

    A port that is down, or whose node is, is shown no more: what led there is expected until the array says
    that it has no such portal or port. Silence, and half an answer, do not say that.
    """
    with request.within(ARRAY_SECONDS):
        array, expected = operation.array(storage), operation.node.expected
        over = _over_iscsi if operation.host.link is Link.ISCSI else _over_fc
        found, ends, still = over(operation, array, _mapped(operation, array))
        for uid, paths in found.items():
            kept = (path for path in expected.of(uid) or () if still is None or _door(path) in still)
            found[uid] = tuple({end_of(path): path for path in (*kept, *paths)}.values())
            ends |= {end_of(path) for path in found[uid] if isinstance(path, Nexus)}
        expected.renew(storage, ends, found)


def _door(path: SanPath) -> str:
    """Return the array's end of a path, by the name under which the array shows it."""
    return str(path.portal) if isinstance(path, IscsiPath) else str(path.path.target)


def _over_iscsi(operation: Operation, array: Array, mapped: _Mapped) -> _Said:
    targets, still = array.iscsi_targets(fresh=True), _configured(array.portals)
    found: dict[VolumeUid, tuple[SanPath, ...]] = {}
    for uid, ends in expected_paths.used(operation.node, mapped).items():
        host, mapping = mapped[uid]
        first = {end for end in ends if still is None or end.portal in still}
        found[uid] = expected_paths.over_iscsi(mapping, targets, host.portset, first)
    return found, {volume_paths.End(target.iqn.lower(), str(target.portal)) for target in targets}, still


def _over_fc(operation: Operation, array: Array, mapped: _Mapped) -> _Said:
    names, sysfs = {host.name for host, _ in mapped.values()}, operation.node.paths.sysfs
    shown = {name: array.fc_targets(name, fresh=True) for name in names}
    found: dict[VolumeUid, tuple[SanPath, ...]] = {
        uid: expected_paths.over_fc(mapping, shown[host.name], sysfs)
        for uid, (host, mapping) in mapped.items()
    }
    away = {
        _door(path)
        for uid in found
        for path in operation.node.expected.of(uid) or ()
        if isinstance(path, Nexus)
    } - {str(target.wwpn) for targets in shown.values() for target in targets}
    return found, set(), _configured(array.fc_ports) if away else None


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


def _configured(ask: Callable[[], Iterable[object]]) -> set[str] | None:
    """Return an array's portals or ports, up or down; None when it does not show them all just now."""
    try:
        return set(map(str, ask()))
    except Fault as fault:
        if fault.code is not Code.ARRAY_ANSWER:
            raise
        return None


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
    others = {end.target for one in expected.arrays() if one != storage for end in expected.ends(one)}
    return {end for end in volume_paths.online_ports(node.paths.sysfs) if end.target not in others}


def leave(operation: Operation, array: Array, found: set[End]) -> None:
    """End sessions to portals that the array has no more, be it up or down; the helper ends only ours."""
    with request.within(ARRAY_SECONDS):
        configured = _configured(array.portals)
    gone = {end for end in found if configured is not None and end.portal not in configured}
    for target in sorted({end.target for end in gone}):
        asked = tuple(Portal.parse(end.portal) for end in sorted(gone, key=str) if end.target == target)
        with operation.helper() as helper:
            helper.leave(LeaveRequest(operation.op, Iqn.parse(target), asked, WAIT_MS))
    left = set(map(volume_paths.session_end, sessions.sessions(operation.node.paths.sysfs)))
    for end in sorted(gone - left, key=str):
        _LOG.warning("Array %s has no %s any more: our session to it is ended", array.name, end)
