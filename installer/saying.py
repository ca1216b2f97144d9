"""What is said to whoever runs the installer, and the ends that it can have."""

from __future__ import annotations

import sys


class Ending(Exception):
    """The installer ends with an exit status, and a sentence that is still to be said (perhaps none)."""

    def __init__(self, status: int, sentence: str = "") -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


def say(text: str) -> None:
    """Print to standard output."""
    print(text.encode("utf-8", "replace").decode(), flush=True)


def complain(text: str) -> None:
    """Print to standard error; names of files may be anybody's, so only what does nothing to a terminal."""
    plain = "".join(sign for sign in text if sign in "\t\n" or " " <= sign <= "~")
    print(f"install.sh: {plain}", file=sys.stderr, flush=True)


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
