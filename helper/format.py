"""Making a file system, only on a volume that is proven new, and in a way that survives a crash.

The UUID is recorded before mkfs and the record removed after it. With that record mkfs may be repeated over
the superblock that it names, if that was never used; otherwise the volume is looked at as any other.
"""

import functools
import json
import time
import uuid
from typing import Any

from helper import child, content, program, store
from instorage.wire.fault import Code, Fault
from instorage.wire.steps import Step, reached
from instorage.wire.verbs import MountRequest

RECORDS = "/var/lib/instorage-helper/format"
_READS = 90  # seconds for all reads of the proof, with other volumes' beside them
_MKFS = 900
_EDGE, _EDGE_AGAIN = 4 << 20, 256 << 10  # bytes of both ends for the proof, and for its repetition
# -F: not asked of a bare disk whether it is meant (e2fsprogs before 1.43); in use, it is refused all the same
_EXT = ("-q", "-F", "-m", "0", "-E", "nodiscard,lazy_itable_init=1,lazy_journal_init=1", "-U")
_MAKE = {"ext4": ("mkfs.ext4", *_EXT), "ext3": ("mkfs.ext3", *_EXT), "xfs": ("mkfs.xfs", "-q", "-K", "-m")}


def prepare(request: MountRequest, path: str) -> tuple[str, bool]:
    """Return the file system type on a device, and whether it was made just now.

    Raises `Fault` NOT_EMPTY, READ_ONLY_FIRST_USE, FILE_SYSTEM, or what a program said. A record of a format
    that was broken off is a licence for one thing alone: to make anew the never used one that it names.
    """
    known = _recorded(request.uid)
    if known and _superblock(request, path) == [known, False]:
        return str(request.fs_type), _repeat(request, path, known)
    found = _prove(request, path)
    if found.kind and found.kind.rstrip("34") != request.fs_type.rstrip("34"):  # ext3 and ext4 are one
        raise _not_empty(request, f"{found.kind} was found on it")
    if found.kind:
        forget(request.uid)  # if there is a record, mkfs had ended, here or on another host
        return found.kind, False
    if request.read_only:
        text = f"Volume {request.uid} has no file system: its first use must be read-write, so that it is "
        raise Fault(Code.READ_ONLY_FIRST_USE, f"{text}formatted (manual, chapter 5, 7).", uid=request.uid)
    _require_licence(request, "no data was found")
    return str(request.fs_type), _make(request, path, str(uuid.uuid4()))


def _repeat(request: MountRequest, path: str, known: str) -> bool:
    """Make the recorded file system anew, which was never used, unless this request may not write."""
    found = _signature(request, path)
    if found.uuid not in ("", known) or request.read_only:
        raise _not_empty(request, "a format was broken off here, and this request may not repeat it")
    _require_licence(request, "a format was broken off here")
    return _make(request, path, known, again=True)


def _require_licence(request: MountRequest, found: str) -> None:
    if not request.may_format or request.copied:
        raise _not_empty(request, f"{found}, but the array does not vouch that it is new")


def _not_empty(request: MountRequest, what: str) -> Fault:
    text = f"Volume {request.uid} should get {request.fs_type} and was not formatted: {what}. "
    if request.uid in recorded():
        text += "A format was broken off here midway, and what that left cannot be told from data: if the "
        text += "volume was never used, delete its claim and make it anew; else look at it by hand."
    else:
        text += "If a format was broken off on the node that had it last, that node may be able to finish "
        text += "it; else look at it by hand."
    return Fault(Code.NOT_EMPTY, text, uid=request.uid, found=what)


def _prove(request: MountRequest, path: str) -> content.Content:
    """Return the signature that was found; without one every place read is zero, else `Fault(NOT_EMPTY)`."""
    anywhere = functools.partial(content.data_anywhere, path, request.size, _EDGE)
    signature = functools.partial(content.signature, path, time.monotonic() + _READS)
    at, found = _read(request, [anywhere, signature])
    if at is not None and not found[0]:
        raise _not_empty(request, f"it holds data (at byte {at}) that is no known file system")
    return content.Content(*found)


def _signature(request: MountRequest, path: str) -> content.Content:
    (found,) = _read(request, [functools.partial(content.signature, path, time.monotonic() + _READS)])
    return content.Content(*found)


def _first_data(request: MountRequest, path: str, spots: content.Spots) -> int | None:
    """Return where data was found in one of the places; the device itself is asked, and not the cache."""
    look = functools.partial(content.first_data, size=request.size, spots=spots)
    answers: list[int | None] = _read(request, [lambda: content.opened(path, look)])
    return answers[0]


def _read(request: MountRequest, jobs: list[child.Job[object]]) -> list[Any]:
    """Do all looks at once; what cannot be read is an error, never «nothing»."""
    answers = child.gather(jobs, time.monotonic() + _READS, "The look at what it holds", request.uid)
    if error := next((answer for answer in answers if isinstance(answer, Exception)), None):
        text = f"Volume {request.uid} cannot be read: {error}."
        raise Fault(Code.FILE_SYSTEM, text, uid=request.uid)
    return answers


def _superblock(request: MountRequest, path: str) -> list[object]:
    return list(*_read(request, [lambda: content.opened(path, content.superblock)]))


def _make(request: MountRequest, path: str, identity: str, *, again: bool = False) -> bool:
    """Make the file system; directly before, the proof is repeated where it matters most."""
    name, *options = _MAKE[request.fs_type]
    program.path(name)  # a record is left only by a format that could begin
    _record(request, identity)
    reached(Step.HELPER_FORMAT_RECORDED)
    if again:
        untouched = _superblock(request, path) == [identity, False]
    else:
        untouched = _first_data(request, path, content.edges(request.size, _EDGE_AGAIN)) is None
    if not untouched:
        forget(request.uid)
        raise _not_empty(request, "somebody wrote to it just now")
    options += [f"uuid={identity}" if request.fs_type == "xfs" else identity]
    options += ["-f"] if request.fs_type == "xfs" and again else []  # over what the broken-off one left
    program.run(name, *options, "--", path, deadline=time.monotonic() + _MKFS, device=path)
    reached(Step.HELPER_FORMAT_MADE)
    if _superblock(request, path)[0] != identity:
        text = f"{request.fs_type} was made on volume {request.uid}, and is not there: see the kernel's log."
        raise Fault(Code.FILE_SYSTEM, text, uid=request.uid)
    forget(request.uid)
    return True


def recorded() -> list[str]:
    """Return the UIDs of the volumes whose format was begun here and has not ended."""
    return store.names(RECORDS)


def _recorded(uid: str) -> str | None:
    text = store.get(RECORDS, uid)
    return None if text is None else str(uuid.UUID(json.loads(text)["uuid"]))


def _record(request: MountRequest, identity: str) -> None:
    facts = {"schema": 1, "uid": request.uid, "size": request.size, "uuid": identity}
    store.put(RECORDS, request.uid, json.dumps(facts))


def forget(uid: str) -> None:
    """Remove the record of a format that has ended, or whose volume the array no longer has."""
    if store.drop(RECORDS, uid):
        reached(Step.HELPER_FORMAT_FORGOTTEN)
