"""Users and groups of the services, on a host that runs and in an image."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from installer.host import find, is_root, run
from installer.journal import replace
from installer.saying import Ending, complain

if TYPE_CHECKING:
    from installer.host import Host

SHARED: Final = (
    "instorage"  # the group of both services: the key of the shadows, and the manual's log directory
)
AGENT, PROVISIONER = "instorage-agent", "instorage-provisioner"


def _fields(host: Host, base: str, name: str) -> list[str]:
    if host.live:
        lines = run("getent", base, name).lines
    else:
        file = host.path(f"/etc/{base}")
        lines = file.read_text(errors="replace").splitlines() if file.exists() else []
    for line in lines:
        if line.startswith(f"{name}:"):
            return line.split(":")
    return []


def number_of(host: Host, base: str, name: str) -> str:
    """Return the number of a user («passwd») or group («group»); nothing when there is none."""
    return (_fields(host, base, name)[2:3] or [""])[0]


def in_group(host: Host, user: str, group: str) -> bool:
    """Whether a user is a member."""
    return user in (_fields(host, "group", group)[3:4] or [""])[0].split(",")


def create(host: Host, user: str, described: str) -> None:
    """Make a user, a member of the group of both services, by the file of sysusers.d that describes it."""
    if not is_root() or in_group(host, user, SHARED):
        return
    said = "systemd-sysusers is not here"
    if find("systemd-sysusers"):  # also for the user of a version that had no group of both
        below = (f"--root={host.root}",) if host.root else ()
        said = run("systemd-sysusers", *below, described, errors=True).said
    if in_group(host, user, SHARED):
        return
    if not host.live:
        raise Ending(
            1,
            f"the user {user}, in group {SHARED}, cannot be made in {host.root or '/'} ({said}): make it "
            "there, then run this again.",
        )
    _create_by_hand(host, user)


def _create_by_hand(host: Host, user: str) -> None:
    for group in (user, SHARED):
        if not number_of(host, "group", group):
            _must("groupadd", "--system", group)
    if not number_of(host, "passwd", user):
        home = ("--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin")
        _must("useradd", "--system", "--gid", user, *home, user)
    _must("usermod", "-a", "-G", SHARED, user)


def _must(*argv: str) -> None:
    done = run(*argv, errors=True)
    if done.status:
        raise Ending(1, f"{' '.join(argv)} failed: {done.said}")


def remove(host: Host, user: str) -> None:
    """Take a user away; with the last one goes the group of both."""
    if host.live:
        if number_of(host, "passwd", user) and run("userdel", user).status:
            complain(f"the user {user} could not be removed: userdel {user}.")
        _remove_group(host, user)
    else:
        for base in ("passwd", "group", "shadow", "gshadow"):
            _edit(host, base, rf"^{user}:.*\n?", "")
        for base in ("group", "gshadow"):
            _edit(host, base, rf"^({SHARED}:.*[:,]){user},", r"\1")
            _edit(host, base, rf"^({SHARED}:.*),{user}$", r"\1")
            _edit(host, base, rf"^({SHARED}:.*:){user}$", r"\1")
    if not any(in_group(host, one, SHARED) for one in (AGENT, PROVISIONER)):
        _remove_group(host, SHARED)


def _remove_group(host: Host, group: str) -> None:
    if not host.live:
        for base in ("group", "gshadow"):
            _edit(host, base, rf"^{group}:.*\n?", "")
    elif number_of(host, "group", group) and run("groupdel", group).status:
        complain(f"the group {group} could not be removed: groupdel {group}.")


def _edit(host: Host, base: str, pattern: str, by: str) -> None:
    file = host.path(f"/etc/{base}")
    if file.exists():
        text = file.read_text(errors="surrogateescape")
        changed = re.sub(pattern, by, text, flags=re.MULTILINE)
        if changed != text:
            replace(file, changed.encode(errors="surrogateescape"))
