"""One part is installed; when that ends otherwise, the version of before is in force again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from installer import services
from installer.saying import Ending, complain, say

if TYPE_CHECKING:
    from installer.owed import Owed
    from installer.part import Part

LEFT: Final = "what was there before could not all be taken away ({error}): mend that, and run this again."


def install(part: Part) -> None:
    """Install a part; Ending when that was undone, or could not be."""
    part.journal.begin()
    if not part.journal.before.is_dir():  # else what was before may come back, and it needs its places
        _pay(part, part.owed_before, part.old)
    try:
        say(f"Putting the files of InStorage {part.run.version} into place.")
        part.put()
        if part.host.live:
            say("Starting it, and waiting for its answer.")
        part.start()
    except BaseException as error:
        if not part.journal.before.is_dir():
            raise
        complain(sentence(error))
        raise _back(part) from error
    _leave(part)
    part.tell()


def _leave(part: Part) -> None:
    """Leave what was before a version that works.

    The journal goes first: a run that fails later must not put back what this one has begun to take away.
    """
    try:
        part.owed.add((*part.owed_before.read(), *part.owes()))
        part.journal.finish()
        _pay(part, part.owed, part.place)
        part.sweep()
    except OSError as error:
        complain(LEFT.format(error=error))


def _pay(part: Part, owed: Owed, place: str) -> None:
    """Take away what is owed, with the part in `place`; of what cannot go it is said, and it stays owed."""
    for what in owed.read():
        try:
            part.leave(what, place)
            owed.drop(what)
        except OSError as error:
            complain(LEFT.format(error=error))


def sentence(error: BaseException) -> str:
    """Return what is to be said of an error that ends a run."""
    if isinstance(error, Ending):
        return error.sentence
    if isinstance(error, SystemExit):
        return f"it was broken off (status {error.code})."
    return f"it was broken off ({error or type(error).__name__})."


def _back(part: Part) -> Ending:
    """Go back to the version of before, if there was one; return the end of this run."""
    if part.first() and not part.vendors:
        return Ending(
            4, "it is not known to work, and no version was here before: mend that, and run this again."
        )
    if part.first() and part.served:
        return Ending(
            4,
            "it is not known to work, and an earlier run of ours has recorded volumes that are in use here: "
            "the vendor's program, which knows nothing of them, is not put back. Mend that, and run this "
            "again.",
        )
    former = "the vendor's plugin" if part.first() else "the version of before"
    complain(f"going back to {former}.")
    try:
        part.put_back()
    except OSError as error:
        return Ending(
            4,
            f"what was there before could not be put back ({error}): mend that "
            f"({part.journal.before} has it), and run this again.",
        )
    trouble = ""
    if part.host.live:
        services.systemctl("daemon-reload")
        trouble = part.revive()
    if trouble:
        return Ending(4, f"{former} is back, and does not answer either: {trouble}")
    part.journal.finish()
    part.forget()
    return Ending(
        3, f"the new version did not work on this host; {former} is in force again, and pods went on."
    )
