"""What the barrier file says: to people first, then the record in one line for programs.

While an expansion runs its text stays the same: each event in the plugin directory makes kubelet run `init`.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from instorage.arrays.expansion import NINE, Expansion, Step
from instorage.wire.record import to_json

if TYPE_CHECKING:
    from instorage.arrays.expansion import Plan

PEOPLE_BYTES = 15 << 10  # the helper takes 24 KiB, of which the record may need 8
_STOPS = """\
While this file is here, this host attaches and detaches no volume and expands no active-active volume.
What is mounted goes on, and so do mounts and the growth of other volumes.
"""
_COPIES = """\
All of the master is copied to the aux, in the background; until that has ended the second site cannot
   take over.
"""
_COPIES_NOTHING = "The relationship that is there stays: nothing is copied.\n"
_BY_HAND = """\
2. By hand: give the array what is left, in that order, as it is printed; then remove this file. What it
   refuses is a reason to stop and to look at «instoragectl barrier plan» again.
"""
_SYNC = """\
   The manual prints mkrcrelationship with -sync: nothing is copied then, and what was written while there was
   no relationship is on the master alone, which the array never shows. So never with -sync, unless the pods
   that use the volume had ended before the expansion broke off; this program takes your word for that.
"""
_NOT_BY_HAND = """\
2. By hand alone it is not finished: the array may have tied the copies by this program's own order with
   -sync, and nobody can vouch that they were alike. Only resume makes that good, and copies no more than
   the commands above would.
"""
_THEN = """
With this file gone the stop ends, and the next try of kubelet looks at the array: when the volume is whole
its file system grows, else it says what is left. «instoragectl barrier plan» and «resume» work all the same.
"""


def line(record: Expansion) -> str:
    """Return the record as one line of JSON."""
    return json.dumps(to_json(record), ensure_ascii=False)


def running(record: Expansion) -> str:
    """Return the text while the expansion is under way."""
    return _whole(
        f"An active-active expansion of volume {record.volume} is under way.\n\n{_facts(record)}\n"
        "If nobody works on it any more (the node agent or this node was stopped), it was broken off: the "
        "agent\nsays so here when it starts. As root on this node\n"
        f"    instoragectl barrier plan\nsays what is left, and\n    instoragectl barrier resume "
        f"{record.volume}\ndoes it.\n\n{_STOPS}",
        record,
    )


def broken_off(record: Expansion, plan: Plan | None) -> str:
    """Return the text of an expansion that was broken off; no `plan`: the array could not be asked."""
    return _whole(
        f"The active-active expansion of volume {record.volume} was broken off.\n\n{_facts(record)}"
        f"{how_far(record)}\nFailed:  {record.failure or 'not said'}\n\n{_STOPS}\n{_left(record, plan)}\n"
        f"{_ways(record, plan)}",
        record,
    )


def how_far(record: Expansion) -> str:
    """Return how far an expansion came, in a line."""
    step = record.step
    if step is None:
        return "Reached: nothing was sent to the array"
    done = [one.value for one in NINE[: step.number - 1]]
    before = f"; sent before: {', '.join(done)}" if done else ""
    place = "the order to copy" if step is Step.START else f"step {step.number} of {len(NINE)}"
    answer = "not under way any more" if record.answered else "whose answer did not come"
    return f"Reached: {place} ({step}), {answer}{before}"


def commands(plan: Plan) -> str:
    """Return the commands that are left, ready to paste, each after its reason."""
    return "".join(f"    # {one.reason}\n    {one.command}\n" for one in plan.commands)


def _left(record: Expansion, plan: Plan | None) -> str:
    if plan is None:
        return "What is left: the array could not be asked; «instoragectl barrier plan» says it.\n"
    if plan.whole:
        return (
            "What is left: nothing, the volume is whole; «instoragectl barrier resume» forgets the record.\n"
        )
    if plan.questions:
        asked = "".join(f"    - {question}\n" for question in plan.questions)
        return f"What a person has to find out before anything can be done:\n{asked}"
    left = {one.step for one in plan.commands}
    done = ", ".join(step.value for step in NINE if step not in left) or "nothing"
    return f"Done:    {done}\nWhat is left on array {record.array}:\n{commands(plan)}"


def _ways(record: Expansion, plan: Plan | None) -> str:
    """Return the ways to finish it, and what each costs."""
    wait = ""
    if record.unsettled:
        until = _clock(record.sent + record.patience)
        wait = f"   Not before {until}: until then the array may still do what was sent last.\n"
    copied = plan is None or any(one.step is Step.TIE for one in plan.commands)
    cost = f"   {_COPIES if copied else _COPIES_NOTHING}"
    resume = "   The copies count as alike: nothing is copied.\n" if plan and plan.untouched else cost
    first = f"1. As root on this node:\n       instoragectl barrier resume {record.volume}\n{resume}"
    if record.maybe_synced:
        second = _NOT_BY_HAND
    elif plan is None or plan.questions:
        second = "2. By hand: what «instoragectl barrier plan» prints once it knows; then remove this file.\n"
    else:
        second = f"{_BY_HAND}{wait}{cost}{_SYNC if copied else ''}"
        if plan.untouched:
            second += "3. Nothing was done yet: remove this file, and the next try begins anew.\n"
    return f"To finish it, one of these:\n{first}{second}{_THEN}"


def _clock(milliseconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(milliseconds / 1000))


def _facts(record: Expansion) -> str:
    names = ", ".join(f"{member.function} {member.name}" for member in record.members)
    said = _clock(record.sent or int(time.time() * 1000))
    size = record.members[0].size if record.members else 0
    return (
        f"Volume:  {record.volume} (UID {record.uid}) on array {record.array}\nVdisks:  {names}\n"
        f"Host:    {record.host}\nSize:    {size} bytes, {record.target} are wanted\nWhen:    {said}\n"
    )


def _whole(people: str, record: Expansion) -> str:
    cut = people.encode()[:PEOPLE_BYTES].decode(errors="ignore")
    more = "" if cut == people else "\n(cut: «instoragectl barrier plan» says all)\n"
    return f"{cut}{more}\nFor programs:\n{line(record)}\n"
