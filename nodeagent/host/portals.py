"""Which of the array's iSCSI portals can be used now, found out in at most a second (safety.md 3)."""

from __future__ import annotations

import errno
import logging
import selectors
import socket
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault
from nodeagent.host import routes, sessions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from instorage.wire.values import Portal

PROBE_SECONDS = 1.0
REMEMBERED_SECONDS = 60.0
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Out:
    """A portal that is not used, and why («no route», «did not answer within 1 s»)."""

    portal: Portal
    reason: str

    def __str__(self) -> str:
        return f"{self.portal} ({self.reason})"


@dataclass(frozen=True)
class Report:
    """The portals that can be used, and those that cannot."""

    up: tuple[Portal, ...]
    out: tuple[Out, ...]

    @property
    def remark(self) -> str:
        """Return a sentence that says what is degraded, empty when nothing is."""
        if not self.out:
            return ""
        whole = len(self.up) + len(self.out)
        out = ", ".join(map(str, self.out))
        return f"Attached, but degraded: {len(self.up)} of {whole} portals in use; out: {out}."


class Portals:
    """Remembers portals that failed, so that an attach does not wait for them again within 60 s."""

    def __init__(self, sysfs: Path, no_route: Callable[[str], str | None] = routes.no_route) -> None:
        self._sysfs = sysfs
        self._no_route = no_route
        self._guard = threading.Lock()
        self._failed: dict[Portal, tuple[float, str]] = {}

    def report(self, portals: Iterable[Portal]) -> Report:
        """Sort portals into usable ones and others; PORTAL_UNREACHABLE when none can be used.

        One with a session is taken as it is; one that failed lately is asked again only when no other is
        left.
        """
        wanted = tuple(dict.fromkeys(portals))
        connected = sessions.connected(self._sysfs)
        unknown = [portal for portal in wanted if str(portal) not in connected]
        recent = self._recent(unknown)
        out = self.probe([portal for portal in unknown if portal not in recent])
        if len(out) + len(recent) == len(wanted) and recent:
            out.update(self.probe(list(recent)))
        else:
            out.update(recent)
        up = tuple(portal for portal in wanted if portal not in out)
        report = Report(up, tuple(Out(portal, out[portal]) for portal in wanted if portal in out))
        if not up:
            raise _none(report)
        return report

    def _recent(self, portals: list[Portal]) -> dict[Portal, str]:
        now = time.monotonic()
        with self._guard:
            found = {portal: self._failed[portal] for portal in portals if portal in self._failed}
        return {
            portal: f"{reason} {now - at:.0f} s ago"
            for portal, (at, reason) in found.items()
            if now - at < REMEMBERED_SECONDS
        }

    def probe(self, portals: list[Portal]) -> dict[Portal, str]:
        """Ask portals now, also those that failed lately; return those that cannot be used, and why."""
        failed: dict[Portal, str] = {}
        routed: list[Portal] = []
        for portal in portals:
            why = self._no_route(portal.address)
            if why is None:
                routed.append(portal)
            else:
                failed[portal] = why
        unanswered = connect_all(routed, PROBE_SECONDS)
        now = time.monotonic()
        with self._guard:
            for portal in portals:
                self._failed.pop(portal, None)
            self._failed.update({portal: (now, why) for portal, why in unanswered.items()})
        return failed | unanswered


def connect_all(portals: list[Portal], seconds: float) -> dict[Portal, str]:
    """Open a TCP connection to each portal, all at once; return those that failed, with the reason."""
    failed: dict[Portal, str] = {}
    deadline = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        for portal in portals:
            why = _begin(portal, selector)
            if why:
                failed[portal] = why
        while selector.get_map() and (left := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                connection = key.fileobj
                assert isinstance(connection, socket.socket)  # noqa: S101  # nothing else was registered
                error = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if error:
                    failed[key.data] = _reason(error)
                selector.unregister(connection)
                connection.close()
        for key in list(selector.get_map().values()):
            failed[key.data] = f"did not answer within {seconds:g} s"
            selector.unregister(key.fileobj)
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
    return failed


def _begin(portal: Portal, selector: selectors.BaseSelector) -> str | None:
    family = socket.AF_INET6 if ":" in portal.address else socket.AF_INET
    try:
        connection = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    except OSError as error:
        return _reason(error.errno or 0)
    result = connection.connect_ex((portal.address, portal.port))
    if result in (0, errno.EINPROGRESS):
        selector.register(connection, selectors.EVENT_WRITE, portal)
        return None
    connection.close()
    return _reason(result)


def _reason(error: int) -> str:
    known = {
        errno.ECONNREFUSED: "refused the connection",
        errno.ENETUNREACH: "no route",
        errno.EHOSTUNREACH: "no route to the host",
        errno.ETIMEDOUT: "did not answer",
    }
    return known.get(error, errno.errorcode.get(error, "failed"))


def _none(report: Report) -> Fault:
    named = ", ".join(map(str, report.out)) or "the array shows no usable portal"
    return Fault(
        Code.PORTAL_UNREACHABLE,
        f"No iSCSI portal of the array can be reached: {named}. Check the SAN network of this node.",
        portals=named,
    )
