"""The server for the stub: accepts in one loop, answers in one thread a call, at most 128 at a time."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import selectors
import socket
import threading
import time
from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault
from nodeagent.operation.answer import failure
from nodeagent.service.caller import Caller, peer_uid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nodeagent.operation.answer import Answer

MOST_CALLS = 128
REST = 0.25  # seconds between two looks whether there is a descriptor again
_SHORT = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_LOG = logging.getLogger(__name__)


class Server:
    """Listens on sockets that systemd made. `uid` is the only one that gets an answer: kubelet's, root."""

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        answer: Callable[[list[str], Caller], Answer | None],
        uid: int = 0,
    ) -> None:
        self._listeners = tuple(listeners)
        self._answer = answer
        self._uid = uid
        self._guard = threading.Lock()
        self._calls = 0
        self._stopping = False
        self._rests_until = 0.0
        self._short = False
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        for listener in self._listeners:
            listener.settimeout(0)

    @property
    def wake_descriptor(self) -> int:
        """Return where a byte ends the current wait (for `signal.set_wakeup_fd`)."""
        return self._wake_write

    def serve(self, tick: Callable[[], None], tick_seconds: float | None) -> None:
        """Accept calls until `stop`; `tick` is called by this same loop at least every `tick_seconds`.

        Its being called therefore proves that calls are accepted.
        """
        accepting: bool = False
        next_tick = time.monotonic()
        while not self._stopping:
            if tick_seconds is not None and time.monotonic() >= next_tick:
                tick()
                next_tick = time.monotonic() + tick_seconds
            accepting = self._listen(accepting)
            for key, _ in self._selector.select(self._wait(None if tick_seconds is None else next_tick)):
                if isinstance(key.fileobj, socket.socket):
                    self._accept(key.fileobj)
                else:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self._wake_read, 4096)

    def stop(self) -> None:
        """End `serve`; callers that wait in the backlog are kept by systemd's socket for the next agent."""
        self._stopping = True
        self._wake()

    def drain(self, seconds: float) -> bool:
        """Wait until every call has its answer; False when some have none after `seconds`."""
        deadline = time.monotonic() + seconds
        while self.calls and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.calls == 0

    def close(self) -> None:
        """Close our copies of the sockets; systemd keeps its own."""
        self._selector.close()
        for listener in self._listeners:
            listener.close()
        os.close(self._wake_read)
        write, self._wake_write = self._wake_write, -1
        os.close(write)

    @property
    def calls(self) -> int:
        """Return the number of calls under way."""
        with self._guard:
            return self._calls

    def _listen(self, accepting: bool) -> bool:  # noqa: FBT001  # the state it was in
        """Watch the sockets while there is room for another call, else leave callers in the backlog."""
        room = self.calls < MOST_CALLS and time.monotonic() >= self._rests_until
        if room != accepting:
            for listener in self._listeners:
                if room:
                    self._selector.register(listener, selectors.EVENT_READ)
                else:
                    self._selector.unregister(listener)
        return room

    def _wait(self, next_tick: float | None) -> float | None:
        """Return for how long nothing may happen: to the next tick, or the end of a rest; None: for ever."""
        now = time.monotonic()
        ends = [next_tick] if next_tick is not None else []
        if self._rests_until > now:
            ends.append(self._rests_until)
        return max(min(ends) - now, 0.0) if ends else None

    def _rest(self, error: OSError) -> None:
        """Look away for a moment: the caller stays in the backlog, and the socket would say so for ever."""
        self._rests_until = time.monotonic() + REST
        if not self._short:
            _LOG.error(
                "No call can be accepted (%s): callers wait until there is room again. See what this process "
                "(%d) has open: /proc/%d/fd, and LimitNOFILE of its unit",
                error.strerror, os.getpid(), os.getpid(), extra={"code": "internal"},
            )  # fmt: skip
        self._short = True

    def _accept(self, listener: socket.socket) -> None:
        try:
            connection, _ = listener.accept()
        except OSError as error:
            if error.errno in _SHORT:
                self._rest(error)
            return  # the caller has left again, or stays in the backlog
        self._short = False
        uid = peer_uid(connection)
        if uid != self._uid:
            connection.close()
            _LOG.warning("A call by uid %d was not answered", uid, extra={"code": "not-allowed"})
            return
        with self._guard:
            self._calls += 1
        try:
            threading.Thread(target=self._handle, args=(connection,), name="call", daemon=True).start()
        except RuntimeError:  # the process may have no further thread: kubelet asks again
            self._left(connection)

    def _handle(self, connection: socket.socket) -> None:
        caller = Caller(connection)
        try:
            answer = self._answer(caller.arguments(), caller)
            if answer is not None:
                caller.finish(answer)
        except Fault as fault:
            caller.finish(failure(fault, "none"))
        except OSError:
            pass  # the caller has left before it had said what it wants
        except Exception as error:
            _LOG.exception("A call failed by a defect of the agent")
            sentence = f"The node agent failed ({type(error).__name__}): its journal says more."
            caller.finish(failure(Fault(Code.INTERNAL, sentence), "none"))
        finally:
            self._left(connection)

    def _left(self, connection: socket.socket) -> None:
        connection.close()
        with self._guard:
            full = self._calls >= MOST_CALLS
            self._calls -= 1
        if full:
            self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full: it will wake up anyhow; closed: it has ended
            os.write(self._wake_write, b"x")
