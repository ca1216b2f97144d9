"""Logging in to portals and out again: node records from what the array says, no discovery, no scan."""

import contextlib
import fcntl
import functools
import os
import shutil
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from helper import child, fc, scsi, store, volume
from helper.program import ANY, run
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Iqn
from instorage.wire.verbs import Empty, InitiatorReply, IscsiPath, LeaveRequest

Ways = dict[IscsiPath, scsi.Session | Fault]

NAME_FILE = "/etc/iscsi/initiatorname.iscsi"
FAILED = "/run/instorage/portals"  # an empty file for each portal that failed lately
MAKING = "/var/lib/instorage-helper/nodes"  # for each node record that was begun and is not yet set up
USED = "/run/instorage/sessions"  # one for each session of ours, by its id: which session that was
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
# His session, which comes at each boot.
_ADMINISTRATORS = ("node.startup = automatic", "node.startup = onboot")
_TOO_OLD = "{} brings all LUNs at login: install open-iscsi 2.0.875, or log in yourself ({})"
NODES = ("/etc/iscsi/nodes", "/var/lib/iscsi/nodes")  # Debian's and SUSE's, Red Hat's
_RECORDS_BROKEN = ("6", "7")  # as the fields of a fault come out of a child
_NO_RECORD, _SESSION_EXISTS = 21, 15  # exit statuses, iscsiadm(8)


def initiator() -> InitiatorReply:
    """Return the name under which open-iscsi logs in, and this machine's Fibre Channel ports."""
    wwpns = fc.wwpns()
    for line in scsi.read(NAME_FILE).splitlines():
        key, _, name = line.partition("=")
        if key.strip() == "InitiatorName":
            try:
                return InitiatorReply(iqn=Iqn.parse(name.strip()), wwpns=wwpns)
            except Fault as fault:
                text = f"InitiatorName in {NAME_FILE}: {fault} Write it alone on its line, restart iscsid."
                raise Fault(Code.BAD_CONFIGURATION, text, file=NAME_FILE) from None
    return InitiatorReply(wwpns=wwpns)


def connect(paths: Sequence[IscsiPath], deadline: float, *, again: bool = False) -> Ways:
    """Return a session for every path, or why there is none; portals are logged in to all at once.

    `again`: also to one that failed a moment ago, for it is known to be back.
    """
    there = _sessions()
    working = any(_key(path) in there for path in paths)
    patient = working and not again
    missing = [path for path in paths if _key(path) not in there and not (patient and _fresh(_mark(path)))]
    grace = max(_GRACE, (deadline - time.monotonic()) * _SLOW)
    soon = min(deadline, time.monotonic() + (grace if working else _LOGIN))
    jobs = [functools.partial(_log_in, path, soon) for path in missing]
    answers = dict(zip(missing, child.gather(jobs, soon, "The login", grace=grace), strict=True))
    os.makedirs(FAILED, mode=0o700, exist_ok=True)
    for mark in Path(FAILED).iterdir():  # of portals that nobody asks for any more: /run must not fill
        if not _fresh(mark):
            mark.unlink(missing_ok=True)
    for path, answer in answers.items():
        if isinstance(answer, Fault) and answer.code is Code.TOOL_MISSING:
            raise answer  # no portal's fault
        _mark(path).unlink(missing_ok=True) if answer is True else _mark(path).touch()
    there = _sessions() if missing else there
    for path in paths:
        if answers.get(path) is True and (session := there.get(_key(path))):
            note_use(session)
    return {path: there.get(_key(path)) or _refused(path, answers.get(path)) for path in paths}


def note_use(session: scsi.Session) -> None:
    """Note that a session was made for a volume, or that one was attached through it: it may be ended."""
    with contextlib.suppress(OSError):  # then it stays; a full /run stops no attach
        os.makedirs(USED, mode=0o700, exist_ok=True)
        Path(USED, session.sid).write_text(_which(session))


def _which(session: scsi.Session) -> str:
    """Tell a session from another of its number, which the kernel gives again once its module is reloaded."""
    with contextlib.suppress(FileNotFoundError):
        directory = os.stat(f"{scsi.SYS}/class/iscsi_session/session{session.sid}").st_ino
        return f"{session.portal} {session.target} {directory}"
    return ""


def _key(path: IscsiPath) -> tuple[str, str]:
    return str(path.portal), path.target.lower()


def _sessions() -> dict[tuple[str, str], scsi.Session]:
    return {(one.portal, one.target.lower()): one for one in scsi.sessions()}


def _log_in(path: IscsiPath, deadline: float) -> bool:
    """Log in, one worker at a time: two logins of one name at once throw each other out (RFC 7143, 6.3.5)."""
    with volume.hold(str(path.portal), "of a login", deadline):
        return _key(path) in _sessions() or _log_in_alone(path, deadline)


def _log_in_alone(path: IscsiPath, deadline: float) -> bool:
    node = ("-m", "node", "-T", path.target, "-p", str(path.portal))
    note = ",".join(_key(path))[-250:]  # as long as the name of a file may be; one is left by who was killed
    found = run("iscsiadm", *node, deadline=deadline, accept=ANY)
    if found.status not in (0, _NO_RECORD):
        _drop_record(path, node, deadline, ours=note in store.names(MAKING))
    if found.status != 0:
        store.put(MAKING, note, "")  # by iscsid.conf it may look like the administrator's until it is set up
        try:
            run("iscsiadm", *node, "-o", "new", deadline=deadline)
        except Fault as fault:
            if int(fault.fields.get("status", 0)) > 0:  # it ended by itself, and made none
                store.drop(MAKING, note)
            raise
    if note in store.names(MAKING) or not _at_boot(found.out):
        _set_up(node, note, deadline)
        store.drop(MAKING, note)
    run("iscsiadm", *node, "--login", deadline=deadline, accept=(0, _SESSION_EXISTS))
    return child.until(lambda: _key(path) in _sessions(), deadline)


