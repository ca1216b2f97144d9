"""What a version that answers has still to take away: written down, so that a run that is killed is no loss.

Former places and the vendor's ways. Nothing of it can be put back: it is begun when what was before counts no
more, and what is left of it the next run does first.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from installer.files import beside
from installer.journal import NEW, sync

if TYPE_CHECKING:
    from collections.abc import Iterable

    from installer.host import Host


class Owed:
    """Of one part; `home` is the directory of the host in which its file lies."""

    def __init__(self, host: Host, home: str) -> None:
        self._file = host.path(f"{home}/.owed")

    def read(self) -> list[str]:
        """Return what is owed, in the order in which it is to be done."""
        try:
            return self._file.read_text(errors="surrogateescape").splitlines()
        except FileNotFoundError:
            return []

    def add(self, more: Iterable[str]) -> None:
        """Have that be owed too."""
        self._write(list(dict.fromkeys((*self.read(), *more))))

    def drop(self, done: str) -> None:
        """Have that be owed no more."""
        self._write([one for one in self.read() if one != done])

    def _write(self, lines: list[str]) -> None:
        if not lines:
            self._file.unlink(missing_ok=True)
            return
        fresh = beside(self._file)
        fresh.unlink(missing_ok=True)
        with open(os.open(fresh, NEW, 0o600), "w", errors="surrogateescape") as file:
            file.write("".join(f"{line}\n" for line in lines))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._file)
        sync(self._file.parent)
