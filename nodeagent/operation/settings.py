"""The configuration in force, and what the journal and every answer say while the file is broken."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from instorage.configuration.file import ConfigurationFile
from nodeagent.host import fc_ports

if TYPE_CHECKING:
    from collections.abc import Callable

    from instorage.configuration.settings import Configuration

_LOG = logging.getLogger(__name__)


class Settings:
    """The configuration file of this host; `changed` is called with each one that comes into force."""

    def __init__(
        self,
        path: Path,
        changed: Callable[[Configuration], None] = lambda _: None,
        sysfs: Path = Path("/sys"),
    ) -> None:
        self._path, self._sysfs = path, sysfs
        self._file = ConfigurationFile(path)
        self._changed = changed
        self._guard = threading.Lock()
        self._seen: Configuration | None = None
        self._said = ""

    def current(self) -> Configuration:
        """Return what is in force now; the file's fault when there has never been a valid one.

        One caller at a time: who comes back with an older one would have it said, and applied, once more.
        """
        with self._guard:
            try:
                found = self._file.current()
            finally:
                self._say_trouble()
            if found is not self._seen and found != self._seen:
                _LOG.info("Configuration %s is in force", self._path)
                unusable = fc_ports.unusable(found.host, self._sysfs) if found.host else ""
                for warning in filter(None, (*found.warnings, unusable)):
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
        said, self._said = self._said, trouble.sentence if trouble else ""
        if trouble is not None and said != trouble.sentence:
            _LOG.error("%s", trouble.sentence, extra={"code": trouble.code.value})
        elif trouble is None and said:
            _LOG.info("Configuration %s can be used again", self._path)
