"""The barrier file: an active-active expansion that is under way, or was broken off (manual, chapter 6).

It is there from before the first command until after the last, so that no kill can leave it out. Until a
person removes it nothing is attached to this host or detached from it. What a process learns from it depends
on the host lock: who holds the lock and reads «running» knows that the expansion was broken off.
"""

from __future__ import annotations

import contextlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from instorage import durable_file
from instorage.arrays.expansion import Expansion, Progress
from instorage.configuration.settings import open_mend
from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from collections.abc import Iterable

    from instorage.configuration.settings import Configuration
    from nodeagent.operation.node import Operation

NAME = "aa-extend-failure.barrier"
LIMIT = 64 << 10  # bytes that are read of a file that anybody may have written
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Barrier:
    """A barrier file; `record` is its machine-readable part, None when somebody else wrote it."""

    path: Path
    record: Expansion | None

    @property
    def running(self) -> bool:
        """True when the file says that the expansion is under way: so it is, or it was broken off."""
        return self.record is not None and self.record.state is Progress.RUNNING

    @property
    def what(self) -> str:
        """«An active-active expansion of volume X», as far as the file says."""
        named = f" of volume {self.record.volume}" if self.record else ""
        return f"An active-active expansion{named}"


def present(configuration: Configuration) -> Barrier | None:
    """Return the barrier that is there: the directory of any array counts for all, one broken off first."""
    return min(all_present(configuration), key=lambda one: one.running, default=None)


def all_present(configuration: Configuration) -> tuple[Barrier, ...]:
    """Return every barrier that is there."""
    try:
        return tuple(_read(path) for path in paths(configuration) if path.exists())
    except PermissionError as error:
        file, mend = error.filename, open_mend(Path(error.filename))
        sentence = f"The node agent cannot look for the barrier file {file} (Permission denied): {mend}."
        raise Fault(Code.BARRIER, sentence, file=str(file)) from None
    except OSError as error:
        sentence = f"The place of the barrier file cannot be looked at: {error}. Correct it, or barrierPath."
        raise Fault(Code.BARRIER, sentence) from None


def paths(configuration: Configuration) -> tuple[Path, ...]:
    """Return the places of the barrier file, each once."""
    places = [storage.barrier_directory / NAME for storage in configuration.storage]
    return tuple({path.resolve(): path for path in places}.values())


def refuse(operation: Operation) -> None:
    """Raise `Fault(BARRIER)` naming the file while one is there, for who does not hold the host lock."""
    found = present(operation.configuration)
    if found is None:
        return
    if found.running and operation.node.expansions.volume is not None:
        mend = "it is tried again when that has ended"
        raise _fault(found, f"{found.what} is under way on this host (barrier file {found.path}): {mend}.")
    raise broken_off(found)


def broken_off(found: Barrier) -> Fault:
    """Return the refusal by a barrier whose expansion is not under way any more."""
    return _fault(
        found,
        f"{found.what} was broken off on this host, see the barrier file {found.path}: finish it with "
        "«instoragectl barrier resume», or do what «instoragectl barrier plan» prints and remove that file; "
        "until then nothing is attached or detached here.",
    )


def _fault(found: Barrier, sentence: str) -> Fault:
    return Fault(Code.BARRIER, sentence, file=str(found.path))


def records(texts: Iterable[str]) -> tuple[Expansion, ...]:
    """Read the records that the helper keeps; one that is not understood is said and left alone."""
    found = []
    for text in filter(None, texts):
        try:
            found.append(Expansion.read(json.loads(text)))
        except (Fault, ValueError, RecursionError) as error:
            _LOG.error("A record of an active-active expansion cannot be read and is left alone: %s", error)
    return tuple(found)


class Files:
    """The barrier files of this host. That of the plugin directory is the helper's to write."""

    def __init__(self, configuration: Configuration) -> None:
        plugin = (configuration.plugin_directory / NAME).resolve()
        everywhere = paths(configuration)
        self._plugin = next((path for path in everywhere if path.resolve() == plugin), None)
        self._own = tuple(path for path in everywhere if path.resolve() != plugin)

    @property
    def there(self) -> bool:
        """True while any is there."""
        return any(path.exists() for path in (*self._own, *([self._plugin] if self._plugin else [])))

    def for_helper(self, text: str, *, anew: bool) -> str:
        """Return what the helper is to write: nothing where nobody looks, or where a person removed it."""
        wanted = self._plugin is not None and (anew or self._plugin.exists())
        return text if wanted else ""

    def write(self, text: str, *, anew: bool) -> None:
        """Write the others, at once and whole; only what is there, unless `anew`. `Fault(BARRIER)`."""
        for path in self._own:
            if anew or path.exists():
                _write(path, text)

    def erase(self) -> None:
        """Remove the others; one that cannot be removed is said."""
        for path in self._own:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                _LOG.error("Barrier file %s cannot be removed (%s): remove it by hand", path, error.strerror)


def _write(path: Path, text: str) -> None:
    try:
        durable_file.write(path, text)
    except OSError as error:
        raise Fault(
            Code.BARRIER,
            f"The barrier file {path} cannot be written ({error.strerror}), and without it no active-active "
            "volume is expanded: let the user of the node agent write there, or correct barrierPath.",
            file=str(path),
        ) from None


def _read(path: Path) -> Barrier:
    """Take the last line that looks like a record; what is no record stops this host all the same."""
    with contextlib.suppress(OSError, ValueError, RecursionError, Fault):
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read(LIMIT).splitlines()
        text = next((line for line in reversed(lines) if line.startswith("{")), "")
        return Barrier(path, Expansion.read(json.loads(text)))
    return Barrier(path, None)
