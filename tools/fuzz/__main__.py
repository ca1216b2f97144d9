"""`python -m tools.fuzz N --seed S`: N messages to the helper and the stub's socket, others beside them."""

from __future__ import annotations

import argparse
import logging
import secrets
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from tools.fuzz.answers import answers
from tools.fuzz.helper import in_process, supervised
from tools.fuzz.parsers import array, files
from tools.fuzz.result import FoundError, Result
from tools.fuzz.stub import stub

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Part = Callable[[Random, int, Path], Result]

SOCKETS: tuple[tuple[Part, float], ...] = ((in_process, 0.6), (supervised, 0.1), (stub, 0.3))
TEXTS: tuple[tuple[Part, float], ...] = ((array, 0.05), (files, 0.02), (answers, 0.005))


def run(messages: int, seed: int) -> Iterator[Result]:
    """Run every part; the first three share `messages`. `FoundError` ends it."""
    for number, (part, share) in enumerate((*SOCKETS, *TEXTS)):
        with tempfile.TemporaryDirectory(prefix="fuzz-") as directory:
            yield part(Random(seed * 16 + number), max(int(messages * share), 20), Path(directory))


def main() -> int:
    """Run, print, and say whether a defect was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("messages", type=int)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 31))
    given = parser.parse_args()
    logging.getLogger("instorage").addHandler(logging.NullHandler())
    print(f"seed {given.seed}", flush=True)
    begun, messages = time.monotonic(), 0
    try:
        for result in run(given.messages, given.seed):
            print(result, flush=True)
            messages += result.messages
    except FoundError as found:
        print(f"FOUND: {found}")
        return 1
    print(f"{messages} inputs, seed {given.seed}, {time.monotonic() - begun:.0f} s: no defect")
    return 0


if __name__ == "__main__":
    sys.exit(main())
