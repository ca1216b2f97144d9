"""Freeze is a lease: whatever ends, the file system is thawed, and nobody says «intact» who cannot know.

A real supervisor with its workers and guardians; the kernel's answers to FIFREEZE and FITHAW are scripted, in
files, since they are asked for in other processes. The true kernel is in tests/lab/test_growth.py.
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from helper import __main__ as supervisor
from helper import abandoned, child, filesystem, freeze, growth, settings, thaw
from helper.freeze import thaw_recorded
from helper.settings import Settings
from helper.volume import hold
from instorage.wire.fault import Code, Fault
from tests.helper.conftest import wait_for_end
from tests.helper.host import OTHER, UID, Host

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.helper.conftest import Client, Start

    Connect = Callable[[], Client]

pytestmark = pytest.mark.subprocess
LONG = 60000  # milliseconds


class Rig:
    """A volume that is mounted; `frozen` is the kernel's state, `hanging` keeps FIFREEZE from coming back."""

    def __init__(self, host: Host, monkeypatch: pytest.MonkeyPatch, start: Start, connect: Connect) -> None:
        self.host, self._start, self.connect = host, start, connect
        self.frozen, self.hanging, self.began = (host.root / name for name in ("is-frozen", "hang", "began"))
        self.records = host.root / "frozen"
        host.disk("sda", "0:0:0:1", UID)
        self.target = host.mount(monkeypatch, host.map(UID, "sda"))
        self.settings = Settings(roots=(str(host.root),), lock_path=str(host.root / "none"))
        monkeypatch.setattr(filesystem.fcntl, "ioctl", self.ioctl)
        monkeypatch.setattr(growth, "_LOCK", 0.3)

    def ioctl(self, node: int, number: int, argument: int) -> int:
        freezing = {0xC0045877: True, 0xC0045878: False}[number]
        self.host.note(f"{'freeze' if freezing else 'thaw'} {os.listdir(self.records)}")
        self.began.touch()
        if freezing and not until(lambda: not self.hanging.exists(), 30):
            raise OSError(errno.EIO, "the test forgot it")
        if freezing is self.frozen.exists():
            raise OSError(errno.EBUSY if freezing else errno.EINVAL, "as it was")
        self.frozen.touch() if freezing else self.frozen.unlink()
        return 0

    def start(self, **more: Any) -> int:
        return self._start(configured=self.settings, **more)

    def freeze(self, client: Client, lease_ms: int = LONG, **changed: Any) -> Any:
        return said(
            client.call("Freeze", **{"uid": UID, "target": self.target, "lease_ms": lease_ms} | changed)
        )

    def thaw(self, client: Client, **changed: Any) -> Any:
        return said(client.call("Thaw", **{"uid": UID, "target": self.target} | changed))

    def thaws(self, seconds: float = 5) -> None:
        """Fail unless nothing is frozen, and nothing known of a freeze, after a moment."""
        assert until(lambda: not self.frozen.exists() and not self.kept, seconds), "it is still frozen"

    @property
    def kept(self) -> list[str]:
        return os.listdir(self.records) if self.records.exists() else []

    def guardian(self) -> int:
        """The process that keeps the volume's lock."""
        (text,) = [path.read_text() for path in (self.host.root / "volumes").glob("*.lock")]
        return int(text.partition("process ")[2].partition(",")[0])

    def worker(self) -> int:
        stat = Path(f"/proc/{self.guardian()}/stat").read_text()
        return int(stat.rpartition(")")[2].split()[1])


def said(answer: dict[str, Any]) -> Any:
    """Whether it is intact, or the fault's code."""
    return answer["parameters"]["code" if "error" in answer else "intact"]


def until(look: Callable[[], bool], seconds: float) -> bool:
    return child.until(look, time.monotonic() + seconds)


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: Start, connect: Connect) -> Iterator[Rig]:
    host = Host(tmp_path / "host")
    host.patch(monkeypatch)
    monkeypatch.setattr("helper.volume.LOCKS", str(tmp_path / "host/volumes"))
    yield Rig(host, monkeypatch, start, connect)
    host.close()


@pytest.fixture
def frozen(rig: Rig) -> Iterator[tuple[Rig, Client]]:
    """A freeze of a minute, and the connection that asked for it."""
    rig.start()
    client = rig.connect()
    assert rig.freeze(client) is True
    assert rig.frozen.exists()
    yield rig, client
    client.close()
    rig.thaws()


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
    monkeypatch.setattr(supervisor.socket, "socket", lambda **_: None)
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
    thaw_recorded(rig.settings)
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
