"""Logging as the manual's log flags ask for it: what Go's glog does, and journald under systemd.

With no log flag everything goes to standard error. With `-log_dir` there is a file for each severity, and
standard error has what `-stderrthreshold` lets through; `-alsologtostderr` gives both everything. Without
`-log_dir` and `-logtostderr` section `log` of the configuration counts: a file besides.
"""

from __future__ import annotations

import datetime
import logging
import os
import sys
import threading
import traceback
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from instorage import operation
from instorage.wire import journal
from instorage.wire.fault import Code, Fault
from provisioner.log_files import LEVELS, PROGRAM, SIZE, SeverityFile, configured

if TYPE_CHECKING:
    from instorage.configuration.settings import LogSettings
    from instorage.log_file import LogFile
    from provisioner.flags import Flags

_PRIORITY = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
_DETAIL = {"provisioner": 1, "instorage": 2}  # the -v from which a package's debug lines show
_LIBRARIES = 4  # ... and what libraries say below a warning; our own sentences say the same better
_LOUD = ("paramiko", "urllib3")  # libraries that call it an error when a peer is away
_LOG = logging.getLogger(__name__)


class Log:
    """The handlers of this process: what the flags ask for, and the file that a configuration does.

    `Fault(BAD_CONFIGURATION)` names a `-log_dir` that cannot be written. Thread-safe.
    """

    def __init__(self, flags: Flags) -> None:
        self._flags = flags
        self._root = logging.getLogger()
        self._root.setLevel(logging.DEBUG)
        self._guard = threading.Lock()
        self._settings: LogSettings | None = None
        self._file: LogFile | None = None
        files = bool(flags.log_dir) and not flags.to_stderr
        self._severities = [SeverityFile(Path(flags.log_dir), one) for one in range(3)] if files else []
        for handler in (_main(flags, files=files), *self._severities):
            self._add(handler, flags)
        for file in self._severities:
            if trouble := file.look():
                raise Fault(Code.BAD_CONFIGURATION, trouble)

    def apply(self, settings: LogSettings) -> None:
        """Use section `log` of a configuration, which a flag that says where the log goes overrules.

        A file that cannot be had is said, with the mend, and looked for again with each line.
        """
        with self._guard:
            if settings == self._settings:
                return
            self._settings = settings
            for file in self._severities:
                file.maxBytes = settings.rotate_at or SIZE
            trouble = "" if self._severities or self._flags.to_stderr else self._replaced(settings)
        if trouble:
            _LOG.warning("%s", trouble)

    def _replaced(self, settings: LogSettings) -> str:
        """Have the file that the settings ask for, and no other; return what is wrong with it."""
        if self._file is not None:
            self._root.removeHandler(self._file)
            self._file.close()
            self._file = None
        if not settings.enabled:
            return ""
        self._file = configured(settings)
        loud = max(self._flags.verbosity, _DETAIL["provisioner"] if settings.level == "debug" else 0)
        self._add(self._file, replace(self._flags, verbosity=loud))
        return self._file.look()

    def _add(self, handler: logging.Handler, flags: Flags) -> None:
        handler.setFormatter(Header())
        handler.addFilter(Sift(flags))
        self._root.addHandler(handler)


def _main(flags: Flags, *, files: bool) -> logging.Handler:
    main: logging.Handler = Journal() if "JOURNAL_STREAM" in os.environ else logging.StreamHandler(sys.stderr)
    if files and not flags.also_stderr:
        main.setLevel(LEVELS[flags.stderr_threshold])
    return main


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
