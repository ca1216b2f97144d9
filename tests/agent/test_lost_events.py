"""Events of the kernel that are lost, or are heard no more: nothing is lost for ever, and it is said."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nodeagent.host.uevents import LOST, Uevents
from tests.agent.bench import until
from tests.agent.path_world import LONG, said

if TYPE_CHECKING:
    from tests.agent.path_world import PathWorld, Port

NULL = Path("/sys/class/mem/null/uevent")


def test_a_path_whose_return_was_not_heard_is_not_lost_for_ever(
    world: PathWorld, late: Port, caplog: pytest.LogCaptureFixture
) -> None:
    late.open()
    uid = world.use("vol1")
    world.at_rest()
    world.failed(uid, world.number(uid))
    until(lambda: said(caplog, "multipathd's checks of disk"), LONG)
    world.bench.agent.healer._take(LOST)
    until(lambda: world.bench.agent.healer._pause() is None, 20)
    (unsure,) = said(caplog, "is not known any more, for volume vol1")
    assert "multipathd show paths" in unsure
    assert not said(caplog, "is back for"), "nobody said so"
    world.failed(uid, world.number(uid))
    until(lambda: len(said(caplog, "multipathd's checks of disk")) == 2, LONG)
    world.hear("change", DM_ACTION="PATH_REINSTATED", DM_PATH=world.number(uid), DM_UUID=f"mpath-3{uid}")
    until(lambda: said(caplog, "is back for volume vol1"), LONG)


def test_a_node_whose_events_end_looks_without_them_and_says_so_once(
    world: PathWorld, late: Port, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nodeagent.recovery.healing.BLIND_SECONDS", 0.1)
    late.open()
    world.use("vol1")
    world.at_rest()
    healer, broken = world.bench.agent.healer, Uevents()
    real = healer._uevents
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as refused:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
            nobody.bind(("127.0.0.1", 0))
            refused.connect(nobody.getsockname())
        refused.send(b"x")  # the answer is an error of its next recvfrom
        os.dup2(refused.fileno(), broken._socket.fileno())
    healer._hear(broken)
    world.fail(late.name)  # nobody rings
    until(lambda: said(caplog, "is lost for volume vol1"), LONG)
    assert len(said(caplog, "The kernel's events cannot be heard (Connection refused)")) == 1
    if real:
        real.close()


@pytest.mark.skipif(not os.access(NULL, os.W_OK), reason="this user can make no event of the kernel")
def test_events_that_came_faster_than_they_were_read_are_said_to_be_lost() -> None:
    uevents = Uevents()
    uevents._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    for _ in range(200):
        NULL.write_text("change 0c0ffee0-0000-4000-8000-000000000002\n")
    found = [uevents.next() for _ in range(3)]
    uevents.close()
    assert uevents.next() is None
    assert LOST in found


def test_more_events_may_wait_than_in_a_socket_that_nobody_has_enlarged() -> None:
    uevents = Uevents()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, 15) as plain:
        usual = plain.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    assert uevents._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) > usual
    uevents.close()
    assert uevents.next() is None
