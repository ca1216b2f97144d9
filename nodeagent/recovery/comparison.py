"""What arrays map to this host, compared with the records: strangers are said and never touched.

A mapping becomes ours by a call, never by guessing (architecture.md 6): here nothing is changed, but who
looks after this host reads what nobody else would tell him.
"""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING

from instorage.arrays import naming
from instorage.configuration.settings import Link
from instorage.wire.values import VolumeUid
from nodeagent.host import identity, sessions
from nodeagent.recovery import namesake, unmapped, vanished
from nodeagent.recovery.attempts import attempt_all
from nodeagent.volume import expected_paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from instorage.arrays.model import Host, IscsiTarget, Mapping
    from instorage.arrays.protocol import Array
    from nodeagent.operation.node import Operation
    from nodeagent.operation.records import Record

_LOG = logging.getLogger(__name__)


def compare_all(operation: Operation, suspected: set[str]) -> None:
    """Compare with every array, and ask them for the volumes whose format was broken off here.

    `suspected`: what the comparison before this one has found; see `namesake`.
    """
    jobs: dict[str, Callable[[], None]] = {}
    for storage in operation.configuration.storage:
        array = operation.array(storage.name)
        jobs[f"comparison with {array.name}"] = functools.partial(compare, operation, array, suspected)
    with operation.helper() as helper:
        if not (helper.there or operation.node.records.all()):
            return  # a control plane's host
        replies = helper.inspect_all()
    for reply in replies:
        if reply.uid and reply.formatting and operation.node.records.get(reply.uid) is None:
            forget = functools.partial(vanished.forget_format, operation, reply.uid)
            jobs[f"format of {reply.uid}"] = forget
    attempt_all(operation, "The records could not be compared with what is there", jobs)


def compare(operation: Operation, array: Array, suspected: set[str]) -> None:
    """Report mappings without a record, records without a mapping, and sessions that lead nowhere.

    Raises what the array raises.
    """
    given = identity.assigned(operation.host)
    names = (given,) if given else identity.host_names(operation.host)
    there = set()
    ours: list[tuple[Host, Mapping]] = []
    for name in names:
        operation.progress.say(f"asking array {array.name} what is mapped to {name}")
        if (host := array.find_host(name)) is not None:
            there.add(name)
            ours += [(host, mapping) for mapping in _compare_host(operation, array, name)]
            namesake.look(array, host, suspected, operation.node.paths.sysfs)
    ours += _compare_recorded(operation, array, there)
    if operation.host.link is Link.ISCSI:
        targets = array.iscsi_targets()
        _compare_sessions(operation, array, targets)
        used = expected_paths.used(operation.node, {VolumeUid.parse(mapping.uid) for _, mapping in ours})
        for host, mapping in ours:
            uid = VolumeUid.parse(mapping.uid)
            over = expected_paths.over_iscsi(mapping, targets, host.portset, used[uid])
            operation.node.expected.note(array.name, uid, over)
    else:
        for host, mapping in ours:
            ports = array.fc_targets(host.name, dict(mapping.luns))
            paths = expected_paths.over_fc(mapping, ports, operation.node.paths.sysfs)
            operation.node.expected.note(array.name, VolumeUid.parse(mapping.uid), paths)


def _compare_recorded(operation: Operation, array: Array, there: set[str]) -> list[tuple[Host, Mapping]]:
    """Compare the host objects of records that are not `there`, as an administrator's; say which are gone."""
    found, jobs = [], {}
    records = [record for record in operation.node.records.all() if record.storage == array.name]
    for name in sorted({record.host for record in records} - there):
        if (host := array.find_host(name)) is not None:
            if operation.host.link is Link.FC:  # zoning made it, under any name
                found += [(host, mapping) for mapping in _compare_host(operation, array, name)]
        else:
            theirs = [record for record in records if record.host == name]
            jobs[f"host object {name} of array {array.name}"] = functools.partial(
                _say_gone, operation, array, name, theirs
            )
    attempt_all(operation, "What became of a host object that is not there is not known", jobs)
    return found


def _say_gone(operation: Operation, array: Array, name: str, records: Iterable[Record]) -> None:
    """Say that a host object is gone, unless these are all on another array than their name means by now."""
    moved = [unmapped.moved(operation, array, record) for record in records]  # each of them is said
    if all(moved):
        return
    _LOG.warning(
        "Host object %s, to which volumes of this host were mapped, is not on array %s any more. If "
        "it was renamed, add to the configuration: host.objects: {%s: ITS NAME}; nothing new is "
        "attached before. What is mapped goes with its pods, whatever its name.",
        name, array.name, operation.host.node_name,
    )  # fmt: skip


def _compare_sessions(operation: Operation, array: Array, known: Iterable[IscsiTarget]) -> None:
    """Say which sessions to this array's targets lead to a portal that it does not name any more."""
    named = {(target.iqn.lower(), str(target.portal)) for target in known}
    targets = {iqn for iqn, _ in named}
    for session in sessions.sessions(operation.node.paths.sysfs):
        target = session.target.lower()
        if target in targets and (target, session.portal) not in named:
            _LOG.warning(
                "Session %s to %s leads to portal %s (%s), which array %s no longer names: if no disk is "
                "behind it, end it with iscsiadm -m session -r %s --logout.",
                session.sid, session.target, session.portal, session.state, array.name, session.sid,
            )  # fmt: skip


def _compare_host(operation: Operation, array: Array, host: str) -> list[Mapping]:
    """Compare what is mapped to one host object; return the mappings that are recorded."""
    records = operation.node.records
    ours = [record for record in records.all() if (record.storage, record.host) == (array.name, host)]
    # By UID: somebody may have renamed a volume that is in use here.
    before: dict[str, str] = {record.uid: record.name for record in ours}
    mappings = array.host_mappings(host)
    mapped = {mapping.uid: mapping.volume for mapping in mappings}
    # Read again: a volume that is attached or detached meanwhile is in one of the two and no stranger.
    after = {str(record.uid): record.storage for record in records.all()}
    for name in sorted(mapped[uid] for uid in mapped.keys() - before.keys() - after.keys()):
        _LOG.warning(
            "Array %s maps volume %s to this host (%s), and nothing here says that it is ours: left alone; "
            "unmap it by hand if nobody uses it, and no other machine has this one's initiator name.",
            array.name, name, host,
        )  # fmt: skip
    gone = {uid for uid in before.keys() - mapped.keys() if after.get(uid) == array.name}
    jobs = {
        f"volume {record.name}, which is not mapped any more": functools.partial(
            unmapped.say, operation, array, record
        )
        for record in ours
        if record.uid in gone
    }
    attempt_all(operation, "What became of a volume that is not mapped any more is not known", jobs)
    for uid in before.keys() & mapped.keys():
        if before[uid] != mapped[uid]:
            _LOG.warning(
                "Volume %s, which is attached here, is called «%s» on array %s now: it was renamed there. It "
                "can neither grow nor be attached anew until it has its name back: %s.",
                before[uid], mapped[uid], array.name, naming.command(before[uid], mapped[uid]),
            )  # fmt: skip
    return [mapping for mapping in mappings if mapping.uid in before]
