"""Runs in the guest: writes numbered blocks to a file, each fsynced, and at the end reads every one again.

Arguments: the file, a file whose appearance ends it, the seconds of rest after each block (without, nothing
of the guest is left to those who grow the volume). Prints as JSON how many blocks were written, how many of
them were wrong when read back past the page cache, and the longest time that one took in milliseconds. What
could not be written any more ends it, with the error as `stopped`, and nothing is read back then (-1).

With the file and a number alone it prints how many of that many blocks, written before, are wrong.
"""

import hashlib
import json
import os
import sys
import time

BLOCK = 16384
MOST = 2000  # blocks in the file, which are then written over


def main() -> None:
    """Write until told to stop, then check."""
    path, stop, rest = sys.argv[1:]
    written, longest, stopped = 0, 0.0, ""
    with open(path, "wb", buffering=0) as file:
        while not os.path.exists(stop):
            begun = time.monotonic()
            try:
                os.pwrite(file.fileno(), block(written), written % MOST * BLOCK)
                os.fsync(file.fileno())
            except OSError as error:
                stopped = str(error)
                break
            longest = max(longest, time.monotonic() - begun)
            written += 1
            time.sleep(float(rest))
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    lost = -1 if stopped else wrong(path, written)
    figures = {"written": written, "wrong": lost, "longest_ms": round(longest * 1000), "stopped": stopped}
    print(json.dumps(figures))


def block(number: int) -> bytes:
    """Return the block of a number."""
    return hashlib.sha256(str(number).encode()).digest() * (BLOCK // 32)


def wrong(path: str, written: int) -> int:
    """Return how many of the last blocks are not what was written."""
    with open(path, "rb") as file:
        numbers = range(max(written - MOST, 0), written)
        return sum(os.pread(file.fileno(), BLOCK, one % MOST * BLOCK) != block(one) for one in numbers)


if len(sys.argv) == 3:
    print(wrong(sys.argv[1], int(sys.argv[2])))
else:
    main()
