"""Two arrays in one configuration: each volume lives on its own, and a dead array slows nobody."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from instorage.arrays.as18000 import As18000
from instorage.arrays.endpoint import Endpoint
from instorage.arrays.model import VolumeSpec
from instorage.volume_name import VolumeName
from instorage.wire.values import Bytes
from simulator.array import Settings, Simulator
from simulator.face.limits import Limits
from simulator.model.topology import Topology
from tests.agent.bench import GIB, NODE, Bench, device_target, options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ON_SECOND = options("vol2", storageName="storage-02")


@pytest.fixture
def second(bench: Bench, portal: Callable[[], str]) -> Iterator[Simulator]:
    """Another array, with volume vol2, in the configuration of the bench."""
    topology = Topology(name="mcs2", portals={1: portal(), 2: portal()})
    settings = Settings(
        bench.directory / "array2", bench.directory / "control2.sock", topology=topology,
        limits=Limits(burst=0, rate=0),
    )  # fmt: skip
    with Simulator(settings) as array:
        port = int(array.address.rpartition(":")[2])
        bench.configure(
            storage=f"- name: storage-02\n  type: AS18000\n  host: 127.0.0.1:{port}\n"
            "  username: superuser\n  password: passw0rd\n"
        )
        client = As18000(
            Endpoint("storage-02", "127.0.0.1", port, "superuser", lambda: "passw0rd"),
            bench.directory / "known_hosts2",
        )
        client.create_volume(VolumeSpec(VolumeName("vol2"), Bytes(GIB), ("Pool0",)))
        client.close()
        yield array


def maps(array: Simulator, volume: str) -> list[str]:
    rows = [row for row in array.control.do("volumes") if row["name"] == volume]
    return [mapping["host"] for row in rows for mapping in row["maps"]]


def test_each_volume_lives_on_the_array_that_its_class_names(bench: Bench, second: Simulator) -> None:
    bench.create("vol1")
    bench.attach("vol1").success()
    bench.attach("vol2", ON_SECOND).success()
    bench.mount_device("vol1").success()
    bench.mount_device("vol2", ON_SECOND).success()
    assert (bench.maps("vol1"), maps(second, "vol2")) == (["iscsi-node1"], ["iscsi-node1"])
    assert {record["storage"] for record in bench.records().values()} == {"storage-01", "storage-02"}
    bench.call("unmountdevice", device_target("vol2")).success()
    assert (bench.maps("vol1"), maps(second, "vol2")) == (["iscsi-node1"], [])
    bench.call("unmountdevice", device_target("vol1")).success()
    assert bench.maps("vol1") == []


def test_detach_finds_the_array_of_a_volume_by_itself(bench: Bench, second: Simulator) -> None:
    bench.attach("vol2", ON_SECOND).success()
    bench.call("detach", "vol2", NODE).success()
    assert maps(second, "vol2") == [], "the array says that the node is logged out"


def test_a_dead_array_does_not_slow_the_other(bench: Bench, second: Simulator) -> None:
    for name in ("vol1", "vol3"):
        bench.create(name)
    alone = bench.attach("vol3").success().seconds
    second.control.do("fault", command="*", times=0, before="silence")
    stuck = bench.begin("waitforattach", NODE, ON_SECOND)
    waiting = threading.Event()
    deadline = time.monotonic() + 10
    while "storage-02" not in str(stuck.progress) and time.monotonic() < deadline:
        waiting.wait(0.02)
    beside = bench.attach("vol1").success().seconds
    bench.mount_device("vol1").success()
    bench.call("unmountdevice", device_target("vol1")).success()
    assert bench.maps("vol1") == []
    assert not stuck.answered, "it should still wait for its dead array"
    print(f"attach {alone:.2f} s alone, {beside:.2f} s beside a dead array")
    assert beside < alone + 2
    second.control.do("clear")
    stuck.leave()
