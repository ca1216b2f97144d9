"""The client of the root helper: one connection an operation, typed requests and replies over varlink."""

from __future__ import annotations

import contextlib
import functools
import logging
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from instorage import trail
from instorage.wire import growth, host_lock, record, verbs
from instorage.wire.fault import Code, Fault
from instorage.wire.interface import INTERFACE, VERBS
from instorage.wire.varlink import Stream
from nodeagent.host.helper_record import kept
from nodeagent.host.helper_reply import understood
from nodeagent.host.helper_socket import LOOK, connect, unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from _typeshed import DataclassInstance

    from instorage.wire.values import RequestId, VolumeUid

T = TypeVar("T", bound="DataclassInstance")

ANSWER_SECONDS = 30.0
MOUNT_SECONDS = 1800.0  # mkfs, fsck and the growth of a large volume have their own deadlines in the helper
BUSY_SECONDS = 30.0
GRACE_SECONDS = 60.0  # beyond the patience that a request carries
LEASE_SECONDS = 180.0
_LOG = logging.getLogger(__name__)
_VERB_OF = {request: verb for verb, (request, _) in VERBS.items()}


class Helper:
    """A connection to the helper, opened by the first call. Not for several threads.

    Errors are the helper's faults; HELPER_UNREACHABLE when it cannot be reached or leaves within a
    call, TIMEOUT when it does not answer.
    """

    def __init__(self, path: str, op: RequestId) -> None:
        self.op = op
        self._path = path
        self._stream: Stream | None = None
        self._lease_until: float | None = None
        self._mode = host_lock.LockMode.SHARED
        self.connections = 0
        """How often it was connected: what the helper held for one connection is lost with it."""

    def __enter__(self) -> Helper:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def there(self) -> bool:
        """Whether this host has a helper: its socket is there even while no helper runs."""
        return self._stream is not None or Path(self._path).exists()

    def begin(self) -> None:
        """Connect, so that a helper that has left starts meanwhile; the first call says if there is none."""
        with contextlib.suppress(Fault):
            self._connected()

    def close(self) -> None:
        """Close the connection; the helper drops what it held for it."""
        if self._stream is not None:
            self._connection.close()
            self._stream = None
        self._lease_until = None

    def initiator(self) -> verbs.InitiatorReply:
        """Return this machine's initiator names."""
        return self.call(verbs.InitiatorRequest(self.op), verbs.InitiatorReply)

    def inspect(self, uid: VolumeUid) -> verbs.InspectReply:
        """Return what the kernel has of one volume."""
        return self.call(verbs.InspectRequest(self.op, uid), verbs.InspectReply)

    def inspect_all(self) -> tuple[verbs.InspectReply, ...]:
        """Return what the kernel has of every InStorage volume."""
        replies = self._calls(verbs.InspectRequest(self.op), verbs.InspectReply, ANSWER_SECONDS, more=True)
        return tuple(reply for reply in replies if reply.uid is not None)

    def lock(self, wait: float, mode: host_lock.LockMode = host_lock.LockMode.SHARED) -> None:
        """Take (or renew) the host lock, waiting at most `wait` seconds."""
        until = time.monotonic() + LEASE_SECONDS  # the lease begins later, so this is never too long
        request = host_lock.LockRequest(self.op, mode, int(LEASE_SECONDS * 1000), int(wait * 1000))
        reply = self.call(request, host_lock.LockReply, wait + ANSWER_SECONDS)
        self._lease_until, self._mode = until, mode
        for path in reply.not_locked:
            _say_not_locked(path)

    def assure_lock(self, seconds: float) -> None:
        """Make sure that the host lock outlives the next `seconds`, or raise LOCK_LOST.

        To be asked before every command that changes the array: what is sent without the lock could meet an
        expansion.
        """
        self.require_lock()
        if self._lease_until is not None and self._lease_until - time.monotonic() < seconds:
            self.lock(0, self._mode)

    def require_lock(self) -> None:
        """Raise LOCK_LOST unless the host lock is held now; asks nobody."""
        if self._stream is None or self._lease_until is None:
            raise Fault(Code.LOCK_LOST, "The host lock went with the helper's connection; try again.")
        if self._lease_until < time.monotonic():
            text = f"This process did nothing for more than {LEASE_SECONDS:.0f} s: its host lock is lost."
            raise Fault(Code.LOCK_LOST, text)

    def unlock(self) -> None:
        """Give the host lock up."""
        self.call(host_lock.UnlockRequest(self.op), verbs.Empty)
        self._lease_until = None

    def attach(self, request: verbs.AttachRequest) -> verbs.AttachReply:
        """Bring the volume's device up and have it verified."""
        return self.call(request, verbs.AttachReply, request.wait_ms / 1000 + GRACE_SECONDS)

    def leave(self, request: verbs.LeaveRequest) -> None:
        """End sessions of ours to portals that the array has dropped."""
        self.call(request, verbs.Empty, request.wait_ms / 1000 + GRACE_SECONDS)

    def detach(self, request: verbs.DetachRequest) -> verbs.DetachReply:
        """Flush and remove map and paths."""
        return self.call(request, verbs.DetachReply, request.wait_ms / 1000 + GRACE_SECONDS)

    def mount(self, request: verbs.MountRequest) -> verbs.MountReply:
        """Mount (and format, if proven new)."""
        return self.call(request, verbs.MountReply, MOUNT_SECONDS)

    def bind(self, request: verbs.BindRequest) -> verbs.BindReply:
        """Bind a device mount into a pod's directory."""
        return self.call(request, verbs.BindReply, GRACE_SECONDS)

    def unmount(self, target: str, *, unmapped: bool = False) -> verbs.UnmountReply:
        """Sync and unmount a target; `unmapped`: only what the kernel, too, finds mapped here no more."""
        request = verbs.UnmountRequest(self.op, target, unmapped)
        return self.call(request, verbs.UnmountReply, 2 * GRACE_SECONDS)

    def rescan(self, request: growth.RescanRequest) -> growth.RescanReply:
        """Have every path and the map read their size again."""
        return self.call(request, growth.RescanReply, request.wait_ms / 1000 + GRACE_SECONDS)

    def grow_filesystem(self, uid: VolumeUid, target: str) -> growth.GrowFilesystemReply:
        """Make the mounted file system as large as its volume."""
        request = growth.GrowFilesystemRequest(self.op, uid, target)
        return self.call(request, growth.GrowFilesystemReply, MOUNT_SECONDS)

    def freeze(self, uid: VolumeUid, target: str, lease: float) -> growth.FreezeReply:
        """Stop writes for at most `lease` seconds; asked again, renew."""
        request = growth.FreezeRequest(self.op, uid, target, int(lease * 1000))
        return self.call(request, growth.FreezeReply, lease)  # an answer after the lease is worth nothing

    def thaw(self, uid: VolumeUid, target: str) -> growth.ThawReply:
        """Let the volume be written again."""
        return self.call(growth.ThawRequest(self.op, uid, target), growth.ThawReply)

    def barrier(
        self, uid: VolumeUid | None = None, text: str = "", *, record: str = "", erase: bool = False
    ) -> tuple[str, ...]:
        """Keep or forget the record of an expansion; return every one that is kept."""
        request = growth.BarrierRequest(self.op, uid, record, text, erase)
        return self.call(request, growth.BarrierReply).records

    def call(self, request: DataclassInstance, reply: type[T], seconds: float = ANSWER_SECONDS) -> T:
        """Send one request and return its one reply."""
        replies = list(self._calls(request, reply, seconds, more=False))
        if len(replies) != 1:
            raise Fault(Code.PROTOCOL, f"The helper sent {len(replies)} replies to one request.")
        return replies[0]

    def _calls(
        self, request: DataclassInstance, reply: type[T], seconds: float, *, more: bool
    ) -> Iterator[T]:
        """Exchange messages; a helper that serves all that it may has done nothing, and is asked again."""
        until = time.monotonic() + BUSY_SECONDS
        verb = _VERB_OF[type(request)]
        with kept(verb, request), trail.timed(trail.Kind.VERB, f"helper: {verb}"):
            while True:
                try:
                    yield from self._exchange(request, reply, seconds, more=more)
                    return
                except Fault as fault:
                    if fault.code is not Code.HELPER_BUSY or time.monotonic() > until:
                        raise
                self.close()
                time.sleep(random.uniform(0.1, 0.3))

    def _exchange(
        self, request: DataclassInstance, reply: type[T], seconds: float, *, more: bool
    ) -> Iterator[T]:
        verb = _VERB_OF[type(request)]
        deadline = time.monotonic() + seconds
        message: dict[str, object] = {"method": f"{INTERFACE}.{verb}", "parameters": record.to_json(request)}
        if more:
            message["more"] = True
        try:
            stream = self._connected()
            with contextlib.suppress(BrokenPipeError):  # refused: what it said can be read
                stream.send(message, deadline)
            continues = True
            while continues:
                answer = stream.receive(deadline)
                if answer is None:
                    raise ConnectionError("it closed the connection")
                continues = answer.get("continues") is True
                yield understood(answer, reply, verb)
        except TimeoutError:
            self.close()
            raise Fault(
                Code.TIMEOUT, f"The helper did not answer {verb} within {seconds:.0f} s: {LOOK}.", verb=verb
            ) from None
        except OSError as error:
            self.close()
            raise unreachable(self._path, f"during {verb}: {error}") from None
        except Fault as fault:
            if fault.code is Code.PROTOCOL:
                self.close()
            raise

    def _connected(self) -> Stream:
        if self._stream is None:
            self._connection = connect(self._path)
            self._stream = Stream(self._connection)
            self.connections += 1
        return self._stream


@functools.lru_cache(16)
def _say_not_locked(path: str) -> None:
    """Say it once: it is so again at every attach."""
    _LOG.warning(
        "%s (host.attachExtendFileLockPath) cannot be locked: other programs are not kept out. Make the "
        "file, or remove the key.", path,
    )  # fmt: skip
