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
        f"To finish it, as root on this node:\n    instoragectl barrier resume {record.volume}\n"
        "By hand: give the array what is left, in that order, never with -sync (the copies may differ); then "
        "remove\nthis file. Removing it ends the stop, not what is known: plan and resume still work.\n",
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


def _facts(record: Expansion) -> str:
    names = ", ".join(f"{member.function} {member.name}" for member in record.members)
    when = time.time() if record.sent == 0 else record.sent / 1000
    said = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(when))
    size = record.members[0].size if record.members else 0
    return (
        f"Volume:  {record.volume} (UID {record.uid}) on array {record.array}\nVdisks:  {names}\n"
        f"Host:    {record.host}\nSize:    {size} bytes, {record.target} are wanted\nWhen:    {said}\n"
    )


def _whole(people: str, record: Expansion) -> str:
    cut = people.encode()[:PEOPLE_BYTES].decode(errors="ignore")
    more = "" if cut == people else "\n(cut: «instoragectl barrier plan» says all)\n"
    return f"{cut}{more}\nFor programs:\n{line(record)}\n"
