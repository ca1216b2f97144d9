"""kill -9 at every step, with a real kernel and SAN: the repeated call converges, and so does no call at all.

`make test` kills at each step once, the victims in rotation; `make soak` everybody at every step.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from instorage.wire.steps import Step
from tests.lab.crash.life import (
    COMES_IN,
    Kill,
    everything,
    killed,
    live,
    lives,
    read_back,
    rotated,
    victims,
)
from tools.lab.kubelet import Kubelet

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.lab.crash.conftest import MakeVolume
    from tools.lab import Machine

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

WHOLE = bool(os.environ.get("SOAK"))
LIVES = lives(everything() if WHOLE else rotated())


def test_every_step_of_the_helper_is_killed_somewhere() -> None:
    usual = {step for steps in COMES_IN.values() for step in steps}
    special = {
        Step.HELPER_ATTACH_STALE_REMOVED,
        Step.HELPER_DETACH_FORGOTTEN,
        Step.HELPER_MOUNT_CHECKED,
    }
    assert usual | special >= {step for step in Step if step.startswith("helper.")}


@pytest.mark.parametrize("kills", LIVES, ids=lambda kills: "+".join(map(str, kills.values())))
def test_a_life_with_kills_whose_calls_are_repeated(
    node: Machine, make_volume: MakeVolume, becomes_clean: Callable[[], None], kills: dict[str, Kill]
) -> None:
    kubelet = Kubelet(node, make_volume())
    live(kubelet, kills)
    read_back(kubelet)
    becomes_clean()


def test_attaches_that_are_never_repeated_leave_nothing(
    node: Machine, make_volume: MakeVolume, becomes_clean: Callable[[], None]
) -> None:
    for number, step in enumerate(COMES_IN["waitforattach"]):
        possible = victims(step)
        killed(
            Kubelet(node, make_volume()), "waitforattach", Kill(step, possible[(number + 1) % len(possible)])
        )
    becomes_clean()
