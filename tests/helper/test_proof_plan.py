"""What the proof of emptiness reads: enough to find what is there, in no more time than the plan before."""

from __future__ import annotations

import bisect
import os
import random
import time
from typing import TYPE_CHECKING

import pytest

from helper import child, content
from helper import format as formatting
from helper.format import prepare
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Bytes, FsType, RequestId, VolumeUid
from instorage.wire.verbs import MountRequest, Multipath
from tests.helper.host import UID

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GIB, MIB = 1 << 30, 1 << 20
LARGE = 100 * GIB
EXTENT, EXTENTS, CASES = 4 * MIB, 128, 100  # 512 MiB in all
READ, BYTES = 0.0005, 100e6  # seconds a read costs, bytes a second of one read at a time: a busy array

Spots = list[tuple[int, int]]


def first_data(path: Path, size: int, spots: Spots) -> int | None:
    node = os.open(path, os.O_RDONLY)
    try:
        return content.first_data(node, size, spots)
    finally:
        os.close(node)


def sparse(path: Path, size: int, *written: int, data: bytes = b"x") -> Path:
    with path.open("wb") as file:
        file.truncate(size)
        for offset in written:
            file.seek(offset)
            file.write(data)
    return path


def plan(size: int) -> Spots:
    """What is read before a format: both ends from the device itself, then what was asked for before."""
    return [*content.edges(size, formatting._EDGE), *content.places(size)]


@pytest.mark.parametrize("odd", [512, 1024, 3584])
@pytest.mark.parametrize("back", [1, 511, 512, 513, 1024, 3584, 4095, 4096])
def test_a_byte_in_the_last_sectors_of_a_device_of_any_size_is_found(
    tmp_path: Path, odd: int, back: int
) -> None:
    """Where a partition table has its copy, and md its superblock."""
    size = (8 << 20) + odd
    path = sparse(tmp_path / "volume", size, size - back)
    assert first_data(path, size, content.edges(size, formatting._EDGE)) == size - back
    assert first_data(path, size, content.edges(size, formatting._EDGE_AGAIN)) == size - back


@pytest.mark.parametrize("odd", [512, 3584])
@pytest.mark.parametrize("back", [1, 3000])
def test_a_volume_of_an_odd_size_with_data_at_its_end_is_not_formatted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, odd: int, back: int
) -> None:
    monkeypatch.setattr(formatting, "RECORDS", str(tmp_path / "records"))
    monkeypatch.setattr(content, "signature", lambda *_: content.Content())
    size = 16 * MIB + odd
    path = sparse(tmp_path / "volume", size, size - back)
    request = MountRequest(
        RequestId("test1"), VolumeUid.parse(UID), Bytes.parse(size), "/x", FsType.parse("ext4"), False, False,
        Multipath.PREFERRED,
    )  # fmt: skip
    with pytest.raises(Fault) as refused:
        prepare(request, str(path))
    assert refused.value.code is Code.NOT_EMPTY
    assert f"at byte {size - back}" in refused.value.sentence


def test_data_behind_the_end_of_the_device_is_not_asked_for(tmp_path: Path) -> None:
    size = (8 << 20) + 512
    assert first_data(sparse(tmp_path / "volume", size), size, content.edges(size, formatting._EDGE)) is None


@pytest.mark.parametrize("copy", [64 * MIB, 256 * GIB])
def test_a_copy_of_the_superblock_of_btrfs_is_found(tmp_path: Path, copy: int) -> None:
    size = copy + 64 * MIB
    path = sparse(tmp_path / "volume", size, copy + 64, data=b"_BHRfS_M")
    assert first_data(path, size, list(content.places(size))) == copy + 64


