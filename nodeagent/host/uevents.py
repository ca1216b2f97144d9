"""What the kernel says of paths while nobody asks: its events on a netlink socket, which every user may hear.

The format is that of `kobject_uevent_env` (lib/kobject_uevent.c): a head «change@/devices/…», then KEY=VALUE,
each ended by a NUL byte. Multipath maps say when a path failed or came back (drivers/md/dm-uevent.c).
"""

from __future__ import annotations

import errno
import select
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_KOBJECT_UEVENT = 15  # NETLINK_KOBJECT_UEVENT, <linux/netlink.h>
_KERNEL_GROUP = 1  # udev's own copies are group 2
_LARGEST = 8192  # bytes; the kernel's own bound is 2048 (UEVENT_BUFFER_SIZE)
_WAITING = 1 << 20  # bytes of events that may wait; the kernel gives at most net.core.rmem_max, twice
OURS = "mpath-36"  # what the UUID of a map over NAA type 6 disks begins with
_LINKS = ("iscsi_session", "fc_remote_ports", "fc_host")
"""Kinds of devices whose coming and going changes paths; of disks the going does: an attach brings many."""


@dataclass(frozen=True)
class Uevent:
    """One event: «change», the device's path below /sys, and the fields."""

    action: str
    device: str
    fields: Mapping[str, str]

    @property
    def of_a_path(self) -> bool:
        """Whether somebody who looks after paths is to look now."""
        kind = self.fields.get("SUBSYSTEM", "")
        if kind == "block":
            return bool(self.failed or self.reinstated)
        if kind == "scsi" and self.fields.get("DEVTYPE") == "scsi_target":
            # Of a port of Fibre Channel that the kernel knew before, nothing but this says that it is back.
            return self.action == "add" and "/rport-" in self.device
        if kind == "scsi":
            return self.action == "remove" and self.fields.get("DEVTYPE") == "scsi_device"
        return kind in _LINKS and self.action in ("add", "remove")

    @property
    def failed(self) -> str:
        """The path (major:minor) that a map of ours uses no more, else empty."""
        return self._path("PATH_FAILED")

    @property
    def reinstated(self) -> str:
        """The path (major:minor) that a map of ours uses again, else empty."""
        return self._path("PATH_REINSTATED")

    @property
    def changed_hands(self) -> str:
        """The number (major:minor) of a block device that comes or goes, else empty.

        So device_add and device_del say it (dev_uevent, drivers/base/core.c).
        """
        major, minor = self.fields.get("MAJOR", ""), self.fields.get("MINOR", "")
        block = self.fields.get("SUBSYSTEM") == "block" and self.action in ("add", "remove")
        return f"{major}:{minor}" if block and major and minor else ""

    def _path(self, action: str) -> str:
        ours = self.fields.get("DM_UUID", "").startswith(OURS)
        said = self.fields.get("DM_ACTION") == action
        return self.fields.get("DM_PATH", "") if ours and said else ""


LOST = Uevent("remove", "", {"SUBSYSTEM": "iscsi_session"})
"""Stands for events that came faster than they were read."""


def parse(message: bytes) -> Uevent | None:
    """Return the event of a message, None for what is none (udev's own begin with «libudev»)."""
    head, *fields = message.decode("utf-8", "replace").rstrip("\0").split("\0")
    action, at, device = head.partition("@")
    if not at or not device.startswith("/"):
        return None
    pairs = (field.partition("=") for field in fields)
    return Uevent(action, device, {key: value for key, equals, value in pairs if equals})


class Uevents:
    """The socket. Raises `OSError` where events may not be heard (a policy, a container)."""

    def __init__(self) -> None:
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC
        self._wake, self._waker = socket.socketpair()
        self._socket = socket.socket(socket.AF_NETLINK, kind, _KOBJECT_UEVENT)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _WAITING)
            self._socket.bind((0, _KERNEL_GROUP))
        except OSError:
            self._end()
            raise

    def next(self) -> Uevent | None:
        """Wait for an event; `LOST` when some were lost, None after `close`. For one thread.

        Raises `OSError` when nothing can be heard any more; the socket is closed then.
        """
        while True:
            try:
                if self._wake in select.select((self._socket, self._wake), (), ())[0]:
                    self._end()
                    return None
                message, (sender, _) = self._socket.recvfrom(_LARGEST)
            except OSError as error:
                if error.errno == errno.ENOBUFS:
                    return LOST
                self._end()
                raise
            if sender == 0 and (event := parse(message)):  # 0: the kernel; programs have numbers
                return event

    def close(self) -> None:
        """Hear no more; who waits in `next` gets None."""
        self._waker.close()

    def _end(self) -> None:
        for one in (self._socket, self._wake, self._waker):
            one.close()
