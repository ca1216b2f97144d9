"""Expands an active-active volume, and finishes what was broken off (safety.md 18, point by point).

Between the first step and the sixth there is no relationship: what is written then is on the master only. So
the file system is frozen, `-sync` is believed only as far as the freeze is proven, before the command and
after it, and everything else is a full synchronisation.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from instorage.arrays.as18000 import named
from instorage.arrays.as18000.active_active import picture as pictures
from instorage.arrays.as18000.active_active.plan import done, plan
from instorage.arrays.as18000.active_active.ready import require_growable, require_ready
from instorage.arrays.as18000.active_active.sequence import Sequence, refuse_questions
from instorage.arrays.as18000.volumes import whole_gib
from instorage.arrays.expansion import Expansion, Progress, Step
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Bytes

if TYPE_CHECKING:
    from instorage.arrays.active_active import ActiveActive
    from instorage.arrays.as18000.session.cli import Cli
    from instorage.arrays.endpoint import Limits
    from instorage.arrays.expansion import Guard, Plan
    from instorage.volume_name import VolumeName

POLL = 0.5


def expand(cli: Cli, name: VolumeName, size: int, *, host: str, guard: Guard, limits: Limits) -> ActiveActive:
    """Make all four vdisks at least `size` bytes; see `Array.expand_active_active`."""
    picture = pictures.read(cli, name)
    named.require(cli, name, picture.members[0].uid, guard.uid)
    target = whole_gib(size)
    if all(member.size >= size for member in picture.members):
        return picture
    if target >= 1 << 60:
        raise Fault(Code.BAD_REQUEST, f"{size} is not a size in bytes.", value=str(size)[:40])
    record = Expansion(
        array=cli.array,
        volume=name,
        uid=picture.members[0].uid,
        host=host,
        system=pictures.system_name(cli),
        members=picture.members,
        access=picture.access,
        target=Bytes(target),
    )
    return _begin(cli, record, picture, guard, limits)


def left(cli: Cli, record: Expansion) -> Plan:
    """Return what is left of an expansion; see `Array.expansion_plan`."""
    found = plan(record, pictures.reread(cli, record.volume, record.members))
    if found.gone and pictures.system_name(cli) != record.system:
        return replace(found, gone=False)  # another array has its name in the configuration now
    return found


def resume(cli: Cli, record: Expansion, guard: Guard, *, limits: Limits) -> ActiveActive:
    """Finish a broken-off expansion; see `Array.resume_expansion`."""
    picture = settle(cli, record)
    todo = plan(record, picture)
    refuse_questions(record, todo)
    if todo.untouched:
        guard.erase()  # the array is as it was: this begins anew, with everything looked at again
        record = replace(record, state=Progress.RUNNING, step=None, answered=True, failure="")
        return _begin(cli, record, picture, guard, limits)
    if todo.commands and todo.commands[0].step is Step.UNTIE:
        require_growable(cli, picture, record.target)  # else what is tied now would stay untied
    sequence = Sequence(cli, record, picture, guard, limits)
    sequence.attempt(lambda: sequence.follow(todo))
    return sequence.finish()


def settle(cli: Cli, record: Expansion) -> ActiveActive:
    """Return the picture once a command whose answer never came is done, or cannot come any more."""
    while True:
        picture = pictures.reread(cli, record.volume, record.members)
        left = record.unsettled
        if left <= 0 or (record.step and done(record, picture, record.step)):
            return picture
        time.sleep(min(POLL, left))


def _begin(cli: Cli, record: Expansion, picture: ActiveActive, guard: Guard, limits: Limits) -> ActiveActive:
    require_ready(cli, picture, record.host, record.target)
    sequence = Sequence(cli, record, picture, guard, limits)
    try:
        guard.write(record)
        sequence.freeze()
    except BaseException:
        sequence.thaw()
        guard.erase()  # nothing was sent
        raise
    sequence.attempt(sequence.nine)
    return sequence.finish()
