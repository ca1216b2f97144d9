"""Whether this host attaches and detaches, and why not, said to systemd and in the journal.

It is looked at in a thread of its own: configuration and barrier file may lie in a network directory that
hangs, and the loop that accepts calls and feeds the watchdog must not hang with it.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault
from nodeagent.expansion import barrier
from nodeagent.operation import journal

if TYPE_CHECKING:
    from collections.abc import Callable

    from nodeagent.operation.node import Node

READY = "Ready"
HANGS_SECONDS = 5.0
_LOG = logging.getLogger(__name__)


class Status:
    """Looks every `seconds` (None: once). `notify` takes a message to systemd."""

    def __init__(self, node: Node, notify: Callable[[str], None], seconds: float | None) -> None:
        self._node = node
        self._notify = notify
        self._seconds = seconds
        self._guard = threading.Lock()
        self._said = ""
        self._began: float | None = None
        self._looked = threading.Event()
        self._stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, name="status", daemon=True)

    def start(self) -> None:
        """Begin; returns when it was looked at once, or that hangs."""
        self.thread.start()
        self._looked.wait(HANGS_SECONDS)
        self.check()

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()

    def check(self) -> None:
        """Say it when the look under way hangs; touches no file itself."""
        began = self._began
        if began is not None and time.monotonic() - began >= HANGS_SECONDS:
            self._say(
                f"{self._node.paths.configuration}, or the place of a barrier file (barrierPath), cannot be "
                f"looked at: the directory does not answer for more than {HANGS_SECONDS:g} s. If it is on a "
                "network, mend that.",
                Code.TIMEOUT,
            )

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._began = time.monotonic()
            try:
                self._look()
            except Exception:
                _LOG.exception("The state of this host could not be looked at by a defect of the agent")
            self._began = None
            self._looked.set()
            self._stopping.wait(self._seconds)

    def _look(self) -> None:
        try:
            found = barrier.present(self._node.settings.current())
            if found is not None and self._node.expansions.volume is None:
                raise barrier.broken_off(found)
            self._node.paths.attach_setting()
        except Fault as fault:
            self._say(fault.sentence, None if journal.of_the_file(fault) else fault.code)
        else:
            self._say(READY)

    def _say(self, status: str, code: Code | None = None) -> None:
        with self._guard:
            if status == self._said:
                return
            self._said = status
            if code is not None:
                _LOG.warning("%s", status, extra={"code": code.value})
            said = "".join(c if " " <= c <= "~" else "'" for c in status)  # sdnotify writes Latin-1
            self._notify(f"STATUS={said}")
