"""The fixtures of the helper's and of the node's lab tests, for an adversary."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab.helper_rig import Rig, Volume, prepare

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.lab import Lab

STRANGER = ("setpriv", "--reuid", "nobody", "--regid", "instorage-agent", "--clear-groups")
"""A user who may open the helper's socket by its mode (an administrator put him into the group)."""


@pytest.fixture(scope="module")
def installed(lab: Lab) -> Iterator[Rig]:
    rig = prepare(lab)
    yield rig
    rig.plane.close()


@pytest.fixture
def rig(installed: Rig) -> Rig:
    installed.assert_clean()
    return installed


@pytest.fixture
def volume(rig: Rig) -> Iterator[Volume]:
    volume = rig.volume()
    yield volume
    try:
        rig.assert_clean()
    finally:
        rig.clear(volume)
