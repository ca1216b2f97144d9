"""Expansions that a kill or a reboot broke off: found when the agent starts, and said (safety.md 18).

A record in state «running» that is read under the host lock is one whose process is gone. Nothing is repaired
here: that is the administrator's word (`instoragectl barrier resume`).
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from instorage.arrays.expansion import Progress
from instorage.wire.fault import Code, Fault
from nodeagent.expansion import barrier, barrier_text
from nodeagent.expansion.guard import planned
from nodeagent.operation.steps import Step, reached

if TYPE_CHECKING:
    from instorage.arrays.expansion import Expansion
    from nodeagent.host.helper_client import Helper
    from nodeagent.operation.node import Operation

LOCK_SECONDS = 5.0  # who holds it longer is at work on the expansion, or on another volume: not broken off
_WHY = "The node agent or the node was stopped while it was under way."
_LOG = logging.getLogger(__name__)


def settle(operation: Operation) -> bool:
    """Say of each record in state «running» that it was broken off; what is left goes into the barrier file.

    A file that a person removed does not come back. False while somebody else holds the lock: what he is not
    at work on is to be looked at later. Raises what kept the first record, once each was tried.
    """
    with operation.helper() as helper:
        if not (helper.there or operation.node.records.all()):
            return True  # a control plane's host
        if not _running(helper):
            return True
        try:
            helper.lock(LOCK_SECONDS)
        except Fault as fault:
            if fault.code is not Code.LOCK_TIMEOUT:
                raise
            _LOG.info("An expansion is under way in another process: %s", fault)
            return False
        tried = [_attempt(operation, helper, record) for record in _running(helper)]
        if kept := next(filter(None, tried), None):
            raise kept
        helper.unlock()
        return True


def _running(helper: Helper) -> list[Expansion]:
    return [one for one in barrier.records(helper.barrier()) if one.state is Progress.RUNNING]


def _attempt(operation: Operation, helper: Helper, record: Expansion) -> Fault | None:
    """Settle one record; what keeps it hides no other."""
    try:
        helper.require_lock()  # without it, it may be under way by now
        _broken_off(operation, helper, record)
    except Fault as fault:
        return Fault(fault.code, f"Volume {record.volume}: {fault.sentence}", **fault.fields)
    return None


def _broken_off(operation: Operation, helper: Helper, record: Expansion) -> None:
    failed = replace(record, state=Progress.FAILED, failure=_WHY)
    files = barrier.Files(operation.configuration)
    text = ""
    if files.there:
        operation.progress.say(f"asking array {record.array} what is left of the expansion")
        # It may be in the configuration no more: then it is not known what is left, as when it is silent.
        plan = planned(lambda one: operation.array(one.array).expansion_plan(one), failed)
        text = barrier_text.broken_off(failed, plan)
        try:
            files.write(text, anew=False)
        except Fault as fault:
            _LOG.error("%s", fault)
    told = files.for_helper(text, anew=False)
    helper.barrier(record.uid, told, record=barrier_text.line(failed))
    reached(Step.AGENT_EXPAND_BROKEN_OFF)
    _LOG.error(
        "The active-active expansion of volume %s was broken off: see instoragectl barrier plan",
        record.volume,
    )
