"""The proof that a volume is new."""

from __future__ import annotations

import itertools
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from helper import content
from helper.scsi import naa6

if TYPE_CHECKING:
    from pathlib import Path

GIB = 1 << 30
TIB = 1 << 40


def spots(size: int) -> list[tuple[int, int]]:
    return [*content.edges(size, 4 << 20), *content.places(size)]


def first_data(path: Path, size: int) -> int | None:
    node = os.open(path, os.O_RDONLY)
    try:
        return content.first_data(node, size, spots(size))
    finally:
        os.close(node)


def sparse(path: Path, size: int, *written: int) -> Path:
    with path.open("wb") as file:
        file.truncate(size)
        for offset in written:
            file.seek(offset)
            file.write(b"x")
    return path


@pytest.mark.parametrize("size", [8 << 20, GIB, GIB + 512, 100 * GIB, 5 * TIB])
def test_an_empty_volume_is_proven_empty(tmp_path: Path, size: int) -> None:
    assert first_data(sparse(tmp_path / "volume", size), size) is None


@pytest.mark.parametrize(
    "offset",
    [
        0,
        1080,
        (4 << 20) - 1,
        100 * GIB - (4 << 20),
        100 * GIB - 1,
        128 << 20,  # ext, 4 KiB blocks: the backup superblock of group 1
        3 * (128 << 20),
        343 * (128 << 20),
        8192 * 1024,  # ext, 1 KiB blocks (the superblock is one block further)
        25 * GIB,  # xfs: allocation groups 1, 2, 3 of 4
        50 * GIB,
        75 * GIB,
        100 * GIB * 20 // 1025,
    ],
)
def test_one_byte_in_any_place_that_matters_is_found(tmp_path: Path, offset: int) -> None:
    path = sparse(tmp_path / "volume", 100 * GIB, offset)
    assert first_data(path, 100 * GIB) == offset


def test_the_places_lie_inside_the_volume_and_a_sample_is_spread_evenly() -> None:
    for size, samples in ((8 << 20, 64), (GIB, 256), (4 * GIB, 1024), (3 * TIB, 1024)):
        shares = {offset * samples // size for offset, length in spots(size) if length == 4096}
        assert len(shares) >= samples - 2
        assert all(offset < size for offset, _ in spots(size))


@pytest.mark.parametrize("size", [300 << 20, GIB, 4 * GIB])
def test_four_mebibytes_of_data_in_a_row_are_found_wherever_they_lie(size: int) -> None:
    read = sorted(offset for offset, _ in spots(size))
    assert max(after - before for before, after in itertools.pairwise(read)) <= 4 << 20


def test_a_volume_that_ends_early_is_an_error_not_an_empty_one(tmp_path: Path) -> None:
    path = sparse(tmp_path / "volume", GIB - 4096)
    with pytest.raises(OSError, match="ended early"):
        first_data(path, GIB)


@pytest.mark.root
@pytest.mark.subprocess
def test_what_another_host_has_written_is_seen_past_the_cache(tmp_path: Path) -> None:
    """The file of a loop device is written behind its back, as a disk is by a host that had the volume."""
    size = 8 << 20
    file = sparse(tmp_path / "volume", size)
    argv = ("losetup", "--find", "--show", str(file))
    device = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=30).stdout.strip()
    cached = os.open(device, os.O_RDONLY)
    try:
        assert os.pread(cached, size, 0) == bytes(size)
        with file.open("r+b") as other:
            other.seek(size // 2)
            other.write(b"x")
            other.flush()
            os.fsync(other.fileno())
        assert os.pread(cached, size, 0) == bytes(size), "the cache knows nothing of it"
        look = lambda node: content.first_data(node, size, [(0, size)])  # noqa: E731
        assert content.opened(device, look) == size // 2
        assert content.data_anywhere(device, size, 65536) == size // 2
    finally:
        os.close(cached)
        subprocess.run(("losetup", "--detach", device), check=True, timeout=30)


@pytest.mark.subprocess
@pytest.mark.parametrize("options", [(), ("-b", "1024"), ("-b", "2048")])
def test_what_mkfs_leaves_behind_a_wiped_superblock_is_found(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    path = sparse(tmp_path / "volume", GIB)
    mkfs = ("/usr/sbin/mkfs.ext4", "-q", *options, "-U", "11111111-2222-3333-4444-555555555555", str(path))
    subprocess.run(mkfs, check=True, timeout=60, stdin=subprocess.DEVNULL)
    node = os.open(path, os.O_RDWR)
    assert content.superblock(node) == ("11111111-2222-3333-4444-555555555555", False)
    os.pwrite(node, bytes(64 << 20), 0)
    os.pwrite(node, bytes(8 << 20), GIB - (8 << 20))
    os.close(node)
    assert first_data(path, GIB) is not None


def test_an_xfs_superblock_is_unused_only_while_it_is_in_progress(tmp_path: Path) -> None:
    block = bytearray(4096)
    block[:4], block[32:48] = b"XFSB", bytes(range(16))
    identity = "00010203-0405-0607-0809-0a0b0c0d0e0f"
    for in_progress in (0, 1):
        block[126] = in_progress
        (tmp_path / "volume").write_bytes(block)
        node = os.open(tmp_path / "volume", os.O_RDONLY)
        assert content.superblock(node) == (identity, not in_progress)
        os.close(node)


def designator(kind: int, value: bytes, association: int = 0) -> bytes:
    return bytes((1, association << 4 | kind, 0, len(value))) + value


def page(*designators: bytes) -> bytes:
    body = b"".join(designators)
    return bytes((0, 0x83)) + len(body).to_bytes(2, "big") + body


def test_the_identity_is_the_logical_units_naa_type_6() -> None:
    uid = bytes.fromhex("60050760008989c0d00000000002c485")
    port = designator(3, bytes.fromhex("6" + "f" * 31), association=1)
    other = [designator(1, b"INSPUR  x"), designator(3, bytes.fromhex("5" + "0" * 15)), port]
    assert naa6(page(*other, designator(3, uid))) == uid.hex()
    assert naa6(page(*other)) == ""
    assert naa6(bytes((0, 0x80)) + page(designator(3, uid))[2:]) == ""
    for cut in range(4, len(page(designator(3, uid)))):  # never reads beyond what came
        naa6(page(designator(3, uid))[:cut])
