"""A connection that was closed since nobody used it is no broken one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from instorage.arrays.as18000.session.opening import Opening
from instorage.volume_name import VolumeName
from tests.arrays.conftest import LIMITS, settled

if TYPE_CHECKING:
    import pytest

    from instorage.arrays.as18000.session.connection import Connection
    from tests.arrays.conftest import Rig

V1 = VolumeName("v1")


def test_a_connection_that_was_closed_for_rest_is_made_again_at_once_and_a_broken_one_is_not(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pause (up to twice `spacing`) is for hundreds of nodes that lost theirs at the same moment."""
    lost: list[bool] = []
    make = Opening.connection

    def noted(opening: Opening, until: float, **how: bool) -> Connection:
        lost.append(how["lost"])
        return make(opening, until, **how)

    monkeypatch.setattr(Opening, "connection", noted)
    array = rig.client(limits=replace(LIMITS, idle=0.2))
    assert array.find_volume(V1) is None
    assert settled(lambda: rig.do("counters")["connections"]["now"] == 0)
    assert array.find_volume(V1) is None
    rig.do("drop-connections")
    assert array.find_volume(V1) is None
    assert lost == [False, False, True]
