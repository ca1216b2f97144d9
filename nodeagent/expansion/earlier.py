"""An earlier expansion whose record is kept although no barrier file is there any more.

A person removed the file, which by the manual (chapter 6, note 3) says that the volume was repaired. That
word is taken for the one thing that the array cannot show, whether the copies are alike; everything else is
looked at. `instoragectl barrier resume` takes no word and needs none.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from instorage.arrays.expansion import Progress
from instorage.wire.fault import Code, Fault
from nodeagent.expansion import barrier
from nodeagent.expansion.guard import planned
from nodeagent.operation.steps import Step, reached

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from instorage.arrays.expansion import Expansion, Plan
    from instorage.arrays.model import Volume
    from instorage.arrays.protocol import Array
    from instorage.volume_name import VolumeName
    from nodeagent.host.helper_client import Helper
    from nodeagent.operation.node import Operation

_DOUBT = (
    " By hand alone it does not end: the array may have tied the copies by this program's own order with "
    "-sync, and nobody can vouch that they were alike."
)
_WORD = (
    " Its record is forgotten. Whether its copies were alike when they were tied again, if that was with "
    "-sync, the array does not show: that is the word of who removed the barrier file."
)
_LOG = logging.getLogger(__name__)


def settle(helper: Helper, array: Array, volume: Volume) -> None:
    """Forget the records of a volume that the array shows whole, or as it was before the first command.

    To be called under the exclusive host lock, with no barrier file there. `Fault(VOLUME_NOT_READY)` says
    what is left otherwise, and while a command whose answer was lost may still be carried out.
    """
    for record in barrier.records(helper.barrier()):
        if record.uid == volume.uid:
            left = array.expansion_plan(record)
            if not over(record, left):
                raise _unfinished(record, _for_who_vouches(array, record, left))
            _LOG.warning("%s", said(record, left))
            helper.barrier(record.uid, erase=True)
            reached(Step.AGENT_EXPAND_FORGOTTEN)


@contextlib.contextmanager
def explained(operation: Operation, helper: Helper, storage: str, name: VolumeName) -> Iterator[None]:
    """Say of a volume that is no active-active one just now what is left, when this host has its record."""
    try:
        yield
    except Fault as fault:
        if fault.code is not Code.VOLUME_NOT_READY or "array" not in fault.fields:  # offline: another matter
            raise
        for record in barrier.records(helper.barrier()):
            if (record.array, record.volume, record.state) == (storage, name, Progress.FAILED):
                left = planned(operation.array(storage).expansion_plan, record)
                if left is not None and not left.whole:
                    raise _unfinished(record, left) from fault
        raise


def finished(operation: Operation, array: Array, records: Sequence[Expansion]) -> bool:
    """Tell whether the array shows whole what these records are about, and no barrier file is there."""
    if barrier.present(operation.configuration) is not None:
        return False
    plans = [(one, array.expansion_plan(one)) for one in records if one.array == array.name]
    return len(plans) == len(records) and all(over(*one) and not one[1].untouched for one in plans)


def over(record: Expansion, left: Plan, *, given_up: bool = False) -> bool:
    """Tell whether a record may be forgotten, now that a person has removed the barrier file.

    `given_up`: the person says it of this volume here and now, so that it counts as well at its old size.
    """
    by_hand = left.repaired or left.untouched or (left.given_up and given_up)
    return left.whole or (by_hand and record.unsettled == 0)


def said(record: Expansion, left: Plan) -> str:
    """Return why the record is forgotten, for people."""
    if left.untouched:
        return f"Nothing of the broken-off expansion of volume {record.volume} was done: it begins anew."
    if left.gone:
        return f"Volume {record.volume} has no copy on array {record.array} any more: the record goes."
    if left.whole:
        return f"Volume {record.volume} is whole: the record of its broken-off expansion is forgotten."
    if left.given_up:
        first = f"Volume {record.volume} was tied again by hand at its old size, and its expansion given up."
    else:
        first = f"Volume {record.volume} was made whole by hand after its expansion was broken off."
    return first + _WORD


def _for_who_vouches(array: Array, record: Expansion, left: Plan) -> Plan:
    """Return what is left when the relationship that is there counts, by the word of who removed the file."""
    if record.maybe_synced:
        return left
    told = array.expansion_plan(replace(record, alike=True))
    return left if told.whole else told


def _unfinished(record: Expansion, left: Plan) -> Fault:
    name = record.volume
    return Fault(
        Code.VOLUME_NOT_READY,
        f"An expansion of volume {name} was broken off and is not finished: {_what(record, left)} On this "
        f"node «instoragectl barrier resume {name}» does all of it, «instoragectl barrier plan {name}» says "
        "more.",
        volume=name,
        array=record.array,
    )


def _what(record: Expansion, left: Plan) -> str:
    if record.unsettled:
        return f"array {record.array} may still do what was sent last, for {record.unsettled:.0f} s more."
    if left.questions:
        return " ".join(left.questions)
    commands = "; ".join(one.command for one in left.commands)
    doubt = _DOUBT if record.maybe_synced else ""
    return f"left on array {record.array}, in this order: {commands}." + doubt
