"""An active-active volume grows: nine commands, `-sync` only over copies that are proven alike.

Real SSH to the simulated array, which keeps two contents: a wrong `-sync` would be seen as different data.
"""

from __future__ import annotations

from typing import Any

import pytest

from instorage.arrays.expansion import NINE, Step
from tests.arrays.conftest import GIB
from tests.arrays.expanding import COMMAND, SIZES, Volume, volume

__all__ = ["volume"]
pytestmark = pytest.mark.slow


def test_nine_commands_and_the_picture_is_the_same_with_the_new_size(volume: Volume) -> None:
    seen = volume.expand(2 * GIB)
    assert {member.size for member in seen.members} == {2 * GIB}
    assert seen.tied
    names = {"m": "aa", "a": volume.names["aux"], "mc": volume.names["master_change"],
             "ac": volume.names["aux_change"]}  # fmt: skip
    assert volume.operations() == [
        line.format_map(names)
        for line in (
            "rmrcrelationship 0",
            "expandvdisksize -size 1 -unit gb {m}",
            "expandvdisksize -size 1 -unit gb {a}",
            "expandvdisksize -size 1 -unit gb {mc}",
            "expandvdisksize -size 1 -unit gb {ac}",
            "mkrcrelationship -master {m} -aux {a} -cluster mcs1 -sync -activeactive",
            "addvdiskaccess -iogrp io_grp1 {m}",
            "chrcrelationship -masterchange {mc} 0",
            "chrcrelationship -auxchange {ac} 0",
        )
    ]
    volume.assert_whole()


def test_the_file_system_is_frozen_for_the_nine_commands_and_one_look_and_nothing_else(
    volume: Volume,
) -> None:
    frozen: list[list[str]] = []
    freeze, thaw = volume.host.freeze, volume.host.thaw

    def spied_freeze() -> Any:
        if not volume.host.frozen:
            volume.rig.reset()
        return freeze()

    def spied_thaw() -> None:
        frozen.append([line.split()[1] for line in volume.rig.lines()])
        thaw()

    volume.host.freeze = spied_freeze  # type: ignore[method-assign]
    volume.host.thaw = spied_thaw  # type: ignore[method-assign]
    volume.expand()
    assert frozen == [["lsrcrelationship", *(COMMAND[step] for step in NINE)]]


def test_every_step_is_recorded_before_it_is_sent_and_the_freeze_asked_around_the_sync(
    volume: Volume,
) -> None:
    volume.expand()
    tie = NINE.index(Step.TIE)
    assert volume.host.calls == [
        "freeze", *NINE[:tie], "freeze", Step.TIE, "freeze", *NINE[tie + 1 :], "thaw",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "got"),
    SIZES,
)
def test_sizes_are_rounded_up_and_what_is_there_already_costs_no_command(
    volume: Volume, asked: int, got: int
) -> None:
    volume.expand(asked)
    assert volume.sizes() == {got}
    assert len(volume.operations()) == (0 if got == GIB else 9)
    assert volume.picture() == volume.before
