"""An array that carries an unmapping out late takes nothing from the next pod."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instorage.wire.fault import Fault
from tests.agent.bench import device_target, pod_target

if TYPE_CHECKING:
    from tests.agent.bench import Bench


@pytest.mark.parametrize("started_anew", [False, True])
def test_the_next_pod_waits_while_an_unmapping_without_an_answer_may_be_carried_out(
    bench: Bench, *, started_anew: bool
) -> None:
    bench.create("vol1")
    bench.use("vol1")
    bench.do("fault", command="rmvdiskhostmap", before="connection", times=1)
    bench.call("unmount", pod_target("vol1")).success()
    bench.call("unmountdevice", device_target("vol1")).success()
    assert not bench.maps("vol1"), "the second one has unmapped it"
    if started_anew:
        bench.restart()
    bench.attach("vol1").failure("whose answer was lost: it would take the volume from its next pod")
    assert not bench.records()
    with pytest.raises(Fault):  # the first one is carried out now: no pod has the volume
        bench.array._cli.operate("rmvdiskhostmap", "-host", "iscsi-node1", "vol1")


@pytest.mark.parametrize("started_anew", [False, True])
def test_a_pod_of_another_volume_does_not_wait_for_it(bench: Bench, *, started_anew: bool) -> None:
    bench.create("vol1")
    bench.use("vol1")
    bench.do("fault", command="rmvdiskhostmap", before="connection", times=1)
    bench.call("unmount", pod_target("vol1")).success()
    bench.call("unmountdevice", device_target("vol1")).success()
    if started_anew:
        bench.restart()
    bench.create("vol2")
    bench.use("vol2")


@pytest.mark.parametrize("started_anew", [False, True])
def test_a_pod_that_comes_back_after_an_answered_unmapping_waits_for_nothing(
    bench: Bench, *, started_anew: bool
) -> None:
    bench.create("vol1")
    for again in (False, True):
        if again and started_anew:  # an upgrade, or a crash
            bench.restart()
        bench.use("vol1")
        bench.call("unmount", pod_target("vol1")).success()
        bench.call("unmountdevice", device_target("vol1")).success()
