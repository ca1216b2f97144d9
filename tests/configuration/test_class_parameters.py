"""docs/class-parameters.md against the code: every parameter, its values and its default."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from instorage import volume_class
from instorage.arrays.model import Level
from instorage.volume_class import VolumeClass
from instorage.wire.fault import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/class-parameters.md"
LEAST = {"volPoolName": "P"}
DEFAULTS: dict[str, Callable[[VolumeClass], object]] = {
    "volLevel": lambda kind: kind.level,
    "volThin": lambda kind: kind.provisioning.thin,
    "volCompress": lambda kind: kind.provisioning.compressed,
    "volInTier": lambda kind: kind.provisioning.tiering,
    "volThinResize": lambda kind: kind.provisioning.initial_percent,
    "volThinGrainSize": lambda kind: kind.provisioning.grain_kib,
    "volThinWarning": lambda kind: kind.provisioning.warning_percent,
    "volAutoExpand": lambda kind: kind.provisioning.auto_expand,
    "provisioner/fsType": lambda kind: kind.fs_type,
    "storageName": lambda kind: kind.storage_name,
    "volIOGrp": lambda kind: kind.io_groups or None,
    "volAuxIOGrp": lambda kind: kind.io_groups or None,
    "volAuxPoolName": lambda kind: kind.pools[1:] or None,
}


def rows() -> dict[str, tuple[str, str]]:
    """Values and default of each parameter, as the document prints them."""
    lines = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert all(len(row) == 4 for row in cells)
    return {name.strip("`"): (values, default) for name, values, default, _ in cells}


def test_every_parameter_is_in_the_reference_and_no_other() -> None:
    assert tuple(sorted(rows())) == tuple(sorted(volume_class.KNOWN))


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_class_without_a_parameter_has_the_default_of_the_reference(name: str) -> None:
    found = DEFAULTS[name](VolumeClass.parse(LEAST))
    said = "" if found is None else f"`{str(found).lower()}`"
    assert rows()[name][1] == said


def test_the_words_of_the_reference_are_taken_and_others_are_not() -> None:
    full = {**LEAST, "volAuxPoolName": "Q", "volIOGrp": "0", "volAuxIOGrp": "1"}
    for name, (values, _) in rows().items():
        words = re.findall(r"`([^`]+)`", values)
        for word in words if name not in ("storageName", "volLevel") else ():
            VolumeClass.parse({**LEAST, name: word})
        if words and name != "storageName":
            with pytest.raises(Fault, match=name):
                VolumeClass.parse({**LEAST, name: "bogus"})
    words = re.findall(r"`([^`]+)`", rows()["volLevel"][0])
    assert words == list(Level)
    VolumeClass.parse(full | {"volLevel": "aa"})


def test_a_number_beyond_the_range_of_the_reference_is_refused() -> None:
    of_values = {name: re.fullmatch(r"`(\d+)` to `(\d+)`", values) for name, (values, _) in rows().items()}
    ranges = {name: (int(found[1]), int(found[2])) for name, found in of_values.items() if found}
    assert ranges == {"volThinResize": (0, 100), "volThinWarning": (1, 99)}
    for name, (low, high) in ranges.items():
        for beyond in (low - 1, high + 1):
            with pytest.raises(Fault, match=name):
                VolumeClass.parse({**LEAST, name: str(beyond)})


def test_tiering_of_an_active_active_volume_is_refused_and_not_dropped() -> None:
    pair = {**LEAST, "volAuxPoolName": "Q", "volIOGrp": "0", "volAuxIOGrp": "1", "volLevel": "aa"}
    with pytest.raises(Fault, match="Parameter volInTier is for volLevel basic or mirror"):
        VolumeClass.parse(pair | {"volInTier": "true"})
    assert not VolumeClass.parse(pair | {"volInTier": "false"}).provisioning.tiering
    mirror = {**LEAST, "volAuxPoolName": "Q", "volLevel": "mirror", "volInTier": "true"}
    assert VolumeClass.parse(mirror).provisioning.tiering
