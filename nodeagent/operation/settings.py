"""The configuration in force, and what the journal and every answer say while the file is broken."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from instorage.configuration.file import ConfigurationFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from instorage.configuration.settings import Configuration

_LOG = logging.getLogger(__name__)


class Settings:
    """The configuration file of this host; `changed` is called with each one that comes into force."""

    def __init__(self, path: Path, changed: Callable[[Configuration], None] = lambda _: None) -> None:
        self._path = path
        self._file = ConfigurationFile(path)
        self._changed = changed
        self._guard = threading.Lock()
        self._seen: Configuration | None = None
        self._said = ""

    def current(self) -> Configuration:
        """Return what is in force now; the file's fault when there has never been a valid one."""
        try:
            found = self._file.current()
        finally:
            self._say_trouble()
        with self._guard:
            if found is not self._seen and found != self._seen:
                _LOG.info("Configuration %s is in force", self._path)
                unusable = (found.host.unusable,) if found.host and found.host.unusable else ()
                for warning in (*found.warnings, *unusable):
                    _LOG.warning("%s", warning)
                self._changed(found)
            self._seen = found
        return found

    @property
    def remark(self) -> str:
        """Return a sentence for every answer while the file is broken and an older one is in force."""
        trouble = self._file.trouble
        if trouble is None or self._seen is None:
            return ""
        return f"The configuration of before stays in force, since the file is broken: {trouble.sentence}"

    def _say_trouble(self) -> None:
        trouble = self._file.trouble
        sentence = trouble.sentence if trouble else ""
        with self._guard:
            said, self._said = self._said, sentence
        if trouble is not None and said != sentence:
            _LOG.error("%s", sentence, extra={"code": trouble.code.value})
