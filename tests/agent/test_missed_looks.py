"""Looks at paths that end before all is seen to: what they leave is looked at again, though nobody rings."""

from __future__ import annotations

import errno
import shutil
import threading
from typing import TYPE_CHECKING

import pytest

from instorage.wire.values import VolumeUid
from nodeagent.host import volume_paths
from tests.agent.bench import until
from tests.agent.path_world import LONG, said
from tests.agent.peer_kernel import FaultError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.agent.path_world import PathWorld, Port

SOON = 15.0


def test_a_path_that_comes_back_while_the_array_hesitates_is_said_to_be_back(
    world: PathWorld, late: Port, caplog: pytest.LogCaptureFixture
) -> None:
    """The look that finds it back comes while the one that found it lost still asks the array."""
    late.open()
    world.use("vol1")
    world.at_rest()
    world.bench.do("fault", command="*", times=0, delay=30.0)
    world.fail(late.name)
    world.bench.agent._node.expected.look()
    until(world.bench.agent.healer._lanes["storage-01"]._guard.locked, LONG)
    world.recover(late.name)
    world.look()
    world.bench.do("clear")
    until(lambda: said(caplog, "is back for volume vol1"), SOON)
    until(lambda: world.bench.agent.healer._pause() is None, SOON)


def test_a_path_that_comes_back_beside_one_that_is_added_is_said_to_be_back(
    world: PathWorld, late: Port, caplog: pytest.LogCaptureFixture
) -> None:
    late.open()
    uids = [world.use(name) for name in ("vol1", "vol2")]
    world.at_rest()
    world.bench.do("fault", command="*", times=0, error="CMMVC5982E")  # the helper adds it all the same
    world.fail(late.name)
    world.bench.agent._node.expected.look()
    until(lambda: said(caplog, "is lost for 2 volumes"), LONG)
    held = threading.Event()
    gate = world.bench.helper.script("Attach", gate=held, fault=FaultError("lock-timeout", "Later."))
    world.remove(world.disk(uids[0], late.name))
    assert gate.reached.wait(LONG)
    world.recover(late.name)
    world.look()
    held.set()
    until(lambda: [text for text in said(caplog, "is back for") if "vol1" in text], SOON)
    until(lambda: [text for text in said(caplog, "is back for") if "vol2" in text], SOON)
    assert not said(caplog, "port  "), "nothing says where the disk that went led"


@pytest.mark.parametrize("where", ["host.volume_paths.maps", "recovery.repair.strays"])
def test_what_a_look_that_broke_off_did_not_see_is_looked_at_again(
    world: PathWorld,
    late: Port,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
) -> None:
    failed = []

    def broken(*_: object) -> None:
        failed.append(1)
        raise OSError(errno.EMFILE, "Too many open files")

    late.open()
    world.use("vol1")
    world.at_rest()
    world.fail(late.name)
    with monkeypatch.context() as patch:
        patch.setattr(f"nodeagent.{where}", broken)
        world.bench.agent._node.expected.look()
        until(lambda: failed, LONG)
    until(lambda: said(caplog, "is lost for volume vol1"), SOON)


def test_a_disk_that_is_gone_is_no_path_to_nowhere(world: PathWorld, late: Port) -> None:
    """The map lists it a moment longer, and nothing says where it led: its path is one that is missing."""
    late.open()
    uid = VolumeUid.parse(world.use("vol1"))
    gone = world.disk(uid, late.name)
    shutil.rmtree(world.sys / f"block/{gone}")
    found = volume_paths.maps(world.sys, {uid})[uid]
    assert [path.end.portal for path in found.paths] == [world.bench.portals[1]]


def test_an_array_that_does_not_answer_for_a_moment_is_asked_again_as_soon_as_before(
    world: PathWorld, late: Port, portal: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its nodes change over, and the portal comes back under another address."""
    monkeypatch.setattr("nodeagent.recovery.lane.ASK_SECONDS", 2.0)
    late.open()
    uid = world.use("vol1")
    world.at_rest()
    late.close()
    world.bench.portals[2] = portal()
    world.bench.do("fault", command="lsnode", times=4, error="CMMVC5982E")
    world.fail(late.name)
    world.bench.agent._node.expected.look()
    until(lambda: world.paths(uid) == 3, 20)  # 4 times 2 s, not 2 and 4 and 8 and 16
