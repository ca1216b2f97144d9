"""What the record of a freeze is for: whoever was killed, the file system is thawed, and no other."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from helper import __main__ as supervisor
from helper import freeze, settings, thaw
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
    freeze.thaw_left(rig.settings, UID)
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


def test_a_start_waits_once_for_all_thaws_that_hang(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """systemd gives it a minute, and nobody is served before."""
    died(rig)
    for number in range(2, 4):
        (rig.records / f"{UID[:-1]}{number}").write_text(rig.target)
    monkeypatch.setattr(freeze, "_ALL", 1.0)
    monkeypatch.setattr(freeze, "_LET_GO", 0.2)
    monkeypatch.setattr(freeze, "ANSWER", 1.0)
    monkeypatch.setattr(freeze, "volume_on", lambda *_: time.sleep(20))
    monkeypatch.setattr(settings, "load", lambda: rig.settings)
    began = time.monotonic()
    assert supervisor.begin() == rig.settings
    assert time.monotonic() - began < 2.5
    said = capfd.readouterr().err
    assert all(f"{UID[:-1]}{number} may still be frozen" in said for number in range(1, 4))
