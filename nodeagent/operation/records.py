"""What is ours: one ownership record for each volume that this agent mapped (architecture.md 6).

A record is on the disk before the volume is mapped and leaves after it is unmapped. Files that cannot be read
or that nobody here wrote are reported and never removed.
"""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from instorage import durable_file
from instorage.volume_name import VolumeName  # noqa: TC001  # hints read at run time
from instorage.wire import record
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Bytes, VolumeUid  # noqa: TC001  # hints read at run time

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = 1
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Record:
    """One volume of ours. `host` is the host object on the array; `target` the device mount, once known.

    `boot_id` is the boot in which it was mapped or mounted last; `created` is UTC in ISO 8601.
    """

    schema: int
    uid: VolumeUid
    name: VolumeName
    storage: str
    host: str
    kind: str
    size: Bytes
    read_only: bool
    boot_id: str
    created: str
    many_readers: bool = False
    target: str | None = None


class Records:
    """The records of this host, in memory and in `directory`; safe for several threads."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._guard = threading.Lock()
        self._records: dict[VolumeUid, Record] = {}

    def load(self) -> int:
        """Read every record; return how many files could not be read (each was logged)."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        bad = 0
        for path in sorted(self._directory.iterdir()):
            if path.name.startswith("."):
                continue  # a write that a crash cut short
            try:
                found = _read(path)
            except (Fault, OSError, ValueError) as error:
                bad += 1
                _LOG.warning("Record %s cannot be used and is left alone: %s", path, error)
                continue
            self._records[found.uid] = found
        return bad

    def get(self, uid: VolumeUid) -> Record | None:
        """Return the record of a volume."""
        with self._guard:
            return self._records.get(uid)

    def by_name(self, name: VolumeName) -> tuple[Record, ...]:
        """Return the records of that volume name (on several arrays there may be several)."""
        with self._guard:
            return tuple(found for found in self._records.values() if found.name == name)

    def all(self) -> tuple[Record, ...]:
        """Return every record."""
        with self._guard:
            return tuple(self._records.values())

    def put(self, new: Record) -> None:
        """Write the record through to the disk; does nothing when it is there already."""
        with self._guard:
            if self._records.get(new.uid) == new:
                return
            self._write(new)
            self._records[new.uid] = new

    def remove(self, uid: VolumeUid) -> None:
        """Remove the record from the disk; success when there is none."""
        with self._guard:
            if self._records.pop(uid, None) is not None:
                (self._directory / uid).unlink(missing_ok=True)
                durable_file.sync_directory(self._directory)

    def _write(self, new: Record) -> None:
        path = self._directory / new.uid
        if path.exists() and new.uid not in self._records:
            path.rename(self._directory / f".{new.uid}.unreadable")  # was reported at the start
        try:
            durable_file.write(path, json.dumps(record.to_json(new), indent=1) + "\n")
        except OSError as error:
            raise Fault(
                Code.INTERNAL,
                f"The record of volume {new.name} cannot be written to {path} ({error}): "
                "nothing was mapped; free space or mend the file system.",
                volume=new.name,
            ) from None


def _read(path: Path) -> Record:
    found = json.loads(path.read_bytes())
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        raise Fault(Code.BAD_REQUEST, f"It is not a record of schema {SCHEMA}.")
    parsed = record.from_json(Record, found)
    if parsed.uid != path.name:
        raise Fault(Code.BAD_REQUEST, f"It is about volume UID {parsed.uid}.")
    return parsed
