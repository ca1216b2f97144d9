"""What a device holds: the proof that a volume is new, and the only guard against formatting data.

mke2fs without -F and with no terminal formats over an existing ext4, exit status 0 (tried).
"""

import mmap
import os
import uuid
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from helper.program import run
from instorage.wire.fault import Code, Fault

_EDGE = 4 << 20
_BLOCK = 4096
_AROUND = 256 << 10  # bytes on both sides of where XFS may have put an allocation group's header
_NOTHING_FOUND, _CONTRADICTORY = 2, 8  # exit statuses of blkid; the first also when it could not read


class Content(NamedTuple):
    """What was found: a file system's type or another signature's name, and a UUID; empty: nothing."""

    kind: str = ""
    uuid: str = ""

    @property
    def family(self) -> str:
        """ext3 and ext4 are one."""
        return self.kind.rstrip("34")


def signature(path: str, deadline: float) -> Content:
    """Return what blkid finds on a device. An empty answer is no proof that it is empty: see `first_data`."""
    accept = (0, _NOTHING_FOUND, _CONTRADICTORY)
    answer = run("blkid", "-p", "-o", "export", "--", path, deadline=deadline, accept=accept)
    found = dict(line.split("=", 1) for line in answer.out.splitlines() if "=" in line)
    kind = found.get("TYPE") or (f"partition table {found['PTTYPE']}" if "PTTYPE" in found else "")
    if answer.status == _CONTRADICTORY:
        kind = "several contradictory signatures"
    if answer.status == 0 and not kind:
        raise Fault(Code.TOOL_FAILED, f"blkid found something on {path} and did not say what.", device=path)
    return Content(kind, found.get("UUID", ""))


def edges(size: int, length: int) -> list[tuple[int, int]]:
    """Return (offset, length) of the beginning and the end, where every signature has a part."""
    return [(0, length), (size - length, length)]


def places(size: int) -> Iterator[tuple[int, int]]:
    """Return (offset, length) of what else is read before a format: a sample, and copies of superblocks."""
    for block in (1024, 2048, 4096):  # ext (sparse_super): block group 1 and the powers of 3, 5 and 7
        group = 8 * block * block
        for base in (3, 5, 7):
            yield from ((base**power * group, _BLOCK) for power in range(30) if base**power * group < size)
    for quarter in (1, 2, 3):  # mkfs.xfs makes 4 groups up to 4 TiB, beyond that groups of at most 1 TiB
        yield size * quarter // 4 - _AROUND, 2 * _AROUND
    yield from (((group << 40) - _AROUND, 2 * _AROUND) for group in range(1, ((size - 1) >> 40) + 1))
    yield from ((size * part // 65, _BLOCK) for part in range(1, 65))


def first_data(descriptor: int, size: int, spots: Iterable[tuple[int, int]]) -> int | None:
    """Return the offset of the first byte found that is not zero, None when all is zero; may hang.

    The descriptor should be open with O_DIRECT, so that the device is asked and not the cache.
    """
    for offset, length in sorted({(max(offset, 0) // _BLOCK * _BLOCK, length) for offset, length in spots}):
        data = read(descriptor, offset, min(length, size - offset))
        if data != bytes(len(data)):  # a memcmp: fast
            return offset + len(data) - len(data.lstrip(b"\0"))
    return None


def read(descriptor: int, offset: int, length: int) -> bytes:
    """Read as O_DIRECT wants it, into whole pages; OSError unless all could be read. May hang."""
    if length <= 0:
        return b""
    with mmap.mmap(-1, length) as buffer:
        with memoryview(buffer)[:length] as view:
            if os.preadv(descriptor, [view], offset) != length:
                raise OSError(5, "a read ended early")
        return buffer[:length]


def superblock(descriptor: int) -> tuple[str, bool]:
    """Return the UUID of an ext or xfs file system, and whether it was mounted or finished ever; may hang."""
    block = read(descriptor, 0, _BLOCK)
    if block[:4] == b"XFSB":
        return str(uuid.UUID(bytes=block[32:48])), not block[126]  # sb_uuid, sb_inprogress
    ext = block[1024:2048]
    if ext[56:58] == b"\x53\xef":  # s_magic; s_uuid, s_mtime, s_mnt_count
        return str(uuid.UUID(bytes=ext[104:120])), any(ext[44:48]) or any(ext[52:54])
    return "", False
