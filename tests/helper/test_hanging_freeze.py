"""A freeze that does not come back from the kernel: given up, and thawed when it comes."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from helper import abandoned, freeze
from helper.volume import hold
from instorage.wire.fault import Fault
from tests.helper.conftest import wait_for_end
from tests.helper.freezing import Rig, rig, until
from tests.helper.host import UID

if TYPE_CHECKING:
    from collections.abc import Iterator


__all__ = ["rig"]
pytestmark = pytest.mark.subprocess


@pytest.fixture
def hanging(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    """FIFREEZE does not come back, as when nothing can be written any more."""
    monkeypatch.setattr(freeze, "ANSWER", 0.5)
    rig.hanging.touch()
    yield rig
    rig.hanging.unlink(missing_ok=True)
    assert until(lambda: abandoned.count() == 0, 10)
    rig.thaws()


def test_a_freeze_that_hangs_is_given_up_and_thawed_when_it_comes_back(hanging: Rig) -> None:
    hanging.start()
    client = hanging.connect()
    begun = time.monotonic()
    assert hanging.freeze(client) == "timeout"
    assert time.monotonic() - begun < 5
    assert abandoned.count() == 1
    with pytest.raises(Fault), hold(UID, "test2", time.monotonic() + 0.2):
        pass
    assert hanging.freeze(client) is False
    hanging.hanging.unlink()
    assert until(lambda: "thaw" in " ".join(hanging.host.events), 5)
    hanging.thaws()


def test_a_freeze_that_hangs_keeps_neither_the_agents_connection_nor_its_worker(hanging: Rig) -> None:
    hanging.start()
    client = hanging.connect()
    assert hanging.freeze(client) == "timeout"
    os.kill(hanging.worker(), signal.SIGKILL)
    assert client.receive() is None


@pytest.mark.slow
def test_the_helper_does_not_leave_while_a_guardian_lives(hanging: Rig) -> None:
    pid = hanging.start(idle=0.3)
    client = hanging.connect()
    assert hanging.freeze(client) == "timeout"
    os.kill(hanging.worker(), signal.SIGKILL)
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        assert os.waitpid(pid, os.WNOHANG) == (0, 0)
        time.sleep(0.05)
    hanging.hanging.unlink()
    wait_for_end(pid)
