"""Records for systemd's journal, in its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL).

Without libsystemd, which may be missing, and brings more of the host's (xz, zstd, gcrypt) into root code.
"""

import contextlib
import socket

SOCKET = "/run/systemd/journal/socket"
NOW = socket.MSG_DONTWAIT
_sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)  # now: later a process may be out of descriptors
_sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, (5).to_bytes(16, "little"))  # s, and no microsecond


def send(message: str, flags: int = 0, /, **fields: str) -> None:
    """Write a record; with flag `NOW` only if journald takes it at once. That it is away is no failure.

    A value may hold anything, line breaks too: each goes with its length, so that no field can be forged.
    """
    record = b""
    for name, text in {"MESSAGE": message[:48_000], **fields}.items():  # a datagram holds 200 kB
        value = text.encode(errors="replace")
        record += b"%b\n%b%b\n" % (name.encode(), len(value).to_bytes(8, "little"), value)
    with contextlib.suppress(OSError):
        _sender.sendto(record, flags, SOCKET)
