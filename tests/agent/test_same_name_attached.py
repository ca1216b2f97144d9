"""Two arrays with a volume of one name, both attached before one is mounted: the first has the place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.agent.bench import device_target, pod_target
from tests.agent.test_same_name import HERE, OTHER_POD, THERE, create_there, said
from tests.agent.test_two_arrays import second

if TYPE_CHECKING:
    from simulator.array import Simulator
    from tests.agent.bench import Bench

__all__ = ["second"]


def test_the_second_is_not_mounted_over_the_first_and_both_are_named(bench: Bench, second: Simulator) -> None:
    bench.create("data")
    create_there(bench, second)
    bench.attach("data", HERE).success()
    bench.attach("data", THERE).success()
    bench.mount_device("data", HERE).success()
    said(bench.mount_device("data", THERE).failure("storage-02"))
    targets = {record["storage"]: record.get("target") for record in bench.records().values()}
    assert targets == {"storage-01": device_target("data"), "storage-02": None}, "it never was mounted"
    said(bench.call("mount", pod_target("data", OTHER_POD), THERE).failure("storage-02"))
    assert pod_target("data", OTHER_POD) not in bench.helper.mounts
    bench.call("mount", pod_target("data"), HERE).success()


def test_it_is_mounted_when_the_first_has_left(bench: Bench, second: Simulator) -> None:
    bench.create("data")
    create_there(bench, second)
    bench.attach("data", HERE).success()
    bench.attach("data", THERE).success()
    bench.mount_device("data", HERE).success()
    bench.mount_device("data", THERE).failure("storage-02")
    bench.call("unmountdevice", device_target("data")).success()
    assert bench.maps("data") == []
    bench.attach("data", THERE).success()
    bench.mount_device("data", THERE).success()
    bench.call("mount", pod_target("data", OTHER_POD), THERE).success()
