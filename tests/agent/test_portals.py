"""Portals that are out: said, remembered, never waited for twice."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from instorage.arrays.model import VolumeSpec
from instorage.volume_name import VolumeName
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Bytes, Portal
from nodeagent.host.portals import Portals
from nodeagent.host.sessions import connected
from tests.agent.bench import Bench

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Make = "Callable[[], str]"


@pytest.fixture
def node(directory: Path) -> Iterator[Callable[..., Bench]]:
    """Make a bench with given portals."""
    made = []

    def make(*portals: str) -> Bench:
        bench = Bench(directory, dict(enumerate(portals, 1)))
        made.append(bench)
        bench.start()
        return bench

    yield make
    for bench in made:
        bench.close()


def add_session(sysfs: Path, number: int, portal: str, state: str = "LOGGED_IN") -> None:
    """What the kernel's iSCSI class shows of a session."""
    address, _, port = portal.rpartition(":")
    connection = sysfs / f"class/iscsi_connection/connection{number}:0"
    session = sysfs / f"class/iscsi_session/session{number}"
    for directory in (connection, session):
        directory.mkdir(parents=True)
    (connection / "persistent_address").write_text(address.strip("[]") + "\n")
    (connection / "persistent_port").write_text(port + "\n")
    (session / "state").write_text(state + "\n")


def test_a_silent_portal_costs_under_three_seconds_and_the_answer_says_degraded(
    node: Callable[..., Bench], portal: Callable[[], str], silent_portal: Callable[[], str]
) -> None:
    silent = silent_portal()
    bench = node(portal(), silent)
    bench.create("vol1")
    bench.create("vol2")
    first = bench.attach("vol1").success()
    assert (
        f"Attached, but degraded: 1 of 2 portals in use; out: {silent} (did not answer within 1 s)"
        in first.message
    )
    assert first.seconds < 3
    paths = bench.helper.last("Attach")["paths"]
    assert [path["portal"] for path in paths] == [bench.portals[1]]
    second = bench.attach("vol2").success()
    assert "degraded" in second.message
    assert second.seconds < 0.9, "the silent portal was waited for again"


def test_without_any_portal_all_are_named_and_the_mapping_is_taken_back(
    node: Callable[..., Bench], silent_portal: Callable[[], str]
) -> None:
    one, two = silent_portal(), silent_portal()
    bench = node(one, two)
    bench.create("vol1")
    reply = bench.attach("vol1")
    message = reply.failure("No iSCSI portal")
    assert one in message
    assert two in message
    assert reply.seconds < 3
    assert bench.maps("vol1") == []
    assert bench.records() == {}


def test_a_volume_whose_io_group_has_no_portal_says_so(
    node: Callable[..., Bench], portal: Callable[[], str]
) -> None:
    bench = node(portal(), portal())  # nodes 1 and 2, which are I/O group 0
    spec = VolumeSpec(VolumeName("vol1"), Bytes(1 << 30), ("Pool1",))  # on the other site
    bench.array.create_volume(spec)
    message = bench.attach("vol1").failure("is in I/O group 1 of array storage-01")
    assert "configure one there" in message
    assert bench.maps("vol1") == []


def test_a_portal_that_refuses_is_out_at_once(portal: Callable[[], str], tmp_path: Path) -> None:
    open_one, closed = Portal.parse(portal()), Portal.parse("127.0.0.1:1")
    began = time.monotonic()
    report = Portals(tmp_path).report([open_one, closed])
    assert report.up == (open_one,)
    assert report.out[0].reason == "refused the connection"
    assert time.monotonic() - began < 0.9


def test_when_all_others_are_out_a_failed_portal_is_asked_again(
    portal: Callable[[], str], silent_portal: Callable[[], str], tmp_path: Path
) -> None:
    portals = Portals(tmp_path)
    silent = Portal.parse(silent_portal())
    with pytest.raises(Fault) as caught:
        portals.report([silent])
    assert caught.value.code is Code.PORTAL_UNREACHABLE
    began = time.monotonic()
    with pytest.raises(Fault):
        portals.report([silent])
    assert time.monotonic() - began > 0.9, "it was not asked again although it was the only one"
    up = Portal.parse(portal())
    began = time.monotonic()
    assert portals.report([silent, up]).up == (up,)
    assert time.monotonic() - began < 0.9


def test_a_portal_with_a_session_is_not_probed(silent_portal: Callable[[], str], tmp_path: Path) -> None:
    silent = silent_portal()
    add_session(tmp_path, 7, silent)
    began = time.monotonic()
    report = Portals(tmp_path).report([Portal.parse(silent)])
    assert report.up == (Portal.parse(silent),)
    assert not report.remark
    assert time.monotonic() - began < 0.5


def test_only_logged_in_sessions_count(tmp_path: Path) -> None:
    add_session(tmp_path, 1, "10.9.0.1:3260")
    add_session(tmp_path, 2, "10.9.0.2:3260", "FAILED")
    add_session(tmp_path, 3, "[fd00::1]:3260")
    (tmp_path / "class/iscsi_connection/connection9:0").mkdir()
    assert connected(tmp_path) == {"10.9.0.1:3260", "[fd00::1]:3260"}


def test_a_portal_without_a_route_is_skipped_and_said(portal: Callable[[], str], tmp_path: Path) -> None:
    up, far = Portal.parse(portal()), Portal.parse("10.255.0.1:3260")
    portals = Portals(tmp_path, lambda address: "no route" if address == far.address else None)
    began = time.monotonic()
    report = portals.report([up, far])
    assert report.remark == f"Attached, but degraded: 1 of 2 portals in use; out: {far} (no route)."
    assert time.monotonic() - began < 0.5


@pytest.mark.subprocess
@pytest.mark.root
def test_the_kernel_is_asked_for_routes() -> None:
    """In a network namespace of its own there is none."""
    unshare = shutil.which("unshare")
    assert unshare
    program = (
        "from nodeagent.host.routes import no_route; print(no_route('10.1.2.3'), no_route('2001:db8::1'))"
    )
    argv = [unshare, "--net", sys.executable, "-c", program]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.split("\n")[0] == "no route no route"
    here = subprocess.run([sys.executable, "-c", program.replace("10.1.2.3", "127.0.0.1")],
                          capture_output=True, text=True, timeout=30, check=True)  # fmt: skip
    assert here.stdout.startswith("None ")
