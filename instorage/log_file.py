"""A log file of a service: rotated, and opened again by itself once what kept it from being written is gone.

Another user may make files in its directory too (log_directory.py): what lies there under our name is taken
only if it is a plain file of our own, and root opens nothing where somebody else may write. A line that
cannot be written is lost here and nowhere else; that is said once, and again when it goes on.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import stat
import sys
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterator

KEPT_FILES = 5
RETRY_SECONDS = 2.0  # between two attempts at a file that cannot be written
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MODE = 0o640
_NOT_OURS = "it is there, and no plain file of this service's user", "remove it."
_LOG = logging.getLogger(__name__)


class Refused(OSError):
    """What lies there is not to be written to; `mend` as that of `LogFile`."""

    def __init__(self, why: str, mend: str) -> None:
        super().__init__(0, why)
        self.mend = mend


class LogFile(RotatingFileHandler):
    """Rotated at `rotate_at` bytes (0: never); 5 old ones are kept.

    `mend` returns what makes good an error of the directory, the rest of a sentence from a small letter on.
    """

    def __init__(self, path: Path, rotate_at: int, mend: Callable[[int], str]) -> None:
        super().__init__(
            path, maxBytes=rotate_at, backupCount=KEPT_FILES, encoding="utf-8",
            errors="backslashreplace", delay=True,
        )  # fmt: skip
        self._mend = mend
        self._identity = (-1, -1)
        self._retry_at = 0.0
        self._trouble = ""
        self._news: tuple[int, str] | None = None

    def look(self) -> str:
        """Open the file now; return what is wrong, a whole sentence with the mend, or nothing."""
        with self._held():
            try:
                self._ready()
            except OSError as error:
                self._fail(error)
            self._news = None
            return self._trouble

    def handle(self, record: logging.LogRecord) -> bool:
        """Write a record; what is to be said of that is said when nobody waits for this file any more."""
        handled = super().handle(record)
        with self._held():
            news, self._news = self._news, None
        if news is not None:
            _LOG.log(news[0], "%s", news[1])
        return bool(handled)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, unless the file could not be written a moment ago."""
        if time.monotonic() < self._retry_at:
            return
        try:
            self._ready()
        except OSError as error:
            self._fail(error)
            return
        super().emit(record)
        if self._trouble and time.monotonic() >= self._retry_at:
            self._trouble = ""
            self._news = logging.INFO, f"The log file {self.baseFilename} is written again."

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  the library's name
        """Take an error of the file as one that passes; any other is a defect of the program."""
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            self._fail(error)
        else:
            super().handleError(record)

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        self.acquire()
        try:
            yield
        finally:
            self.release()

    def _fail(self, error: OSError) -> None:
        self._let_go()
        self._retry_at = time.monotonic() + RETRY_SECONDS
        mend = error.mend if isinstance(error, Refused) else self._mend(error.errno or 0)
        sentence = f"The log file {self.baseFilename} cannot be written ({error.strerror}): {mend}"
        if sentence != self._trouble:
            self._trouble = sentence
            self._news = logging.WARNING, sentence

    def _ready(self) -> None:
        """Have the file open that lies under this name now: somebody may have removed or moved it."""
        if self.stream is not None and not self._is_there():
            self._let_go()
        if self.stream is None:
            self.stream = self._open()

    def _is_there(self) -> bool:
        try:
            facts = os.lstat(self.baseFilename)
        except OSError:
            return False
        return (facts.st_dev, facts.st_ino) == self._identity

    def _let_go(self) -> None:
        stream, self.stream = self.stream, None  # as the library does it
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()

    def _open(self) -> io.TextIOWrapper:
        path = Path(self.baseFilename)
        path.parent.mkdir(parents=True, exist_ok=True)
        directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _check_directory(os.fstat(directory))
            descriptor = _opened(path.name, directory)
        finally:
            os.close(directory)
        facts = os.fstat(descriptor)
        self._identity = facts.st_dev, facts.st_ino
        return open(descriptor, "a", encoding=self.encoding, errors=self.errors)


def _opened(name: str, directory: int) -> int:
    """Return a descriptor of our own plain file; a link, a pipe, another user's file is none."""
    try:
        descriptor = os.open(name, _FLAGS, _MODE, dir_fd=directory)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            raise Refused(*_NOT_OURS) from None
        raise
    facts = os.fstat(descriptor)
    if not (stat.S_ISREG(facts.st_mode) and facts.st_uid == os.geteuid() and facts.st_nlink == 1):
        os.close(descriptor)
        raise Refused(*_NOT_OURS)
    return descriptor


def _check_directory(facts: os.stat_result) -> None:
    if os.geteuid() == 0 and (facts.st_uid != 0 or facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
        raise Refused(
            "root writes no log where another user may make files",
            "start this as the user of the service, or choose a directory that root alone can write to.",
        )
