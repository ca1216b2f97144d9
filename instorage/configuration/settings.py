"""The configuration file `config/instorage.yaml`: typed records, and `load`, which makes or refuses them.

Keys, meanings and defaults are those of the vendor's manual (V2.1.0, table 3-1) and a few more. One file
serves both parts; the provisioner asks for `storage` alone (`need_host=False`), and takes `host.volumeKey`
and `log` where they can be read.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from instorage import places
from instorage.configuration import cipher_key, document
from instorage.configuration.document import Mapping, Problem, Sequence
from instorage.configuration.host_section import (
    Fence,
    HostSettings,
    Link,
    Patience,
    read_host,
    read_volume_keys,
)
from instorage.configuration.section import Section, bad, plugin_directory
from instorage.configuration.storage_section import StorageSettings, read_storage
from instorage.wire.fault import Fault

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "LOG_KEYS",
    "Configuration",
    "Fence",
    "HostSettings",
    "Level",
    "Link",
    "LogSettings",
    "Patience",
    "StorageSettings",
    "load",
]


LOG_KEYS = ("enabled", "logdir", "level", "logrotatemaxsize")


class Level(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class LogSettings:
    """Section `log`: files beside the journal, which is always written."""

    enabled: bool = False
    directory: Path = places.PLUGIN / "log"
    level: Level = Level.INFO
    rotate_at: int = 0  # bytes; 0: never


@dataclass(frozen=True)
class Configuration:
    """A whole valid file. `host` is None only when it was not asked for."""

    path: Path
    log: LogSettings
    host: HostSettings | None
    storage: tuple[StorageSettings, ...]  # the first is the default array; never empty
    volume_keys: tuple[str, ...] = ()
    warnings: tuple[str, ...] = field(default=(), compare=False)

    def array(self, name: str | None = None) -> StorageSettings | None:
        """Return the array of that name, the default one for None or "", None when there is no such."""
        return self.storage[0] if not name else next((s for s in self.storage if s.name == name), None)

    @property
    def plugin_directory(self) -> Path:
        """Return the directory that holds `config/`, which relative paths are relative to."""
        return plugin_directory(self.path)


def load(path: Path, *, need_host: bool = True, key_file: Path = cipher_key.KEY_FILE) -> Configuration:
    """Read `path`; raise `Fault(BAD_CONFIGURATION)` (AS13000: `NOT_SUPPORTED`) naming file, key and mend.

    `key_file` opens `storage[].shadow`. A password may also lie in `$CREDENTIALS_DIRECTORY/<name>.password`,
    without that variable in `storage_section.CREDENTIALS`.
    """
    data, mode = _read(path)
    warnings: list[str] = []
    try:
        root = _tree(path, document.decode(data), warnings)
    except Problem as problem:
        raise bad(path, problem.line, problem.what) from None
    if not isinstance(root, Mapping):
        raise bad(
            path, root.line, "the file must have the groups log, host and storage: see ext-sample-18000-cfg"
        )
    top = Section(path, "", _gathered(path, root, warnings), warnings)
    top.refuse_unknown(("log", "host", "storage"))
    host = top.section("host") if need_host or isinstance(top.present("host"), Mapping) else None
    storage = read_storage(top, key_file)
    if mode & stat.S_IROTH and any(s.clear_text for s in storage):
        warnings.append(
            f"{path}: every user of this machine can read the clear-text password in the file: "
            "give it mode 0640 and the group of the service that reads it, or use shadow."
        )
    return Configuration(
        path=path,
        log=_node_log(top) if need_host else _log_if_readable(top),
        host=read_host(top, host) if need_host else None,
        storage=storage,
        volume_keys=read_volume_keys(host) if host else (),
        warnings=tuple(warnings),
    )


def _read(path: Path) -> tuple[bytes, int]:
    """Return the file's bytes and mode. Only a regular file: a FIFO must not hang the agent."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        what = f"the configuration cannot be read ({error.strerror}): {_mend(path, error)}"
        raise bad(path, 0, what) from None
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise bad(path, 0, "this is no regular file: put the configuration there")
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(document.MAX_BYTES + 1), mode
    finally:
        os.close(descriptor)


def open_mend(path: Path) -> str:
    """Return what makes a path reachable that this process may not look at."""
    closed = next((one for one in reversed(path.parents) if not os.access(one, os.X_OK)), None)
    if closed is not None:
        return f"its directory {closed} is closed to the user of this service: chmod 755 '{closed}'"
    return "give it mode 0640 and the group of the service that reads it"


def _mend(path: Path, error: OSError) -> str:
    if isinstance(error, PermissionError):
        return open_mend(path)
    return "put the file there; ext-sample-18000-cfg prints one to begin with"


def _tree(path: Path, text: str, warnings: list[str]) -> document.Node:
    try:
        return document.parse(text)
    except Problem as problem:
        joined, line = document.rejoin(text)
        if not line:
            raise
        try:
            root = document.parse(joined)
        except Problem:
            raise problem from None
        warnings.append(
            f"{path}, line {line}: taken as the rest of the line above, as in the manual's print: join them."
        )
        return root


def _gathered(path: Path, root: Mapping, warnings: list[str]) -> Mapping:
    """Give `shadow` and `barrierPath` without indentation (the manual's first sample) to the last array."""
    storage = root.entries.get("storage")
    stray = {key: root.entries[key] for key in ("shadow", "barrierPath") if key in root.entries}
    if not stray or not isinstance(storage, Sequence) or not storage.items:
        return root
    last = storage.items[-1]
    if not isinstance(last, Mapping) or stray.keys() & last.entries.keys():
        return root
    warnings.append(
        f"{path}: {' and '.join(stray)} taken as keys of the last array under storage: indent them."
    )
    entries = {key: node for key, node in root.entries.items() if key not in stray}
    items = (*storage.items[:-1], Mapping(last.entries | stray, last.line))
    return Mapping(entries | {"storage": Sequence(items, storage.line)}, root.line)


def _log(top: Section) -> LogSettings:
    log = top.section("log")
    folder = plugin_directory(top.file)
    if log is None:
        return LogSettings(directory=folder / "log")
    log.refuse_unknown(LOG_KEYS)
    return LogSettings(
        enabled=log.flag("enabled", default=False),
        directory=folder / (log.concrete("logdir") or "log"),
        level=_level(log),
        rotate_at=log.size("logrotatemaxsize", 0),
    )


def _node_log(top: Section) -> LogSettings:
    found = _log(top)
    if found.enabled and found.directory.is_relative_to(plugin_directory(top.file)):
        top.warn(
            "log.logdir",
            "lies in the plugin directory, where each new file makes kubelet look at the driver again: "
            "choose one outside, for example /var/log/inspurlog",
        )
    return found


def _log_if_readable(top: Section) -> LogSettings:
    """Return the section; the provisioner works as well without (manual 3.3: it reads `storage` alone)."""
    try:
        return _log(top)
    except Fault as fault:
        top.warnings.append(f"{fault.sentence} Until then there is no log file.")
        return LogSettings()


def _level(log: Section) -> Level:
    """Return the level; a bare number is glog's severity, as in the manual's second sample."""
    severities = {"0": Level.INFO, "1": Level.WARNING, "2": Level.ERROR, "3": Level.ERROR}
    text = log.text("level") or ""
    return severities.get(text) or Level(log.word("level", Level.INFO, list(Level)))
