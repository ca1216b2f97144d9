"""What the record of a freeze is for: whoever was killed, the file system is thawed, and no other."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from helper import __main__ as supervisor
from helper import settings, thaw
from helper.freeze import thaw_recorded
from tests.helper.freezing import Rig, rig
from tests.helper.host import UID

__all__ = ["rig"]
pytestmark = pytest.mark.subprocess


def died(rig: Rig, target: str | None = None) -> None:
    """What is there when the helper with its guardian was killed."""
    rig.records.mkdir(mode=0o700)
    (rig.records / UID).write_text(target or rig.target)
    rig.frozen.touch()


def test_after_the_helpers_death_what_was_frozen_is_thawed(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    died(rig)
    monkeypatch.setattr(settings, "load", lambda: rig.settings)
    assert thaw.main() == 0
    assert not rig.frozen.exists()
    assert not rig.kept


def test_an_idle_helper_that_leaves_costs_no_second_start_of_its_code() -> None:
    program = "import sys; from helper.thaw import main; main(); print('helper.freeze' in sys.modules)"
    argv = [sys.executable, "-c", program]
    shown = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    assert shown.stdout == "False\n"


def test_the_next_start_thaws_before_it_serves(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    died(rig)
    monkeypatch.setattr(settings, "load", lambda: rig.settings)
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDS", "1")
    monkeypatch.setattr(socket, "socket", lambda **_: None)
    seen: list[bool] = []

    class Supervisor:
        def __init__(self, *_: object) -> None:
            seen.append(rig.frozen.exists())

        def run(self) -> None:
            pass

    monkeypatch.setattr(supervisor, "Supervisor", Supervisor)
    assert supervisor.main() == 0
    assert seen == [False]


def test_the_unit_thaws_when_the_helper_has_ended() -> None:
    unit = (Path(__file__).parents[2] / "systemd/instorage-helper.service").read_text()
    assert "\nExecStopPost=/usr/libexec/instorage/instorage-helper-thaw\n" in unit
    assert "\nRuntimeDirectoryPreserve=yes\n" in unit


@pytest.mark.parametrize("target", ["/", "/etc", "", "elsewhere"])
def test_a_record_thaws_only_where_that_volume_is_mounted(
    rig: Rig, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    died(rig, rig.target.replace("pvc-1", "pvc-2") if target == "elsewhere" else target or " ")
    thaw_recorded(rig.settings, UID)
    assert rig.frozen.exists()
    assert rig.kept == [UID]
    assert f"Volume {UID} may still be frozen" in capsys.readouterr().err


def test_what_a_killed_guardian_left_frozen_is_frozen_anew(rig: Rig) -> None:
    died(rig)
    rig.start()
    client = rig.connect()
    assert rig.freeze(client) is True
    assert [event.split()[0] for event in rig.host.events if " [" in event][:2] == ["thaw", "freeze"]
    assert rig.thaw(client) is True
