"""Logging as the manual's log flags ask for it: what Go's glog does, and journald under systemd.

With no log flag everything goes to standard error. With `-log_dir` there is a file for each severity, and
standard error has what `-stderrthreshold` lets through; `-alsologtostderr` gives both everything.
"""

from __future__ import annotations

import contextlib
import datetime
import getpass
import logging
import os
import socket
import sys
import threading
import traceback
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from instorage import operation
from instorage.wire import journal

if TYPE_CHECKING:
    from provisioner.flags import Flags

PROGRAM = "instorage-provisioner"
_LEVELS = (logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)
_NAMES = ("INFO", "WARNING", "ERROR", "FATAL")
_PRIORITY = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
_DETAIL = {"provisioner": 1, "instorage": 2}  # the -v from which a package's debug lines show
_LIBRARIES = 4  # ... and what libraries say below a warning; our own sentences say the same better
_LOUD = ("paramiko", "urllib3")  # libraries that call it an error when a peer is away


def start(flags: Flags) -> None:
    """Set the handlers of this process; `OSError` names a log directory that cannot be written."""
    root = logging.getLogger()
    root.setLevel(logging.DEBUG)
    sift = Sift(flags)
    for handler in _handlers(flags):
        handler.addFilter(sift)
        root.addHandler(handler)


def _handlers(flags: Flags) -> list[logging.Handler]:
    files = bool(flags.log_dir) and not flags.to_stderr
    main: logging.Handler = Journal() if "JOURNAL_STREAM" in os.environ else logging.StreamHandler(sys.stderr)
    main.setFormatter(Header())
    if files and not flags.also_stderr:
        main.setLevel(_LEVELS[flags.stderr_threshold])
    return [main, *(_file(Path(flags.log_dir), severity) for severity in range(3))] if files else [main]


def _file(directory: Path, severity: int) -> logging.Handler:
    """Open the file of a severity and those above it, and point PROGRAM.SEVERITY at it, as glog does."""
    now = datetime.datetime.now().astimezone()
    host, user = socket.gethostname().partition(".")[0], _user()
    name = f"{PROGRAM}.{host}.{user}.log.{_NAMES[severity]}.{now:%Y%m%d-%H%M%S}.{os.getpid()}"
    handler = logging.FileHandler(directory / name)
    handler.setLevel(_LEVELS[severity] if severity else logging.DEBUG)
    handler.setFormatter(Header())
    link = directory / f"{PROGRAM}.{_NAMES[severity]}"
    with contextlib.suppress(OSError):
        link.unlink(missing_ok=True)
        link.symlink_to(name)
    return handler


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


class Sift(logging.Filter):
    """Decides what is shown (`-v`, `-vmodule`), and makes one line of each record."""

    def __init__(self, flags: Flags) -> None:
        super().__init__()
        self._flags = flags

    def filter(self, record: logging.LogRecord) -> bool:
        """Complete a record that is to be shown."""
        if self._level_of(record) > self._shown(record):
            return False
        if not hasattr(record, "line"):  # the second handler of a record finds it done
            record.line = _single(self._text(record))
        return True

    def _text(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        if record.exc_info:
            text += " | " + " | ".join(traceback.format_exception(*record.exc_info))
        place = self._flags.backtrace_at
        if place.file and (record.filename, record.lineno) == (place.file, place.line):
            text += " | " + " | ".join(traceback.format_stack()[:-6])
        return text

    def _level_of(self, record: logging.LogRecord) -> int:
        """Return the -v that a record needs."""
        package = record.name.partition(".")[0]
        if package not in _DETAIL and package != "__main__":
            quiet = package in _LOUD or record.levelno < logging.WARNING
            return _LIBRARIES if quiet else 0
        return 0 if record.levelno >= logging.INFO else _DETAIL.get(package, 1)

    def _shown(self, record: logging.LogRecord) -> int:
        for pattern, level in self._flags.modules:
            if fnmatchcase(record.module, pattern):
                return level
        return self._flags.verbosity


class Header(logging.Formatter):
    """`I1124 10:15:30.123456   4711 file.py:12] text`, as glog writes it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        when = datetime.datetime.fromtimestamp(record.created).astimezone()
        letter = "I" if record.levelno < logging.WARNING else record.levelname[0].replace("C", "F")
        thread = threading.get_native_id()
        line = record.__dict__.get("line", record.getMessage())
        return f"{letter}{when:%m%d %H:%M:%S.%f} {thread:7d} {record.filename}:{record.lineno}] {line}"


class Journal(logging.Handler):
    """Writes to journald, with the operation as a field."""

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record; a journal that is away is no reason to fail."""
        op = operation.current.get()
        journal.send(
            record.__dict__.get("line", record.getMessage()),
            PRIORITY=str(_PRIORITY.get(record.levelno, 6)),
            SYSLOG_IDENTIFIER=PROGRAM,
            LOGGER=record.name,
            **({"INSTORAGE_OP": op} if op else {}),
        )


def _single(text: str) -> str:
    """Return `text` with every control and separator character as a space: no record can be forged."""
    return "".join(c if c.isprintable() else " " for c in text)
