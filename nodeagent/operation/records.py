"""What is ours: one ownership record for each volume that this agent mapped (architecture.md 6).

A record is on the disk before the volume is mapped and leaves after it is unmapped. Files that cannot be read
or that nobody here wrote are reported and never removed; one that is named as a volume says that the volume
is ours all the same, and nothing more.

Another version's record is read as far as it goes: keys that are not known here are kept and written again,
those that decide nothing may be missing. What it must say and does not is asked of the arrays.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import itertools
import json
import logging
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from instorage import durable_file, trail
from instorage.arrays.growth import Growth  # noqa: TC001  # hints read at run time
from instorage.volume_name import VolumeName  # noqa: TC001  # hints read at run time
from instorage.wire import record
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Bytes, VolumeUid

if TYPE_CHECKING:
    from pathlib import Path

    from instorage.arrays.model import Host, Volume

SCHEMA = 1
_SPARED: dict[str, object] = {"schema": SCHEMA, "read_only": False, "boot_id": "", "created": ""}
"""What a record may lack: without a boot it is looked at at the start; the mount says if it is read-only."""
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Record:
    """One volume of ours. `host` is the host object on the array; `target` the device mount, once known.

    `host_id` is that object's id: its name may be changed; empty in a record of before.

    `boot_id` is the boot in which it was mapped or mounted last; `created` is UTC in ISO 8601. `doubted`:
    another machine was seen behind this one's port, and this one had so many sessions then (`proof`).
    `growth` was sent to the array and may be under way; None, and left out, when it is not.
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
    host_id: str = ""
    doubted: int | None = None
    growth: Growth | None = None

    @classmethod
    def of(cls, volume: Volume, storage: str, host: Host, boot_id: str) -> Record:
        """Return the first record of a volume of array `storage` that is the host object's from now on."""
        return cls(
            schema=SCHEMA,
            uid=volume.uid,
            name=volume.name,
            storage=storage,
            host=host.name,
            kind=volume.level.value,
            size=volume.size,
            read_only=False,
            boot_id=boot_id,
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            host_id=host.id,
        )


class Records:
    """The records of this host, in memory and in `directory`; safe for several threads."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._guard = threading.Lock()
        self._records: dict[VolumeUid, Record] = {}
        self._kept: dict[VolumeUid, dict[str, object]] = {}
        self._unknown: set[VolumeUid] = set()

    def load(self) -> int:
        """Read every record; return how many files could not be read (each was logged)."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        bad = 0
        for path in sorted(self._directory.iterdir()):
            if path.name.startswith("."):
                continue  # a write that a crash cut short, or what was set aside
            try:
                found, kept = _read(path)
            except (Fault, OSError, ValueError, RecursionError) as error:
                bad += 1
                self._cannot_be_read(path, error)
                continue
            self._records[found.uid] = found
            self._kept[found.uid] = kept
        return bad

    def _cannot_be_read(self, path: Path, error: Exception) -> None:
        what = "It is left alone."
        with contextlib.suppress(Fault):
            self._unknown.add(VolumeUid.parse(path.name))
            what = "The arrays are asked for that volume; until one has answered it counts as attached here."
        _LOG.warning("Record %s cannot be used (%s). %s", path, error, what)

    def unknown(self) -> tuple[VolumeUid, ...]:
        """Return the volumes that are ours by a record that cannot be read."""
        with self._guard:
            return tuple(sorted(self._unknown))

    def settle_unknown(self, uid: VolumeUid) -> None:
        """Count a volume whose record cannot be read as not attached here; the file stays for people."""
        with self._guard:
            self._unknown.discard(uid)

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
            with trail.timed(trail.Kind.WAIT, "the volume's record to be on the disk"):
                self._write(new)
            self._records[new.uid] = new
            self._unknown.discard(new.uid)

    def remove(self, uid: VolumeUid) -> None:
        """Remove the record from the disk; success when there is none. What failed is still known."""
        with self._guard:
            if uid not in self._records:
                return
            path = self._directory / uid
            try:
                with trail.timed(trail.Kind.WAIT, "the volume's record to be off the disk"):
                    path.unlink(missing_ok=True)
                    durable_file.sync_directory(self._directory)
            except OSError as error:
                name = self._records[uid].name
                raise Fault(
                    Code.INTERNAL,
                    f"The record of volume {name} cannot be removed from {path} ({error}): mend the file "
                    "system; it is tried again.",
                    volume=name,
                ) from None
            del self._records[uid]
            self._kept.pop(uid, None)

    def _write(self, new: Record) -> None:
        path = self._directory / new.uid
        text = json.dumps(self._kept.get(new.uid, {}) | record.to_json(new), indent=1) + "\n"
        try:
            if new.uid not in self._records and path.exists():
                _set_aside(path)
            durable_file.write(path, text)
        except OSError as error:
            raise Fault(
                Code.INTERNAL,
                f"The record of volume {new.name} cannot be written to {path} ({error}): free space or mend "
                "the file system; it is tried again.",
                volume=new.name,
            ) from None


def _read(path: Path) -> tuple[Record, dict[str, object]]:
    """Return the record and what another version wrote into it that is not known here."""
    if not path.is_file():
        raise Fault(Code.BAD_REQUEST, "It is no file.")
    found = json.loads(path.read_bytes())
    if not isinstance(found, dict):
        raise Fault(Code.BAD_REQUEST, "It is no record.")
    known = {field.name for field in dataclasses.fields(Record)}
    kept = {key: value for key, value in found.items() if key not in known}
    parsed = record.from_json(Record, _SPARED | {key: found[key] for key in known & found.keys()})
    if parsed.uid != path.name:
        raise Fault(Code.BAD_REQUEST, f"It is about volume UID {parsed.uid}.")
    return parsed, kept


def _set_aside(path: Path) -> None:
    """Keep a file that could not be read under another name as well, until the first is replaced."""
    for number in itertools.count():
        aside = path.with_name(f".{path.name}.unreadable" + (f"-{number}" if number else ""))
        try:
            os.link(path, aside)
        except FileExistsError:
            if not aside.samefile(path):
                continue
        _LOG.warning("Record %s, which could not be used, is kept as %s", path, aside)
        return
