"""What goes on although something is wrong is said: to kubelet in the answer, to the journal by its level."""

from __future__ import annotations

import logging

import pytest

from tests.agent.bench import Bench, device_target, pod_target, until

TARGET = "iqn.2004-12.com.inspur:mcs.other"


def logged(caplog: pytest.LogCaptureFixture, level: int, *words: str) -> list[str]:
    texts = [record.getMessage() for record in caplog.records if record.levelno == level]
    return [text for text in texts if all(word in text for word in words)]


def test_two_paths_without_a_map_are_said_to_be_degraded(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.create("vol1")
    bench.helper.no_map = True
    assert "degraded: 2 paths and no multipath map" in bench.attach("vol1").success().message
    assert logged(caplog, logging.WARNING, "vol1", "no multipath map")
    message = bench.mount_device("vol1").success().message
    assert "one of its 2 paths" in message
    assert logged(caplog, logging.WARNING, "vol1", "one of its 2 paths")


def test_with_a_map_nothing_is_said(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.create("vol1")
    assert bench.attach("vol1").success().message == ""
    assert bench.mount_device("vol1").success().message == ""
    assert not logged(caplog, logging.WARNING, "vol1")


def test_where_a_map_is_demanded_two_paths_without_one_are_refused(bench: Bench) -> None:
    bench.create("vol1")
    bench.configure(host="  forceUseMultipath: true\n")
    bench.helper.no_map = True
    bench.attach("vol1").failure("no multipath map")
    assert bench.helper.last("Attach")["multipath"] == "required"
    assert bench.maps("vol1") == []
    bench.helper.no_map = False
    assert bench.attach("vol1").success().message == ""


@pytest.mark.parametrize("call", ["unmount", "unmountdevice"])
def test_lost_writes_are_said_and_the_volume_goes(
    bench: Bench, caplog: pytest.LogCaptureFixture, call: str
) -> None:
    uid = bench.create("vol1")
    bench.use("vol1")
    if call == "unmountdevice":
        bench.call("unmount", pod_target("vol1")).success()
    bench.helper.losing.add(uid)
    target = pod_target("vol1") if call == "unmount" else device_target("vol1")
    message = bench.call(call, target).success().message
    assert message.count("Writes of volume vol1 were lost") == 1, "once, whoever meets it"
    assert logged(caplog, logging.ERROR, "vol1", "were lost")
    assert target not in bench.helper.mounts
    assert bench.maps("vol1") == (["iscsi-node1"] if call == "unmount" else [])


def test_writes_that_are_lost_when_the_device_goes_are_said_as_well(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing was mounted, so that no unmount has said it."""
    uid = bench.create("vol1")
    bench.attach("vol1").success()
    bench.helper.losing.add(uid)
    message = bench.call("unmountdevice", device_target("vol1")).success().message
    assert "Writes of volume vol1 were lost" in message
    assert logged(caplog, logging.ERROR, "vol1", "were lost")
    assert bench.maps("vol1") == []


def test_a_session_to_a_portal_that_the_array_dropped_is_said_at_the_start(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """Others are not: sessions to portals that it names, and those of another array; spelled as they are."""
    named = bench.array.iscsi_targets()[0]
    spelled = str(named.iqn).replace("inspur", "Inspur")
    sessions = {
        "1": (spelled, str(named.portal)),
        "2": (spelled, "10.77.0.1:3260"),
        "3": (TARGET, "10.77.0.2:3260"),
    }
    for sid, (target, portal) in sessions.items():
        session = bench.paths.sysfs / f"class/iscsi_session/session{sid}"
        peer = bench.paths.sysfs / f"class/iscsi_connection/connection{sid}:0"
        for folder in (session, peer):
            folder.mkdir(parents=True)
        address, _, port = portal.rpartition(":")
        (session / "targetname").write_text(f"{target}\n")
        (session / "state").write_text("FAILED\n")
        (peer / "persistent_address").write_text(f"{address}\n")
        (peer / "persistent_port").write_text(f"{port}\n")
    caplog.clear()
    bench.restart()
    until(lambda: logged(caplog, logging.WARNING, "10.77.0.1:3260"))
    (said,) = logged(caplog, logging.WARNING, "Session ")
    assert "Session 2 " in said
    assert "iscsiadm -m session -r 2 --logout" in said
