"""A host for root code natively: sysfs as a directory, a kernel, a multipathd, programs.

The true ones are in the lab; here what is asked of them can be read (`events`), and rare trouble be made.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import shutil
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helper import abandoned, child, identity, iscsi, mounts, multipath, program, scsi, volume
from helper.target import Place
from instorage.wire import journal as wire_journal
from tests.helper.sysfs import Sysfs

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

UID = "600507600089000" + "0" * 16 + "1"
OTHER = "600507600089000" + "0" * 16 + "2"
_LENGTH = struct.Struct("@N")
SCRIPT = """#!/bin/sh
echo "${{0##*/}} $*" >> {events}
{body}
"""


def _obeyed(write: Callable[[str, str], None], path: str, text: str) -> None:
    """Write to sysfs as the kernel has it: the call comes back when what was asked for is done."""
    write(path, text)
    with contextlib.suppress(FileNotFoundError):  # the device went with it
        child.until(lambda: not Path(path).read_text(), time.monotonic() + 5, 0.001)


@dataclass
class Host(Sysfs):
    """`luns`: what the array shows, (host, target id, LUN) -> (UID, bytes); `answers`: multipathd's word.

    `opens`: how often a map is open, as device mapper counts it; `multipath_tools`: the version.
    """

    luns: dict[tuple[int, int, int], tuple[str, int]] = field(default_factory=dict)
    busy_maps: set[str] = field(default_factory=set)
    opens: dict[str, int] = field(default_factory=dict)
    answers: str = "ok"
    multipath_tools: str = "0.9.4"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("proc/self", "bin"):
            (self.root / name).mkdir(parents=True)
        (self.root / "proc/self/mountinfo").write_text("")
        self._events = self.root / "events"
        self._events.touch()
        self._stopping, self._letters = threading.Event(), iter("mnopqrstuvwxyz")
        for name in program.PACKAGES:
            self.script(name, "exit 0")
        self._daemon = socket.socket(socket.AF_UNIX)
        self._daemon.bind(str(self.root / "mpd"))
        self._daemon.listen(64)
        run = (self._kernel, self._multipathd)
        self._threads = [threading.Thread(target=one, daemon=True) for one in run]
        for thread in self._threads:
            thread.start()

    def patch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make the helper's modules use this host."""
        monkeypatch.setattr(scsi, "SYS", str(self.root / "sys"))
        monkeypatch.setattr(scsi, "DEV", str(self.root / "dev"))
        monkeypatch.setattr(scsi, "exclusive", functools.partial(self._exclusive, scsi.exclusive))
        monkeypatch.setattr(identity, "page83", self.page83)
        monkeypatch.setattr(multipath, "open_count", lambda name: self.opens.get(name, 0))
        monkeypatch.setattr(program, "confine", lambda *_, **__: None)
        monkeypatch.setattr(wire_journal, "send", self._said)
        monkeypatch.setattr(mounts, "PROC", str(self.root / "proc"))
        monkeypatch.setattr(multipath, "SOCKETS", (str(self.root / "mpd"),))
        monkeypatch.setattr(multipath, "WWIDS", str(self.root / "wwids"))
        monkeypatch.setattr(program, "DIRECTORIES", (str(self.root / "bin"),))
        for kind, folder in (("format", "format"), ("barrier", "aa"), ("frozen", "frozen")):
            monkeypatch.setattr(f"helper.{kind}.RECORDS", str(self.root / folder))
        folders = [(iscsi, name) for name in ("FAILED", "USED", "MAKING")]
        for module, name in (*folders, (volume, "LOCKS"), (abandoned, "FOLDER")):
            monkeypatch.setattr(module, name, str(self.root / name.lower()))
        monkeypatch.setattr(scsi, "_write", functools.partial(_obeyed, scsi._write))
        fsync = os.fsync

        def logged(descriptor: int) -> None:
            self.note(f"fsync {os.path.basename(os.readlink(f'/proc/self/fd/{descriptor}'))}")
            fsync(descriptor)

        monkeypatch.setattr(os, "fsync", logged)

    def _exclusive(self, exclusive: Callable[[str], int], name: str) -> int:
        """Open a device as the kernel does: not beside a mount of it, or of a partition."""
        own = (name, *(f"{name}/{part}" for part in scsi.partitions(name)))
        numbers = [scsi.read(f"{scsi.SYS}/block/{one}/dev") for one in own]
        tables = "".join(at.read_text() for at in self.root.glob("proc/*/mountinfo") if at.is_file())
        if any(line.split(" ")[2] in numbers for line in tables.splitlines()):
            raise OSError(errno.EBUSY, name)
        return exclusive(name)

    def _said(self, text: str, *_flags: int, **fields: str) -> None:
        if (level := fields.get("PRIORITY")) != "7":  # how long each program took
            self.note(f"journal {level} {text}")

    def close(self) -> None:
        self._stopping.set()
        self._daemon.shutdown(socket.SHUT_RDWR)
        self._daemon.close()
        for thread in self._threads:
            thread.join(5)

    @property
    def events(self) -> list[str]:
        return self._events.read_text().splitlines()

    def note(self, what: str) -> None:
        with self._events.open("a") as file:
            file.write(what + "\n")

    def script(self, name: str, body: str) -> None:
        """Make a program of a shell script; its arguments are noted."""
        path = self.root / "bin" / name
        path.write_text(SCRIPT.format(events=self._events, body=body))
        path.chmod(0o755)

    def page83(self, name: str) -> str:
        """What a disk says now; «unmapped»: that the array has no such LUN for this host."""
        try:
            said = (self.root / "page83" / name).read_text()
        except FileNotFoundError:
            raise OSError(5, "Input/output error") from None
        if said == "unmapped":
            raise OSError(errno.ENODEV, "the array has no such LUN for this host")
        return said

    def mount(self, monkeypatch: pytest.MonkeyPatch, device: str, **changed: Any) -> str:
        """Have the root of a block device's file system on a device mount, of which the path is returned."""
        target = self.root / "plugins/kubernetes.io/flexvolume/inspur/instorage-flexvolume/mounts/pvc-1"
        target.mkdir(parents=True)
        number = f"{os.major(target.stat().st_dev)}:{os.minor(target.stat().st_dev)}"
        (self.root / f"sys/block/{device}/dev").write_text(number)
        (self.root / "sys/dev/block").mkdir(parents=True)
        (self.root / f"sys/dev/block/{number}").symlink_to(self.root / f"sys/block/{device}")
        row = mounts.Row(9, number, "/", str(target), ["rw"], "ext4", "/dev/x", ["rw"])._replace(**changed)
        monkeypatch.setattr(Place, "row", lambda place: row if place.target.text == str(target) else None)
        return str(target)

    def mounted(self, number: str, target: str, process: str = "77") -> None:
        """A mount that one process sees, in a mount namespace of its own."""
        folder = self.root / f"proc/{process}"
        (folder / "ns").mkdir(parents=True)
        (folder / "ns/mnt").symlink_to(f"mnt:[{process}]")
        (folder / "mountinfo").write_text(f"9 1 {number} / {target} rw - ext4 /dev/x rw\n")

    def _kernel(self) -> None:
        while not self._stopping.wait(0.002):
            for scan in self.root.glob("sys/class/scsi_host/host*/scan"):
                if asked := scan.read_text():
                    self.note(f"scan {scan.parent.name} «{asked}»")
                    self._found(int(scan.parent.name[4:]), asked)
                    scan.write_text("")
            for rescan in list(self.root.glob("sys/bus/scsi/devices/*/rescan")):
                if rescan.read_text():
                    self._read_again(rescan.parent)
                    rescan.write_text("")
                if rescan.with_name("delete").read_text():
                    self._lost(rescan.parent)

    def _read_again(self, device: Path) -> None:
        (name,) = os.listdir(device / "block")
        self.note(f"rescan {name}")
        host, _, target, lun = map(int, device.name.split(":"))
        _, size = self.luns.get((host, target, lun), ("", scsi.size(name)))
        (self.root / f"sys/block/{name}/size").write_text(str(size // 512))

    def _found(self, host: int, asked: str) -> None:
        channel, target, lun = (int(word) if word.isdigit() else -1 for word in asked.split())
        for (at, its_target, its_lun), (uid, size) in self.luns.items():
            wanted = (host, channel in (0, -1), target in (its_target, -1), lun in (its_lun, -1))
            hctl = f"{at}:0:{its_target}:{its_lun}"
            known = (self.root / f"sys/bus/scsi/devices/{hctl}").exists()  # a scan finds a disk only once
            if wanted == (at, True, True, True) and not known:
                self.disk(f"sd{next(self._letters)}", hctl, uid, size)

    def _lost(self, device: Path) -> None:
        (name,) = os.listdir(device / "block")
        self.note(f"delete {name}")
        (self.root / "dev" / name).unlink()
        shutil.rmtree(self.root / f"sys/block/{name}")
        gone = device.rename(self.root / f"gone-{device.name}")  # at once, as a write to «delete» returns
        shutil.rmtree(gone, ignore_errors=True)  # who is just writing there makes a file anew

    def _multipathd(self) -> None:
        while not self._stopping.is_set():
            try:
                connection = self._daemon.accept()[0]
            except OSError:
                return
            with connection, contextlib.suppress(ConnectionError, struct.error):  # who asked has given up
                (size,) = _LENGTH.unpack(connection.recv(_LENGTH.size))
                asked = connection.recv(size).rstrip(b"\0").decode()
                answer = self._obey(asked).encode() + b"\0"
                connection.sendall(_LENGTH.pack(len(answer)) + answer)

    def _queueing(self, uid: str) -> str:
        told = [event for event in self.events if event.endswith(f"queueing map 3{uid}")]
        return "off" if told and "disable" in told[-1] else "60 chk"

    def _obey(self, asked: str) -> str:
        if asked.startswith("show maps raw"):
            return "\n".join(f"3{uid} {self._queueing(uid)} 0" for uid in self.mapped())
        if asked.startswith("show paths"):
            known = {one.name: one.uid for one in self.disks()}
            return "\n".join(f"{name} 3{uid}" if "%w" in asked else name for name, uid in known.items())
        if asked == "help":
            return f"multipath-tools v{self.multipath_tools} (11/12, 2020)\nCLI commands reference:"
        if not asked.startswith("show"):
            self.note(f"multipathd {asked}")
        marked = any(event.startswith("multipath -a ") for event in self.events)
        if asked.startswith("add map 3") or (marked and asked.startswith("add path ")):
            uid = next((one.uid for one in self.disks() if one.name == asked[9:]), asked[9:])
            if asked.startswith("add map 3") or not multipath.find(uid):
                self.map(uid, *(one.name for one in self.disks() if one.uid == uid))
        if asked.startswith("add path ") and "ok" in self.answers:
            self.into_map(asked.removeprefix("add path "))
        if asked.startswith("resize map 3") and asked[11:] not in self.busy_maps:
            for at in (self.root / "sys/block").glob("dm-*"):
                if (at / "dm/name").read_text() == asked[11:]:
                    size = min(scsi.size(disk) for disk in os.listdir(at / "slaves"))
                    (at / "size").write_text(str(size // 512))
        if asked.startswith("del map 3") and asked[8:] not in self.busy_maps:
            for at in (self.root / "sys/block").glob("dm-*"):
                if (at / "dm/name").read_text() == asked[8:]:
                    for disk in os.listdir(at / "slaves"):
                        (self.root / f"sys/block/{disk}/holders/{at.name}").unlink()
                    shutil.rmtree(at)
        return self.answers
