"""What root code writes to the journal: verbs, programs, what was lost; no value looks like another."""

import time

from instorage.wire import journal

request = "-"  # the one that this process works on


def verb(name: str, asked: object, outcome: str, began: float) -> None:
    """Write the record of a verb; `asked` is the message, or what of it could not be understood."""
    op, uid, target = (str(getattr(asked, one, None) or "-") for one in ("op", "uid", "target"))
    text, code = f"{op} {name} {uid} {target}: {outcome}", outcome.partition(":")[0]
    _took(text, began, "6" if outcome == "ok" else "4", OP=op, VERB=name, VOLUME=uid, CODE=code)


def ran(program: str, began: float, said: str) -> None:
    """Write how long a program ran for the request under way, and how it ended."""
    _took(f"{request} {program}: {said}", began, "7", OP=request, PROGRAM=program, SAID=said)


def _took(text: str, began: float, priority: str, **marks: str) -> None:
    """Write a record of what was done from `began` (monotonic seconds) until now; at most 4000 letters."""
    marks |= {"BEGAN": f"{began:.4f}", "MS": f"{(time.monotonic() - began) * 1000:.0f}"}
    said = "".join(letter if letter.isprintable() else " " for letter in text[:3980])
    fields = {f"INSTORAGE_{mark}": value for mark, value in marks.items()} | {"PRIORITY": priority}
    journal.send(f"{said} ({marks['MS']} ms)", journal.NOW * (priority == "7"), **fields)


def lost(uid: str, target: str = "") -> None:
    """Say that the kernel could not write to a volume what it had been given."""
    where = f" mounted on {target}" if target else ""
    text = f"Writes of volume {uid}{where} were lost: the array took them no more. Check what used it."
    journal.send(text, PRIORITY="3", INSTORAGE_VOLUME=uid, INSTORAGE_CODE="writes-lost")


def warn(sentence: str) -> None:
    """Write a warning unless journald takes none just now: the supervisor waits for nobody."""
    journal.send(sentence, journal.NOW, PRIORITY="4")
