"""Where we write: log files and records, with the rights and the room for it."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from nodeagent.administration.array import USER
from nodeagent.diagnosis.finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodeagent.administration.doctor.host import Host

BYTES = (1 << 20, 16 << 20)
INODES = (16, 256)
"""What is free: below the first it is an error, below the second a warning."""


def log_files(host: Host) -> Iterator[Finding]:
    """Find a log directory that is not there or into which the agent may not write."""
    place = host.setup.log
    if not place:
        return
    facts, user = host.looks.facts(place), host.looks.user(USER)
    give = f"install -d -o {USER} -g {USER} {place}"
    if facts is None or not stat.S_ISDIR(facts.mode):
        code, sentence = "log-missing", f"{place} (log.logdir) is no directory."
    elif user and not _may_write(facts.mode, facts.uid, facts.gid, user):
        code, sentence = "log-rights", f"{place} (log.logdir) cannot be written by {USER}."
    else:
        return
    yield Finding(
        "log", code, Severity.WARNING, sentence, risk="There are no log files; the journal has everything.",
        command=give, proof=f"stat {place}",
    )  # fmt: skip


def _may_write(mode: int, uid: int, gid: int, user: list[int]) -> bool:
    """Say whether a user (uid, then gids) may make files in a directory."""
    if user[0] in (0, uid):
        return user[0] == 0 or bool(mode & stat.S_IWUSR)
    return bool(mode & (stat.S_IWGRP if gid in user[1:] else stat.S_IWOTH))


def room(host: Host) -> Iterator[Finding]:
    """Find places where we write that are full, or about to be, or read-only."""
    for place in dict.fromkeys((host.setup.state, "/run", host.setup.log)):
        if not place or host.looks.facts(place) is None:
            continue
        there = host.looks.room(place)
        left = [(there.free, BYTES, "bytes"), (there.inodes, INODES, "inodes")]
        for free, (error, warning), what in left:
            if free is not None and free < warning:
                severity = Severity.ERROR if free < error else Severity.WARNING
                yield Finding(
                    "room", "room", severity, f"{place} has {free} free {what}.",
                    risk="Records cannot be written, so that nothing is attached.",
                    command=f"df -h {place}; df -i {place}, and free some", proof=f"statvfs {place}",
                )  # fmt: skip
        if there.read_only:
            yield Finding(
                "room", "read-only", Severity.ERROR, f"{place} is on a read-only file system.",
                risk="Records cannot be written, so that nothing is attached.",
                command="journalctl -k, for why; then mount it read-write", proof=f"statvfs {place}",
            )  # fmt: skip
