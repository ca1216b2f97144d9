"""What is said to whoever runs the installer, and the ends that it can have."""

from __future__ import annotations

import os
import sys
from typing import IO


class Ending(Exception):
    """The installer ends with an exit status, and a sentence that is still to be said (perhaps none)."""

    def __init__(self, status: int, sentence: str = "") -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


def say(text: str) -> None:
    """Print to standard output."""
    _print(text.encode("utf-8", "replace").decode(), sys.stdout)


def complain(text: str) -> None:
    """Print to standard error; names of files may be anybody's, so only what does nothing to a terminal."""
    plain = "".join(sign for sign in text if sign in "\t\n" or " " <= sign <= "~")
    _print(f"install.sh: {plain}", sys.stderr)


def _print(text: str, file: IO[str]) -> None:
    """Print; a reader that has gone, or a full disk under a log, does not end what is under way."""
    try:
        print(text, file=file, flush=True)
    except OSError:  # and Python would try again, what is left in its buffer, when it ends
        nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        os.dup2(nowhere, file.fileno())
        os.close(nowhere)


def wrong(sentence: str) -> Ending:
    """Return the end of a command line that cannot be meant."""
    return Ending(2, f"{sentence} (./install.sh --help)")


class Refusals:
    """What is in the way is gathered, so that all of it is said at once."""

    def __init__(self) -> None:
        self.number = 0

    def add(self, sentence: str) -> None:
        """Say one more."""
        self.number += 1
        complain(sentence)
