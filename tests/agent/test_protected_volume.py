"""A volume that the array keeps mapped for a while after its last I/O: said once, unmapped by itself."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from tests.agent.bench import Bench, device_target, options, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def node(directory: Path, portal: Callable[[], str]) -> Iterator[Bench]:
    """A node whose reconciliation does not wait long, and a volume that a pod has just used."""
    made = Bench(directory, {1: portal(), 2: portal()}, rest=0.2)
    made.start()
    made.create("vol1")
    made.do("dialect", protection_minutes=60)
    made.attach("vol1").success()
    made.mount_device("vol1", options("vol1")).success()
    yield made
    made.close()


@pytest.mark.slow
def test_the_volume_of_a_pod_that_has_ended_is_unmapped_when_the_array_allows_it(
    node: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    said = node.call("unmountdevice", device_target("vol1")).failure("volume protection is on")
    assert "Nothing is wrong" in said
    assert node.records(), "it is still ours"
    node.reset()
    until(lambda: node.commands().count("rmvdiskhostmap") >= 4)
    told = [one for one in caplog.records if "volume protection is on" in one.getMessage()]
    assert len([one for one in told if "left over" in one.getMessage()]) == 1, "reconciliation says it once"
    taking = [one for one in caplog.records if "taking it down" in one.getMessage()]
    assert len(taking) == 1
    node.do("dialect", protection_minutes=0)
    until(lambda: node.maps("vol1") == [])
    until(lambda: not node.records())


def test_reconciliation_goes_on_at_short_intervals(node: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nodeagent.recovery.failures.LONGEST", {"volume-protected": 0.2})
    node.call("unmountdevice", device_target("vol1")).failure("volume protection is on")
    node.reset()
    until(lambda: node.commands().count("rmvdiskhostmap") >= 6)
