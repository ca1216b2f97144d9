"""Making a file system, only on a volume that is proven new, and in a way that survives a crash.

The UUID is recorded before mkfs and the record removed after it: mkfs may be repeated only with that record.
"""

import functools
import json
import os
import time
import uuid as uuids

from helper import child, content
from helper.content import Content
from helper.program import run
from instorage.wire.fault import Code, Fault
from instorage.wire.verbs import MountRequest

RECORDS = "/var/lib/instorage-helper/format"
_READS = 60  # seconds for all reads of the proof
_MKFS = 900
_EXT = ("-q", "-E", "nodiscard,lazy_itable_init=1,lazy_journal_init=1", "-U")
MAKE = {"ext4": ("mkfs.ext4", *_EXT), "ext3": ("mkfs.ext3", *_EXT), "xfs": ("mkfs.xfs", "-q", "-K", "-m")}


def prepare(request: MountRequest, path: str) -> tuple[str, bool]:
    """Return the file system type on a device, and whether it was made just now.

    Raises `Fault` NOT_EMPTY, READ_ONLY_FIRST_USE, or what a program or a read said.
    """
    found = content.signature(path, time.monotonic() + _READS)
    known = _recorded(request.uid)
    if _interrupted(request, path, found, known):
        return str(request.fs_type), _make(request, path, str(known))
    if found.kind:
        if _family(found.kind) != _family(request.fs_type):
            raise _not_empty(request, f"blkid found {found.kind}")
        if known:
            _forget(request.uid)  # mkfs had ended, and only the record was left
        return found.kind, False
    _prove_empty(request, path, content.places(request.size))
    if request.read_only:
        raise Fault(
            Code.READ_ONLY_FIRST_USE,
            f"Volume {request.uid} is new and has no file system: its first use must be read-write, so that "
            "it is formatted (manual, 4.1).",
            uid=request.uid,
        )
    if not request.may_format:
        raise _not_empty(request, "the array does not vouch that it is new, though no data was found on it")
    return str(request.fs_type), _make(request, path, str(uuids.uuid4()), prove=True)


def _family(kind: str) -> str:
    return "ext" if kind in ("ext3", "ext4") else kind


def _interrupted(request: MountRequest, path: str, found: Content, known: str | None) -> bool:
    if known is None or request.read_only or not request.may_format or found.uuid not in ("", known):
        return False
    if not found.kind:
        return True
    node = os.open(path, os.O_RDONLY | os.O_DIRECT | os.O_CLOEXEC)
    try:
        look = functools.partial(content.untouched, node, found.kind)
        return _family(found.kind) == _family(request.fs_type) and child.apart(
            look, time.monotonic() + _READS, "A read", request.uid
        )
    finally:
        os.close(node)


def _prove_empty(request: MountRequest, path: str, spots: object) -> None:
    node = os.open(path, os.O_RDONLY | os.O_DIRECT | os.O_CLOEXEC)
    try:
        look = functools.partial(content.first_data, node, request.size, iter(spots))  # type: ignore[call-overload]
        at = child.apart(look, time.monotonic() + _READS, "The proof that the volume is empty", request.uid)
    except OSError as error:
        raise Fault(
            Code.FILE_SYSTEM, f"Volume {request.uid} cannot be read: {error}.", uid=request.uid
        ) from None
    finally:
        os.close(node)
    if at is not None:
        raise _not_empty(request, f"no known file system, but data at byte {at}")


def _not_empty(request: MountRequest, what: str) -> Fault:
    return Fault(
        Code.NOT_EMPTY,
        f"Volume {request.uid} should get {request.fs_type} and was not formatted: {what}. If a format was "
        "broken off on the node that had it last, that node can finish it; else look at it by hand.",
        uid=request.uid,
        found=what,
    )


def _make(request: MountRequest, path: str, identity: str, *, prove: bool = False) -> bool:
    _record(request, identity)
    if prove:  # once more, directly before mkfs: the edges, where every signature has a part
        edges = [(0, 1 << 20), (request.size - (1 << 20), 1 << 20)]
        try:
            _prove_empty(request, path, edges)
        except Fault:
            _forget(request.uid)
            raise
    options = [f"uuid={identity}" if request.fs_type == "xfs" else identity]
    if request.fs_type == "xfs" and not prove:
        options.append("-f")  # over what the broken-off one left
    run(*MAKE[request.fs_type], *options, "--", path, deadline=time.monotonic() + _MKFS)
    child.apart(functools.partial(_sync, path), time.monotonic() + _READS, "A flush", request.uid)
    if content.signature(path, time.monotonic() + _READS).uuid != identity:
        raise Fault(
            Code.FILE_SYSTEM,
            f"{request.fs_type} was made on volume {request.uid}, and is not there: see the kernel's log.",
            uid=request.uid,
        )
    _forget(request.uid)
    return True


def _recorded(uid: str) -> str | None:
    try:
        with open(f"{RECORDS}/{uid}", encoding="utf-8") as file:
            record = json.load(file)
        return str(uuids.UUID(record["uuid"])) if record["schema"] == 1 else None
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        return None  # written half: mkfs had not begun


def _record(request: MountRequest, identity: str) -> None:
    os.makedirs(RECORDS, mode=0o700, exist_ok=True)
    facts = {"schema": 1, "uid": request.uid, "size": request.size, "uuid": identity}
    with open(f"{RECORDS}/.{request.uid}", "w", encoding="utf-8") as file:
        json.dump(facts, file)
        file.flush()
        os.fsync(file.fileno())
    os.rename(f"{RECORDS}/.{request.uid}", f"{RECORDS}/{request.uid}")
    _sync(RECORDS)


def _forget(uid: str) -> None:
    os.unlink(f"{RECORDS}/{uid}")
    _sync(RECORDS)


def _sync(path: str) -> None:
    node = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(node)
    finally:
        os.close(node)
