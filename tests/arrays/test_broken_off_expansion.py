"""An expansion that was broken off: what can be seen of it is finished, the rest is asked of a person."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from instorage.arrays.expansion import NINE, Expansion, Step
from instorage.arrays.model import Initiator
from instorage.volume_name import VolumeName
from instorage.wire.fault import Code, Fault
from instorage.wire.record import to_json
from instorage.wire.values import Iqn
from tests.arrays.conftest import GIB, spec
from tests.arrays.expanding import AA, COMMAND, Volume, volume
from tests.arrays.host import in_child, killed

if TYPE_CHECKING:
    from pathlib import Path


__all__ = ["volume"]
pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("seconds", "made"), [(3600, 1), (0, 2)])
def test_a_relationship_whose_answer_is_lost_counts_only_if_it_shows_that_it_copies(
    volume: Volume, seconds: float, made: int
) -> None:
    """A `-sync` that was given up before and came late would look the same as one that has copied all."""
    volume.rig.do("dialect", copy_seconds=seconds)
    _broken_off(volume, Step.TIE)
    volume.host.before[Step.TIE] = lambda: volume.rig.fault("mkrcrelationship", after="connection")
    if seconds == 0:
        with pytest.raises(Fault, match="step 6 of 9"):
            volume.resume()
    if volume.host.record is not None:
        volume.resume()
    assert len([line for line in volume.operations() if "mkrc" in line]) == made
    assert volume.syncs() == []
    volume.rig.do("copied", volume="aa")
    volume.assert_whole()


def test_a_record_of_a_newer_version_is_not_guessed_at(volume: Volume) -> None:
    _broken_off(volume, Step.TIE)
    assert Expansion.read(to_json(volume.record)) == volume.record
    with pytest.raises(Fault, match="schema '2', this version knows 1"):
        Expansion.read({**to_json(volume.record), "schema": 2})


def _broken_off(volume: Volume, step: Step) -> None:
    volume.host.before[step] = lambda: volume.rig.fault(COMMAND[step], error="CMMVC5982E")
    with pytest.raises(Fault, match="broke off"):
        volume.expand()
    volume.rig.reset()


def test_a_process_that_is_killed_before_the_first_step_leaves_nothing_but_its_record(
    volume: Volume, tmp_path: Path
) -> None:
    def child() -> None:
        host = volume.new_host(tmp_path)
        host.freeze = killed  # type: ignore[method-assign, assignment]
        volume.client().expand_active_active(AA, 2 * GIB, host=volume.host_object, guard=host)

    assert in_child(child) == 9
    assert volume.plan().untouched
    volume.resume()
    assert len(volume.syncs()) == 1
    volume.assert_whole()


def test_an_untouched_volume_that_cannot_be_expanded_any_more_keeps_no_record(volume: Volume) -> None:
    _broken_off(volume, Step.UNTIE)
    volume.array.unmap_volume(AA, volume.host_object)
    with pytest.raises(Fault, match="mapped to no host"):
        volume.resume()
    assert volume.host.record is None
    assert volume.sizes() == {GIB}


@pytest.mark.parametrize("step", [Step.GROW_AUX, Step.TIE, Step.ACCESS])
def test_the_commands_of_the_plan_can_be_pasted(volume: Volume, step: Step) -> None:
    _broken_off(volume, step)
    for planned in volume.plan().commands:
        assert volume.array._ssh.run(planned.command, 5).status == 0
        assert "-sync" not in planned.command
        assert planned.reason
    left = volume.array.expansion_plan(replace(volume.record, alike=True))
    assert left.whole
    volume.host.erase()
    volume.assert_whole()


def test_a_resume_that_is_killed_at_every_step_in_turn_still_ends_whole(
    volume: Volume, tmp_path: Path
) -> None:
    _broken_off(volume, Step.GROW_MASTER_CHANGE)
    ends = []
    for step in (*NINE[3:], None):
        volume.write("meanwhile.")
        record = replace(volume.record, sent=0)

        def child(step: Step | None = step, record: Any = record) -> None:
            host = volume.new_host(tmp_path)
            if step is not None:
                host.after[step] = killed
            volume.client().resume_expansion(record, host)

        ends.append(in_child(child))
        if volume.host.record is None:
            break
    assert ends == [9] * 5 + [0]
    assert volume.syncs() == []
    volume.assert_whole()


def test_what_only_a_person_can_know_is_asked_and_nothing_is_done(volume: Volume) -> None:
    _broken_off(volume, Step.TIE)
    aux = volume.names["aux"]
    host = volume.array.ensure_host(NODE_B, link="iscsi", names=("iscsi-other",), site="2")
    volume.array.map_volume(VolumeName(aux), host.name)
    volume.rig.do("resize", volume="aa", size=5 * GIB)
    volume.array.delete_volume(VolumeName(volume.names["aux_change"]))
    volume.rig.reset()
    plan = volume.plan()
    assert plan.commands == ()
    said = " ".join(plan.questions)
    for words in ("aa (the master) has", "is mapped to iscsi-other", "is not on the array any more"):
        assert words in said
    with pytest.raises(Fault, match="not finished by itself") as caught:
        volume.resume()
    assert caught.value.code is Code.VOLUME_NOT_READY
    assert volume.operations() == []
    assert volume.host.record is not None


def test_a_relationship_that_somebody_made_the_other_way_round_is_asked_about(volume: Volume) -> None:
    _broken_off(volume, Step.TIE)
    aux = volume.names["aux"]
    volume.array._cli.operate(
        "mkrcrelationship", "-master", aux, "-aux", "aa", "-cluster", "mcs1", "-activeactive"
    )
    assert "find out who made it" in " ".join(volume.plan().questions)


def test_a_relationship_that_somebody_made_by_hand_is_made_again_unless_all_is_being_copied(
    volume: Volume,
) -> None:
    volume.rig.do("dialect", copy_seconds=3600)
    _broken_off(volume, Step.TIE)
    words = ("mkrcrelationship", "-master", "aa", "-aux", volume.names["aux"], "-cluster", "mcs1")
    volume.array._cli.operate(*words, "-activeactive")
    assert [planned.step for planned in volume.plan().commands] == list(NINE[6:])
    volume.rig.do("copied", volume="aa")
    assert [planned.step for planned in volume.plan().commands][:2] == [Step.UNTIE, Step.TIE]


def test_a_proof_ends_with_the_relationship_that_it_was_for(volume: Volume) -> None:
    _broken_off(volume, Step.MASTER_CHANGE)
    assert volume.record.alike
    volume.rig.do("shrink", volume=volume.names["aux_change"], size=GIB)
    seen: list[bool] = []
    volume.host.before[Step.UNTIE] = lambda: seen.append(volume.record.alike)
    volume.resume()
    assert seen == [False]
    assert volume.syncs() == []
    volume.assert_whole()


def test_what_becomes_of_a_volume_after_its_expansion_is_not_asked_about(volume: Volume) -> None:
    volume.expand()
    assert volume.host.last is not None
    volume.rig.do("replication", volume="aa", state="consistent_stopped", primary="aux")
    assert volume.array.expansion_plan(volume.host.last).whole
    unproven = volume.array.expansion_plan(replace(volume.host.last, alike=False))
    assert "runs from the aux to the master" in " ".join(unproven.questions)


def test_without_a_record_it_is_said_what_can_be_seen_and_what_is_to_be_found_out(volume: Volume) -> None:
    whole = " ".join(volume.array.expansion_findings(AA))
    assert "has its four vdisks" in whole
    assert "is consistent_synchronized" in whole
    _broken_off(volume, Step.GROW_AUX)
    volume.host.erase()
    volume.array.create_volume(spec("other"))
    said = " ".join(volume.array.expansion_findings(AA))
    for name in (*volume.names.values(), "other"):
        assert name in said
    assert re.search(r"Find out which of them.*without -sync", said)


NODE_B = Initiator(iqn=Iqn("iqn.1993-08.org.debian:01:other"))
