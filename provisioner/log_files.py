"""The provisioner's log files: those of `-log_dir`, named as by glog, and that of `log.logdir` (manual 3.3).

glog lets files grow to 1.8 GB and removes none. Here a file of `-log_dir` is followed by a new one at 64 MiB,
or at `log.logrotatemaxsize` of the configuration, and the 5 before it stay.
"""

from __future__ import annotations

import contextlib
import datetime
import getpass
import logging
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from instorage import log_directory
from instorage.log_file import KEPT_FILES, LogFile

if TYPE_CHECKING:
    import io

    from instorage.configuration.settings import LogSettings

PROGRAM = "instorage-provisioner"
UNIT = f"{PROGRAM}.service"
LEVELS = (logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)
SIZE = 64 << 20  # bytes
_NAMES = ("INFO", "WARNING", "ERROR", "FATAL")


def configured(settings: LogSettings) -> LogFile:
    """Return the file of the configuration, in its level and size; nothing is opened yet."""
    path = settings.directory / f"{PROGRAM}.log"
    made = LogFile(
        path, settings.rotate_at, lambda number: log_directory.mend(number, settings.directory, UNIT)
    )
    made.setLevel(settings.level.value.upper())
    return made


class SeverityFile(LogFile):
    """What has a severity or one above it; PROGRAM.SEVERITY is a link to the newest file."""

    def __init__(self, directory: Path, severity: int) -> None:
        self._directory = directory.absolute()
        self._link = self._directory / f"{PROGRAM}.{_NAMES[severity]}"
        host = socket.gethostname().partition(".")[0]
        self._stem = f"{PROGRAM}.{host}.{_user()}.log.{_NAMES[severity]}."
        self._followed = 0
        super().__init__(
            self._fresh(), SIZE, lambda number: log_directory.mend(number, self._directory, UNIT)
        )
        self.setLevel(LEVELS[severity] if severity else logging.DEBUG)

    def doRollover(self) -> None:  # noqa: N802  the library's name
        """Go on in a new file."""
        self._let_go()
        self._followed += 1
        self.baseFilename = f"{self._fresh()}.{self._followed:05d}"  # there may be two in one second

    def _fresh(self) -> Path:
        now = datetime.datetime.now().astimezone()
        return self._directory / f"{self._stem}{now:%Y%m%d-%H%M%S}.{os.getpid()}"

    def _open(self) -> io.TextIOWrapper:
        stream = super()._open()
        with contextlib.suppress(OSError):
            self._link.unlink(missing_ok=True)
            self._link.symlink_to(Path(self.baseFilename).name)
        with contextlib.suppress(OSError):
            self._forget()
        return stream

    def _forget(self) -> None:
        """Remove what is older than the files that are kept; their names are in the order of time."""
        there = sorted(path for path in self._directory.iterdir() if path.name.startswith(self._stem))
        before = [path for path in there if str(path) != self.baseFilename]
        for path in before[:-KEPT_FILES]:
            path.unlink(missing_ok=True)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
