"""Growth: every path is up and has the new size before the map takes it (safety.md 16).

The true kernel is in tests/lab/test_growth.py.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from helper import scsi
from helper.growth import rescan
from helper.settings import Settings
from helper.volume import hold
from instorage.wire.fault import Code, Fault
from instorage.wire.growth import RescanRequest
from instorage.wire.values import Bytes, VolumeUid
from instorage.wire.verbs import Multipath
from tests.helper.growing import LARGE, OP, host
from tests.helper.host import OTHER, UID, Host
from tests.helper.sysfs import GIB

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["host"]
pytestmark = pytest.mark.subprocess


@pytest.fixture
def mapped(host: Host) -> str:
    return host.map(UID, "sda", "sdb")


def ask(
    size: int = LARGE, wait_ms: int = 6000, settings: Settings | None = None
) -> tuple[str, tuple[str, ...]]:
    request = RescanRequest(OP, VolumeUid.parse(UID), Bytes.parse(size), wait_ms)
    reply = rescan(request, settings or Settings())
    return reply.device, reply.paths


def refused(code: Code, **parameters: Any) -> Fault:
    with pytest.raises(Fault) as raised:
        ask(**parameters)
    assert raised.value.code is code, raised.value
    return raised.value


def did(host: Host) -> list[str]:
    return [event for event in host.events if event.startswith(("rescan", "multipath"))]


def test_every_path_is_read_again_and_then_the_map_resized(host: Host, mapped: str) -> None:
    assert ask() == (f"{scsi.DEV}/disk/by-id/dm-uuid-mpath-3{UID}", ("sda", "sdb"))
    assert sorted(did(host)[:2]) == ["rescan sda", "rescan sdb"]
    assert did(host)[2:] == [f"multipathd resize map 3{UID}"]
    assert [scsi.size(name) for name in ("sda", "sdb", mapped)] == [LARGE] * 3


def test_nothing_is_done_when_everything_has_that_size(host: Host, mapped: str) -> None:
    """So the agent proves, before the array grows it, that all paths are up."""
    ask(GIB)
    assert did(host) == []


def test_a_volume_with_a_single_path_and_no_map_grows(host: Host) -> None:
    device, _ = ask()
    assert device == f"{scsi.DEV}/disk/by-id/wwn-0x{UID}"
    assert sorted(did(host)) == ["rescan sda", "rescan sdb"]


@pytest.mark.parametrize("state", ["blocked", "offline", "transport-offline"])
@pytest.mark.parametrize("size", [GIB, LARGE])
def test_a_path_that_is_down_stops_growth_before_anything_is_touched(
    host: Host, mapped: str, state: str, size: int
) -> None:
    (host.root / "sys/block/sdb/device/state").write_text(state)
    fault = refused(Code.NO_PATH, size=size)
    assert f"sdb is {state}" in str(fault)
    assert "Not all paths" in str(fault)
    assert did(host) == []


def test_a_path_that_does_not_answer_stops_growth_before_anything_is_touched(host: Host, mapped: str) -> None:
    (host.root / "page83/sdb").unlink()
    assert "sdb" in str(refused(Code.NO_PATH))
    assert did(host) == []


def test_a_path_that_leads_to_another_volume_by_now_stops_growth(host: Host, mapped: str) -> None:
    (host.root / "page83/sdb").write_text(OTHER)
    fault = refused(Code.WRONG_DEVICE)
    assert fault.fields["found"] == OTHER
    assert did(host) == []


def test_a_disk_of_another_maker_stops_growth(host: Host, mapped: str) -> None:
    (host.root / "sys/block/sdb/device/vendor").write_text("OTHER")
    refused(Code.NOT_OURS)
    assert did(host) == []


@pytest.mark.slow
def test_a_path_that_keeps_its_size_stops_growth_before_the_map(host: Host, mapped: str) -> None:
    host.luns[1, 0, 1] = (UID, GIB)
    fault = refused(Code.WRONG_DEVICE, wait_ms=3500)
    assert (fault.fields["disk"], fault.fields["found"], fault.fields["expected"]) == (
        "sdb", str(GIB), str(LARGE),
    )  # fmt: skip
    assert not [event for event in did(host) if event.startswith("multipathd")]
    assert scsi.size(mapped) == GIB


def test_a_controller_that_shows_the_new_size_late_is_waited_for(
    host: Host, mapped: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    true_size = host.luns[1, 0, 1]
    host.luns[1, 0, 1] = (UID, GIB)

    def read_again(device: Path) -> None:
        if "rescan sdb" in host.events:
            host.luns[1, 0, 1] = true_size
        Host._read_again(host, device)

    monkeypatch.setattr(host, "_read_again", read_again)
    ask(wait_ms=8000)
    assert did(host).count("rescan sdb") > 1
    assert scsi.size(mapped) == LARGE


@pytest.mark.parametrize("grown", ["sda", "map"])
def test_nothing_is_ever_made_smaller(host: Host, mapped: str, grown: str) -> None:
    name = mapped if grown == "map" else grown
    (host.root / f"sys/block/{name}/size").write_text(str(LARGE // 512))
    assert "nothing is made smaller" in str(refused(Code.WRONG_DEVICE, size=GIB))
    assert did(host) == []


@pytest.mark.slow
def test_a_disk_that_became_smaller_than_the_map_stops_growth(host: Host, mapped: str) -> None:
    host.luns[1, 0, 1] = (UID, GIB // 2)
    assert refused(Code.WRONG_DEVICE, wait_ms=3500).fields["found"] == str(GIB // 2)
    assert scsi.size(mapped) == GIB


@pytest.mark.parametrize("answer", ["fail", "timeout", ""])
def test_what_multipathd_says_is_read(host: Host, mapped: str, answer: str) -> None:
    host.answers = answer
    assert f"«{answer}»" in str(refused(Code.TOOL_FAILED))


@pytest.mark.slow
def test_an_ok_of_multipathd_is_not_believed(host: Host, mapped: str) -> None:
    host.busy_maps.add(f"3{UID}")
    assert f"it has {GIB}" in str(refused(Code.TOOL_FAILED, wait_ms=3500))


def test_a_map_is_never_reconfigured(host: Host, mapped: str) -> None:
    ask()
    assert not [event for event in host.events if "reconf" in event]


def test_a_map_that_is_demanded_must_be_there(host: Host) -> None:
    refused(Code.NO_MULTIPATH, settings=Settings(multipath=Multipath.REQUIRED))
    assert did(host) == []


def test_a_volume_that_is_not_here_is_said(host: Host, mapped: str) -> None:
    with pytest.raises(Fault, match="no disk") as raised:
        rescan(RescanRequest(OP, VolumeUid.parse(OTHER), Bytes.parse(GIB), 2000), Settings())
    assert raised.value.code is Code.NO_PATH


def test_a_volume_that_is_worked_on_is_waited_for(host: Host, mapped: str) -> None:
    with hold(UID, "op1", time.monotonic() + 5):
        assert "op1" in str(refused(Code.LOCK_TIMEOUT, wait_ms=300))
    assert did(host) == []
