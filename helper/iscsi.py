"""Logging in to a portal: a node record made from what the array says, no discovery, no scan."""

import functools
import os
import time
from collections.abc import Sequence

from helper import child, scsi
from helper.program import run
from helper.scsi import Session
from helper.waiting import until
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Iqn
from instorage.wire.verbs import InitiatorReply, IscsiPath

NAME_FILE = "/etc/iscsi/initiatorname.iscsi"
FAILED = "/run/instorage/portals"  # one empty file for each portal that failed lately
_AGAIN = 60  # seconds for which a portal that failed is not waited for while others work
_LOGIN = 15  # seconds for one login with all its programs
_GRACE = 2  # seconds that the others get once one portal has answered
_SETTINGS = {
    "node.startup": "manual",  # nothing comes back after a reboot by itself
    "node.session.scan": "manual",  # a login brings no device
    "node.conn[0].timeo.login_timeout": "5",
    "node.session.initial_login_retry_max": "2",
}
_NO_RECORD, _SESSION_EXISTS = 21, 15  # exit statuses, iscsiadm(8)


def initiator() -> InitiatorReply:
    """Return the name under which open-iscsi logs in."""
    for line in scsi.read(NAME_FILE).splitlines():
        key, _, name = line.partition("=")
        if key.strip() == "InitiatorName":
            return InitiatorReply(iqn=Iqn.parse(name.strip()))
    return InitiatorReply()


def connect(paths: Sequence[IscsiPath], deadline: float) -> dict[IscsiPath, Session | Fault]:
    """Return a session for every path, or why there is none; portals are logged in to all at once."""
    found: dict[IscsiPath, Session | Fault] = {path: one for path in paths if (one := _session(path))}
    missing = {path.portal: path for path in paths if path not in found}
    for portal, path in list(missing.items()):
        if found and _failed_lately(portal):
            found[path] = Fault(Code.PORTAL_UNREACHABLE, f"Portal {portal} failed less than {_AGAIN} s ago.")
            del missing[portal]
    soon = min(deadline, time.monotonic() + (_GRACE if found else _LOGIN))
    jobs = [functools.partial(_log_in, path, soon) for path in missing.values()]
    for path, answer in zip(missing.values(), child.gather(jobs, soon, "A login", grace=_GRACE), strict=True):
        _remember(path, failed=isinstance(answer, Exception))
        found[path] = Fault(
            Code.PORTAL_UNREACHABLE,
            f"Portal {path.portal} of {path.target} is not reached: {answer or 'no session came up'}. "
            "See the network between this node and the array.",
            portal=str(path.portal),
        )
    return {path: _session(path) or fault for path, fault in found.items()}


def _session(path: IscsiPath) -> Session | None:
    return next(
        (
            one
            for one in scsi.sessions()
            if one.portal == str(path.portal) and one.target == path.target and one.state == "LOGGED_IN"
        ),
        None,
    )


def _log_in(path: IscsiPath, deadline: float) -> bool:
    node = ("-m", "node", "-T", path.target, "-p", str(path.portal))
    update = [word for name, value in _SETTINGS.items() for word in ("-n", name, "-v", value)]
    if run("iscsiadm", *node, "-o", "update", *update, deadline=deadline, accept=(0, _NO_RECORD)).status:
        run("iscsiadm", *node, "-o", "new", deadline=deadline)
        run("iscsiadm", *node, "-o", "update", *update, deadline=deadline)
    run("iscsiadm", *node, "--login", deadline=deadline, accept=(0, _SESSION_EXISTS))
    return until(lambda: _session(path) is not None, deadline)


def _failed_lately(portal: object) -> bool:
    try:
        return time.time() - os.stat(f"{FAILED}/{portal}").st_mtime < _AGAIN
    except OSError:
        return False


def _remember(path: IscsiPath, *, failed: bool) -> None:
    mark = f"{FAILED}/{path.portal}"
    if failed:
        os.makedirs(FAILED, mode=0o700, exist_ok=True)
        open(mark, "w").close()
    elif os.path.exists(mark):
        os.unlink(mark)
