"""Copies that were untied, written to on one side, and tied again by a person at their old size."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from instorage.arrays.expansion import NINE, Expansion, Step
from instorage.wire.fault import Fault
from instorage.wire.record import to_json
from tests.agent.expanding import VOLUME

if TYPE_CHECKING:
    from tests.agent.expanding import Pair

pytestmark = pytest.mark.slow


def copied_anew(pair: Pair) -> None:
    """Resume ends with copies that are alike, by a full copy: no -sync over what differs."""
    pair.bench.reset()
    assert "is whole" in pair.resume()
    assert pair.syncs() == 0
    pair.assert_whole()


def test_copies_untied_by_an_agent_that_was_killed_then_are_copied_in_full(pair: Pair) -> None:
    """Killed after the first command, before the second was recorded."""
    pair.break_off(Step.GROW_MASTER)
    pair.bench.do("clear")
    killed = replace(pair.record, step=Step.UNTIE, sent=0, answered=False)
    pair.bench.helper.kept[pair.uid] = json.dumps(to_json(killed))
    pair.write()
    pair.tie_by_hand("-sync")
    assert "nothing has been done on the array yet" not in pair.plan()
    copied_anew(pair)


def test_a_resume_whose_untying_is_refused_does_not_make_the_next_one_believe_the_copies(pair: Pair) -> None:
    pair.break_off(Step.GROW_MASTER)
    pair.bench.do("clear")
    pair.write()
    pair.tie_by_hand("-sync")
    pair.bench.do("fault", command="rmrcrelationship", error="CMMVC5982E")
    with pytest.raises(Fault, match="step 1 of 9"):
        pair.resume()
    pair.bench.do("clear")
    assert "nothing has been done on the array yet" not in pair.plan()
    copied_anew(pair)


def test_what_was_refused_at_the_first_command_is_still_begun_anew_without_a_copy(pair: Pair) -> None:
    pair.break_off(Step.UNTIE)
    pair.bench.do("clear")
    assert pair.plan().count("nothing has been done on the array yet") == len(NINE)
    pair.bench.reset()
    assert "is whole" in pair.resume()
    assert pair.syncs() == 1
    pair.assert_whole()


def test_a_delta_that_is_copied_over_our_own_lost_sync_is_no_full_copy(pair: Pair) -> None:
    """The order with -sync is carried out after the thaw, then a link breaks for a moment."""
    pair.bench.helper.before[Step.TIE] = lambda: pair.bench.do(
        "fault", command="mkrcrelationship", before="connection"
    )
    pair.expand().failure("broke off at")
    pair.bench.do("clear")
    pair.write()
    pair.age()
    pair.tie_by_hand("-sync")
    pair.bench.do("dialect", copy_seconds=3600)
    pair.bench.do("replication", volume=VOLUME, state="inconsistent_copying")
    pair.bench.reset()
    assert "is whole" in pair.resume()
    assert "rmrcrelationship" in pair.bench.commands()
    assert pair.syncs() == 0
    pair.bench.do("copied", volume=VOLUME)
    pair.assert_whole()


def test_a_record_of_before_that_cannot_tell_counts_as_untied(pair: Pair) -> None:
    pair.break_off(Step.UNTIE)
    old = to_json(pair.record)
    assert "untied" not in old, "a version of before reads what is written until copies are untied twice"
    assert not Expansion.read(old).maybe_untied
    assert Expansion.read({**old, "answered": False}).maybe_untied
    assert Expansion.read({**old, "step": Step.GROW_MASTER}).maybe_untied
