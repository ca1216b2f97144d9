"""A helper that serves all that it may has done nothing: it is asked again, and not for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.agent.bench import until

if TYPE_CHECKING:
    import pytest

    from tests.agent.bench import Bench


def test_a_call_outlasts_a_busy_helper_and_sends_nothing_twice(bench: Bench) -> None:
    bench.create("vol1")
    until(lambda: bench.agent._reconciler.idle())
    bench.helper.calls.clear()
    bench.reset()
    bench.helper.busy_for = 2
    bench.attach("vol1").success()
    assert bench.helper.refused == 2
    assert bench.commands().count("mkvdiskhostmap") == 1
    verbs = bench.helper.verbs()
    assert [verbs.count(verb) for verb in ("Initiator", "Lock", "Inspect", "Attach")] == [1, 1, 1, 1]


def test_a_helper_that_stays_busy_is_said_and_nothing_was_begun(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nodeagent.host.helper_client.BUSY_SECONDS", 0.5)
    bench.create("vol1")
    bench.helper.busy_for = 1000
    bench.attach("vol1").failure("ask again")
    assert bench.maps("vol1") == []
    assert bench.records() == {}
    bench.helper.busy_for = 0
    bench.attach("vol1").success()
