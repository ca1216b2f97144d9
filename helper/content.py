"""What a device holds: the proof that a volume is new, and the only guard against formatting data.

mke2fs without -F and with no terminal formats over an existing ext4, exit status 0 (tried).
"""

import mmap
import os
from collections.abc import Iterator
from dataclasses import dataclass

from helper.program import run
from instorage.wire.fault import Code, Fault

_MIB = 1 << 20
_EDGE = 4 * _MIB
_BLOCK = 4096
_AROUND = 256 << 10  # bytes on both sides of where XFS may have put an allocation group's header
_NOTHING_FOUND = 2  # exit status of blkid, also when it could not read


@dataclass(frozen=True)
class Content:
    """What blkid names: a file system type, or another signature's name; both empty: nothing."""

    kind: str = ""
    uuid: str = ""


def signature(path: str, deadline: float) -> Content:
    """Return the signature on a device. An empty answer is no proof that it is empty: see `first_data`."""
    answer = run("blkid", "-p", "-o", "export", "--", path, deadline=deadline, accept=(0, _NOTHING_FOUND, 8))
    if answer.status == 8:
        return Content(kind="several contradictory signatures")
    found = dict(line.split("=", 1) for line in answer.out.splitlines() if "=" in line)
    kind = found.get("TYPE") or (f"partition table {found['PTTYPE']}" if "PTTYPE" in found else "")
    if answer.status == 0 and not kind:
        raise Fault(Code.TOOL_FAILED, f"blkid found something on {path} and did not say what.", device=path)
    return Content(kind, found.get("UUID", ""))


def places(size: int) -> Iterator[tuple[int, int]]:
    """Return (offset, length) of all that is read before a format: aligned to 4096 bytes, inside `size`."""
    yield 0, _EDGE
    yield size - _EDGE, _EDGE
    for block in (1024, 2048, 4096):
        for group in _sparse_groups(size // (8 * block * block) + 1):
            yield group * 8 * block * block, _BLOCK
    for quarter in (1, 2, 3):  # mkfs.xfs makes 4 groups up to 4 TiB, beyond that groups of at most 1 TiB
        yield size * quarter // 4 - _AROUND, 2 * _AROUND
    for group in range(1, size // (1 << 40) + 1):
        yield (group << 40) - _AROUND, 2 * _AROUND
    for part in range(1, 65):
        yield size * part // 65, _BLOCK


def _sparse_groups(groups: int) -> Iterator[int]:
    """Block groups with a backup superblock (sparse_super): 1 and the powers of 3, 5 and 7."""
    yield 1
    for base in (3, 5, 7):
        power = base
        while power < groups:
            yield power
            power *= base


def first_data(descriptor: int, size: int, spots: Iterator[tuple[int, int]]) -> int | None:
    """Return the offset of the first byte found that is not zero, None when all is zero; may hang.

    The descriptor should be open with O_DIRECT, so that the device is asked and not the cache.
    """
    with mmap.mmap(-1, _EDGE) as buffer, mmap.mmap(-1, _EDGE) as zeros:  # page-aligned, as O_DIRECT wants
        for offset, length in spots:
            begin = min(max(offset, 0) // _BLOCK * _BLOCK, size // _BLOCK * _BLOCK)
            end = min(begin + length, size)
            view = memoryview(buffer)[: end - begin]
            if os.preadv(descriptor, [view], begin) != end - begin:
                raise OSError(5, "a read ended early")
            if view != memoryview(zeros)[: end - begin]:
                return begin + next(at for at, byte in enumerate(view) if byte)
    return None


def untouched(descriptor: int, kind: str) -> bool:
    """Return whether a file system was never mounted, or never finished; may hang."""
    with mmap.mmap(-1, _BLOCK) as block:
        os.preadv(descriptor, [block], 0)
        if kind == "xfs":
            return bool(block[126])  # sb_inprogress
        return not any(block[1024 + 44 : 1024 + 48]) and not any(block[1024 + 52 : 1024 + 54])  # mtime, count
