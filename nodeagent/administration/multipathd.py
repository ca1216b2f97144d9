"""multipathd asked over its own socket, as its program does; it answers root alone."""

from __future__ import annotations

import os
import socket
import struct
import time

from instorage.wire.fault import Code, Fault

SOCKETS = ("/run/multipathd.socket", "\0/org/kernel/linux/storage/multipathd")
SECONDS = 10.0
MOST = 1 << 22  # bytes of an answer; the whole configuration has about 40 KiB
_LENGTH = struct.Struct("@N")  # a size_t before each text, whose last byte is NUL
_UCRED = struct.Struct("3i")  # pid, uid, gid; socket(7)


def ask(command: str) -> str:
    """Return the answer to one command. `Fault` NOT_ALLOWED without root, TOOL_MISSING when none answers."""
    if os.geteuid() != 0:
        raise Fault(Code.NOT_ALLOWED, "multipathd answers root alone: run this as root.")
    deadline, why = time.monotonic() + SECONDS, ""
    for address in SOCKETS:
        try:
            if (answer := _exchange(address, command, deadline)) is not None:
                return answer
        except (OSError, struct.error) as error:
            why = str(error)
    text = f"multipathd does not answer ({why or 'another program has its name'})"
    mend = "see systemctl status multipathd; RHEL starts it only when there is a multipath.conf (mpathconf)"
    raise Fault(Code.TOOL_MISSING, f"{text}: {mend}.", program="multipathd")


def _exchange(address: str, command: str, deadline: float) -> str | None:
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.settimeout(max(deadline - time.monotonic(), 0.001))
        daemon.connect(address)
        peer = daemon.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        if _UCRED.unpack(peer)[1] != 0:
            return None  # while multipathd is away anybody may take the abstract name
        daemon.sendall(_LENGTH.pack(len(command) + 1) + command.encode() + b"\0")
        with daemon.makefile("rb") as answer:
            size = min(*_LENGTH.unpack(answer.read(_LENGTH.size)), MOST)
            text = answer.read(size)
        if len(text) < size:
            raise OSError("its answer is cut short")
        return text.rstrip(b"\0").decode("utf-8", "replace")
