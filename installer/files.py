"""Files of the host: each comes by a rename, and what was there is kept until the new version works."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from installer import users
from installer.host import is_root, there
from installer.journal import NEW, copy, sync
from installer.saying import Ending

if TYPE_CHECKING:
    from installer.host import Host
    from installer.journal import Journal


class Files:
    """Puts files of one part; places are the host's, from «/» on."""

    def __init__(self, host: Host, journal: Journal) -> None:
        self.host = host
        self.journal = journal

    def write(self, place: str, mode: int, content: bytes | Path, owner: str = "") -> None:
        """Make that a file's content; one that is there just so is left alone. Ending(1): it cannot be."""
        target = self.host.path(place)
        fresh = beside(target)
        wanted = content.read_bytes() if isinstance(content, Path) else content
        try:
            self._new(fresh, wanted, mode)
        except OSError as error:
            raise Ending(1, f"{target} cannot be written: {error.strerror or error}") from None
        if owner:
            own(self.host, owner, fresh)
        if _is_so(target, wanted, mode):
            fresh.unlink()
            return
        self._put(fresh, place)

    def _new(self, fresh: Path, content: bytes, mode: int) -> None:
        fresh.parent.mkdir(parents=True, exist_ok=True)
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, NEW, 0o600)
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        fresh.chmod(mode)

    def _put(self, fresh: Path, place: str) -> None:
        self.journal.keep(place)
        target = self.host.path(place)
        fresh.replace(target)
        sync(target.parent)

    def link(self, target: str, place: str) -> None:
        """Make a link; one that is there just so is left alone."""
        path = self.host.path(place)
        if path.is_symlink() and str(path.readlink()) == target:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = beside(path)
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(target)
        self._put(fresh, place)

    def discard(self, place: str) -> None:
        """Take away a file or link that is wanted no more."""
        if there(self.host.path(place)):
            self.journal.keep(place)
            self.host.path(place).unlink()

    def make_directory(self, place: str, mode: int, owner: str = "") -> None:
        """Make a directory; one that is there keeps its mode and owner."""
        path = self.host.path(place)
        if path.is_dir():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = beside(path)
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        fresh.chmod(mode)
        if owner:
            own(self.host, owner, fresh)
        fresh.replace(path)
        sync(path.parent)

    def carry(self, source: Path, place: str) -> None:
        """Copy a file there with owner and mode, if there is none; of a relative link what it leads to."""
        if source.is_file() and not self.host.path(place).exists():
            self.journal.keep(place)
            absolute = source.is_symlink() and source.readlink().is_absolute()
            copy(source if absolute else source.resolve(), self.host.path(place))


def beside(path: Path) -> Path:
    """Return where a file is written before it is renamed."""
    return path.with_name(f".{path.name}.new")  # kubelet does not look at names with a dot


def _is_so(path: Path, content: bytes, mode: int) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    return path.stat().st_mode & 0o7777 == mode and holds(path, content)


def holds(path: Path, content: bytes) -> bool:
    """Whether a file has that content; one of another size is not read, so its access time stays."""
    return path.stat().st_size == len(content) and path.read_bytes() == content


def own(host: Host, owner: str, path: Path) -> None:
    """Give a file away to USER:GROUP, if they are there and this is root."""
    name, _, group_name = owner.partition(":")
    user, group = users.number_of(host, "passwd", name), users.number_of(host, "group", group_name)
    if is_root() and user and group:
        os.chown(path, int(user), int(group), follow_symlinks=False)


def remove(path: Path) -> None:
    """Take away what is there (file, link, whole directory, nothing), and what was about to come there."""
    for one in (beside(path), path):
        if one.is_dir() and not one.is_symlink():
            shutil.rmtree(one)
        else:
            one.unlink(missing_ok=True)


def remove_empty(path: Path) -> bool:
    """Take away a directory if nothing is in it; say whether it went."""
    try:
        path.rmdir()
    except OSError:
        return False
    return True
