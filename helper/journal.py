"""What root code writes to the journal: a record a verb, and what was lost; no value looks like another."""

import select
import socket

from systemd import journal

SOCKET = "/run/systemd/journal/socket"
_LONGEST = 4000  # characters


def verb(name: str, request: object, outcome: str, seconds: float) -> None:
    """Write the record of a verb; `request` is the message, or what of it could not be understood."""
    op, uid, target = (str(getattr(request, one, None) or "-") for one in ("op", "uid", "target"))
    text = f"{op} {name} {uid} {target}: {outcome} ({seconds * 1000:.0f} ms)"
    journal.send(
        "".join(letter if letter.isprintable() else " " for letter in text[:_LONGEST]),
        PRIORITY="6" if outcome == "ok" else "4",
        INSTORAGE_OP=op,
        INSTORAGE_VERB=name,
        INSTORAGE_VOLUME=uid,
        INSTORAGE_CODE=outcome.partition(":")[0],
        INSTORAGE_MS=f"{seconds * 1000:.0f}",
    )


def lost(uid: str, target: str = "") -> None:
    """Say that the kernel could not write to a volume what it had been given."""
    where = f" mounted on {target}" if target else ""
    text = f"Writes of volume {uid}{where} were lost: the array took them no more. Check what used it."
    journal.send(text, PRIORITY="3", INSTORAGE_VOLUME=uid, INSTORAGE_CODE="writes-lost")


def warn(sentence: str) -> None:
    """Write a warning unless journald takes none just now: sd_journal_send(3) would wait for it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(SOCKET)
        except OSError:
            return
        if select.select((), (probe,), (), 0)[1]:
            journal.send(sentence, PRIORITY="4")
