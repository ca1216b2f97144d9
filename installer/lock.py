"""Keeps other installers away from a host: the lock goes with the process, however that ends.

By a file of its own, which root alone can open: whoever can open a file or directory can lock it, too.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING, Final

from installer.saying import Ending

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from installer.host import Host

PLACE: Final = "/run/instorage-install.lock"  # what a killed one leaves of it goes with the next boot
IN_AN_IMAGE: Final = "/etc/.instorage-install.lock"
FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def alone(host: Host) -> Iterator[None]:
    """Have this host to oneself; Ending(1) while another installer works on it, or nothing can be written."""
    path = host.path(PLACE if host.live else IN_AN_IMAGE)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while not (taken := _take(path)):
            pass  # who had it has just removed it
    except OSError as error:
        raise Ending(1, f"{path} cannot be written ({error.strerror}): nothing was changed.") from None
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # what is left of it is in nobody's way
            path.unlink()
        os.close(taken)


def _take(path: Path) -> int:
    """Return a descriptor that has the lock; 0 when the file that it is of is there no more."""
    descriptor = os.open(path, FLAGS, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            return descriptor
    except FileNotFoundError:
        pass
    except BlockingIOError:
        os.close(descriptor)
        raise Ending(1, "another install.sh is at work on this host: wait until it has ended.") from None
    os.close(descriptor)
    return 0
