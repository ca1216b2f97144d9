"""A port of Fibre Channel that comes after the attach: its paths are added, and expected from then on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.wire.values import VolumeUid
from tests.agent.attribute import show
from tests.agent.bench import until
from tests.agent.path_world import LONG, said
from tests.agent.simulated_array import WWPNS

if TYPE_CHECKING:
    import pytest

    from tests.agent.fabric import Fabric


def test_a_port_that_comes_late_is_asked_for_and_its_path_is_added(fabric: Fabric) -> None:
    fabric.log_in(1, 2)
    fabric.look()
    until(lambda: fabric.disks() == 2, LONG)
    asked = fabric.bench.helper.last("Attach")
    assert asked["add_only"] is True
    assert len(asked["fc_paths"]) == 1, "a path that works was asked for, too"
    until(lambda: fabric.bench.agent.healer._pause() is None, LONG)


def test_a_path_that_the_kernel_added_by_itself_is_missed_when_it_goes(
    fabric: Fabric, caplog: pytest.LogCaptureFixture
) -> None:
    with fabric.unseen():
        fabric.log_in(1, 2)
        port = next(fabric.sys.glob("class/fc_remote_ports/rport-4:0-2/port_name"))
        (uid,) = fabric.bench.helper.devices
        fabric.show(uid, port.read_text().strip().removeprefix("0x"))
    fabric.look()
    until(lambda: len(fabric.bench.agent._node.expected.ends("storage-01")) == 2, LONG)
    show(port.with_name("port_state"), "Blocked")
    fabric.look()
    until(lambda: said(caplog, "is lost for volume pvc-1"), LONG)
    assert fabric.bench.helper.verbs().count("Attach") == 1, "there was nothing to add"


def test_what_the_array_does_not_show_just_now_stays_expected(
    fabric: Fabric, caplog: pytest.LogCaptureFixture
) -> None:
    """An attach, or the comparison at a start, while a cable is out: the path is lost, and not forgotten."""
    fabric.log_in(1, 2)
    fabric.look()
    until(lambda: fabric.disks() == 2, LONG)
    fabric.bench.do("logins", port=WWPNS[1], nodes=[])
    show(next(fabric.sys.glob("class/fc_remote_ports/rport-4:0-2/port_state")), "Blocked")
    fabric.look()
    until(lambda: said(caplog, "is lost for volume pvc-1"), LONG)
    max((fabric.sys / "block/dm-0/slaves").iterdir()).unlink()  # the kernel waits for no port for ever
    fabric.bench.attach("pvc-1").success()
    looks = fabric.bench.agent.healer.looks
    until(lambda: fabric.bench.agent.healer.looks > looks + 5, LONG)
    assert not said(caplog, "is not waited for")
    assert not said(caplog, "is back for")


def test_another_arrays_port_is_asked_about_for_a_while(
    fabric: Fabric, monkeypatch: pytest.MonkeyPatch
) -> None:
    fabric.bench.see(0, 9, "5006016012345678")
    fabric.bench.reset()
    fabric.look()
    until(lambda: "lsfabric" in fabric.bench.commands(), LONG)
    assert fabric.bench.agent.healer._pause() is not None
    monkeypatch.setattr("nodeagent.recovery.arrivals.LATE_SECONDS", 0.0)
    until(lambda: fabric.bench.agent.healer._pause() is None, LONG)
    assert fabric.bench.commands().count("lsfabric") == 1, "it is asked at each look"


def test_ports_that_zoning_gives_others_are_not_waited_for_after_all_cables_were_out(
    fabric: Fabric, caplog: pytest.LogCaptureFixture
) -> None:
    """While an array shows no login it names every port that it has."""
    fabric.bench.do("logins", port=WWPNS[0], nodes=[])
    state = next(fabric.sys.glob("class/fc_remote_ports/rport-3:0-1/port_state"))
    show(state, "Blocked")
    fabric.bench.reset()
    fabric.look()
    until(lambda: said(caplog, "has no path left, its only one is lost"), LONG)
    until(lambda: "lstargetportfc" in fabric.bench.commands(), LONG)
    looks = fabric.bench.agent.healer.looks
    until(lambda: fabric.bench.agent.healer.looks > looks + 5, LONG)
    assert len(fabric.bench.agent._node.expected.ends("storage-01")) == 1
    show(state, "Online")
    until(lambda: fabric.bench.agent.healer._pause() is None, LONG)


def test_a_volume_that_was_attached_while_a_cable_was_out_has_all_paths_once_it_is_back(
    fabric: Fabric,
) -> None:
    """The array's ports were seen half, and by then each is known of another volume."""
    fabric.log_in(1, 2)
    fabric.look()
    until(lambda: fabric.disks() == 2, LONG)
    until(lambda: fabric.bench.agent.healer._pause() is None, LONG)
    fabric.bench.do("logins", port=WWPNS[1], nodes=[])
    state = next(fabric.sys.glob("class/fc_remote_ports/rport-4:0-2/port_state"))
    show(state, "Blocked")
    fabric.look()
    node = fabric.bench.agent._node
    until(lambda: fabric.bench.agent.healer._again, LONG)
    until(lambda: "lsfabric" in fabric.bench.commands(), LONG)
    uid = VolumeUid.parse(fabric.bench.create("pvc-2"))
    fabric.bench.attach("pvc-2").success()
    assert len(node.expected.of(uid) or ()) == 1
    fabric.bench.do("logins", port=WWPNS[1], nodes=[2])
    show(state, "Online")
    until(lambda: len(node.expected.of(uid) or ()) == 2, LONG)
    fabric.bench.reset()
    fabric.bench.create("pvc-3")
    fabric.bench.attach("pvc-3").success()
    assert len(fabric.bench.helper.last("Attach")["fc_paths"]) == 2, "it is remembered how it was meanwhile"
