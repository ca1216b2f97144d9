"""Entries of the journal as `journalctl -o json --all` prints them: from it, or from a file of its output."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import tarfile
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault
from nodeagent.diagnosis.foreign import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

JOURNALCTL = ("/usr/bin/journalctl", "/bin/journalctl")
IN_BUNDLE = "journal.json"
"""The file of a bundle that has the journal."""
SECONDS = 60.0  # that the journal of a day may take to be read
_LONGEST = 1e12  # ms, or seconds since the epoch: what is more is no time
UNITS = tuple(f"instorage-{name}.service" for name in ("nodeagent", "helper", "provisioner"))
"""Who is believed: any user of the host may write entries with fields of our names."""
_UNIT = "_SYSTEMD_UNIT"  # journald itself writes fields that begin so
_ARGUMENTS = ("--quiet", "--no-pager", "--output=json", "--all")


@dataclass(frozen=True)
class Entry:
    """One entry; its fields are read by the part of their name after INSTORAGE_."""

    fields: Mapping[str, str]

    def mark(self, name: str) -> str:
        """Return our field of that name, empty when it has none."""
        return printable(self.fields.get(f"INSTORAGE_{name.upper()}", ""))

    def number(self, name: str) -> float:
        """Return our field as a number, 0 when it is none."""
        with contextlib.suppress(ValueError):
            return finite(self.mark(name))
        return 0.0

    @property
    def at(self) -> float:
        """When it was written, in seconds since the epoch; 0 when that is not said."""
        with contextlib.suppress(ValueError, OverflowError):
            return finite(int(self.fields.get("__REALTIME_TIMESTAMP", "0")) / 1e6)
        return 0.0

    @property
    def message(self) -> str:
        """What it says to people."""
        return printable(self.fields.get("MESSAGE", ""))


def finite(found: object) -> float:
    """Return a number that a journal has; ValueError, TypeError or OverflowError when it is none."""
    number = float(found)  # type: ignore[arg-type]  # TypeError, too, is what is asked for
    if not abs(number) < _LONGEST:  # nor is NaN
        raise ValueError(found)
    return number


def parsed(lines: Iterable[str]) -> Iterator[Entry]:
    """Yield the entries; a line that is none (cut off, another program's) hides no other."""
    for line in lines:
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            yield Entry({str(key): _text(value) for key, value in found.items() if value is not None})


def _text(value: object) -> str:
    """Return a field: text, the bytes of what is none, or the last of several."""
    if isinstance(value, list) and value and all(isinstance(one, int) and 0 <= one < 256 for one in value):
        return bytes(value).decode("utf-8", "replace")
    return _text(value[-1]) if isinstance(value, list) and value else str(value)


def read(matches: Sequence[str], *, file: Path | None = None, since: str = "") -> list[Entry]:
    """Return the entries of our services that have one of these fields («INSTORAGE_OP=…»), the oldest first.

    From `file` (or a bundle), or this host's journal. `Fault`: it cannot be read, or not within a minute.
    """
    if file is not None:
        return [entry for entry in _from_file(file) if _fits(entry, matches)]
    ours = [f"{_UNIT}={unit}" for unit in UNITS]  # of one field any counts, of several all
    wanted = [word for match in matches for word in (*ours, match, "+")][:-1]
    began = (f"--since={since}",) if since else ()
    return list(parsed(_asked((*_ARGUMENTS, *began, *wanted)).splitlines()))


def _fits(entry: Entry, matches: Sequence[str]) -> bool:
    if entry.fields.get(_UNIT) not in UNITS:
        return False
    return any(entry.fields.get(match.partition("=")[0]) == match.partition("=")[2] for match in matches)


def _from_file(file: Path) -> list[Entry]:
    """Return the entries of a file of the journal's, or of the one in a bundle."""
    try:
        if tarfile.is_tarfile(file):
            return _from_bundle(file)
        with file.open(encoding="utf-8", errors="replace") as lines:
            return list(parsed(lines))
    except (OSError, tarfile.TarError) as error:
        why = getattr(error, "strerror", None) or error
        text = f"{file} cannot be read ({why}): give a bundle, or a file of «journalctl -o json --all»."
        raise Fault(Code.BAD_REQUEST, text, file=str(file)) from None


def _from_bundle(file: Path) -> list[Entry]:
    with tarfile.open(file) as tar:
        for member in tar:
            content = tar.extractfile(member) if member.name.endswith(IN_BUNDLE) else None
            if content is not None:
                lines = io.TextIOWrapper(content, encoding="utf-8", errors="replace")
                return list(parsed(lines))
    return []


def _asked(arguments: Sequence[str]) -> str:
    program = next((one for one in JOURNALCTL if os.access(one, os.X_OK)), None)
    if program is None:
        text = "journalctl is not on this host: name a file of its output with --journal."
        raise Fault(Code.TOOL_MISSING, text, program="journalctl")
    process = subprocess.Popen(
        (program, *arguments), env={"LC_ALL": "C.UTF-8"}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", errors="replace",
    )  # fmt: skip
    ends = threading.Timer(SECONDS, process.kill)
    ends.start()
    try:
        out, error = process.communicate()
    finally:
        ends.cancel()
    if process.returncode < 0:
        text = f"journalctl did not end within {SECONDS:.0f} s: ask for less (--since)."
        raise Fault(Code.TIMEOUT, text, program="journalctl")
    if process.returncode and error.strip():
        raise Fault(Code.TOOL_FAILED, f"journalctl failed: {error.strip()[-300:]}", program="journalctl")
    return out
