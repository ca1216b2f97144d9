"""Logging: the journal with INSTORAGE_* fields, and the configuration's log files (manual, table 3-1)."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import traceback
from contextvars import ContextVar
from typing import TYPE_CHECKING

from instorage import log_directory, operation
from instorage.catalogue.table import message_id
from instorage.log_file import LogFile
from instorage.wire import journal
from instorage.wire.fault import Code
from nodeagent.host import helper_record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from instorage.configuration.settings import LogSettings
    from instorage.wire.fault import Fault

IDENTIFIER = "instorage-nodeagent"
UNIT = f"{IDENTIFIER}.service"
OURS = ("nodeagent", "instorage", helper_record.LOGGER.name)
LOUD = "paramiko"  # calls it an error, with a traceback of a dozen lines, when an array does not answer
_PRIORITY = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
_MARKS = ("op", "volume", "code")
# How long a call took, in which phases, and with what: for the journal alone.
_TIMING = ("call", "ms", "phases", "began", "spans", "dropped")
_LOG = logging.getLogger(__name__)

volume: ContextVar[str] = ContextVar("volume", default="")
"""The volume that the current operation is about, empty outside of one."""


@contextlib.contextmanager
def working_on(op: str, name: str) -> Iterator[None]:
    """Give every log record of this block the fields of request `op` and volume `name`."""
    tokens = operation.current.set(op), volume.set(name)
    try:
        yield
    finally:
        operation.current.reset(tokens[0])
        volume.reset(tokens[1])


def coded(fault: Fault) -> dict[str, str]:
    """Return what a log call about `fault` passes as `extra`."""
    return {"code": fault.code.value}


def brief(fault: Fault) -> str:
    """Return what a line says of the fault that it met: the file's own was said when it was read."""
    return "the configuration cannot be used" if of_the_file(fault) else fault.sentence


def of_the_file(fault: Fault) -> bool:
    """Tell whether the configuration file cannot be used, which `Settings` says, once."""
    return fault.code is Code.BAD_CONFIGURATION and "file" in fault.fields


class Fields(logging.Filter):
    """Puts request, volume and code on a record, and takes line breaks out, so that none can be forged."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Complete the record; keeps every record."""
        text = record.getMessage()
        if record.exc_info:
            text += " | " + " | ".join(traceback.format_exception(*record.exc_info))
        record.msg, record.args, record.exc_info, record.exc_text = single_line(text), None, None, None
        given = record.__dict__
        given["op"] = given.get("op") or operation.current.get()
        given["volume"] = given.get("volume") or volume.get()
        return True


def marks(record: logging.LogRecord, names: tuple[str, ...] = _MARKS) -> dict[str, str]:
    """Return the record's fields of those names that are not empty."""
    given = record.__dict__
    return {name: str(given[name]) for name in names if given.get(name)}


def single_line(text: str) -> str:
    """Return `text` with every control and separator character as a space."""
    return "".join(c if c.isprintable() else " " for c in text)


class Journal(logging.Handler):
    """Writes to journald with our fields."""

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record; a journal that is away is no reason to fail."""
        fields = {
            f"INSTORAGE_{name.upper()}": value for name, value in marks(record, _MARKS + _TIMING).items()
        }
        code = fields.get("INSTORAGE_CODE")
        if code in set(Code):
            fields["MESSAGE_ID"] = message_id(Code(code))  # for journalctl -x
        journal.send(
            record.msg,
            PRIORITY=str(_PRIORITY.get(record.levelno, 6)),
            SYSLOG_IDENTIFIER=IDENTIFIER,
            LOGGER=record.name,
            **fields,
        )


class Line(logging.Formatter):
    """One line a record: time, level, request, volume, code, sentence."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        shown = " ".join(marks(record).values())
        return f"{self.formatTime(record)} {record.levelname} [{shown}] {record.msg}"


class Log:
    """The handlers of this process; `apply` follows the configuration."""

    def __init__(self) -> None:
        self._root = logging.getLogger()
        self._file: LogFile | None = None
        self._settings: LogSettings | None = None
        main = Journal() if "JOURNAL_STREAM" in os.environ else logging.StreamHandler(sys.stderr)
        self._root.setLevel(logging.WARNING)  # libraries; at debug pyroute2 alone writes pages
        logging.getLogger(LOUD).setLevel(logging.CRITICAL)  # our own sentences say the same better
        self._level("INFO")
        self._add(main)

    def apply(self, settings: LogSettings) -> None:
        """Use level and file of a configuration that came into force.

        A file that cannot be had is said, with the mend, and looked for again with each line.
        """
        if settings == self._settings:
            return
        self._settings = settings
        self._level(settings.level.value.upper())
        if self._file is not None:
            self._root.removeHandler(self._file)
            helper_record.LOGGER.removeHandler(self._file)
            self._file.close()
            self._file = None
        if settings.enabled:
            self._file = _file(settings)
            self._add(self._file)
            helper_record.LOGGER.addHandler(self._file)
            if trouble := self._file.look():
                _LOG.warning("%s", trouble)

    @staticmethod
    def _level(name: str) -> None:
        for ours in OURS:
            logging.getLogger(ours).setLevel(name)

    def _add(self, handler: logging.Handler) -> None:
        handler.addFilter(Fields())
        handler.setFormatter(Line())
        self._root.addHandler(handler)


def _file(settings: LogSettings) -> LogFile:
    path = settings.directory / f"{IDENTIFIER}.log"
    return LogFile(
        path, settings.rotate_at, lambda error: log_directory.mend(error, settings.directory, UNIT)
    )
