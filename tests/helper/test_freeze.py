"""Freeze is a lease: whatever ends, the file system is thawed, and nobody says «intact» who cannot know.

A real supervisor with its workers and guardians; the kernel's answers to FIFREEZE and FITHAW are scripted, in
files, since they are asked for in other processes. The true kernel is in tests/lab/test_growth.py.
"""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from helper.volume import hold
from instorage.wire.fault import Code, Fault
from tests.helper.conftest import wait_for_end
from tests.helper.freezing import Rig, frozen, rig, until
from tests.helper.host import OTHER, UID

if TYPE_CHECKING:
    from tests.helper.conftest import Client


__all__ = ["frozen", "rig"]
pytestmark = pytest.mark.subprocess


def test_it_is_frozen_until_it_is_thawed(frozen: tuple[Rig, Client]) -> None:
    rig, client = frozen
    assert rig.thaw(client) is True
    assert not rig.frozen.exists()
    assert not rig.kept
    assert rig.freeze(client) is True, "a connection may freeze again once it has thawed"


def test_the_record_is_on_the_disk_before_the_freeze(frozen: tuple[Rig, Client]) -> None:
    rig, _ = frozen
    order = [event for event in rig.host.events if event.startswith(("fsync", "freeze"))]
    assert order[:3] == [f"fsync .{UID}", "fsync frozen", f"freeze ['{UID}']"]
    assert (rig.records / UID).read_text().startswith(f"{rig.target}\n")


@pytest.mark.slow
def test_asked_again_it_is_intact_and_lasts_longer(rig: Rig) -> None:
    rig.start()
    client = rig.connect()
    begun = time.monotonic()
    while time.monotonic() - begun < 2:
        assert rig.freeze(client, 1000) is True
        assert rig.frozen.exists()
    rig.thaws(3)


def test_the_end_of_the_lease_thaws_and_is_remembered(rig: Rig) -> None:
    rig.start()
    client = rig.connect()
    assert rig.freeze(client, 300) is True
    rig.thaws(3)
    assert [rig.freeze(client), rig.freeze(client)] == [False, False]
    assert not rig.frozen.exists(), "it was frozen behind the agent's back"
    assert rig.thaw(client) is False


def test_the_end_of_the_connection_thaws(frozen: tuple[Rig, Client]) -> None:
    rig, client = frozen
    client.close()
    rig.thaws()


def test_a_worker_that_is_killed_thaws(frozen: tuple[Rig, Client]) -> None:
    rig, client = frozen
    os.kill(rig.worker(), signal.SIGKILL)
    rig.thaws()
    assert client.receive() is None


def test_a_stop_of_the_helper_thaws_before_it_ends(rig: Rig) -> None:
    pid = rig.start()
    client = rig.connect()
    assert rig.freeze(client) is True
    os.kill(pid, signal.SIGTERM)
    wait_for_end(pid)
    assert not rig.frozen.exists()
    assert not rig.kept


@pytest.mark.parametrize("ask", ["freeze", "thaw"])
def test_somebody_elses_thaw_is_seen(frozen: tuple[Rig, Client], ask: str) -> None:
    rig, client = frozen
    rig.frozen.unlink()
    if ask == "freeze":
        assert [rig.freeze(client), rig.freeze(client)] == [False, False]
    assert rig.thaw(client) is False


def test_a_guardian_that_is_killed_thaws_with_the_connection(frozen: tuple[Rig, Client]) -> None:
    rig, client = frozen
    os.kill(rig.guardian(), signal.SIGKILL)
    assert rig.freeze(client) is False
    client.close()
    rig.thaws()


def test_a_guardian_that_was_killed_leaves_a_record_by_which_a_thaw_succeeds(
    frozen: tuple[Rig, Client],
) -> None:
    rig, client = frozen
    os.kill(rig.guardian(), signal.SIGKILL)
    assert rig.thaw(client) is False
    assert not rig.frozen.exists()
    assert not rig.kept


def test_when_worker_and_guardian_are_killed_the_helper_thaws_though_others_are_connected(
    frozen: tuple[Rig, Client],
) -> None:
    rig, client = frozen
    other = rig.connect()
    assert rig.thaw(other) is False
    worker = rig.worker()
    os.kill(rig.guardian(), signal.SIGKILL)
    os.kill(worker, signal.SIGKILL)
    rig.thaws()
    assert rig.thaw(other) is False, "it still serves"
    assert client.receive() is None


def test_the_guardian_does_not_heed_a_signal_that_is_meant_for_the_helper(
    frozen: tuple[Rig, Client],
) -> None:
    rig, client = frozen
    os.kill(rig.guardian(), signal.SIGTERM)
    assert rig.freeze(client) is True
    assert rig.thaw(client) is True


def test_what_somebody_else_has_frozen_stays_frozen(rig: Rig) -> None:
    rig.start()
    rig.frozen.touch()
    client = rig.connect()
    assert rig.freeze(client) == "device-busy"
    client.close()
    assert until(lambda: not rig.kept, 5)
    assert rig.frozen.exists()


@pytest.mark.parametrize("target", ["/", "/etc", "/var/lib/kubelet"])
def test_nothing_else_is_frozen_or_thawed(rig: Rig, target: str) -> None:
    rig.start()
    client = rig.connect()
    assert rig.freeze(client, target=target) == "not-allowed"
    assert rig.thaw(client, target=target) == "not-allowed"
    assert not rig.frozen.exists()


def test_another_volume_than_what_is_mounted_there_is_refused(rig: Rig) -> None:
    rig.start()
    client = rig.connect()
    assert rig.freeze(client, uid=OTHER) == "not-ours"
    assert rig.freeze(client, target=rig.target.replace("pvc-1", "pvc-2")) == "not-ours"
    assert not rig.began.exists()
    assert rig.freeze(client) is True, "a refusal froze nothing, so the connection may ask rightly"
    assert rig.freeze(client, uid=OTHER) == "bad-request"
    assert rig.thaw(client, uid=OTHER) is False


@pytest.mark.parametrize("lease_ms", [0, -1, 120_001, 3_600_000])
def test_a_lease_has_a_limit(rig: Rig, lease_ms: int) -> None:
    rig.start()
    client = rig.connect()
    assert rig.freeze(client, lease_ms) == "bad-request"
    assert not rig.began.exists()


def test_a_thaw_of_what_nobody_froze_is_not_intact(rig: Rig) -> None:
    rig.start()
    assert rig.thaw(rig.connect()) is False
    assert not rig.began.exists()


@pytest.mark.slow
def test_another_connection_can_neither_freeze_nor_thaw_it_nor_work_on_the_volume(
    frozen: tuple[Rig, Client],
) -> None:
    rig, client = frozen
    other = rig.connect()
    assert rig.freeze(other) == "lock-timeout"
    assert rig.thaw(other) is False
    with pytest.raises(Fault) as locked, hold(UID, "test2", time.monotonic() + 0.2):
        pass
    assert locked.value.code is Code.LOCK_TIMEOUT
    assert rig.thaw(client) is True
