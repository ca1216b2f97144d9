"""The parameters of a StorageClass (manual, table 4-2): what kind of volume is wanted, checked word by word.

Unknown parameters are refused by name, since a typo must not silently give a thick volume. `volAutoExpand`
defaults to true, as in the vendor's source and unlike its manual: a thin volume that cannot grow goes offline
when its first 2 % are used. docs/class-parameters.md is the same for administrators; a test compares them.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from instorage.arrays.model import Level, Provisioning, VolumeSpec
from instorage.wire.fault import Code, Fault
from instorage.wire.values import FsType

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from instorage.volume_name import VolumeName
    from instorage.wire.values import Bytes

KNOWN = (
    "volPoolName", "volAuxPoolName", "volIOGrp", "volAuxIOGrp", "volLevel", "volThin", "volCompress",
    "volInTier", "volThinResize", "volThinGrainSize", "volThinWarning", "volAutoExpand",
    "provisioner/fsType", "storageName",
)  # fmt: skip
AS13000_ONLY = (
    "devKind", "dataPool", "metaPool", "thinAttribute", "threshold", "sharePoolName", "shareAccessClient",
)  # fmt: skip
GRAINS = ("32", "64", "128", "256")
_OBJECT = re.compile(r"[^\x00-\x20:\x7f][^\x00-\x1f:\x7f]{0,62}")


@dataclass(frozen=True)
class VolumeClass:
    """A valid set of parameters. `storage_name` None: the first array of the configuration."""

    level: Level
    pools: tuple[str, ...]
    io_groups: tuple[str, ...]
    provisioning: Provisioning
    fs_type: FsType
    storage_name: str | None

    @classmethod
    def parse(cls, parameters: Mapping[str, str]) -> VolumeClass:
        """Check all parameters; `Fault(BAD_REQUEST)` names parameter, value and what is allowed."""
        reader = _Reader(parameters)
        reader.refuse_unknown()
        level = Level(reader.word("volLevel", Level.BASIC, list(Level)))
        return cls(
            level=level,
            pools=_pools(reader, level),
            io_groups=_io_groups(reader, level),
            provisioning=_provisioning(reader, level),
            fs_type=FsType(reader.word("provisioner/fsType", "ext4", ("ext4", "ext3", "xfs"))),
            storage_name=reader.text("storageName") or None,
        )

    def spec(self, name: VolumeName, size: Bytes) -> VolumeSpec:
        """Return the volume of that name and size."""
        return VolumeSpec(name, size, self.pools, self.level, self.io_groups, self.provisioning)


def _pools(reader: _Reader, level: Level) -> tuple[str, ...]:
    first = reader.object("volPoolName")
    if first is None:
        reader.fail("volPoolName", "is missing: name the pool of the volume")
    second = reader.object("volAuxPoolName")
    if level is Level.BASIC:
        if second is not None:
            reader.fail("volAuxPoolName", "is for volLevel mirror or aa: remove it or set volLevel")
        return (first,)
    if second is None:
        reader.fail("volAuxPoolName", f"is missing: volLevel {level} needs the pool of the second copy")
    return (first, second)


def _io_groups(reader: _Reader, level: Level) -> tuple[str, ...]:
    first, second = reader.object("volIOGrp"), reader.object("volAuxIOGrp")
    if level is not Level.ACTIVE_ACTIVE:
        if second is not None:
            reader.fail("volAuxIOGrp", "is for volLevel aa: remove it or set volLevel")
        return () if first is None else (first,)
    if first is None:
        reader.fail("volIOGrp", "is missing: volLevel aa needs the I/O group of the first site")
    if second is None:
        reader.fail("volAuxIOGrp", "is missing: volLevel aa needs the I/O group of the second site")
    if first == second:
        reader.fail("volAuxIOGrp", "is the same as volIOGrp: the two sites have different I/O groups")
    return (first, second)


def _provisioning(reader: _Reader, level: Level) -> Provisioning:
    tiering = reader.flag("volInTier", default=False)
    if tiering and level is Level.ACTIVE_ACTIVE:
        reader.fail(
            "volInTier", "is for volLevel basic or mirror: the array makes no volume of level aa with it"
        )
    compressed = reader.flag("volCompress", default=False)
    grain = reader.word("volThinGrainSize", "", GRAINS) if reader.text("volThinGrainSize") else ""
    warning = reader.number("volThinWarning", None, 1, 99)
    return Provisioning(
        thin=reader.flag("volThin", default=False) or compressed,
        compressed=compressed,
        initial_percent=reader.number("volThinResize", 2, 0, 100) or 0,
        warning_percent=warning,
        grain_kib=int(grain) if grain else None,
        auto_expand=reader.flag("volAutoExpand", default=True),
        tiering=tiering,
    )


@dataclass(frozen=True)
class _Reader:
    """Reads parameters one by one; an empty value counts as absent."""

    given: Mapping[str, str]

    def refuse_unknown(self) -> None:
        for key in self.given:
            if key in AS13000_ONLY:
                raise Fault(
                    Code.NOT_SUPPORTED,
                    f"Parameter {key} is for an AS13000, which this version does not support yet: remove it.",
                    parameter=key,
                )
            if key not in KNOWN:
                near = difflib.get_close_matches(key, KNOWN, n=1)
                mend = f"did you mean {near[0]}?" if near else f"known are {', '.join(KNOWN)}"
                self.fail(key, f"is not known: {mend}")

    def fail(self, key: str, what: str) -> NoReturn:
        shown = "".join(c if c.isprintable() else "?" for c in key)[:60]
        raise Fault(Code.BAD_REQUEST, f"Parameter {shown} {what}.", parameter=shown)

    def text(self, key: str) -> str:
        return self.given.get(key, "")

    def object(self, key: str) -> str | None:
        """Return the name or number of a thing on the array."""
        text = self.text(key)
        if text and not _OBJECT.fullmatch(text):
            self.fail(key, f"is {text[:60]!r}: a name has 1 to 63 characters, without colons")
        return text or None

    def word(self, key: str, default: str, allowed: Collection[str]) -> str:
        text = self.text(key) or default
        if text not in allowed:
            self.fail(key, f"is {text[:40]!r}: allowed are {', '.join(allowed)}")
        return text

    def flag(self, key: str, *, default: bool) -> bool:
        text = self.text(key).lower()
        if text not in ("", "true", "false"):
            self.fail(key, f"is {text[:40]!r}: allowed are true and false")
        return text == "true" if text else default

    def number(self, key: str, default: int | None, lowest: int, highest: int) -> int | None:
        text = self.text(key)
        if not text:
            return default
        if not re.fullmatch(r"[0-9]{1,3}", text, re.ASCII) or not lowest <= int(text) <= highest:
            self.fail(key, f"is {text[:40]!r}: allowed are {lowest} to {highest}")
        return int(text)
