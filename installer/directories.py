"""Directories in which programs and settings lie: only root may change them, and the services must get in."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from installer import users
from installer.places import HIDDEN, NAMES
from installer.saying import complain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from installer.host import Host
    from installer.saying import Refusals

OURS: Final = frozenset((*NAMES, "instorage"))  # names on the way to what is ours alone
RIGHTS: Final = "system.posix_acl_access"  # may let the service in where the mode does not


def look(refusals: Refusals, host: Host, user: str, *places: str) -> None:
    """Refuse places that will not do, each directory on the way to them once; links are followed."""
    ends = [host.path(place) for place in places]
    links = dict.fromkeys(link for end in ends if host.live for link in _links(end))
    for link in links:
        if link.lstat().st_uid:
            _say_of_owner(refusals, link, link.lstat())
    ends += [link.parent for link in links]
    for path in dict.fromkeys(path for end in ends for path in _way(host, end)):
        _look_at(refusals, host, path, user)


def look_for_programs(refusals: Refusals, host: Host, place: str) -> None:
    """Refuse a place from which nothing may be started, or that is gone when the services look."""
    nearest = next(_way(host, host.path(place)))
    if os.statvfs(nearest).f_flag & os.ST_NOEXEC:
        refusals.add(
            f"{place}: from the file system of {nearest} nothing may be started (noexec): mount it without "
            "that, or choose another place."
        )
    behind = os.path.realpath(host.path(place))
    if host.live and f"{behind}/".startswith(HIDDEN):
        refusals.add(
            f"{place} is {behind}, hidden from services, or gone after a boot: choose another place."
        )


def _way(host: Host, path: Path) -> Iterator[Path]:
    """Yield what there is of a path, from its end to the root directory of the host."""
    path = path.resolve() if host.live else path
    root = host.path("/")
    yield from (one for one in (path, *path.parents) if one.is_dir() and one.is_relative_to(root))


def _links(path: Path) -> Iterator[Path]:
    """Yield the links on the way: who can replace one has it lead where he likes, later."""
    for one in (path, *path.parents):
        if one.is_symlink() and one.exists():  # one that leads in a circle is not there
            yield one
            yield from _links(one.parent / one.readlink())


def _say_of_owner(refusals: Refusals, path: Path, facts: os.stat_result) -> None:
    # Above ours it may be a distribution's doing: kubespray gives kubelet's directories to a user kube.
    tell = refusals.add if OURS & {*path.parts} else complain
    if facts.st_uid:
        itself = " -h" if stat.S_ISLNK(facts.st_mode) else ""
        tell(
            f"{path} belongs to user {facts.st_uid}, who could change what root starts: "
            f"chown{itself} root {path}."
        )
    elif facts.st_gid and facts.st_mode & stat.S_IWGRP and not facts.st_mode & stat.S_ISVTX:
        tell(f"{path} can be changed by group {facts.st_gid}, and so what root starts: chmod g-w {path}.")


def _look_at(refusals: Refusals, host: Host, path: Path, user: str) -> None:
    facts = path.stat()
    if host.live:
        _say_of_owner(refusals, path, facts)
    if facts.st_mode & stat.S_IWOTH and not facts.st_mode & stat.S_ISVTX:
        refusals.add(f"{path} can be changed by everybody, and so what root starts: chmod o-w {path}.")
    if not _lets_in(host, facts, user) and RIGHTS not in os.listxattr(path):
        refusals.add(f"{path} is closed to the service's user {user}: chmod o+x {path}.")


def _lets_in(host: Host, facts: os.stat_result, user: str) -> bool:
    if facts.st_mode & stat.S_IXOTH:
        return True
    groups = [users.number_of(host, "group", name) for name in (user, users.SHARED)]
    return bool(facts.st_mode & stat.S_IXGRP) and str(facts.st_gid) in groups
