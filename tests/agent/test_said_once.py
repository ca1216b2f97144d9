"""Trouble that goes on is said once in the journal and then summed up, whatever meets it how often."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import pytest

from instorage.wire.fault import Code, Fault
from nodeagent.operation import trouble
from nodeagent.operation.trouble import MOST, PAUSE_SECONDS, Trouble
from tests.agent.bench import NODE, device_target, options, until

if TYPE_CHECKING:
    from tests.agent.bench import Bench

GONE = Fault(Code.ARRAY_UNREACHABLE, "Array one cannot be reached.")


class Clock:
    """Stands still until it is told."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def lines(caplog: pytest.LogCaptureFixture, part: str) -> list[str]:
    texts = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    return [text for text in texts if part in text]


@pytest.fixture
def gone(bench: Bench) -> Bench:
    """An array that refuses every command."""
    for name in ("vol1", "vol2"):
        bench.create(name)
    bench.do("fault", command="*", times=0, error="CMMVC5982E")
    return bench


def test_a_call_that_fails_as_before_is_in_the_journal_once_and_its_answer_is_the_same_so_that_kubelet_counts(
    gone: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    first = gone.attach("vol1").failure("CMMVC5982E")
    again = [gone.attach("vol1").failure("CMMVC5982E") for _ in range(3)]
    (line,) = lines(caplog, "waitforattach failed")
    assert "CMMVC5982E" in line
    assert first.rpartition(" [")[2].startswith("array-refused] (request ")
    assert again == [first] * 3


def test_another_volume_another_call_and_another_reason_are_said(
    gone: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    gone.attach("vol1").failure()
    gone.attach("vol2").failure()
    gone.call("detach", "vol1", NODE).failure()
    gone.attach("vol1", options("vol1", storageName="unknown")).failure("not in")
    assert len(lines(caplog, "waitforattach failed")) == 3
    assert len(lines(caplog, "detach failed")) == 1


def test_what_goes_on_is_summed_up_after_a_pause_and_when_it_ends(
    gone: Bench, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(3):
        gone.attach("vol1").failure()
    monkeypatch.setattr(gone.agent._node.trouble, "_clock", later := Clock())
    later.now = time.monotonic() + PAUSE_SECONDS - 1
    gone.attach("vol1").failure()
    later.now += 2
    gone.attach("vol1").failure()
    assert "(5 times since " in lines(caplog, "waitforattach failed")[-1]
    assert len(lines(caplog, "waitforattach failed")) == 2
    gone.do("clear")
    gone.attach("vol1").success()
    assert any("Success" in one and ", after 5 failures since " in one for one in caplog.messages)


def test_reconciliation_of_an_array_that_is_gone_says_so_once(
    gone: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    gone.do("clear")
    gone.attach("vol1").success()
    gone.stop()
    gone.do("fault", command="*", times=0, error="CMMVC5982E")
    gone.rest = 0.01
    gone.reset()
    gone.start()
    until(lambda: len(gone.order) > 12)  # each trial asks the helper
    assert len(lines(caplog, "is left over")) == 1
    assert not lines(caplog, "taking it down"), "nothing was taken down"
    gone.do("clear")
    until(lambda: not gone.maps("vol1") and not gone.records())
    assert len(lines(caplog, "taking it down")) == 1


def test_a_volume_that_cannot_be_taken_over_is_named_once(
    gone: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    gone.stop()
    uid = "6" + "0" * 31
    gone.helper.devices[uid] = "/dev/disk/by-id/x"
    gone.helper.mounts[device_target("vol3")] = (uid, False)
    gone.rest = 0.01
    gone.reset()
    gone.start()
    until(lambda: gone.order.count("Inspect") > 6)
    assert len(lines(caplog, "could not be taken over")) == 1
    assert len(lines(caplog, "Not every volume on this host has a record")) == 1


def test_what_is_remembered_of_trouble_is_bounded() -> None:
    kept = Trouble()
    for number in range(3 * MOST):
        assert kept.failed(f"waitforattach of vol{number}", GONE, "op").anew
        assert kept.failed("detach of vol", Fault(Code.TIMEOUT, "x" * (number % 50 + 1)), "op").anew
    assert len(kept._things) == MOST
    assert len(kept._things["detach of vol"].sentences) <= trouble.MOST_SENTENCES


def test_the_same_sentence_with_another_request_or_number_is_the_same() -> None:
    kept, clock = Trouble(), Clock()
    kept._clock = clock
    held = "Volume vol1 is still in use by detach of vol1 (request {}): {} s are left."
    assert kept.failed("detach of vol1", Fault(Code.LOCK_TIMEOUT, held.format("0a1b2c3d4e", 4)), "first").anew
    second = kept.failed("detach of vol1", Fault(Code.LOCK_TIMEOUT, held.format("ffffffffff", 3)), "second")
    assert (second.anew, second.op) == (False, "first")


def test_trouble_that_was_over_for_long_begins_anew() -> None:
    kept, clock = Trouble(), Clock()
    kept._clock = clock
    for _ in range(3):
        kept.failed("detach of vol1", GONE, "op")
    clock.now += PAUSE_SECONDS + 1
    assert kept.failed("detach of vol1", GONE, "op").times == ""
