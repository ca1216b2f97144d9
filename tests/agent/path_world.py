"""What sysfs shows of sessions, disks and maps on a bench, and a helper whose Attach makes them so."""

from __future__ import annotations

import shutil
import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nodeagent.host.uevents import Uevent
from tests.agent.attribute import show
from tests.agent.bench import GIB, Bench, options, pod_target, until

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

LONG = 60.0


def said(caplog: pytest.LogCaptureFixture, text: str) -> list[str]:
    return [record.getMessage() for record in caplog.records if text in record.getMessage()]


class Port:
    """An array's portal that can be opened and closed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._listener: socket.socket | None = None

    def open(self) -> None:
        address, _, number = self.name.rpartition(":")
        self._listener = socket.create_server((address, int(number)), backlog=64)

    def close(self) -> None:
        if self._listener:
            self._listener.close()
            self._listener = None


@dataclass
class PathWorld:
    """`sys` is the bench's sysfs. A session has its SCSI host's number; every volume has a map."""

    bench: Bench
    sessions: dict[str, int] = field(default_factory=dict)
    _numbers: Any = field(default_factory=lambda: iter(range(1, 1000)))
    _free: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sys = self.bench.directory / "sys"
        plain = self.bench.helper.do_attach

        def attach(asked: dict[str, Any]) -> dict[str, Any]:
            """What the helper found becomes what the kernel shows."""
            said = plain(asked)
            refused = [one["path"] for one in said["refused"]]
            with guard:
                for path in asked["paths"]:
                    if path not in refused:
                        self.add(asked["uid"], path["portal"], path["target"])
            return said

        guard = threading.Lock()  # many volumes are healed at a time
        self.bench.helper.do_attach = attach  # type: ignore[method-assign]

    def log_in(self, portal: str, target: str) -> int:
        """Have a session that works."""
        number = self.sessions.setdefault(portal, next(self._numbers))
        at = self.sys / f"devices/platform/host{number}/session{number}/iscsi_session/session{number}"
        _write(at, state="LOGGED_IN", targetname=target)
        link = self.sys / f"class/iscsi_session/session{number}"
        if not link.is_symlink():
            link.symlink_to(at)
        address, _, port = portal.rpartition(":")
        peer = self.sys / f"class/iscsi_connection/connection{number}:0"
        _write(peer, persistent_address=address, persistent_port=port)
        return number

    def fail(self, portal: str) -> None:
        """The session is lost; its disks stay, and iscsid tries on."""
        number = self.sessions[portal]
        show(self.sys / f"class/iscsi_session/session{number}/state", "FAILED")

    def recover(self, portal: str) -> None:
        """iscsid's own work: the same session works again."""
        show(self.sys / f"class/iscsi_session/session{self.sessions[portal]}/state", "LOGGED_IN")

    def drop(self, portal: str) -> None:
        """The array has ended the session for good: it goes, and its disks with it."""
        number = self.sessions.pop(portal)
        for disk in (self.sys / "block").glob("sd*"):
            if f"/session{number}/" in str((disk / "device").resolve()):
                self.remove(disk.name)
        (self.sys / f"class/iscsi_session/session{number}").unlink()
        shutil.rmtree(self.sys / f"class/iscsi_connection/connection{number}:0")
        shutil.rmtree(self.sys / f"devices/platform/host{number}")

    def remove(self, disk: str) -> None:
        """A disk goes, out of its map, too."""
        for slave in (self.sys / "block").glob(f"dm-*/slaves/{disk}"):
            slave.unlink()
        device = (self.sys / f"block/{disk}/device").resolve()
        number = (self.sys / f"block/{disk}/dev").read_text()
        (self.sys / "bus/scsi/devices" / device.name).unlink()
        shutil.rmtree(device)
        shutil.rmtree(self.sys / f"block/{disk}")
        self._free.append(number)
        self._of_disk("remove", number)

    def hear(self, action: str, **fields: str) -> None:
        """The agent hears an event of the kernel about a block device, which a test cannot make it send."""
        self.bench.agent.healer._take(Uevent(action, "/devices/x", {"SUBSYSTEM": "block", **fields}))

    def failed(self, uid: str, number: str) -> None:
        """The volume's map uses this path no more, and the kernel says so."""
        self.hear("change", DM_ACTION="PATH_FAILED", DM_PATH=number, DM_UUID=f"mpath-3{uid}")

    def _of_disk(self, action: str, number: str) -> None:
        major, _, minor = number.strip().partition(":")
        self.hear(action, DEVTYPE="disk", MAJOR=major, MINOR=minor)

    def disk(self, uid: str, portal: str) -> str:
        """The kernel's name of the volume's disk behind a portal."""
        at = f"/session{self.sessions[portal]}/"
        disks = (self.sys / "block" / one.name for one in (self._map(uid) / "slaves").iterdir())
        (found,) = (one.name for one in disks if at in str((one / "device").resolve()))
        return found

    def add(self, uid: str, portal: str, target: str) -> None:
        """A disk of the volume behind that portal, in its map."""
        number = self.log_in(portal, target)
        hctl = f"{number}:0:0:{int(uid[-4:], 16)}"
        device = self.sys / f"devices/platform/host{number}/session{number}/target{number}:0:0/{hctl}"
        if device.exists():
            return
        _write(device, state="running")
        bus = self.sys / "bus/scsi/devices"
        bus.mkdir(parents=True, exist_ok=True)
        (bus / hctl).symlink_to(device)
        own = next(self._numbers)
        block = self.sys / f"block/sd{own}"
        given = self._free.pop() if self._free else f"8:{own}"
        _write(block, dev=given)
        (block / "device").symlink_to(device)
        self._of_disk("add", given)
        at = self._map(uid)
        (at / "slaves" / block.name).touch()

    def _map(self, uid: str) -> Path:
        at = self.sys / f"block/dm-{int(uid[-4:], 16)}"
        if not at.exists():
            _write(at / "dm", uuid=f"mpath-3{uid}")
            _write(at, size=str(GIB // 512))
            (at / "slaves").mkdir()
        return at

    def paths(self, uid: str) -> int:
        """How many disks are in the volume's map."""
        return len(list((self._map(uid) / "slaves").iterdir()))

    def number(self, uid: str) -> str:
        """major:minor of the first of them."""
        disk = sorted((self._map(uid) / "slaves").iterdir())[0].name
        return (self.sys / f"block/{disk}/dev").read_text()

    def use(self, volume: str) -> str:
        """A pod's volume; its UID."""
        uid = self.bench.create(volume)
        self.bench.attach(volume).success()
        self.bench.mount_device(volume).success()
        self.bench.call("mount", pod_target(volume), options(volume)).success()
        return uid

    def look(self) -> None:
        """Have everything be looked at, and wait until a look that began now has ended."""
        healer = self.bench.agent.healer
        for before in (healer.looks, healer.looks + 1):  # the second begins once the first has ended
            self._look(before)

    def _look(self, before: int) -> None:
        self.bench.agent._node.expected.look()
        until(lambda: self.bench.agent.healer.looks > before, 60)

    def at_rest(self) -> int:
        """Wait until nothing is looked at any more; return how often anything was."""
        healer = self.bench.agent.healer
        seen: list[int] = []

        def still() -> bool:
            seen.append(healer.looks)
            return len(seen) > 100 and len(set(seen[-100:])) == 1

        until(still, 60)
        return healer.looks


def _write(folder: Path, **attributes: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in attributes.items():
        show(folder / name, value)
