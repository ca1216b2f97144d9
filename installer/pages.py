"""Man pages: of both parts the same, so the first part puts them, and the last one takes them away.

A page of ours says so in its first line, and its other names are links beside it. What else has such a name
is somebody else's, and is left alone. Where /usr cannot be written there are none: a page is nothing that a
provisioner in /opt must fail for.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from installer.files import remove, remove_empty
from installer.host import read_file, there

if TYPE_CHECKING:
    from collections.abc import Iterator

    from installer.files import Files
    from installer.host import Host

DIRECTORY: Final = "/usr/share/man"
FOLDERS: Final = ("man[1-8]", "zh_CN/man[1-8]")
NAMES: Final = (
    "instorage*", "kubectl-instorage.1", "install.sh.8", "helper.conf.5", "aa-extend-failure.barrier.5",
)  # fmt: skip
MARK: Final = "InStorage for Kubernetes"


def put(files: Files, source: Path) -> None:
    """Put the pages of an archive's folder; those that a former version had more go."""
    if not source.is_dir() or not _writable(files.host.path(DIRECTORY)):
        return
    wanted = {str(page.relative_to(source)): page for page in _found(source, ("*",))}
    for name, page in sorted(wanted.items()):
        place = f"{DIRECTORY}/{name}"
        target = files.host.path(place)
        if there(target) and not _ours(target):
            continue
        if page.is_symlink():
            files.link(str(page.readlink()), place)
        else:
            files.write(place, 0o644, page)
    for path in of(files.host):
        name = str(path.relative_to(files.host.path(DIRECTORY)))
        if name not in wanted:
            files.discard(f"{DIRECTORY}/{name}")


def of(host: Host) -> list[Path]:
    """Return the pages of ours that lie on this host, links to them first."""
    found = [path for path in _found(host.path(DIRECTORY), NAMES) if _ours(path)]
    return sorted(found, key=lambda path: not path.is_symlink())


def remove_all(host: Host) -> None:
    """Take the pages away, and the folders in which nothing is left."""
    top = host.path(DIRECTORY)
    halves = _found(top, tuple(f".{name}.new" for name in NAMES))  # a run was killed before the rename
    gone = [*halves, *of(host)]
    for page in gone:
        remove(page)
    for folder in sorted({page.parent for page in gone}, reverse=True):  # zh_CN/man8 before man8
        while folder != top and remove_empty(folder):  # that one is a distribution's, also when it is empty
            folder = folder.parent


def _found(top: Path, names: tuple[str, ...]) -> Iterator[Path]:
    for folder in FOLDERS:
        for name in names:
            yield from (path for path in top.glob(f"{folder}/{name}") if path.is_symlink() or path.is_file())


def _ours(path: Path) -> bool:
    """Whether a page is ours, or a link to such a one beside it."""
    if path.is_symlink():
        target = path.readlink()
        return target.parent == Path() and target.name.startswith("instorage")
    return MARK in read_file(path).partition("\n")[0]


def _writable(directory: Path) -> bool:
    """Whether files can be put there, or the directory made."""
    nearest = next(path for path in (directory, *directory.parents) if path.exists())
    return os.access(nearest, os.W_OK)
