"""One volume as each side has it: the agent's record, the array's mapping, what the kernel has."""

from __future__ import annotations

import contextlib
import datetime
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from instorage.wire.fault import Fault

if TYPE_CHECKING:
    from nodeagent.administration.doctor.host import Host

YOUNG_SECONDS = 180.0
"""A record younger than this may be of an attach under way, which has its own deadlines."""


@dataclass(frozen=True)
class Picture:
    """What there is of a volume; `record`, `mapping` and `kernel` are empty where there is nothing.

    `array` says which array it is on, empty when none is known; `silent`: that array, or any that might have
    it, did not answer, so that no mapping says nothing. `young`: its record is new.
    """

    uid: str
    record: dict[str, Any] = field(default_factory=dict)
    mapping: dict[str, Any] = field(default_factory=dict)
    kernel: dict[str, Any] = field(default_factory=dict)
    array: str = ""
    silent: bool = False
    young: bool = False

    @property
    def name(self) -> str:
        """The name of its PV, or of the array, or its UID."""
        return str(self.record.get("name") or self.mapping.get("volume") or self.uid)

    @property
    def paths(self) -> list[dict[str, Any]]:
        """The kernel's paths."""
        return list(self.kernel.get("paths", ()))

    @property
    def mounts(self) -> list[dict[str, Any]]:
        """The kernel's mounts."""
        return list(self.kernel.get("mounts", ()))

    @property
    def here(self) -> bool:
        """Whether the kernel has anything of it."""
        return bool(self.paths or self.mounts or self.kernel.get("device"))


def pictures(host: Host, turn: int = 1) -> list[Picture]:
    """Return every volume that any side knows, by UID; Fault or OSError of a side that cannot be read.

    Records are read before and after the others, so that one that comes or goes meanwhile is no stranger.
    """
    before = _records(host, 2 * turn - 1)
    kernel = {str(one["uid"]): one for one in host.kernel(turn)}
    answers = host.arrays(turn)
    after = _records(host, 2 * turn)
    mapped = {
        str(one["uid"]): (name, one)
        for name, said in answers.items()
        for one in said["mappings"]
        if one["uid"]
    }
    silent = {
        one.name for one in host.setup.arrays if "fault" in answers.get(one.name, {"fault": "not asked"})
    }
    found = []
    changing = before.keys() ^ after.keys()
    for uid in sorted(before.keys() | after.keys() | kernel.keys() | mapped.keys()):
        record = after.get(uid) or before.get(uid) or {}
        array, mapping = mapped.get(uid, (str(record.get("storage", "")), {}))
        asked = {array} if array else {one.name for one in host.setup.arrays}
        young = uid in changing or _young(record, host)
        found.append(Picture(uid, record, mapping, kernel.get(uid, {}), array, bool(asked & silent), young))
    return found


def _records(host: Host, turn: int) -> dict[str, dict[str, Any]]:
    found = {}
    for name, text in host.records(turn).items():
        with contextlib.suppress(ValueError, RecursionError):
            read = json.loads(text)
            found[name] = read if isinstance(read, dict) else {}
        found.setdefault(name, {"name": "", "unreadable": True})
    return found


def _young(record: dict[str, Any], host: Host) -> bool:
    now = float(host.looks.answer("now", lambda: datetime.datetime.now(datetime.UTC).timestamp()))
    try:
        made = datetime.datetime.fromisoformat(str(record.get("created", "")))
        return now - made.timestamp() < YOUNG_SECONDS
    except ValueError:
        return False


def of_volume(host: Host, found: list[Picture]) -> dict[str, Any]:
    """Return what the arrays say of `host.volume`, by array: None where there is none."""
    wanted = next((one for one in found if host.volume in (one.name, one.uid)), None)
    asked = [wanted.array] if wanted and wanted.array else [one.name for one in host.setup.arrays]
    key = wanted.uid if wanted else host.volume
    said = host.volumes({name: [key] for name in asked})
    return {name: one["found"].get(key) for name, one in said.items() if "fault" not in one}


def known(host: Host) -> list[Picture]:
    """Return `pictures`, or none when a side cannot be read."""
    with contextlib.suppress(Fault, OSError):
        return pictures(host)
    return []
