"""`instoragectl why` of what the true helper refuses: a device that is not there, its size, what is on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.agent.bench import GIB, options
from tests.diagnosis.inspected import Node, prepared, reached
from tests.diagnosis.recorded import VOLUME, Recorded
from tests.diagnosis.true_node import Shown, TrueBench, prepare
from tests.helper.conftest import run_directory, start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["run_directory", "start"]
pytestmark = [pytest.mark.subprocess, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def bench(
    tmp_path: Path,
    directory: Path,
    portal: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    start: Callable[..., int],
) -> Iterator[TrueBench]:
    # It forks: before there are threads.
    world = Shown(tmp_path, monkeypatch, start, tmp_path / "helper.sock")
    made = TrueBench(directory, {1: portal(), 2: portal()}, world=world)
    prepare(made)
    made.start()
    yield made
    made.close()
    world.close()


@pytest.fixture
def node(bench: TrueBench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Node:
    return prepared(bench, monkeypatch, capsys)


def test_a_size_that_differs(bench: TrueBench, node: Node) -> None:
    bench.show("vol1", size=GIB, on_array=2 * GIB)
    bench.attach("vol1").failure("[wrong-device]")
    found = node.why()
    assert f"has {GIB} bytes, the array says {2 * GIB}: detach or grow it." in found["sentence"]
    assert (found["who"], found["do"]) == ("node", "instoragectl doctor --volume vol1")


def test_a_pod_leads_through_the_claim_to_what_this_node_and_the_array_say(
    bench: TrueBench, node: Node
) -> None:
    api = Recorded()
    api.bound()
    api.node()
    api.pod()
    reached(node, api)
    bench.show(VOLUME)
    bench.attach(VOLUME).failure("[no-path]")
    found = node.why("default/web")
    assert found["sentence"].startswith("Pod default/web waits since ")
    assert "shows no LUN 0 to this host" in found["sentence"]
    assert (found["who"], found["do"]) == ("san", f"instoragectl doctor --volume {VOLUME}")
    places = [one["place"] for one in found["links"]]
    assert places == sorted(places, key=["claim", "PV", "node", "agent", "array", "paths", "mount"].index)


def test_a_first_use_that_is_read_only(bench: TrueBench, node: Node) -> None:
    bench.show("vol1", size=GIB)
    bench.attach("vol1", options("vol1", "ro")).success()
    bench.mount_here("vol1", "ro").failure("[read-only-first-use]")
    found = node.why()
    assert "has no file system: its first use must be read-write" in found["sentence"]
    assert (found["who"], found["do"]) == ("kubernetes", "kubectl get pv vol1 -o yaml")


def test_a_format_that_is_refused(bench: TrueBench, node: Node) -> None:
    bench.show("vol1", size=GIB)
    bench.do("used", volume="vol1", bytes=900 << 20)
    bench.attach("vol1").success()
    bench.mount_here("vol1").failure("[not-empty]")
    found = node.why()
    assert "no data was found, but the array does not vouch that it is new" in found["sentence"]
    assert (found["who"], found["do"]) == ("kubernetes", "kubectl instorage doctor")


def test_data_on_a_volume_of_which_the_array_says_that_it_is_new(bench: TrueBench, node: Node) -> None:
    uid = bench.show("vol1", size=GIB)
    bench.attach("vol1").success()
    bench.world.holds(uid, "")
    bench.mount_here("vol1").failure("[not-empty]")
    found = node.why()
    assert "it holds data (at byte 0) that is no known file system" in found["sentence"]
    assert (found["who"], found["do"]) == ("kubernetes", "kubectl instorage doctor")


def test_a_format_that_was_broken_off_on_another_node(bench: TrueBench, node: Node) -> None:
    bench.show("vol1", size=GIB)
    bench.world.break_mkfs_midway()
    bench.attach("vol1").success()
    bench.mount_here("vol1").failure("[tool-failed]")
    bench.world.forget_formats()
    bench.mount_here("vol1").failure("[not-empty]")
    found = node.why()
    assert "that node may be able to finish it" in found["sentence"]
    assert (found["who"], found["do"]) == ("kubernetes", "kubectl instorage doctor")
