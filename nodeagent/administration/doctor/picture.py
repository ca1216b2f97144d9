"""One volume as each side has it: the agent's record, the array's mapping, what the kernel has."""

from __future__ import annotations

import contextlib
import datetime
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from instorage.wire.fault import Fault

if TYPE_CHECKING:
    from collections.abc import Collection

    from nodeagent.administration.doctor.host import Host

YOUNG_SECONDS = 180.0
"""A record younger than this may be of an attach under way, which has its own deadlines."""


@dataclass(frozen=True)
class Picture:
    """What there is of a volume; `record`, `mapping` and `kernel` are empty where there is nothing.

    `array` says which array it is on, empty when none is known; `silent`: that array, or any that might have
    it, is not configured, did not answer, or did not show this node's host object, so that no mapping says
    nothing. `young`: its record is new. `alone`: what it is mapped to has ports of this node alone. `leads`:
    whether its paths lead to arrays that answered; None where that cannot be told, as over Fibre Channel.
    """

    uid: str
    record: dict[str, Any] = field(default_factory=dict)
    mapping: dict[str, Any] = field(default_factory=dict)
    kernel: dict[str, Any] = field(default_factory=dict)
    array: str = ""
    silent: bool = False
    young: bool = False
    alone: bool = False
    leads: bool | None = None

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
    records = before | after
    mapped = _mapped(answers, records.keys() | kernel.keys())
    targets = {
        str(one["target"]).casefold()
        for said in answers.values()
        if "fault" not in said
        for one in said.get("targets", ())
    }
    found = []
    changing = before.keys() ^ after.keys()
    for uid in sorted(records.keys() | kernel.keys() | mapped.keys()):
        record = records.get(uid, {})
        array, mapping, alone = mapped.get(uid, (str(record.get("storage", "")), {}, False))
        has = kernel.get(uid, {})
        silent = _silent(host, answers, array, record, mapping)
        young = uid in changing or _young(record, host)
        found.append(Picture(uid, record, mapping, has, array, silent, young, alone, _leads(has, targets)))
    return found


def _mapped(answers: dict[str, Any], known: Collection[str]) -> dict[str, tuple[str, dict[str, Any], bool]]:
    """Return of each volume that is mapped here its array, the mapping, and whether no other machine has it.

    What an object under a strange name has is looked for only where record or kernel know the volume: it may
    be another machine's.
    """
    found: dict[str, tuple[str, dict[str, Any], bool]] = {}
    for name, said in answers.items():
        own = {one["name"] for one in said["hosts"] if one.get("own")}
        found |= {one["uid"]: (name, one, False) for one in said.get("held", ()) if one["uid"] in known}
        found |= {one["uid"]: (name, one, one["host"] in own) for one in said["mappings"] if one["uid"]}
    return found


def _silent(
    host: Host, answers: dict[str, Any], array: str, record: dict[str, Any], mapping: dict[str, Any]
) -> bool:
    """Say whether it cannot be told that a volume is not mapped here; without an array all must say so."""
    asked = {array} if array else {one.name for one in host.setup.arrays}
    if mapping:
        return "fault" in answers[array]
    return not asked or not all(_certain(host, answers.get(one), record) for one in asked)


def _certain(host: Host, said: dict[str, Any] | None, record: dict[str, Any]) -> bool:
    """Say whether an array answered, and was asked for the host object that the record names."""
    if said is None or "fault" in said or not said.get("certain", not said.get("holder")):
        return False
    objects = [*said["hosts"], *filter(None, [said.get("holder")])]
    named = {*host.setup.host_names, *(str(one["name"]) for one in objects)}
    return str(record.get("host") or "") in {"", *named}


def _leads(kernel: dict[str, Any], targets: Collection[str]) -> bool | None:
    """Say whether all paths lead to these targets, or none; None: some do, or a path does not say where."""
    paths = kernel.get("paths", ())
    ends = [path["target"] for path in paths if path.get("portal") and path.get("target")]
    known = [str(end).casefold() in targets for end in ends]
    if not known or len(known) < len(paths) or (any(known) and not all(known)):
        return None
    return known[0]


def _records(host: Host, turn: int) -> dict[str, dict[str, Any]]:
    found = {}
    for name, text in host.records(turn).items():
        with contextlib.suppress(ValueError, RecursionError):
            read = json.loads(text)
            if isinstance(read, dict) and read:
                found[name] = read
        found.setdefault(name, {"name": "", "unreadable": True})
    return found


def _young(record: dict[str, Any], host: Host) -> bool:
    now = float(host.looks.answer("now", lambda: datetime.datetime.now(datetime.UTC).timestamp()))
    try:
        made = datetime.datetime.fromisoformat(str(record.get("created", "")))
        return now - made.timestamp() < YOUNG_SECONDS
    except ValueError:
        return False


def of_volume(host: Host, found: list[Picture]) -> tuple[dict[str, Any], list[str]]:
    """Return what arrays say of `host.volume` (None: it is not there), by array; and who does not say."""
    wanted = next((one for one in found if host.volume in (one.name, one.uid)), None)
    asked = [wanted.array] if wanted and wanted.array else [one.name for one in host.setup.arrays]
    key = wanted.uid if wanted else host.volume
    said = host.volumes({name: [key] for name in asked})
    told = {name: one["found"].get(key) for name, one in said.items() if "fault" not in one}
    return told, sorted(set(asked) - told.keys())


def known(host: Host) -> list[Picture]:
    """Return `pictures`, or none when a side cannot be read."""
    with contextlib.suppress(Fault, OSError):
        return pictures(host)
    return []
