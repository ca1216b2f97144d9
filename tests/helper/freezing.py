"""A mounted volume that a real supervisor freezes; the kernel's answers are scripted, in files."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from helper import child, growth
from helper.settings import Settings
from tests.helper.host import UID, Host

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.helper.conftest import Client, Start

    Connect = Callable[[], Client]

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
        monkeypatch.setattr(fcntl, "ioctl", self.ioctl)
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
