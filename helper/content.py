"""What a device holds: the proof that a volume is new, and the only guard against formatting data.

mke2fs without -F and with no terminal formats over an existing ext4, exit status 0 (tried).
"""

import fcntl
import mmap
import os
import uuid
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

from helper.program import run
from helper.scsi import MIPS, descriptor
from instorage.wire.fault import Code, Fault

T = TypeVar("T")
Spots = list[tuple[int, int]]
"""Places on a device: offset and length in bytes."""
Get = Callable[[int, int, int], bytes]
"""How so many bytes are read: descriptor, offset, length."""

_BLOCK, _FIRST = 4096, 65536
_PIECE = 1 << 20  # bytes of one read at most
_ZEROS = bytes(_PIECE)
# Kept, for new pages for each read took a third of the proof; each process that reads has its own.
_BUFFER = mmap.mmap(-1, _PIECE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
_AROUND = 256 << 10  # bytes on both sides of where XFS may have put an allocation group's header
# Of 512 MiB of data in extents of 4 MiB in 100 GiB one is seen in 99 of 100 cases; one in each is enough.
_SAMPLES, _FEWEST, _EXTENT = 1024, 64, 4 << 20
_BTRFS = (64 << 20, 256 << 30)  # the copies of its superblock
_BLKFLSBUF = 0x20001261 if MIPS else 0x1261  # <linux/fs.h>
_NOTHING_FOUND, _CONTRADICTORY = 2, 8  # exit statuses of blkid; the first also when it could not read


class Content(NamedTuple):
    """What was found: a file system's type or another signature's name, and a UUID; empty: nothing."""

    kind: str = ""
    uuid: str = ""


def signature(path: str, deadline: float) -> Content:
    """Return what blkid finds on a device; OSError when it cannot be read, which blkid calls nothing, too.

    An empty answer is no proof that the device is empty: see `first_data`. May hang.
    """
    accept = (0, _NOTHING_FOUND, _CONTRADICTORY)
    answer = run("blkid", "-p", "-o", "export", "--", path, deadline=deadline, accept=accept, device=path)
    if answer.status == _NOTHING_FOUND:
        opened(path, lambda node: read(node, 0, _BLOCK))
    found = dict(line.split("=", 1) for line in answer.out.splitlines() if "=" in line)
    kind = found.get("TYPE") or (f"partition table {found['PTTYPE']}" if "PTTYPE" in found else "")
    if answer.status == _CONTRADICTORY:
        kind = "several contradictory signatures"
    if answer.status == 0 and not kind:
        raise Fault(Code.TOOL_FAILED, f"blkid found something on {path} and did not say what.", device=path)
    return Content(kind, found.get("UUID", ""))


def opened(path: str, look: Callable[[int], T]) -> T:
    """Return what `look` finds on a device that is asked itself and not the cache; may hang."""
    with descriptor(path, os.O_RDONLY | os.O_DIRECT) as node:
        return look(node)


def edges(size: int, length: int) -> Spots:
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
    yield from ((copy, _BLOCK) for copy in _BTRFS if copy < size)
    samples = max(_FEWEST, min(_SAMPLES, size // _EXTENT))
    yield from ((size * part // (samples + 1), _BLOCK) for part in range(1, samples + 1))


def data_anywhere(path: str, size: int, ends: int) -> int | None:
    """Return what `first_data` finds in so many bytes of both ends and in all `places` of a device; may hang.

    What holds something shows it in its first blocks, and is read no further. Else the kernel is asked for
    all places, and fetches them beside each other, and while the ends are read: one after the other, a
    thousand small reads take their ways one by one. So it is the cache that is read for them, emptied before:
    another host may have written meanwhile.
    """

    def direct(spots: Spots) -> int | None:
        return opened(path, lambda node: first_data(node, size, spots))

    if (at := direct([(0, _FIRST)])) is not None:
        return at
    with open(path, "rb", buffering=0) as device:
        node = device.fileno()
        empty_cache(node)
        spots = list(places(size))
        for offset, length in spots:
            os.posix_fadvise(node, offset, length, os.POSIX_FADV_WILLNEED)
        at = direct(edges(size, ends))
        return first_data(node, size, spots, cached) if at is None else at


def empty_cache(descriptor: int) -> None:
    """Have the kernel forget what it has read of a block device."""
    fcntl.ioctl(descriptor, _BLKFLSBUF)


def read(descriptor: int, offset: int, length: int) -> bytes:
    """Read a piece at most, as O_DIRECT wants it, into whole pages; OSError unless all came. May hang."""
    with memoryview(_BUFFER)[:length] as view:
        if os.preadv(descriptor, [view], offset) != length:
            raise OSError(5, "a read ended early")
    return _BUFFER[:length]


def cached(descriptor: int, offset: int, length: int) -> bytes:
    """Read what the cache is likely to have, without `read`'s mapping; OSError as there. May hang."""
    data = os.pread(descriptor, length, offset)
    if len(data) != length:
        raise OSError(5, "a read ended early")
    return data


def first_data(descriptor: int, size: int, spots: Spots, get: Get | None = None) -> int | None:
    """Return the offset of the first byte found that is not zero, None when all is zero; may hang.

    Whole blocks are read, and to the last byte of the device. The descriptor should be open with O_DIRECT, or
    its cache emptied (and `get` be `cached`), so that the device is asked.
    """
    for offset, end in sorted({piece for spot in spots for piece in _pieces(*spot, size)}):
        data = (get or read)(descriptor, offset, end - offset)
        if data != _ZEROS[: end - offset]:  # a memcmp: fast
            return offset + len(data) - len(data.lstrip(b"\0"))
    return None


def _pieces(offset: int, length: int, size: int) -> Iterator[tuple[int, int]]:
    """Return begin and end of what is read for a spot: the whole blocks that it touches."""
    begin = max(offset, 0) // _BLOCK * _BLOCK
    end = min(-(-(offset + length) // _BLOCK) * _BLOCK, size)
    yield from ((at, min(at + _PIECE, end)) for at in range(begin, end, _PIECE))


def superblock(descriptor: int) -> tuple[str, bool]:
    """Return the UUID of an ext or xfs file system, and whether that, or what else is there, was ever used.

    What the kernel still holds is written first. Used is an ext that was mounted, an xfs that was finished,
    and everything that is neither. May hang.
    """
    os.fsync(descriptor)
    block = read(descriptor, 0, _BLOCK)
    if block[:4] == b"XFSB":
        return str(uuid.UUID(bytes=block[32:48])), not block[126]  # sb_uuid, sb_inprogress
    ext = block[1024:2048]
    if ext[56:58] == b"\x53\xef":  # s_magic; s_uuid, s_mtime, s_mnt_count, needs_recovery
        return str(uuid.UUID(bytes=ext[104:120])), any((*ext[44:48], *ext[52:54], ext[96] & 4))
    return "", any(block)


def unreplayed(descriptor: int) -> bool:
    """Return whether an ext is mounted to write, or was when its host went (needs_recovery). May hang."""
    return bool(read(descriptor, 0, _BLOCK)[1024 + 96] & 4)
