"""Paths that come late, go and come back: added unasked, said once, and nothing runs while all is well."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from tests.agent.attribute import show
from tests.agent.bench import device_target, pod_target, until
from tests.agent.path_world import LONG, said

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.agent.path_world import PathWorld, Port


def test_a_path_that_comes_late_is_added_to_the_map_unasked(
    world: PathWorld, late: Port, caplog: pytest.LogCaptureFixture
) -> None:
    uid = world.use("vol1")
    until(lambda: said(caplog, "is lost for volume vol1"), LONG)
    assert world.paths(uid) == 1
    late.open()
    until(lambda: world.paths(uid) == 2, LONG)
    asked = world.bench.helper.last("Attach")
    assert asked["add_only"] is True
    assert [path["portal"] for path in asked["paths"]] == [late.name], "a path that works was asked for, too"
    until(lambda: said(caplog, "is back for volume vol1"), LONG)
    (lost,) = said(caplog, "is lost for")
    assert f"portal {late.name}" in lost
    assert "the portal refused the connection. One path is left of 2" in lost


def test_a_loss_is_said_once_for_many_volumes_and_so_is_its_end(
    world: PathWorld, late: Port, caplog: pytest.LogCaptureFixture
) -> None:
    late.open()
    names = [f"vol{number}" for number in range(1, 8)]
    uids = [world.use(name) for name in names]
    world.at_rest()
    world.fail(late.name)
    world.bench.agent._node.expected.look()
    until(lambda: said(caplog, "is lost for"), LONG)
    looks = world.bench.agent.healer.looks
    until(lambda: world.bench.agent.healer.looks > looks + 5, LONG)
    (lost,) = said(caplog, "is lost for")
    assert "for 7 volumes (vol1, vol2, vol3, vol4, vol5 and 2 more): its session is FAILED." in lost
    world.recover(late.name)
    until(lambda: said(caplog, "is back for 7 volumes"), LONG)
    assert len(said(caplog, "is back for")) == 1
    assert all(world.paths(uid) == 2 for uid in uids)


def test_nothing_runs_while_all_is_well(world: PathWorld, late: Port) -> None:
    late.open()
    world.use("vol1")
    looks = world.at_rest()
    world.bench.reset()
    assert world.bench.agent.healer._pause() is None, "it would look again by itself"
    assert world.at_rest() == looks
    assert world.bench.order == []
    assert world.bench.commands() == []


def test_an_array_is_asked_seldom_about_a_portal_that_stays_away(
    world: PathWorld, caplog: pytest.LogCaptureFixture
) -> None:
    world.use("vol1")
    until(lambda: said(caplog, "is lost for"), LONG)
    world.bench.reset()
    looks = world.bench.agent.healer.looks
    until(lambda: world.bench.agent.healer.looks > looks + 30, LONG)
    assert len(world.bench.commands()) <= 10, "each look asks the array"
    assert "Attach" not in world.bench.order, "the helper was asked for what cannot be reached"


def test_a_portal_that_the_array_renumbered_is_found(
    world: PathWorld, late: Port, portal: Callable[[], str], caplog: pytest.LogCaptureFixture
) -> None:
    late.open()
    uid = world.use("vol1")
    world.at_rest()
    late.close()
    world.bench.portals[2] = new = portal()
    world.fail(late.name)
    world.bench.agent._node.expected.look()
    until(lambda: world.paths(uid) == 3, LONG)  # what is behind the old portal stays
    assert new in world.sessions
    until(lambda: world.bench.agent.healer._pause() is None, LONG)
    assert "Leave" not in world.bench.order, "a session with a disk was to be ended"


def test_a_disk_that_the_kernel_gave_up_is_named_with_what_gives_it_back(
    world: PathWorld, late: Port, caplog: pytest.LogCaptureFixture
) -> None:
    late.open()
    uid = world.use("vol1")
    disk = world.disk(uid, late.name)
    show((world.sys / f"block/{disk}/device").resolve() / "state", "offline")
    world.look()
    until(lambda: said(caplog, "is lost for volume vol1"), LONG)
    assert f"echo running >/sys/block/{disk}/device/state. One path is left" in said(caplog, "is lost for")[0]


def test_a_session_that_leads_nowhere_ends_once_its_volume_is_gone(
    world: PathWorld, late: Port, portal: Callable[[], str]
) -> None:
    late.open()
    world.use("vol1")
    number, target = world.sessions[late.name], "iqn.2004-12.com.inspur:other"
    target = (world.sys / f"class/iscsi_session/session{number}/targetname").read_text()
    late.close()
    world.bench.portals[2] = new = portal()
    world.fail(late.name)
    world.bench.agent._node.expected.look()
    until(lambda: new in world.sessions, LONG)
    world.bench.helper.sessions.add((target, late.name))
    world.bench.call("unmount", pod_target("vol1")).success()
    world.bench.call("unmountdevice", device_target("vol1")).success()
    for device in (world.sys / "bus/scsi/devices").iterdir():
        device.unlink()  # the detach
    world.bench.agent._node.expected.look()
    until(lambda: not world.bench.helper.sessions, LONG)
    asked = world.bench.helper.last("Leave")
    assert (asked["target"], asked["portals"]) == (target, [late.name])


def test_a_session_to_a_portal_that_is_only_down_is_kept(world: PathWorld, late: Port) -> None:
    late.open()
    world.use("vol1")
    world.bench.call("unmount", pod_target("vol1")).success()
    world.bench.call("unmountdevice", device_target("vol1")).success()
    for device in (world.sys / "bus/scsi/devices").iterdir():
        device.unlink()
    world.bench.do("node-status", node=2, status="offline")
    world.bench.agent._node.expected.look()
    world.at_rest()
    assert "Leave" not in world.bench.order


def test_what_leads_to_a_node_that_is_down_stays_lost_until_it_is_back(
    world: PathWorld, late: Port, caplog: pytest.LogCaptureFixture
) -> None:
    """The array shows no port of such a node as usable: that is not one that it has no more."""
    late.open()
    uid = world.use("vol1")
    world.at_rest()
    world.bench.do("node-status", node=2, status="offline")
    late.close()
    world.drop(late.name)
    world.bench.agent._node.expected.look()
    until(lambda: said(caplog, "is lost for volume vol1"), LONG)
    looks = world.bench.agent.healer.looks
    until(lambda: world.bench.agent.healer.looks > looks + 10, LONG)
    assert not said(caplog, "is not waited for")
    assert not said(caplog, "is back for")
    late.open()
    until(lambda: world.paths(uid) == 2, LONG)


def test_no_path_left_is_said_with_what_the_map_does_meanwhile(
    world: PathWorld, late: Port, caplog: pytest.LogCaptureFixture
) -> None:
    late.open()
    world.use("vol1")
    for portal in list(world.sessions):
        world.fail(portal)
    world.bench.agent._node.expected.look()
    until(lambda: said(caplog, "has no path left"), LONG)
    (dead,) = said(caplog, "has no path left")
    assert "all 2 are lost. What uses it waits for a path for 60 checks of multipathd, then it gets" in dead
    world.recover(late.name)
    until(lambda: said(caplog, "has a path again"), LONG)


def test_a_path_that_multipathd_has_given_up_is_lost_though_its_session_works(
    world: PathWorld, late: Port, caplog: pytest.LogCaptureFixture
) -> None:
    late.open()
    uid = world.use("vol1")
    world.at_rest()
    world.failed(uid, world.number(uid))
    until(lambda: said(caplog, "multipathd's checks of disk"), LONG)
    assert world.bench.order.count("Attach") == 1, "it is in the map: nothing can be added"
    world.hear("change", DM_ACTION="PATH_REINSTATED", DM_PATH=world.number(uid), DM_UUID=f"mpath-3{uid}")
    until(lambda: said(caplog, "is back for volume vol1"), LONG)


@pytest.mark.parametrize("afterwards", [False, True], ids=["before it went", "after it went, too"])
def test_a_disk_that_gets_the_number_of_a_failed_one_is_not_lost(
    world: PathWorld, late: Port, caplog: pytest.LogCaptureFixture, *, afterwards: bool
) -> None:
    """Of a path whose disk goes nobody says that it works again; the kernel gives the lowest free number."""
    late.open()
    uid = world.use("vol1")
    world.at_rest()
    disk = world.disk(uid, late.name)
    number = (world.sys / f"block/{disk}/dev").read_text()
    world.failed(uid, number)
    until(lambda: said(caplog, f"multipathd's checks of disk {disk} fail"), LONG)
    world.bench.call("unmount", pod_target("vol1")).success()
    world.bench.call("unmountdevice", device_target("vol1")).success()
    world.remove(disk)
    if afterwards:
        world.failed(uid, number)
    other = world.use("vol2")
    mine = {(world.sys / f"block/{world.disk(other, portal)}/dev").read_text() for portal in world.sessions}
    assert number in mine, "the number has no next owner"
    world.look()
    until(lambda: world.bench.agent.healer._pause() is None, 20)
    assert said(caplog, "for volume vol2") == []


def test_an_agent_that_starts_again_heals_what_was_lost_before(world: PathWorld, late: Port) -> None:
    uid = world.use("vol1")
    world.bench.restart(late.open)
    until(lambda: world.paths(uid) == 2, LONG)


def test_a_dead_array_does_not_keep_a_known_path_away(world: PathWorld, late: Port) -> None:
    uid = world.use("vol1")
    world.bench.helper.mapped = lambda _: True  # else it asks the simulator
    world.bench.simulator.stop()
    late.open()
    until(lambda: world.paths(uid) == 2, LONG)


def test_a_volume_that_a_call_works_on_waits_for_its_turn(world: PathWorld, late: Port) -> None:
    uid = world.use("vol1")
    held = threading.Event()
    gate = world.bench.helper.script("Unmount", gate=held)
    stub = world.bench.begin("unmount", pod_target("vol1"))
    assert gate.reached.wait(LONG)
    late.open()
    looks = world.bench.agent.healer.looks
    until(lambda: world.bench.agent.healer.looks > looks + 10, LONG)
    assert world.paths(uid) == 1
    held.set()
    stub.reply().success()
    until(lambda: world.paths(uid) == 2, LONG)
