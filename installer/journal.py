"""What was in the place of each file that a run changes: in `.before` until the new version answers."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Final

from installer.host import there

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from installer.host import Host


NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


def copy(source: Path, target: Path) -> None:
    """Make `target` a copy of a file or link, by a rename: with owner, mode and times.

    Until it has its own mode it is root's alone: it may hold passwords, where everybody may look.
    """
    beside = target.with_name(f".{target.name}.new")
    beside.unlink(missing_ok=True)
    facts = source.lstat()
    if source.is_symlink():
        beside.symlink_to(source.readlink())
        if os.geteuid() == 0:
            os.chown(beside, facts.st_uid, facts.st_gid, follow_symlinks=False)
    else:
        _copy_file(source, beside, facts)
    beside.replace(target)
    sync(target.parent)


def _copy_file(source: Path, beside: Path, facts: os.stat_result) -> None:
    descriptor = os.open(beside, NEW, 0o600)
    with source.open("rb") as content, open(descriptor, "wb") as file:
        shutil.copyfileobj(content, file)
        file.flush()
        if os.geteuid() == 0:
            os.fchown(descriptor, facts.st_uid, facts.st_gid)
        shutil.copystat(source, beside)
        os.fsync(descriptor)


def replace(path: Path, content: bytes) -> None:
    """Give a file another content by a rename; owner and mode stay."""
    facts, beside = path.stat(), path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, NEW, 0o600)
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fchown(descriptor, facts.st_uid, facts.st_gid)
        os.fchmod(descriptor, facts.st_mode & 0o7777)
        os.fsync(descriptor)
    beside.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Have the kernel write down a file, or a directory's names."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Journal:
    """Of one part; `home` is the directory of the host in which `.before` lies."""

    def __init__(self, host: Host, home: str) -> None:
        self.host = host
        self.before = host.path(f"{home}/.before")
        self._gone = host.path(f"{home}/.gone")

    def begin(self) -> None:
        """Take away what an earlier run had finished with."""
        shutil.rmtree(self._gone, ignore_errors=True)

    def had_none(self, place: str) -> bool:
        """Whether nothing was there before."""
        return there(self.before / f"absent{place}") or not (
            there(self.before / f"files{place}") or there(self.host.path(place))
        )

    def former(self, place: str) -> Path:
        """Return the file that is there, or that was there before this run, or one that was killed, began."""
        kept = self.before / f"files{place}"
        return kept if there(kept) else self.host.path(place)

    def keep(self, place: str) -> None:
        """Remember what is there now, for it is about to change; what is remembered first counts."""
        kept = self.before / f"files{place}"
        mark = self.before / f"absent{place}"
        if there(kept) or there(mark):
            return
        now = self.host.path(place)
        if there(now):
            kept.parent.mkdir(parents=True, exist_ok=True)
            copy(now, kept)
        else:
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()
            sync(mark.parent)

    def put_back(self) -> None:
        """Put each file back by a rename, as it came; raise OSError when that cannot be."""
        for kept in _below(self.before / "files"):
            place = self.host.path(f"/{kept.relative_to(self.before / 'files')}")
            place.parent.mkdir(parents=True, exist_ok=True)
            copy(kept, place)
        for mark in _below(self.before / "absent"):
            self.host.path(f"/{mark.relative_to(self.before / 'absent')}").unlink(missing_ok=True)

    def finish(self) -> None:
        """Forget it: by a rename first, so that half of it never counts."""
        if self.before.is_dir():
            shutil.rmtree(self._gone, ignore_errors=True)
            self.before.replace(self._gone)
            sync(self._gone.parent)
        if self._gone.is_dir():
            shutil.rmtree(self._gone)


def _below(directory: Path) -> Iterator[Path]:
    for path in sorted(directory.rglob("*")):
        half = path.name.endswith(".new")
        if (path.is_symlink() or not path.is_dir()) and not half:
            yield path
