"""What a demo prints while it runs: lines with the seconds since the start."""

import time
from typing import Final

BEGAN: Final = time.monotonic()


class DemoFailed(Exception):
    """The product did not do what the demo shows; the text says what happened."""


def say(text: str) -> None:
    """Print a progress line with the seconds since the start."""
    print(f"[{time.monotonic() - BEGAN:6.1f} s] {text}", flush=True)


def show(text: str) -> None:
    """Print what a program said, indented below the progress line."""
    for line in text.rstrip("\n").splitlines():
        print(f"             {line}", flush=True)
