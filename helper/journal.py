"""What root code writes to the journal: a record a verb, and what was lost; no value looks like another."""

from instorage.wire import journal

_LONGEST = 4000  # characters


def verb(name: str, request: object, outcome: str, seconds: float) -> None:
    """Write the record of a verb; `request` is the message, or what of it could not be understood."""
    op, uid, target = (str(getattr(request, one, None) or "-") for one in ("op", "uid", "target"))
    took = f"{seconds * 1000:.0f}"
    text = f"{op} {name} {uid} {target}: {outcome} ({took} ms)"
    said = "".join(letter if letter.isprintable() else " " for letter in text[:_LONGEST])
    marks = {"OP": op, "VERB": name, "VOLUME": uid, "CODE": outcome.partition(":")[0], "MS": took}
    fields = {f"INSTORAGE_{mark}": value for mark, value in marks.items()}
    journal.send(said, PRIORITY="6" if outcome == "ok" else "4", **fields)


def lost(uid: str, target: str = "") -> None:
    """Say that the kernel could not write to a volume what it had been given."""
    where = f" mounted on {target}" if target else ""
    text = f"Writes of volume {uid}{where} were lost: the array took them no more. Check what used it."
    journal.send(text, PRIORITY="3", INSTORAGE_VOLUME=uid, INSTORAGE_CODE="writes-lost")


def warn(sentence: str) -> None:
    """Write a warning unless journald takes none just now: the supervisor waits for nobody."""
    journal.send(sentence, journal.NOW, PRIORITY="4")
