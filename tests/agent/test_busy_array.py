"""A pod's volumes while the array changes its nodes over: kubelet waits a little, nothing is broken off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instorage.arrays.expansion import Step
from tests.agent.bench import GIB, device_target
from tests.agent.expanding import COMMAND

if TYPE_CHECKING:
    from tests.agent.bench import Bench
    from tests.agent.expanding import Pair

BUSY = "CMMVC5786E"


def test_a_volume_is_attached_and_let_go_while_the_array_changes_over(bench: Bench) -> None:
    bench.create("vol1")
    for command in ("ls*", "mkvdiskhostmap", "mkhost"):
        bench.do("fault", command=command, error=BUSY, times=2)
    bench.attach("vol1").success()
    bench.mount_device("vol1").success()
    bench.do("fault", command="rmvdiskhostmap", error=BUSY, times=2)
    bench.call("unmountdevice", device_target("vol1")).success()
    assert bench.maps("vol1") == []


@pytest.mark.slow
def test_an_expansion_is_finished_and_the_pod_is_not_frozen_all_the_while(pair: Pair) -> None:
    pair.bench.helper.before[Step.TIE] = lambda: pair.bench.do(
        "fault", command=COMMAND[Step.TIE], error=BUSY, seconds=2.5
    )
    assert pair.expand().success().answer["volumeNewSize"] == 2 * GIB
    assert pair.bench.helper.verbs().count("Thaw") == 1
    pair.assert_whole()
