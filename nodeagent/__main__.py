"""The node agent's process: `instorage-nodeagent.service` (systemd/instorage-nodeagent.service)."""

from __future__ import annotations

import importlib
import logging
import os
import signal
import socket
import sys
import threading
from typing import TYPE_CHECKING

from instorage.arrays.pool import ArrayPool, array_client
from instorage.arrays.quarantine import Quarantine
from instorage.tenancy.adopted import AdoptedFile
from instorage.wire.fault import Fault
from nodeagent.host.paths import Paths
from nodeagent.host.portals import Portals
from nodeagent.operation.attached import Attachments
from nodeagent.operation.expansions import Expansions
from nodeagent.operation.expected import Expected
from nodeagent.operation.journal import Log
from nodeagent.operation.node import Node
from nodeagent.operation.records import Records
from nodeagent.operation.settings import Settings
from nodeagent.operation.trouble import Trouble
from nodeagent.operation.volume_locks import VolumeLocks
from nodeagent.recovery.healing import LOOK_SECONDS, Healer
from nodeagent.recovery.reconciliation import REST_SECONDS, Reconciler
from nodeagent.service import threads
from nodeagent.service.dispatch import Dispatcher
from nodeagent.service.server import Server
from nodeagent.service.status import Status
from nodeagent.volume import owner, tenancy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from instorage.configuration.settings import Configuration, LogSettings

READY_SECONDS = 60.0
DRAIN_SECONDS = 20.0
FIRST_DESCRIPTOR = 3
STUCK_SECONDS = 3600.0  # every step has a shorter deadline: what is older hangs
_LOG = logging.getLogger("nodeagent")


def build(paths: Paths, apply: Callable[[LogSettings], None]) -> Node:
    """Put the agent's parts together; nothing is connected yet. `apply` takes changed log settings."""
    records = Records(paths.records)
    boot = paths.boot_id.read_text().strip()
    quarantine = Quarantine(paths.quarantine, boot)

    def in_force(found: Configuration) -> None:
        apply(found.log)
        tenancy.announce(found)
        owner.announce(found, records)

    return Node(
        paths=paths,
        settings=Settings(paths.configuration, in_force, paths.sysfs),
        adopted=AdoptedFile(paths.adopted),
        arrays=ArrayPool(lambda entry: array_client(entry, paths.state / "known_hosts", quarantine)),
        records=records,
        portals=Portals(paths.sysfs),
        attachments=Attachments(),
        locks=VolumeLocks(),
        expansions=Expansions(),
        expected=Expected(),
        trouble=Trouble(),
        boot_id=boot,
    )


def inherited() -> list[socket.socket]:
    """Return the listening sockets that systemd passed (sd_listen_fds(3)); no program inherits them."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    last = FIRST_DESCRIPTOR + int(os.environ.get("LISTEN_FDS", "0"))
    listeners = [socket.socket(fileno=descriptor) for descriptor in range(FIRST_DESCRIPTOR, last)]
    for listener in listeners:
        listener.set_inheritable(False)
    return listeners


class Agent:
    """The running agent: ready, watched, stopped."""

    def __init__(
        self,
        node: Node,
        listeners: Sequence[socket.socket],
        *,
        uid: int = 0,
        rest: float = REST_SECONDS,
        look: float = LOOK_SECONDS,
    ) -> None:
        self._node = node
        self._notify = notifier()
        self._status = Status(node, self._notify, watchdog_seconds())
        self.failed = False
        """Whether it ended because a part of it had."""
        self._dispatcher = Dispatcher(node)
        self._reconciler = Reconciler(node, self._dispatcher.begin, rest)
        self._dispatcher.use(self._reconciler)
        self.healer = Healer(node, self._dispatcher.begin, look)
        self.server = Server(listeners, self._dispatcher.answer, uid)

    def run(self) -> None:
        """Settle the past (at most 60 s), say READY=1, serve until `stop`, finish what is being answered."""
        bad = self._node.records.load()
        self._reconciler.start()
        if not self._reconciler.wait_settled(READY_SECONDS):
            _LOG.warning("What an earlier boot left is not settled after %.0f s: going on", READY_SECONDS)
        _LOG.info("Ready: %d volumes recorded, %d unreadable records", len(self._node.records.all()), bad)
        self._status.start()
        self.healer.start()
        self._notify("READY=1")
        threading.Thread(target=preload, name="preload", daemon=True).start()
        self.server.serve(self._tick, watchdog_seconds())
        self._notify("STOPPING=1")
        self._reconciler.stop()
        self.healer.stop()
        self._status.stop()
        if not self.server.drain(DRAIN_SECONDS):
            _LOG.warning("%d calls had no answer when the agent stopped", self.server.calls)
        self.server.close()
        self._node.arrays.close()

    def stop(self) -> None:
        """End `run`, from a signal handler or another thread."""
        self._reconciler.stop()
        self.server.stop()

    def _tick(self) -> None:
        """Feed the watchdog, if neither an operation nor the records hang (the latter would block here).

        Nothing else is touched that could: no configuration and no directory.
        """
        self._node.records.all()
        self._status.check()
        if not threads.whole((self._reconciler.thread, self._status.thread, self.healer.thread)):
            self.failed = True
            self.stop()
        elif self._dispatcher.flights.oldest() < STUCK_SECONDS:
            self._notify("WATCHDOG=1")
        else:
            _LOG.error("An operation hangs: the watchdog is no longer fed")


def preload() -> None:
    """Import what the first attach needs (paramiko is slow), when nobody waits for it."""
    importlib.import_module("instorage.arrays.as18000")


def notifier() -> Callable[[str], None]:
    """Return what tells systemd of this process's state; nothing when nobody listens."""
    if "NOTIFY_SOCKET" not in os.environ:
        return lambda _: None
    from sdnotify import SystemdNotifier

    return SystemdNotifier().notify  # type: ignore[no-any-return]


def watchdog_seconds() -> float | None:
    """Return a third of systemd's watchdog time, None without one."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    return int(microseconds) / 3e6 if microseconds.isdigit() and int(microseconds) else None


def main() -> int:
    """Run as systemd's service."""
    log = Log()
    threading.excepthook = threads.say_end
    listeners = inherited()
    if not listeners:
        print("instorage-nodeagent: no socket was passed: start instorage-node.target", file=sys.stderr)
        return 1
    try:
        paths = Paths.from_environment()
    except Fault as fault:
        print(f"instorage-nodeagent: {fault.sentence}", file=sys.stderr)
        return 1
    agent = Agent(build(paths, log.apply), listeners)
    signal.set_wakeup_fd(agent.server.wake_descriptor)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: agent.stop())
    agent.run()
    return 1 if agent.failed else 0


if __name__ == "__main__":
    sys.exit(main())
