"""An active-active volume grows: nine commands, `-sync` only over copies that are proven alike.

Real SSH to the simulated array, which keeps two contents: a wrong `-sync` would be seen as different data.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from instorage.arrays.active_active import Function
from instorage.arrays.expansion import NINE, Expansion, Step
from instorage.arrays.model import Initiator, Provisioning
from instorage.volume_name import VolumeName
from instorage.wire.fault import Code, Fault
from instorage.wire.record import to_json
from instorage.wire.values import Iqn
from tests.arrays.conftest import GIB, LIMITS, settled, spec
from tests.arrays.expanding import AA, COMMAND, SIZES, Volume
from tests.arrays.host import in_child, killed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.arrays.conftest import Rig

pytestmark = pytest.mark.slow

MIB = 1 << 20


@pytest.fixture
def volume(rig: Rig, tmp_path: Path) -> Volume:
    return Volume(rig, tmp_path)


def test_nine_commands_and_the_picture_is_the_same_with_the_new_size(volume: Volume) -> None:
    seen = volume.expand(2 * GIB)
    assert {member.size for member in seen.members} == {2 * GIB}
    assert seen.tied
    names = {"m": "aa", "a": volume.names["aux"], "mc": volume.names["master_change"],
             "ac": volume.names["aux_change"]}  # fmt: skip
    assert volume.operations() == [
        line.format_map(names)
        for line in (
            "rmrcrelationship 0",
            "expandvdisksize -size 1 -unit gb {m}",
            "expandvdisksize -size 1 -unit gb {a}",
            "expandvdisksize -size 1 -unit gb {mc}",
            "expandvdisksize -size 1 -unit gb {ac}",
            "mkrcrelationship -master {m} -aux {a} -cluster mcs1 -sync -activeactive",
            "addvdiskaccess -iogrp io_grp1 {m}",
            "chrcrelationship -masterchange {mc} 0",
            "chrcrelationship -auxchange {ac} 0",
        )
    ]
    volume.assert_whole()


def test_the_file_system_is_frozen_for_the_nine_commands_and_one_look_and_nothing_else(
    volume: Volume,
) -> None:
    frozen: list[list[str]] = []
    freeze, thaw = volume.host.freeze, volume.host.thaw

    def spied_freeze() -> Any:
        if not volume.host.frozen:
            volume.rig.reset()
        return freeze()

    def spied_thaw() -> None:
        frozen.append([line.split()[1] for line in volume.rig.lines()])
        thaw()

    volume.host.freeze = spied_freeze  # type: ignore[method-assign]
    volume.host.thaw = spied_thaw  # type: ignore[method-assign]
    volume.expand()
    assert frozen == [["lsrcrelationship", *(COMMAND[step] for step in NINE)]]


def test_every_step_is_recorded_before_it_is_sent_and_the_freeze_asked_around_the_sync(
    volume: Volume,
) -> None:
    volume.expand()
    tie = NINE.index(Step.TIE)
    assert volume.host.calls == [
        "freeze", *NINE[:tie], "freeze", Step.TIE, "freeze", *NINE[tie + 1 :], "thaw",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "got"),
    SIZES,
)
def test_sizes_are_rounded_up_and_what_is_there_already_costs_no_command(
    volume: Volume, asked: int, got: int
) -> None:
    volume.expand(asked)
    assert volume.sizes() == {got}
    assert len(volume.operations()) == (0 if got == GIB else 9)
    assert volume.picture() == volume.before


# --- what must hold before anything is done


def _refused(volume: Volume, match: str, code: Code = Code.VOLUME_NOT_READY, size: int = 2 * GIB) -> Fault:
    """Nothing was done, nothing is recorded, nothing is frozen."""
    with pytest.raises(Fault, match=match) as caught:
        volume.expand(size)
    assert caught.value.code is code
    assert volume.operations() == []
    assert volume.host.record is None
    assert not volume.host.frozen
    return caught.value


@pytest.mark.parametrize(
    "state", ["consistent_copying", "consistent_stopped", "idling", "inconsistent_copying"]
)
def test_copies_that_are_not_synchronised_are_not_untied(volume: Volume, state: str) -> None:
    volume.rig.do("dialect", copy_seconds=3600)
    volume.rig.do("replication", volume="aa", state=state)
    _refused(volume, f"not synchronised.*is {state}")
    assert volume.host.calls == []


def test_a_relationship_that_runs_from_the_aux_is_not_untied(volume: Volume) -> None:
    volume.rig.do("replication", volume="aa", state="consistent_synchronized", primary="aux")
    _refused(volume, "runs from its aux")


def test_a_link_that_breaks_between_the_first_look_and_the_freeze_is_seen_in_the_freeze(
    volume: Volume,
) -> None:
    freeze = volume.host.freeze

    def broken_link() -> Any:
        volume.rig.do("replication", volume="aa", state="consistent_stopped")
        return freeze()

    volume.host.freeze = broken_link  # type: ignore[method-assign]
    _refused(volume, "not synchronised")
    assert volume.host.calls == ["freeze", "thaw"]


@pytest.mark.parametrize("function", list(Function))
def test_a_vdisk_that_is_not_online_is_named(volume: Volume, function: Function) -> None:
    volume.rig.do("vdisk-status", volume=volume.names[function], status="degraded")
    _refused(volume, f"{volume.names[function]}, its {function}, is not online")


def test_a_volume_with_a_snapshot_says_so(volume: Volume) -> None:
    volume.array.create_volume(spec("snap"))
    volume.rig.do("snapshot", volume="aa", target="snap")
    volume.rig.reset()
    _refused(volume, "aa, its master, has snapshots or clones")


def test_a_volume_that_is_mapped_to_another_host_as_well_names_it(volume: Volume) -> None:
    other = Initiator(iqn=Iqn("iqn.1993-08.org.debian:01:other"))
    host = volume.array.ensure_host(other, link="iscsi", names=("iscsi-other",))
    volume.array.map_volume(AA, host.name, share=True)
    volume.rig.reset()
    _refused(volume, "mapped to iscsi-node1, iscsi-other, and must be mapped to iscsi-node1 alone")
    volume.array.unmap_volume(AA, volume.host_object)
    volume.rig.reset()
    _refused(volume, "mapped to iscsi-other, and")


def test_a_volume_that_is_being_formatted_waits(rig: Rig, tmp_path: Path) -> None:
    rig.do("dialect", format_seconds=3600)
    _refused(Volume(rig, tmp_path, provisioning=Provisioning()), "still being formatted")


def test_four_vdisks_of_different_sizes_are_left_alone(volume: Volume) -> None:
    volume.rig.do("resize", volume=volume.names["aux_change"], size=GIB + 512)
    _refused(volume, "different sizes")


def test_a_volume_that_is_not_active_active_is_no_expansion(volume: Volume) -> None:
    volume.array.create_volume(spec("plain"))
    with pytest.raises(Fault, match=r"not whole.*plain \(plain\)"):
        volume.array.expand_active_active(VolumeName("plain"), 2 * GIB, host="h", guard=volume.host)
    with pytest.raises(Fault, match="no volume gone") as caught:
        volume.array.active_active(VolumeName("gone"))
    assert caught.value.code is Code.VOLUME_MISSING


@pytest.mark.parametrize("small", ["Pool0", "Pool1"])
def test_a_pool_that_is_one_extent_too_small_is_named_with_its_figures(
    make_rig: Callable[..., Rig], tmp_path: Path, small: str
) -> None:
    pools = {"Pool0": "9GiB", "Pool1": "9GiB", small: "3GiB"}
    rig = make_rig(pools=",".join(f"{name}:{size}" for name, size in pools.items()))
    volume = Volume(rig, tmp_path, provisioning=Provisioning())
    volume.array.create_volume(spec("other", pools=(small,)))  # thin: one extent
    fields = volume.array.pool(small)
    assert fields is not None
    assert fields.free == 3 * GIB - GIB - 256 * MIB
    volume.rig.reset()
    _refused(volume, rf"pool {small} has 1\.75 GiB free, 2\.00 GiB are needed", Code.POOL_FULL, 3 * GIB)
    assert {member.size for member in volume.expand(2 * GIB).members} == {2 * GIB}
    assert volume.equal()


# --- -sync, and what it depends on


def test_a_lease_that_ends_before_the_command_must_have_ended_allows_no_sync(volume: Volume) -> None:
    volume.host.lease = 1.0
    volume.expand()
    assert volume.syncs() == []
    assert volume.host.calls.index("thaw") < volume.host.calls.index(Step.TIE)
    volume.assert_whole()


def test_a_helper_that_cannot_vouch_for_the_freeze_allows_no_sync(volume: Volume) -> None:
    def gone() -> None:
        def raising() -> Any:
            raise Fault(Code.HELPER_UNREACHABLE, "The helper is gone.")

        volume.host.freeze = raising  # type: ignore[method-assign]

    volume.host.before[Step.GROW_AUX] = gone
    volume.expand()
    assert volume.syncs() == []
    volume.assert_whole()


def test_a_thaw_during_the_sync_itself_undoes_it(volume: Volume) -> None:
    volume.host.before[Step.TIE] = volume.host.thawed_by_somebody
    volume.expand()
    assert [line.split()[0] for line in volume.operations()][5:8] == [
        "mkrcrelationship", "rmrcrelationship", "mkrcrelationship",
    ]  # fmt: skip
    assert len(volume.syncs()) == 1
    volume.assert_whole()


@pytest.mark.slow
def test_a_sync_that_the_array_carries_out_late_is_undone(volume: Volume) -> None:
    volume.host.before[Step.TIE] = lambda: volume.rig.fault("mkrcrelationship", delay=3600)
    with pytest.raises(Fault, match="step 6 of 9") as caught:
        volume.expand()
    assert caught.value.code is Code.OUTCOME_UNKNOWN
    volume.write("the application goes on.")
    volume.rig.do("clear")
    assert settled(lambda: len(volume.array._cli.rows("lsrcrelationship")) == 1)
    assert not volume.equal()  # the array says consistent_synchronized, and is wrong
    (first, *_) = volume.plan().commands
    assert first.step is Step.UNTIE
    assert "may have been made over copies that differ" in first.reason
    volume.rig.reset()
    volume.resume()
    assert volume.syncs() == []
    volume.assert_whole()


@pytest.mark.slow
def test_a_growth_that_the_array_carries_out_late_is_not_added_twice(
    volume: Volume,
) -> None:
    volume.host.before[Step.GROW_AUX] = lambda: volume.rig.fault("expandvdisksize", delay=1.0)
    quick = volume.rig.client(limits=replace(LIMITS, step=0.5, operation=5))
    with pytest.raises(Fault, match="step 3 of 9"):
        quick.expand_active_active(AA, 2 * GIB, host=volume.host_object, guard=volume.host)
    volume.resume(later=False)  # waits, at most for Limits.operation from when it was sent
    assert settled(lambda: volume.rig.do("counters")["running"]["now"] == 0)
    assert len([line for line in volume.operations() if line.endswith(f"gb {volume.names['aux']}")]) == 1
    volume.assert_whole()


def test_a_full_synchronisation_goes_on_in_the_background(volume: Volume) -> None:
    volume.rig.do("dialect", copy_seconds=3600)
    volume.host.before[Step.GROW_MASTER] = volume.host.thawed_by_somebody
    seen = volume.expand()
    assert seen.relationship.state == "inconsistent_copying"
    assert (volume.sizes(), volume.host.record) == ({2 * GIB}, None)
    assert not volume.equal()
    with pytest.raises(Fault, match="not synchronised"):
        volume.expand(3 * GIB)
    volume.rig.do("copied", volume="aa")
    volume.assert_whole()


def test_firmware_that_waits_for_the_order_gets_it(volume: Volume) -> None:
    volume.rig.do("dialect", rc_start="command")
    volume.host.before[Step.GROW_MASTER] = volume.host.thawed_by_somebody
    volume.expand()
    assert volume.operations()[-1] == "startrcrelationship -primary master 0"
    volume.assert_whole()


def test_firmware_that_does_not_count_io_groups_is_asked_for_the_mapping(
    volume: Volume,
) -> None:
    volume.rig.do("dialect", access_count="false")
    volume.host.before[Step.ACCESS] = lambda: volume.rig.fault("addvdiskaccess", error="CMMVC5786E")
    with pytest.raises(Fault, match="step 7 of 9"):
        volume.expand()
    assert [planned.step for planned in volume.plan().commands] == list(NINE[6:])
    volume.resume()
    volume.assert_whole()


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


# --- finishing what was broken off


def _broken_off(volume: Volume, step: Step) -> None:
    volume.host.before[step] = lambda: volume.rig.fault(COMMAND[step], error="CMMVC5786E")
    with pytest.raises(Fault, match="broke off"):
        volume.expand()
    volume.rig.reset()


def test_a_process_that_is_killed_before_the_first_step_leaves_nothing_but_its_record(
    volume: Volume, tmp_path: Path
) -> None:
    def child() -> None:
        host = volume.new_host(tmp_path)
        host.freeze = killed  # type: ignore[method-assign]
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
    host = volume.array.ensure_host(NODE_B, link="iscsi", names=("iscsi-other",))
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
