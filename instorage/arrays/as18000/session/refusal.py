"""The array's refusals: CMMVC codes, turned into faults in one table (array-as18000.md 6)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from instorage.arrays.as18000.session.answer import Source, clean
from instorage.wire.fault import Code, Fault

# Which of them means what is decided by the command, and by asking again when it named two objects.
NOT_FOUND = frozenset({"CMMVC5753E", "CMMVC5754E", "CMMVC5804E", "CMMVC5842E", "CMMVC8957E"})
BAD_FILTER = "CMMVC5741E"
EXISTS = "CMMVC6035E"
NO_SPACE = frozenset({"CMMVC8710E", "CMMVC5860E", "CMMVC6973E"})
IN_USE = "CMMVC5840E"
IN_COPY_MAP = "CMMVC5837E"
MAPPED_HERE = "CMMVC5878E"
LUN_USED = "CMMVC5879E"
MAPPED = "CMMVC6071E"
PORT_TAKEN = frozenset({"CMMVC6578E", "CMMVC6581E", "CMMVC5867E", "CMMVC9328E"})

_NAME = (Code.NAME_INVALID, "use at most 63 letters, digits, '.', '-', '_', beginning with a letter")
_SPACE = (Code.POOL_FULL, "free space in the pool or use another")
_PORT = (Code.HOST_OBJECT, "the initiator belongs to another host object, or the limit of ports is reached")
_RIGHTS = (Code.ARRAY_AUTHENTICATION, "give the login a role that may do this")
_OPTION = (Code.ARRAY_REFUSED, "this firmware does not know the option; please report it")
MEANINGS: dict[str, tuple[Code, str]] = {
    "CMMVC5703E": _NAME,
    "CMMVC5738E": _NAME,
    "CMMVC6017E": _NAME,
    "CMMVC6527E": _NAME,
    **dict.fromkeys(NO_SPACE, _SPACE),
    **dict.fromkeys(PORT_TAKEN, _PORT),
    "CMMVC7016E": _RIGHTS,
    "CMMVC5709E": _OPTION,
    "CMMVC5987E": _OPTION,
    "CMMVC5729E": (Code.BAD_REQUEST, "an I/O group or pool in the list is not valid: see lsiogrp"),
    "CMMVC7050E": (Code.NOT_SUPPORTED, "a node of the I/O group cannot compress: use no volCompress"),
    "CMMVC7205E": (Code.NOT_SUPPORTED, "this array's platform does not support it"),
    IN_USE: (Code.VOLUME_MAPPED, "remove its host mappings and LocalCopy maps first"),
    MAPPED: (Code.VOLUME_MAPPED_ELSEWHERE, "unmap it from the other host first"),
    IN_COPY_MAP: (Code.VOLUME_NOT_READY, "delete its snapshots and clones first"),
    "CMMVC5838E": (Code.VOLUME_NOT_READY, "it is in a remote copy relationship, and grows only without"),
    "CMMVC6357E": (Code.VOLUME_NOT_READY, "wait until its copies are synchronised: see lsvdisksyncprogress"),
    "CMMVC8587E": (Code.VOLUME_NOT_READY, "wait until the volume is formatted"),
}
_ERROR = re.compile(r"CMMVC[0-9]{4}E", re.ASCII)
_WARNING = re.compile(r"CMMVC[0-9]{4}[WI]", re.ASCII)


@dataclass(frozen=True)
class Output:
    """What a command left behind: exit status, standard output, standard error."""

    status: int
    stdout: str
    stderr: str


class Refused(Fault):
    """The array said no; `cmmvc` is its code, empty when it gave none."""

    def __init__(self, source: Source, cmmvc: str, text: str) -> None:
        code, mend = MEANINGS.get(cmmvc, (Code.ARRAY_REFUSED, ""))
        said = text.rstrip(".") or "no reason given"
        sentence = f"Array {source.array} refused «{source.command}»: {said}" + (
            f": {mend}." if mend else "."
        )
        super().__init__(code, sentence, array=source.array, command=source.command, cmmvc=cmmvc)
        self.cmmvc = cmmvc


def judge(source: Source, output: Output) -> None:
    """Raise `Refused` unless the command succeeded.

    Text on standard error alone is no failure (some firmware writes noise there), and a warning comes with
    status 0 or 1 while the object is made: an error code decides, else a status without any code.
    """
    lines = [clean(line) for line in output.stderr.split("\n") if line.strip()]
    for line in lines:
        error = _ERROR.search(line)
        if error:
            raise Refused(source, error[0], line[error.start() : error.start() + 300])
    if output.status != 0 and not any(_WARNING.search(line) for line in lines):
        said = " ".join(lines)[:300] or clean(output.stdout)[:300]
        raise Refused(source, "", f"status {output.status} {said}".strip())
