"""Freeze and Thaw: a freeze is a lease, kept by a guardian process that ends it when nobody else does.

The guardian is forked by the worker and holds the volume's lock. It thaws when it is told to, when the lease
ends, and when its channel does: then worker or agent are gone. For the case that it is killed itself there is
a record, written before the freeze: worker, supervisor, `ExecStopPost=` and the next start thaw by it.
"""

import contextlib
import functools
import os
import signal
import socket
import sys
import time
from typing import Any

from helper import abandoned, child, filesystem, frozen, store
from helper.growth import mounted
from helper.mounted import volume_on
from helper.settings import Configured, Settings
from helper.target import parse
from helper.volume import hold
from instorage.wire import growth
from instorage.wire.fault import Code, Fault
from instorage.wire.steps import reached
from instorage.wire.varlink import Stream

ANSWER = 20.0  # seconds for a freeze or a thaw
_ALL = 30.0  # seconds for all that is frozen at a start
_LONGEST = 120_000  # milliseconds
_LET_GO = 5  # seconds for a guardian that lives to come to its end
_GUARDIAN = "The guardian of a freeze"


class Freezer:
    """The freeze of one connection; once its guardian has ended by itself, nothing is intact any more."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._uid, self._pid = settings, "", 0

    def freeze(self, request: growth.FreezeRequest, settings: Settings) -> growth.FreezeReply:
        """Freeze, or renew the lease; `Fault(TIMEOUT)` when the kernel does not come back from it."""
        parse(request.target, settings)
        if not 0 < request.lease_ms <= _LONGEST or self._uid not in ("", request.uid):
            text = f"One volume is frozen at a time, for 1 to {_LONGEST} ms: {self._uid or request.lease_ms}."
            raise Fault(Code.BAD_REQUEST, text, field="lease_ms")
        if not self._uid:
            self._begin(request)
        return growth.FreezeReply(self._ask(lease_ms=request.lease_ms))

    def thaw(self, request: growth.ThawRequest, settings: Settings) -> growth.ThawReply:
        """Thaw what this connection has frozen, whatever has become of it."""
        parse(request.target, settings)
        if request.uid != self._uid:
            return growth.ThawReply(intact=False)
        intact = self._ask(thaw=1)
        self.end()
        return growth.ThawReply(intact)

    def _begin(self, request: growth.FreezeRequest) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        child.PRIVATE.add(self._channel.fileno())
        self._pid = child.forked(functools.partial(_guard, Stream(theirs), request, self._settings))
        theirs.close()
        self._uid, self._stream = request.uid, Stream(self._channel)
        # The supervisor does not leave before it.
        abandoned.enlist(self._pid, f"{_GUARDIAN} of volume {request.uid}", "")

    def _ask(self, **question: int) -> bool:
        """Return whether all is intact; no answer is no: the guardian has ended, and with it the freeze."""
        answer, deadline = None, time.monotonic() + ANSWER
        try:
            self._stream.send(question, deadline)
            answer = self._stream.receive(deadline)
        except TimeoutError:
            self._channel.shutdown(socket.SHUT_RDWR)  # once the kernel lets the guardian go, that thaws
            text = f"Volume {self._uid} was not frozen or thawed within {ANSWER:.0f} s: see its paths."
            raise Fault(Code.TIMEOUT, text, uid=self._uid) from None
        except OSError:
            pass
        if answer and "code" in answer:
            self.end()
            raise Fault.from_wire(answer)
        return answer == {"intact": True}

    def end(self) -> None:
        """Have the guardian thaw and end; do it by the record when that was killed."""
        if uid := self._uid:
            child.PRIVATE.discard(self._channel.fileno())
            self._channel.close()
            child.give_up(self._pid, _GUARDIAN, uid, ANSWER)
            self._uid = ""
            thaw_left(self._settings, uid)


def _guard(stream: Stream, request: growth.FreezeRequest, settings: Settings) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # its channel ends, when that is meant
    asked = stream.receive(time.monotonic() + ANSWER)
    try:
        with mounted(request, settings) as (place, row):
            return _keep_frozen(stream, filesystem.opened(place, row), request, asked)
    except OSError as error:
        text = f"Volume {request.uid} cannot be frozen ({error.strerror}): see the kernel's log."
        fault = Fault(Code.FILE_SYSTEM, text, uid=request.uid)
    except Fault as refused:
        fault = refused
    stream.send(fault.to_wire(), time.monotonic() + ANSWER)


def _keep_frozen(
    stream: Stream, node: int, request: growth.FreezeRequest, asked: dict[str, Any] | None
) -> None:
    """Freeze; answer until told to thaw, or until the lease or the channel ends; thaw."""
    uid, intact = request.uid, True
    if uid in store.names(frozen.RECORDS):
        _thaw(node, uid)  # of a guardian that was killed: the lock is ours now
    store.put(frozen.RECORDS, uid, f"{request.target}\n{abandoned.mark(os.getpid())}")
    reached(growth.Step.HELPER_FREEZE_RECORDED)
    if not filesystem.order(node, filesystem.FREEZE):
        _forget(uid)
        text = f"Volume {uid} is frozen by somebody else: thaw {request.target} first."
        raise Fault(Code.DEVICE_BUSY, text, uid=uid)
    try:
        reached(growth.Step.HELPER_FREEZE_FROZEN)
        while asked and "lease_ms" in asked:
            # whoever has thawed it meanwhile: it is frozen anew, and was not intact
            intact = intact and not filesystem.order(node, filesystem.FREEZE)
            until = time.monotonic() + asked["lease_ms"] / 1000
            stream.send({"intact": intact}, until)
            asked = stream.receive(until)
    except OSError:
        asked = None  # the lease is over, or nobody listens any more: no answer, which means no
    finally:
        intact = _thaw(node, uid) and intact
    if asked:
        stream.send({"intact": intact}, time.monotonic() + ANSWER)


def _thaw(node: int, uid: str) -> bool:
    thawed = filesystem.order(node, filesystem.THAW)
    reached(growth.Step.HELPER_FREEZE_THAWED)
    _forget(uid)
    return thawed


def _forget(uid: str) -> None:
    store.drop(frozen.RECORDS, uid)
    reached(growth.Step.HELPER_FREEZE_FORGOTTEN)


def thaw_left(settings: Configured, *uids: str) -> None:
    """Thaw what killed guardians have left, after a moment for one that lives to come to its end.

    All at once, for nobody is served before. Without the lock of a volume if need be: who has it may be stuck
    because the file system is frozen.
    """
    named = uids or tuple(store.names(frozen.RECORDS))
    jobs = [functools.partial(_thaw_left, settings, uid) for uid in named]
    for uid, answer in zip(named, child.gather(jobs, time.monotonic() + _ALL, "A thaw"), strict=True):
        if isinstance(answer, Exception):
            print(f"Volume {uid} may still be frozen: {answer}", file=sys.stderr)


def _thaw_left(found: Configured, uid: str) -> None:
    """Thaw what a record names whose guardian does not live; may hang."""
    settings = Settings() if isinstance(found, Fault) else found
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(Fault):
            stack.enter_context(hold(uid, "of a thaw", time.monotonic() + _LET_GO))
        recorded = store.get(frozen.RECORDS, uid) or ""
        target, _, guardian = recorded.partition("\n")  # an older one names none
        if uid in store.names(frozen.RECORDS) and not abandoned.lives(guardian):
            place, row, _ = volume_on(parse(target, settings), stack, uid)
            _thaw(filesystem.opened(place, row), uid)


def thaw_behind(found: Configured) -> int:
    """Have a process thaw what a guardian has left that was killed with its worker; 0: there is no need.

    For the supervisor, which has one of them at a time: each waits for locks.
    """
    if os.path.isdir(frozen.RECORDS) and os.listdir(frozen.RECORDS) and isinstance(found, Settings):
        with contextlib.suppress(OSError):
            return child.forked(functools.partial(thaw_left, found))
    return 0
