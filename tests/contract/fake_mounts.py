"""A kernel of mounts for the true helper: mountinfo as a file, the calls that change it, what ioctls say.

Everything is in files, for the calls come from forked processes.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from typing import TYPE_CHECKING, Any

from helper import device, filesystem, mount, mounts, scsi
from helper.mounts import Row
from helper.target import Place

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

_READ_ONLY_DEVICE = 0x125D  # BLKROSET
_GEOMETRY, _EXT4, _XFS = 0x80705864, 0x40086610, 0x4010586E


class FakeMounts:
    """`table` is the mountinfo of the host's namespace; flags of volumes and targets are files beside it."""

    def __init__(self, root: Path) -> None:
        self._root, self._table = root, root / "proc/self/mountinfo"
        self.flags = root / "flags"
        self.flags.mkdir()
        (root / "proc/1").mkdir()
        (root / "proc/1/mountinfo").symlink_to(self._table)
        for process in ("self", "1"):
            (root / f"proc/{process}/ns").mkdir()
            (root / f"proc/{process}/ns/mnt").symlink_to("mnt:[host]")

    def patch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have the helper's modules mount here; `scsi.exclusive` and page 0x83 are the host's affair."""
        monkeypatch.setattr(mounts, "mount", self._mount)
        monkeypatch.setattr(mounts, "bind", self._bind)
        monkeypatch.setattr(mounts, "unmount", self._unmount)
        monkeypatch.setattr(mount, "_number", lambda path: number_of(os.path.basename(path)))
        monkeypatch.setattr(Place, "row", lambda place: self._row(place))
        monkeypatch.setattr(filesystem, "opened", self._opened)
        monkeypatch.setattr(fcntl, "ioctl", self._ioctl)
        monkeypatch.setattr(os, "fstatvfs", lambda _: os.statvfs_result((4096, 4096, 500, *[0] * 7)))

    def flag(self, what: str, of: str) -> Path:
        return self.flags / f"{what} {of.replace('/', '%')}"

    def add(self, number: str, target: str, *, fs_type: str = "ext4", options: str = "rw") -> None:
        rows = mounts.table()
        last = max((row.mount_id for row in rows), default=20)
        self._write(
            [*rows, Row(last + 1, number, "/", target, options.split(","), fs_type, "/dev/x", ["rw"])]
        )

    def stop(self, number: str, word: str) -> None:
        """Have the kernel show a word in the options of a file system."""
        self._write([row._replace(super_options=[*row.super_options, word]) if row.number == number else row
                     for row in mounts.table()])  # fmt: skip

    def _write(self, rows: list[Row]) -> None:
        lines = [
            f"{row.mount_id} 1 {row.number} {row.root} {row.target} {','.join(row.options)} shared:1"
            f" - {row.fs_type} {row.source} {','.join(row.super_options)}\n"
            for row in rows
        ]
        fresh = self._table.with_name(f"mountinfo.{os.getpid()}")
        fresh.write_text("".join(lines))
        fresh.rename(self._table)

    def _mount(self, source: str, target: str, fs_type: str, flags: int, data: str = "") -> None:
        at, mode = os.readlink(target), "ro" if flags & mounts.RDONLY else "rw"
        if flags & mounts.REMOUNT:
            rows = mounts.table()
            index = max(number for number, row in enumerate(rows) if row.target == at)
            rows[index] = rows[index]._replace(options=[mode])
            self._write(rows)
        elif flags & mounts.BIND:
            self._again(os.readlink(source), at, "rw")
        else:
            self.add(number_of(os.path.basename(source)), at, fs_type=fs_type, options=mode)

    def _bind(self, source: int, target: int, *, read_only: bool) -> bool:
        origin, at = (os.readlink(f"/proc/self/fd/{end}") for end in (source, target))
        self._again(origin, at, "ro" if read_only else "rw")
        return True

    def _again(self, source: str, target: str, mode: str) -> None:
        found = topmost(source)
        assert found, f"nothing is mounted on {source}"
        self._write([*mounts.table(), found._replace(target=target, options=[mode])])

    def _unmount(self, parent: int, name: str) -> bool:
        at = f"{os.readlink(f'/proc/self/fd/{parent}')}/{name}"
        found = topmost(at)
        assert found, f"nothing is mounted on {at}"
        if self.flag("open", at).exists():
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        rows = mounts.table()
        del rows[max(number for number, row in enumerate(rows) if row.target == at)]
        self._write(rows)
        return self.flag("lost", found.number).exists()

    def _row(self, place: Place) -> Row | None:
        parent = os.readlink(f"/proc/self/fd/{place.parent}")
        return topmost(f"{parent}/{place.target.name}")

    def _opened(self, place: Place, row: Row) -> int:
        found = self._row(place)
        if found is None or found.number != row.number:
            raise OSError(errno.ESTALE, "another mount came up")
        return os.open(place.target.name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=place.parent)

    def _ioctl(self, node: int, number: int, argument: Any) -> int:
        if number == _READ_ONLY_DEVICE:
            return 0
        found = topmost(os.readlink(f"/proc/self/fd/{node}"))
        assert found, "an ioctl where nothing is mounted"
        frozen = self.flag("frozen", found.number)
        if number in (filesystem.FREEZE[0], filesystem.THAW[0]):
            wanted = number == filesystem.FREEZE[0]
            if wanted is frozen.exists():
                raise OSError(errno.EBUSY if wanted else errno.EINVAL, "as it was")
            frozen.touch() if wanted else frozen.unlink()
        elif number == _GEOMETRY:
            struct.pack_into("=8IQ", argument, 0, 4096, *[0] * 6, 25, 1)
        else:
            assert number in (_EXT4, _XFS), f"an unknown ioctl {number:#x}"
        return 0


def mounted(name: str) -> bool:
    """Say whether any process sees a mount of a device."""
    return any(mounts.seen({number_of(name)}))


def number_of(name: str) -> str:
    """Return major:minor of a block device, as sysfs has it."""
    return scsi.read(f"{scsi.SYS}/block/{name}/dev")


def numbers_of(uid: str) -> list[str]:
    """Return those of a volume, of what is mounted first."""
    found = device.find(uid)
    first = [found.top.number] if found.top else []
    return first + sorted(found.numbers - set(first))


def topmost(at: str) -> Row | None:
    return next((row for row in reversed(mounts.table()) if row.target == at), None)
