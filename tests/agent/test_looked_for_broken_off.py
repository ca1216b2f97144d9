"""What an agent finds of broken-off expansions at its start: each is said, whatever is in the way."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from instorage.arrays.expansion import Expansion, Progress
from instorage.volume_name import VolumeName
from instorage.wire.host_lock import LockMode
from instorage.wire.record import to_json
from instorage.wire.values import RequestId, VolumeUid
from nodeagent.expansion import interrupted
from nodeagent.host.helper_client import Helper
from nodeagent.recovery.reconciliation import EXPANSIONS
from tests.agent.bench import until
from tests.agent.peer_kernel import FaultError

if TYPE_CHECKING:
    from tests.agent.expanding import Pair

pytestmark = pytest.mark.slow
OTHER = VolumeUid("6" + "0" * 31)


@pytest.fixture
def stopped(pair: Pair) -> Pair:
    """An expansion of vol1 that an agent was at work on when it was killed; none runs."""
    pair.break_off()
    running(pair, pair.record)
    pair.bench.rest = 0.3
    pair.bench.stop()
    return pair


def running(pair: Pair, record: Expansion) -> None:
    left = replace(record, state=Progress.RUNNING, failure="")
    pair.bench.helper.kept[record.uid] = json.dumps(to_json(left))


def states(pair: Pair) -> set[str]:
    return {Expansion.read(json.loads(text)).state for text in pair.bench.helper.kept.values()}


def test_a_broken_off_expansion_of_an_array_that_is_not_configured_hides_no_other(
    stopped: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    running(stopped, replace(stopped.record, uid=OTHER, array="gone", volume=VolumeName("other")))
    stopped.bench.start()
    until(lambda: states(stopped) == {Progress.FAILED}, 30)
    for volume in ("other", "vol1"):
        until(lambda volume=volume: f"expansion of volume {volume} was broken off" in caplog.text)  # type: ignore[misc]
    said = "".join(stopped.bench.helper.barriers[-2:])
    assert "the array could not be asked" in said
    assert "expandvdisksize" in said


def test_one_that_cannot_be_written_hides_no_other_and_is_tried_again(stopped: Pair) -> None:
    running(stopped, replace(stopped.record, uid=OTHER, volume=VolumeName("other")))
    first = stopped.bench.helper.kept[OTHER]
    stopped.bench.helper.script("Barrier")  # the question is answered, and so is the second look
    stopped.bench.helper.script("Barrier")
    stopped.bench.helper.script("Barrier", fault=FaultError("barrier", "It cannot be written."))
    stopped.bench.start()
    until(lambda: stopped.record.state is Progress.FAILED, 30)
    assert stopped.bench.helper.kept[OTHER] == first
    until(lambda: states(stopped) == {Progress.FAILED}, 30)


def test_a_helper_that_is_not_there_at_the_start_is_asked_again(
    stopped: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    stopped.bench.helper.script("Barrier", fault=FaultError("internal", "A defect of the helper."))
    stopped.bench.start()
    until(lambda: "Whether an expansion was broken off here is not known" in caplog.text, 30)
    until(lambda: states(stopped) == {Progress.FAILED}, 30)
    reconciler = stopped.bench.agent._reconciler
    until(lambda: EXPANSIONS not in reconciler._due.keys() | reconciler._active.keys())


def test_what_another_process_kept_from_being_looked_at_is_looked_at_when_it_has_ended(
    stopped: Pair, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(interrupted, "LOCK_SECONDS", 0.1)
    with Helper(stopped.bench.paths.helper_socket, RequestId("resumeofother")) as other:
        other.lock(1, LockMode.EXCLUSIVE)
        caplog.set_level("INFO")
        stopped.bench.start()
        until(lambda: "An expansion is under way in another process" in caplog.text, 30)
        assert states(stopped) == {Progress.RUNNING}
    until(lambda: states(stopped) == {Progress.FAILED}, 30)
