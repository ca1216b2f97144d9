"""What was written while one site was down speaks against a new volume; the master may not know of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.arrays.conftest import ACTIVE_ACTIVE, V1, spec

if TYPE_CHECKING:
    from instorage.arrays.as18000 import As18000
    from tests.arrays.conftest import Rig

MIB = 1 << 20


@pytest.mark.parametrize("function", ["master", "aux"])
def test_what_either_site_has_counts(rig: Rig, array: As18000, function: str) -> None:
    array.create_volume(spec("v1", **ACTIVE_ACTIVE))
    names = {row["function"]: row["name"] for row in rig.do("volumes")}
    rig.do("site", site=2 if function == "master" else 1, up=False)
    rig.do("used", volume=names[function], bytes=700 * MIB)
    found = array.volume_usage(V1)
    assert found.thin
    assert found.used == 700 * MIB


def test_a_volume_in_a_remote_copy_relationship_counts_for_itself(rig: Rig, array: As18000) -> None:
    array.create_volume(spec("v1"))
    array.create_volume(spec("far"))
    rig.do("relate", volume="v1", other="far")
    rig.do("used", volume="v1", bytes=3 * MIB)
    assert array.volume_usage(V1).used == 3 * MIB


def test_a_moment_without_volumes_does_not_loosen_what_is_pinned(rig: Rig, array: As18000) -> None:
    array.create_volume(spec("v1"))
    rig.fault("lsvdisk", empty=True)
    assert array.san_identity().uid_prefixes
    rig.fault("lsvdisk", empty=True)
    assert array.volume_names("v") == ("v1",)