def scattered(seed: int) -> list[int]:
    """Where 512 MiB lie behind an empty beginning."""
    chosen = random.Random(seed).sample(range(2, LARGE // EXTENT - 1), EXTENTS)
    return sorted(EXTENT * one for one in chosen)


def touched(spots: Spots, extents: list[int]) -> Iterator[tuple[int, int]]:
    for offset, length in spots:
        at = bisect.bisect_right(extents, offset + length - 1) - 1
        if at >= 0 and extents[at] + EXTENT > offset:
            yield offset, length


def test_half_a_gigabyte_that_lies_anywhere_in_a_hundred_is_found_in_99_of_100_cases() -> None:
    spots = plan(LARGE)
    found = [any(touched(spots, scattered(seed))) for seed in range(CASES)]
    assert sum(found) >= 99


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_so_it_is_on_a_true_file(tmp_path: Path, seed: int) -> None:
    extents = scattered(seed)
    path = sparse(tmp_path / "volume", LARGE, *extents, data=b"d" * EXTENT if seed == 1 else b"d")
    if seed > 1:  # a byte at the beginning of each extent, and one in each of its blocks that is looked at
        spots = plan(LARGE)
        with path.open("r+b") as file:
            for offset, _ in touched(spots, extents):
                file.seek(offset)
                file.write(b"d")
    assert content.data_anywhere(str(path), LARGE, formatting._EDGE) is not None


def old_places(size: int) -> Spots:
    """The plan of November 2026, which one process read one after the other."""
    around = 256 << 10
    found = [(base**n * 8 * block * block, 4096) for block in (1024, 2048, 4096) for base in (3, 5, 7)
             for n in range(30) if base**n * 8 * block * block < size]  # fmt: skip
    found += [(size * quarter // 4 - around, 2 * around) for quarter in (1, 2, 3)]
    found += [((n << 40) - around, 2 * around) for n in range(1, ((size - 1) >> 40) + 1)]
    return found + [(size * part // 65, 4096) for part in range(1, 65)]


def cost(spots: Spots, at_once: int = 1) -> float:
    """Seconds that a reader takes who has so many reads under way."""
    whole = {(offset // 4096 * 4096, length) for offset, length in spots}
    return (len(whole) * READ + sum(length for _, length in whole) / BYTES) / at_once


def test_the_whole_takes_no_longer_than_before_though_ten_times_as_much_is_looked_at() -> None:
    """What is asked for before it is waited for an array serves ten at once, and the ends meanwhile.

    The kernel cuts a direct read of 4 MiB into four (max_sectors_kb, 1,280; counted on the lab's map), which
    go out beside each other.
    """
    edges = [cost([edge], at_once=4) for edge in content.edges(LARGE, 4 * MIB)]
    before = max(cost(old_places(LARGE)), *edges)
    now = max(cost(list(content.places(LARGE)), at_once=10), sum(edges))
    print(f"before {before:.3f} s, now {now:.3f}")
    assert now <= before


def test_every_place_is_asked_for_before_the_first_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []

    def zeros(what: str, length: int) -> bytes:
        order.append(what)
        return bytes(length)

    monkeypatch.setattr(content, "read", lambda _, __, length: zeros("ends", length))
    monkeypatch.setattr(os, "pread", lambda _, length, __: zeros("read", length))
    monkeypatch.setattr(os, "posix_fadvise", lambda *_: order.append("asked"))
    monkeypatch.setattr(content, "empty_cache", lambda _: order.append("emptied"))
    assert content.data_anywhere(str(sparse(tmp_path / "volume", GIB)), GIB, 4 * MIB) is None
    count = len(list(content.places(GIB)))
    assert order[: count + 10] == ["ends", "emptied"] + ["asked"] * count + ["ends"] * 8
    assert set(order[count + 10 :]) == {"read"}


def test_what_holds_something_at_its_beginning_is_read_no_further(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "posix_fadvise", lambda *_: pytest.fail("all of it was asked for"))
    monkeypatch.setattr(content, "empty_cache", lambda _: pytest.fail("the cache was emptied"))
    path = sparse(tmp_path / "volume", GIB, 1080, GIB - 1)
    assert content.data_anywhere(str(path), GIB, 4 * MIB) == 1080


@pytest.mark.subprocess
def test_two_processes_that_read_at_once_see_each_its_own(tmp_path: Path) -> None:
    """The buffer of reads is made before they are forked."""
    written = sparse(tmp_path / "written", 8192, 0, data=b"x" * 4096)
    with written.open("rb") as file:
        mine = content.read(file.fileno(), 4096, 4096)
        theirs = child.apart(lambda: content.read(file.fileno(), 0, 1).decode(), time.monotonic() + 10, "it")
        assert (theirs, mine) == ("x", bytes(4096))
        assert content._BUFFER[:4096] == mine


def test_what_the_cache_cannot_give_whole_is_an_error(tmp_path: Path) -> None:
    path = sparse(tmp_path / "volume", GIB - 4096)
    node = os.open(path, os.O_RDONLY)
    try:
        with pytest.raises(OSError, match="ended early"):
            content.cached(node, GIB - 8192, 8192)
    finally:
        os.close(node)
