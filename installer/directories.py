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
    way = dict.fromkeys(path for place in places for path in _way(host, host.path(place)))
    for path in way:
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


def _look_at(refusals: Refusals, host: Host, path: Path, user: str) -> None:
    facts = path.stat()
    if host.live and facts.st_uid:
        # Above ours it may be a distribution's doing: kubespray gives kubelet's directories to a user kube.
        tell = refusals.add if OURS & {*path.parts} else complain
        tell(f"{path} belongs to user {facts.st_uid}, who could change what root starts: chown root {path}.")
    if facts.st_mode & stat.S_IWOTH and not facts.st_mode & stat.S_ISVTX:
        refusals.add(f"{path} can be changed by everybody, and so what root starts: chmod o-w {path}.")
    if not _lets_in(host, facts, user) and RIGHTS not in os.listxattr(path):
        refusals.add(f"{path} is closed to the service's user {user}: chmod o+x {path}.")


def _lets_in(host: Host, facts: os.stat_result, user: str) -> bool:
    if facts.st_mode & stat.S_IXOTH:
        return True
    groups = [users.number_of(host, "group", name) for name in (user, users.SHARED)]
    return bool(facts.st_mode & stat.S_IXGRP) and str(facts.st_gid) in groups
