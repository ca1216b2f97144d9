"""A start that fails is an answer, not an end: systemd would start the helper again at once, for ever."""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING

import pytest

from helper import __main__ as supervisor
from helper import settings, thaw
from instorage.wire.fault import Fault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from helper.settings import Configured
    from tests.helper.conftest import Client, Start
    from tests.helper.host import Host

pytestmark = pytest.mark.subprocess


@pytest.fixture
def begun(host: Host, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Configured]:
    """Run the helper's main; return what its supervisor would serve."""
    seen: list[Configured] = []

    class Supervisor:
        def __init__(self, _: object, configured: Configured, __: object) -> None:
            seen.append(configured)

        def run(self) -> None:
            pass

    monkeypatch.setattr(settings, "FILES", (str(host.root / "helper.conf"),))
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDS", "1")
    monkeypatch.setattr(socket, "socket", lambda **_: None)
    monkeypatch.setattr(supervisor, "Supervisor", Supervisor)

    def begin() -> Configured:
        assert supervisor.main() == 0
        return seen.pop()

    return begin


def unreadable(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    (host.root / "helper.conf").mkdir()


def unforeseen(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise RuntimeError("of another kind")

    monkeypatch.setattr(settings, "load", fails)


def no_list_of_frozen(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    (host.root / "frozen").symlink_to(host.root / "frozen")


def no_memory(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("helper.freeze.thaw_left", fails)


@pytest.mark.parametrize("why", [unreadable, unforeseen, no_list_of_frozen, no_memory])
def test_each_call_is_told_why_the_helper_could_not_begin(
    host: Host,
    monkeypatch: pytest.MonkeyPatch,
    begun: Callable[[], Configured],
    why: Callable[[Host, pytest.MonkeyPatch], None],
    start: Start,
    connect: Callable[[], Client],
) -> None:
    why(host, monkeypatch)
    configured = begun()
    assert isinstance(configured, Fault)
    monkeypatch.undo()
    start(configured=configured)
    for _ in range(2):
        answer = connect().receive()
        assert answer is not None
        assert answer["parameters"]["sentence"] == configured.sentence


def test_without_trouble_it_begins(begun: Callable[[], Configured]) -> None:
    assert begun() == settings.Settings()


@pytest.mark.parametrize(("result", "pause"), [("exit-code", True), ("success", False), ("", False)])
def test_after_a_failure_systemd_starts_it_again_at_most_once_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, result: str, pause: bool
) -> None:
    """Whatever the failure was, the installation's Python too: by what runs after each end."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr("helper.frozen.RECORDS", str(tmp_path / "none"))
    monkeypatch.setenv("SERVICE_RESULT", result) if result else monkeypatch.delenv("SERVICE_RESULT", False)
    assert thaw.main() == 0
    assert (sum(slept) >= 1) == pause
