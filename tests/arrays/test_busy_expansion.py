"""An expansion while the array is not well for a moment: repeated, no longer than the freeze is proven."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from instorage.arrays.expansion import NINE, Step
from instorage.wire.fault import Code, Fault
from tests.arrays.conftest import LIMITS
from tests.arrays.expanding import COMMAND, Volume

if TYPE_CHECKING:
    from pathlib import Path

    from instorage.arrays.as18000 import As18000
    from tests.arrays.conftest import Rig

pytestmark = pytest.mark.slow
BUSY = "CMMVC5786E"
OPERATION = 5.0  # seconds within which a command that was sent may be carried out
STEP = 1.2  # seconds for a command while the file system is frozen


class Hurried(Volume):
    """A step may take much less time than a command that nobody waits for."""

    def client(self) -> As18000:
        return self.rig.client(limits=replace(LIMITS, operation=OPERATION, step=STEP))


@pytest.fixture
def volume(rig: Rig, tmp_path: Path) -> Hurried:
    return Hurried(rig, tmp_path)


def sent(volume: Hurried, text: str) -> list[float]:
    """When the commands with these words were given."""
    return [entry["start"] for entry in volume.rig.do("log") if text in entry["line"]]


@pytest.mark.parametrize("step", NINE)
def test_a_step_that_the_array_cannot_do_now_is_given_again(volume: Hurried, step: Step) -> None:
    volume.host.before[step] = lambda: volume.rig.fault(COMMAND[step], error=BUSY, times=2)
    volume.expand()
    assert len(volume.syncs()) == (3 if step is Step.TIE else 1)
    volume.assert_whole()


@pytest.mark.parametrize("step", [Step.GROW_AUX, Step.ACCESS])
def test_applications_go_on_after_a_while_and_the_expansion_is_finished_all_the_same(
    volume: Hurried, step: Step
) -> None:
    volume.host.before[step] = lambda: volume.rig.fault(COMMAND[step], error=BUSY, seconds=1.4 * STEP)
    volume.expand()
    assert "thaw" in volume.host.calls[: volume.host.calls.index(NINE[step.number])]
    assert len(volume.syncs()) == (0 if step is Step.GROW_AUX else 1), "the freeze had ended before the tie"
    volume.assert_whole()


def test_sync_is_not_given_again_for_longer_than_the_freeze_is_proven(volume: Hurried) -> None:
    volume.host.lease = STEP + 0.6
    volume.host.before[Step.TIE] = lambda: volume.rig.fault("mkrcrelationship", error=BUSY, seconds=2 * STEP)
    volume.expand()
    times = sent(volume, "-sync")
    assert len(times) > 1
    assert times[-1] - times[0] < STEP + 0.3
    assert sent(volume, "mkrcrelationship")[-1] > times[-1], "it is made without -sync"
    volume.assert_whole()


def test_an_array_that_cannot_do_the_first_step_leaves_no_barrier_and_is_asked_again_later(
    volume: Hurried,
) -> None:
    volume.rig.fault("rmrcrelationship", error=BUSY, times=0)
    with pytest.raises(Fault, match="nothing was done") as caught:
        volume.expand()
    assert caught.value.code is Code.ARRAY_BUSY
    assert volume.host.record is None
    assert not volume.host.frozen
    volume.rig.do("clear")
    volume.expand()
    assert len(volume.syncs()) == 1
    volume.assert_whole()


def test_a_resume_that_the_array_cannot_begin_keeps_its_record(volume: Hurried) -> None:
    volume.host.before[Step.GROW_AUX] = lambda: volume.rig.fault("expandvdisksize", error="CMMVC5982E")
    with pytest.raises(Fault, match="broke off at step 3"):
        volume.expand()
    volume.rig.fault("expandvdisksize", error=BUSY, times=0)
    hasty = volume.rig.client(limits=replace(LIMITS, call=1.5, operation=1.0, step=0.5))
    with pytest.raises(Fault, match="broke off at step 3"):
        hasty.resume_expansion(volume.record, volume.host)
    assert volume.host.record is not None
    volume.rig.do("clear")
    volume.resume()
    volume.assert_whole()


def test_a_command_that_was_given_late_is_waited_for_as_long_as_any(volume: Hurried) -> None:
    def busy_then_lost() -> None:
        volume.rig.fault("expandvdisksize", error=BUSY, seconds=0.4 * STEP)
        volume.rig.fault("expandvdisksize", before="silence", times=0)

    volume.host.before[Step.GROW_AUX] = busy_then_lost
    with pytest.raises(Fault, match="broke off at step 3"):
        volume.expand()
    last = sent(volume, f"expandvdisksize -size 1 -unit gb {volume.names['aux']}")[-1]
    until = (volume.record.sent + volume.record.patience) / 1000
    assert not volume.record.answered
    assert until - last >= OPERATION, "it may still be carried out for so long after it was sent"


def test_a_resume_waits_for_the_array_too(volume: Hurried) -> None:
    volume.host.before[Step.GROW_AUX] = lambda: volume.rig.fault("expandvdisksize", error="CMMVC5982E")
    with pytest.raises(Fault, match="broke off at step 3"):
        volume.expand()
    volume.rig.fault("expandvdisksize", error=BUSY, seconds=1.4 * STEP)
    volume.resume()
    volume.assert_whole()
