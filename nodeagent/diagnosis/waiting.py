"""What a program of an administrator waits for, in one line of a terminal: what, how far, how long."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from typing import TYPE_CHECKING

from instorage.language import said

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIRST, _EACH = 0.5, 0.5  # seconds until the line appears, and between two looks at the clock


@contextlib.contextmanager
def waited(what: str, part: int = 0, parts: int = 0) -> Iterator[None]:
    """Show what is done within, and for how long, on a terminal at standard error; elsewhere nothing.

    `part` of `parts`, where it is one of several. The line is taken away at the end.
    """
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield
        return
    far = f" ({part} of {parts})" if parts > 1 else ""
    ended = threading.Event()
    shown = threading.Thread(target=_show, args=(f"{said(what)}{far}", ended), daemon=True)
    shown.start()
    try:
        yield
    finally:
        ended.set()
        shown.join(2 * _EACH)


def _show(what: str, ended: threading.Event) -> None:
    began, there = time.monotonic(), False
    while not ended.wait(_EACH if there else _FIRST):
        there = True
        sys.stderr.write(f"\r\x1b[K{what}, {time.monotonic() - began:.0f} s")
        sys.stderr.flush()
    if there:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()
