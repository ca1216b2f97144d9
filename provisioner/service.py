"""The running provisioner: waits for the lease, works while it has it, hands it over."""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import TYPE_CHECKING

from provisioner.attempt import Attempt
from provisioner.cluster import Away, Refusal
from provisioner.lease import RENEW_DEADLINE, RENEW_SECONDS, RETRY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from provisioner.controller import Controller
    from provisioner.lease import Lease

FINISH_SECONDS = 75.0  # an array call takes at most 60 s; the unit's TimeoutStopSec is 90
READY_LOOK = 0.2
# How long after it could have run out one that waits looks at the lease: so it sees it just renewed, every
# 15 s; in step with the renewals, a moment before each third, it would look every 10 s.
SLACK = 1.0
FEED_SECONDS = 1.0
TAKE_SECONDS = 300.0  # no request takes so long, and before that the watchdog (120 s) ends what hangs
_LOG = logging.getLogger(__name__)


class Systemd:
    """Tells systemd of this process's state; nothing happens when nobody listens."""

    def __init__(self) -> None:
        self._notify: Callable[[str], object] = lambda _: None
        if "NOTIFY_SOCKET" in os.environ:
            from sdnotify import SystemdNotifier

            self._notify = SystemdNotifier().notify
        self._ready = False
        self._fed = 0.0

    def ready(self, status: str) -> None:
        """Say READY=1, the first time, and what this process is doing."""
        self._notify(f"STATUS={status}" if self._ready else f"READY=1\nSTATUS={status}")
        self._ready = True

    def alive(self) -> None:
        """Feed the watchdog; called by every worker, so not each time."""
        now = time.monotonic()
        if now - self._fed > FEED_SECONDS:
            self._fed = now
            self._notify("WATCHDOG=1")

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._notify("STOPPING=1")


class Service:
    """`run` until `stop`. `controller` makes a new one for each term of leading."""

    def __init__(
        self,
        lease: Lease,
        controller: Callable[[], Controller],
        systemd: Systemd,
        at_end: Sequence[Callable[[], None]] = (),
    ) -> None:
        self._lease = lease
        self._asking = Attempt(lease.take, "lease")
        self._controller = controller
        self._systemd = systemd
        self._at_end = at_end
        self._stopping = threading.Event()
        self._broken = False

    def stop(self) -> None:
        """End `run`, from a signal handler or another thread."""
        self._stopping.set()

    def broken(self, thread: threading.ExceptHookArgs) -> None:
        """End `run` because a thread ended by a defect: nobody does its work (for `threading.excepthook`)."""
        name = thread.thread.name if thread.thread else "a thread"
        error = (thread.exc_type, thread.exc_value or thread.exc_type(), thread.exc_traceback)
        _LOG.critical(
            "An error of this program ended %s: it stops, to be started again", name, exc_info=error
        )
        self._broken = True
        self.stop()

    def run(self) -> bool:
        """Wait and work in turn; on the way out finish what is under way and release the lease.

        Return False when a defect was the end.
        """
        while not self._stopping.is_set():
            asked = time.monotonic()  # who waits for the lease may count from then on: no answer tells when
            wait = self._take(asked)
            if wait == 0.0:
                self._lead(asked)
            else:
                self._stopping.wait(wait)
        for end in self._at_end:
            end()
        return not self._broken

    def _take(self, asked: float) -> float:
        """Return 0 when the lease is ours, else the seconds until it is worth looking again."""
        self._systemd.alive()
        try:
            left = self._asking.ask(TAKE_SECONDS)
        except (Away, Refusal) as error:
            seconds = max(RETRY_SECONDS, getattr(error, "after", 0.0))
            mend = self._lease.mend(error)
            _LOG.warning("The lease cannot be read (asked again in %.0f s): %s%s", seconds, error, mend)
            return seconds
        if left > 0:
            self._systemd.ready("waiting: another provisioner works")
            return left + SLACK
        late = time.monotonic() - asked
        if late >= RENEW_DEADLINE:  # it may be another one's by now
            _LOG.warning("The lease was taken, but the answer came after %.0f s: it is asked for again", late)
            return RETRY_SECONDS
        return 0.0

    def _lead(self, asked: float) -> None:
        _LOG.info("This provisioner works")
        controller = self._controller()
        controller.start()
        lost = self._renew_until_lost(controller, asked)
        if not lost:
            self._systemd.stopping()
        if not controller.stop(FINISH_SECONDS, lost=bool(lost)):
            _LOG.warning("Something under way did not end in %.0f s; it is done again later", FINISH_SECONDS)
        if lost:
            _LOG.error("The lease %s: waiting for it again", lost)
        else:
            self._lease.release()

    def _renew_until_lost(self, controller: Controller, renewed: float) -> str:
        """Renew until `stop` (""), or until the lease is lost: why. `renewed`: no later than it was taken."""
        silent = f"could not be renewed for {RENEW_DEADLINE:.0f} s"
        due = renewed + RENEW_SECONDS
        while not self._wait_until(due, controller):
            controller.look_alive()  # a single worker may be busy for longer than the watchdog waits
            asked = time.monotonic()
            if asked >= renewed + RENEW_DEADLINE:
                return silent
            taken = self._renew(renewed + RENEW_DEADLINE - asked)
            now = time.monotonic()
            if taken:
                renewed = asked
            elif self._lease.another:
                return f"is held by {self._lease.another}"
            elif self._lease.past:  # and what is watched goes on as if nothing had happened
                return "lacks its last renewal, as if etcd was restored: everything is listed anew"
            elif now >= renewed + RENEW_DEADLINE:
                return silent
            due = min(now + (RENEW_SECONDS if taken else RETRY_SECONDS), renewed + RENEW_DEADLINE)
        return ""

    def _wait_until(self, due: float, controller: Controller) -> bool:
        """Say READY=1 once the controller has its first lists; True when the end is asked for."""
        while not controller.ready and time.monotonic() < due:
            if self._stopping.wait(READY_LOOK):
                return True
        if controller.ready:
            self._systemd.ready("working")
        return self._stopping.wait(max(0.0, due - time.monotonic()))

    def _renew(self, seconds: float) -> bool:
        try:
            return self._asking.ask(seconds) == 0.0
        except (Away, Refusal) as error:
            _LOG.warning("The lease is not renewed: %s", error)
            return False
