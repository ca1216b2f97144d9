"""Making a file system, only on a volume that is proven new, and in a way that survives a crash.

The UUID is recorded before mkfs and the record removed after it: mkfs may be repeated only with that record.
"""

import functools
import json
import os
import time
import uuid

from helper import child, content, store
from helper.content import Content
from helper.program import run
from instorage.wire.fault import Code, Fault
from instorage.wire.steps import Step, reached
from instorage.wire.verbs import MountRequest

RECORDS = "/var/lib/instorage-helper/format"
_READS = 90  # seconds for all reads of the proof, with other volumes' beside them
_MKFS = 900
_EDGE, _EDGE_AGAIN = 4 << 20, 256 << 10  # bytes of both ends for the proof, and for its repetition
_EXT = ("-q", "-E", "nodiscard,lazy_itable_init=1,lazy_journal_init=1", "-U")
_MAKE = {"ext4": ("mkfs.ext4", *_EXT), "ext3": ("mkfs.ext3", *_EXT), "xfs": ("mkfs.xfs", "-q", "-K", "-m")}


def prepare(request: MountRequest, path: str) -> tuple[str, bool]:
    """Return the file system type on a device, and whether it was made just now.

    Raises `Fault` NOT_EMPTY, READ_ONLY_FIRST_USE, or what a program or a read said.
    """
    known = _recorded(request.uid)
    found = _prove(request, path) if known is None else content.signature(path, time.monotonic() + _READS)
    wanted = Content(str(request.fs_type))
    if known and _repeatable(request, path, found, known):
        return wanted.kind, _make(request, path, known, again=True)
    if found.kind and found.family != wanted.family:
        raise _not_empty(request, f"{found.kind} was found on it")
    if found.kind:
        forget(request.uid)  # if there is a record, mkfs had ended
        return found.kind, False
    if known:
        raise _not_empty(request, "a format was broken off here, and this request may not repeat it")
    if request.read_only:
        text = f"Volume {request.uid} has no file system: its first use must be read-write, so that it is "
        raise Fault(Code.READ_ONLY_FIRST_USE, f"{text}formatted (manual, 4.1).", uid=request.uid)
    if not request.may_format:
        raise _not_empty(request, "no data was found, but the array does not vouch that it is new")
    return wanted.kind, _make(request, path, str(uuid.uuid4()))


def _not_empty(request: MountRequest, what: str) -> Fault:
    text = f"Volume {request.uid} should get {request.fs_type} and was not formatted: {what}. If a format "
    text += "was broken off on the node that had it last, that node can finish it; else look at it by hand."
    return Fault(Code.NOT_EMPTY, text, uid=request.uid, found=what)


def _prove(request: MountRequest, path: str) -> Content:
    """Return the signature that was found; without one every place read is zero, else `Fault(NOT_EMPTY)`.

    A device that holds something shows it in its first blocks, and only blkid is asked; otherwise all reads
    and blkid go on at the same time.
    """
    if _examine(request, path, [[(0, 65536)]])[0] is not None:
        found = content.signature(path, time.monotonic() + _READS)
        if found.kind:
            return found
    ends = ([spot] for spot in content.edges(request.size, _EDGE))
    at, found = _examine(request, path, [*ends, list(content.places(request.size))], signature=True)
    if at is not None and not found.kind:
        raise _not_empty(request, f"it holds data (at byte {at}) that is no known file system")
    return found


def _examine(
    request: MountRequest, path: str, groups: list[list[tuple[int, int]]], *, signature: bool = False
) -> tuple[int | None, Content]:
    """Return where data was found in one of the groups of places, and what blkid says if it was asked."""
    deadline = time.monotonic() + _READS
    node = os.open(path, os.O_RDONLY | os.O_DIRECT)
    look = functools.partial(content.first_data, node, request.size)
    jobs: list[child.Job[object]] = [functools.partial(look, group) for group in groups]
    if signature:
        jobs.append(functools.partial(content.signature, path, deadline))
    answers = child.gather(jobs, deadline, "The proof of emptiness", request.uid)
    os.close(node)
    if error := next((answer for answer in answers if isinstance(answer, Exception)), None):
        text = f"Volume {request.uid} cannot be read: {error}."
        raise Fault(Code.FILE_SYSTEM, text, uid=request.uid)
    at = next((answer for answer in answers if isinstance(answer, int)), None)
    return at, next((Content(*answer) for answer in answers if isinstance(answer, list)), Content())


def _repeatable(request: MountRequest, path: str, found: Content, known: str) -> bool:
    """Return whether a broken-off mkfs may be repeated: nothing there but its UUID, and that never used."""
    if request.read_only or request.copied or found.uuid not in ("", known):  # mkfs itself wrote
        return False
    return not found.kind or _superblock(request, path) == [known, False]


def _superblock(request: MountRequest, path: str) -> list[object]:
    def look() -> list[object]:
        node = os.open(path, os.O_RDONLY | os.O_DIRECT)
        os.fsync(node)
        return list(content.superblock(node))

    return child.apart(look, time.monotonic() + _READS, "A flush", request.uid)


def _make(request: MountRequest, path: str, identity: str, *, again: bool = False) -> bool:
    _record(request, identity)
    reached(Step.HELPER_FORMAT_RECORDED)
    if not again and _examine(request, path, [content.edges(request.size, _EDGE_AGAIN)])[0] is not None:
        forget(request.uid)
        raise _not_empty(request, "somebody wrote to it just now")
    options = [f"uuid={identity}" if request.fs_type == "xfs" else identity]
    options += ["-f"] if request.fs_type == "xfs" and again else []  # over what the broken-off one left
    run(*_MAKE[request.fs_type], *options, "--", path, deadline=time.monotonic() + _MKFS)
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
