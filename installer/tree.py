"""The directory of a version: it appears as a whole, and is never changed, for programs run from it."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Final

from installer.host import run, there
from installer.journal import replace, sync

if TYPE_CHECKING:
    from pathlib import Path

    from installer.host import Host

NAMED: Final = re.compile(rb"^#!/usr/lib/instorage/[^ \n]*/bin/")
COMPILED: Final = "__pycache__"


def put(host: Host, source: Path, directory: str, name: str, beside: tuple[Path, ...] = ()) -> str:
    """Copy `source` and what lies `beside` it as directory/name, and return the place.

    Where another build has that name, the copy gets one of its own.
    """
    new = host.path(f"{directory}/.new")
    new.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(new, ignore_errors=True)
    try:
        _copy(source, new)
        for path in beside:
            _copy(path, new / path.name)
        return _name(host, new, directory, name)
    except BaseException:  # what half of it occupies may be what the way back needs
        shutil.rmtree(new, ignore_errors=True)
        raise


def _name(host: Host, new: Path, directory: str, name: str) -> str:
    """Give the copy its name, or throw it away where the same has that name; return the place."""
    number, place = 1, f"{directory}/{name}"
    while True:
        _name_programs(new, place)
        if not there(host.path(place)):
            break
        if _same(new, host.path(place)):
            shutil.rmtree(new)
            return place
        number += 1
        place = f"{directory}/{name}.{number}"
    # Before coreutils 8.24 there is no -f; the next run would see what a power cut tore.
    run("sync", "-f", str(new))
    new.replace(host.path(place))
    sync(new.parent)
    return place


def _copy(source: Path, target: Path) -> None:
    """Copy without the owners and the umask of who unpacked it: root's, and readable for the services."""
    if source.is_symlink():
        target.symlink_to(source.readlink())
    elif source.is_dir():
        target.mkdir()
        for path in sorted(source.iterdir()):
            if path.name != COMPILED or path.parent.name != "installer":
                _copy(path, target / path.name)
    else:
        shutil.copyfile(source, target)
        target.chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)


def _same(new: Path, old: Path) -> bool:
    """Whether all of `new` is in `old`; what Python compiled there besides is no difference."""
    if new.is_symlink() or old.is_symlink():
        return new.is_symlink() and old.is_symlink() and new.readlink() == old.readlink()
    if new.is_dir():
        return old.is_dir() and all(_same(path, old / path.name) for path in new.iterdir())
    return old.is_file() and _mode(new) == _mode(old) and new.read_bytes() == old.read_bytes()


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def _name_programs(copy: Path, place: str) -> None:
    """Have programs name the interpreter beside them, so that one process is of one version."""
    for program in sorted((copy / "libexec").glob("*")):
        if program.is_file():
            text = program.read_bytes()
            named = NAMED.sub(f"#!{place}/bin/".encode(), text)
            if named != text:
                replace(program, named)
