"""Logging in to portals and out again: node records from what the array says, no discovery, no scan."""

import contextlib
import fcntl
import functools
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from helper import child, scsi, volume
from helper.program import run
from helper.volume import hold
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Iqn
from instorage.wire.verbs import InitiatorReply, IscsiPath

NAME_FILE = "/etc/iscsi/initiatorname.iscsi"
FAILED = "/run/instorage/portals"  # an empty file for each portal that failed lately
_AGAIN = 60  # seconds for which a portal that failed is not waited for while others work
_LOGIN = 15  # seconds for one login with all its programs
_GRACE, _SLOW = 2, 0.02  # seconds, or that share of the time, that others get once one portal has answered
_SETTINGS = {
    "node.startup": "manual",  # nothing comes back after a reboot by itself
    "node.session.scan": "manual",  # a login brings no device
    "node.conn[0].timeo.login_timeout": "5",
    "node.session.initial_login_retry_max": "2",
}
_UPDATE = ("-o", "update", *(word for pair in _SETTINGS.items() for word in ("-n", pair[0], "-v", pair[1])))
_NO_RECORD, _SESSION_EXISTS = 21, 15  # exit statuses, iscsiadm(8)


def initiator() -> InitiatorReply:
    """Return the name under which open-iscsi logs in."""
    for line in scsi.read(NAME_FILE).splitlines():
        key, _, name = line.partition("=")
        if key.strip() == "InitiatorName":
            return InitiatorReply(iqn=Iqn.parse(name.strip()))
    return InitiatorReply()


def connect(paths: Sequence[IscsiPath], deadline: float) -> dict[IscsiPath, scsi.Session | Fault]:
    """Return a session for every path, or why there is none; portals are logged in to all at once."""
    there = _sessions()
    working = any(_key(path) in there for path in paths)
    missing = [path for path in paths if _key(path) not in there and not (working and _fresh(_mark(path)))]
    grace = max(_GRACE, (deadline - time.monotonic()) * _SLOW)
    soon = min(deadline, time.monotonic() + (grace if working else _LOGIN))
    jobs = [functools.partial(_log_in, path, soon) for path in missing]
    answers = dict(zip(missing, child.gather(jobs, soon, "The login", grace=grace), strict=True))
    Path(FAILED).mkdir(mode=0o700, exist_ok=True)
    for mark in Path(FAILED).iterdir():  # of portals that nobody asks for any more: /run must not fill
        if not _fresh(mark):
            mark.unlink(missing_ok=True)
    for path, answer in answers.items():
        if isinstance(answer, Fault) and answer.code is Code.TOOL_MISSING:
            raise answer  # no portal's fault
        _mark(path).unlink(missing_ok=True) if answer is True else _mark(path).touch()
    there = _sessions() if missing else there
    return {path: there.get(_key(path)) or _refused(path, answers.get(path)) for path in paths}


def _key(path: IscsiPath) -> tuple[str, str]:
    return str(path.portal), str(path.target)


def _sessions() -> dict[tuple[str, str], scsi.Session]:
    return {(one.portal, one.target): one for one in scsi.sessions()}


def _log_in(path: IscsiPath, deadline: float) -> bool:
    """Log in, one worker at a time: two logins of one name at once throw each other out (RFC 7143, 6.3.5)."""
    with hold(str(path.portal), "of a login", deadline):
        return _key(path) in _sessions() or _log_in_alone(path, deadline)


def _log_in_alone(path: IscsiPath, deadline: float) -> bool:
    node = ("-m", "node", "-T", path.target, "-p", str(path.portal))
    if run("iscsiadm", *node, *_UPDATE, deadline=deadline, accept=(0, _NO_RECORD)).status == _NO_RECORD:
        run("iscsiadm", *node, "-o", "new", deadline=deadline)
        run("iscsiadm", *node, *_UPDATE, deadline=deadline)
    run("iscsiadm", *node, "--login", deadline=deadline, accept=(0, _SESSION_EXISTS))
    return child.until(lambda: _key(path) in _sessions(), deadline)


@contextlib.contextmanager
def using(deadline: float, *, alone: bool = False) -> Iterator[bool]:
    """Keep sessions from being ended, or (`alone`, without waiting) from being used; False when others do."""
    os.makedirs(volume.LOCKS, mode=0o700, exist_ok=True)
    with open(f"{volume.LOCKS}/sessions", "w", encoding="ascii") as lock:
        yield child.until(lambda: _locked(lock.fileno(), alone=alone), deadline)


def _locked(lock: int, *, alone: bool) -> bool:
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(lock, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        return True
    return False


def sessions_of(disks: Iterable[scsi.Disk]) -> list[scsi.Session]:
    """Return the sessions that disks are seen through."""
    hosts = {disk.hctl.partition(":")[0] for disk in disks}
    return [one for one in scsi.sessions() if str(one.host) in hosts]


def leave(sessions: Sequence[scsi.Session], deadline: float) -> None:
    """End those sessions that have no device of any kind left, unless an attach may be about to use one."""
    with using(time.monotonic(), alone=True) as alone:
        idle = [one for one in sessions if alone and not scsi.behind(one)]
        jobs = [functools.partial(_log_out, one, deadline) for one in idle]
        for answer in child.gather(jobs, deadline, "A logout"):
            if isinstance(answer, Exception):  # the volume is gone, and a session harms nobody
                print(f"A session stays: {answer}", file=sys.stderr)


def _log_out(session: scsi.Session, deadline: float) -> None:
    run("iscsiadm", "-m", "node", "-T", session.target, "-p", session.portal, "--logout", deadline=deadline)


def _mark(path: IscsiPath) -> Path:
    return Path(FAILED, str(path.portal))


def _fresh(mark: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return time.time() - mark.stat().st_mtime < _AGAIN
    return False


def _refused(path: IscsiPath, answer: object) -> Fault:
    why = answer or f"it failed less than {_AGAIN} s ago"
    text = f"Portal {path.portal} of {path.target} is not reached ({why}): see the network to the array."
    return Fault(Code.PORTAL_UNREACHABLE, text, portal=str(path.portal))