def _set_up(node: tuple[str, ...], note: str, deadline: float) -> None:
    """Have logins through a record bring no device; the fault's mend names an open-iscsi that cannot.

    One that is noted as ours, and only begun, goes when that fails.
    """
    try:
        run("iscsiadm", *node, *_UPDATE, deadline=deadline)
    except Fault as fault:
        if "node.session.scan" in fault.sentence:
            found = run("iscsiadm", "--version", deadline=deadline, accept=ANY).out.strip()
            fault.fields["mend"] = _TOO_OLD.format(found, _ADMINISTRATORS[0])
        if note in store.names(MAKING):
            left = run("iscsiadm", *node, "-o", "delete", deadline=deadline, accept=ANY).status
            if left in (0, _NO_RECORD):
                store.drop(MAKING, note)
        raise


def _drop_record(path: IscsiPath, node: tuple[str, ...], deadline: float, *, ours: bool) -> None:
    """Remove a record that this open-iscsi cannot read, as another version wrote it.

    It says the same of all its records when one, of whatever target, is broken: an administrator's stays.
    """
    mine = f"{path.portal.address},{path.portal.port},"  # with a portal group's tag, or at the end without
    folders = [f"{folder}/{path.target}" for folder in NODES]
    records = [Path(at, name) for at in folders for name in scsi.names(at) if f"{name},".startswith(mine)]
    for record in () if ours else filter(_administrators, records):
        text = f"open-iscsi cannot read its records, and {record} may be an administrator's"
        mend = f"see what iscsiadm -m node says, and mend or remove {record} or the one that is broken"
        raise Fault(Code.TOOL_FAILED, text, file=str(record), mend=mend)
    stays = run("iscsiadm", *node, "-o", "delete", deadline=deadline, accept=ANY).status != 0
    for record in records if stays else ():
        shutil.rmtree(record) if record.is_dir() else record.unlink()


def _administrators(record: Path) -> bool:
    """Return whether a record, a file or a folder of them, comes back at each boot, or may."""
    try:
        files = record.iterdir() if record.is_dir() else [record]
        return any(_at_boot(file.read_text(errors="replace")) for file in files)
    except OSError:
        return True


def _at_boot(settings: str) -> bool:
    return any(line.strip() in _ADMINISTRATORS for line in settings.splitlines())


@contextlib.contextmanager
def using(deadline: float, how: int = fcntl.LOCK_SH) -> Iterator[int]:
    """Keep sessions from being ended, or (`LOCK_EX`) from being used, by others; 0 when those do it now."""
    os.makedirs(volume.LOCKS, mode=0o700, exist_ok=True)
    lock = child.until(lambda: volume.taken(f"{volume.LOCKS}/sessions", how), deadline)
    try:
        yield lock
    finally:
        if lock:
            os.close(lock)


def leave(deadline: float, gone: Collection[tuple[str, str]] | None = None) -> None:
    """End used sessions that have no device of any kind left, unless an attach may be about to need one.

    Also those that do not work any more: iscsid would for ever try a portal that the array has dropped.
    `gone`: only those to these portals, each with its target.
    """
    deadline = min(deadline, time.monotonic() + _LOGIN)  # each attach waits as long as a logout hangs
    with using(time.monotonic(), fcntl.LOCK_EX) as alone:
        marks = {sid: scsi.read(f"{USED}/{sid}") for sid in (scsi.names(USED) if alone else ())}
        used = [one for one in scsi.sessions(all_states=True) if marks.get(one.sid) == _which(one)]
        for other in marks.keys() - {one.sid for one in used}:  # of a session that is no more
            Path(USED, other).unlink(missing_ok=True)
        idle = [one for one in used if not scsi.behind(one)]
        meant = [one for one in idle if gone is None or (one.portal, one.target.lower()) in gone]
        jobs = [functools.partial(_log_out, one.sid, deadline) for one in meant]
        for answer in child.gather(jobs, deadline, "A logout"):
            if isinstance(answer, Exception):  # the volume is gone, and a session harms nobody
                print(f"A session stays: {answer}", file=sys.stderr)


def leave_gone(request: LeaveRequest, _: object) -> Empty:
    """End the sessions to portals that the array has dropped."""
    gone = {(str(portal), request.target.lower()) for portal in request.portals}
    leave(time.monotonic() + request.wait_ms / 1000, gone)
    return Empty()


def _log_out(sid: str, deadline: float) -> None:
    run("iscsiadm", "-m", "session", "-r", sid, "--logout", deadline=deadline)
    Path(USED, sid).unlink(missing_ok=True)


def _mark(path: IscsiPath) -> Path:
    return Path(FAILED, str(path.portal))


def _fresh(mark: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return 0 <= time.time() - mark.stat().st_mtime < _AGAIN  # a clock may be set back
    return False


def _refused(path: IscsiPath, answer: object) -> Fault:
    fields = answer.fields if isinstance(answer, Fault) else {}
    broken = fields.get("status") in _RECORDS_BROKEN
    mend = f"see the records in {' or '.join(NODES)}, also of other targets" if broken else "see the network"
    why = answer or f"it failed less than {_AGAIN} s ago"
    text = f"Portal {path.portal} of {path.target} is not reached ({why}): {fields.get('mend', mend)}."
    return Fault(Code.PORTAL_UNREACHABLE, text, portal=str(path.portal))
