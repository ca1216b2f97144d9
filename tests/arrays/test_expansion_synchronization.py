"""The copies of an expanded volume are tied again: `-sync` only where they are proven alike.

Real SSH to the simulated array, which keeps two contents: a wrong `-sync` would be seen as different data.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from instorage.arrays.expansion import NINE, Step
from instorage.wire.fault import Code, Fault
from tests.arrays.conftest import GIB, LIMITS, settled
from tests.arrays.expanding import AA, Volume, volume

__all__ = ["volume"]
pytestmark = pytest.mark.slow


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
    volume.host.before[Step.GROW_AUX] = lambda: volume.rig.fault("expandvdisksize", delay=3.0)
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
    volume.host.before[Step.ACCESS] = lambda: volume.rig.fault("addvdiskaccess", error="CMMVC5982E")
    with pytest.raises(Fault, match="step 7 of 9"):
        volume.expand()
    assert [planned.step for planned in volume.plan().commands] == list(NINE[6:])
    volume.resume()
    volume.assert_whole()
