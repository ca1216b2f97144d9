"""expandfs: a volume that is mounted grows on the array, on the node and in its file system."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from instorage.arrays.model import Level, Provisioning
from tests.agent.bench import ACTIVE_ACTIVE, GIB, Bench, device_target, options, pod_target, until
from tests.agent.helper_peer import FaultError
from tests.arrays.expanding import SIZES

if TYPE_CHECKING:
    from tests.agent.call import Reply

pytestmark = pytest.mark.slow
KINDS: dict[str, dict[str, Any]] = {
    "thick": {"thin": False},
    "thin": {"thin": True},
    "compressed": {"provisioning": Provisioning(thin=True, compressed=True)},
    "mirror": {"level": Level.MIRROR, "pools": ("Pool0", "Pool1")},
    "aa": ACTIVE_ACTIVE,
}


def grown(bench: Bench, uid: str, reply: Reply, size: int) -> None:
    """The array, the device, the file system, the record and the answer say the same."""
    assert reply.success().answer["volumeNewSize"] == size
    assert bench.size(uid) == size
    assert bench.helper.sizes[uid] == bench.helper.filesystems[uid] == size
    assert bench.records()[uid]["size"] == size
    until(lambda: bench.helper.locks == 0)
    assert not bench.helper.kept


def additions(bench: Bench) -> int:
    return bench.commands().count("expandvdisksize")


@pytest.fixture
def volume(bench: Bench) -> str:
    """A thin volume in use; its UID."""
    uid = bench.create("vol1")
    bench.use("vol1")
    bench.reset()
    return uid


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_volume_grows_under_its_pod(bench: Bench, kind: str) -> None:
    uid = bench.create("vol1", **KINDS[kind])
    bench.use("vol1")
    order: list[tuple[str, int]] = []
    bench.helper._seen = lambda verb: order.append((verb, bench.size(uid)))
    grown(bench, uid, bench.expandfs("vol1", 2 * GIB), 2 * GIB)
    told = [step for step in order if step[0] in ("Rescan", "GrowFilesystem")]
    assert told == [("Rescan", GIB), ("Rescan", 2 * GIB), ("GrowFilesystem", 2 * GIB)]


@pytest.mark.parametrize(
    ("asked", "got"),
    SIZES,
)
def test_the_answer_is_what_the_array_has_and_only_a_larger_wish_costs_a_command(
    bench: Bench, volume: str, asked: int, got: int
) -> None:
    grown(bench, volume, bench.expandfs("vol1", asked), got)
    assert additions(bench) == (0 if got == GIB else 1)


def test_at_the_next_mount_the_directory_is_the_device_mount_and_the_device_may_be_empty(
    bench: Bench, volume: str
) -> None:
    call = ("expandfs", options("vol1"), "", device_target("vol1"), str(2 * GIB), str(GIB))
    grown(bench, volume, bench.call(*call), 2 * GIB)
    assert bench.helper.last("GrowFilesystem")["target"] == device_target("vol1")


def test_a_path_that_is_down_stops_it_before_the_array_is_changed(bench: Bench, volume: str) -> None:
    bench.helper.script("Rescan", fault=FaultError("no-path", "sdb does not answer."))
    bench.expandfs("vol1", 2 * GIB).failure("sdb does not answer.")
    assert additions(bench) == 0
    assert bench.size(volume) == GIB
    grown(bench, volume, bench.expandfs("vol1", 2 * GIB), 2 * GIB)


@pytest.mark.parametrize(
    "trouble", ["has had 3 errors since it was last checked", "was given up by the kernel (shutdown)"]
)
def test_a_file_system_that_the_kernel_distrusts_stops_it_before_the_array_is_changed(
    bench: Bench, volume: str, trouble: str
) -> None:
    bench.helper.trouble[volume] = trouble
    message = bench.expandfs("vol1", 2 * GIB).failure("end the pods")
    assert "vol1" in message
    assert trouble in message
    assert additions(bench) == 0
    assert bench.size(volume) == GIB
    bench.helper.trouble.clear()
    grown(bench, volume, bench.expandfs("vol1", 2 * GIB), 2 * GIB)


def test_a_pool_that_is_one_extent_too_small_is_named_with_its_figures(bench: Bench) -> None:
    uid = bench.create("vol1", thin=False)
    bench.use("vol1")
    pool = bench.array.pool("Pool0")
    assert pool is not None
    bench.create("filler", thin=False)
    bench.do("resize", volume="filler", size=pool.free - 2 * GIB + pool.extent)
    bench.reset()
    bench.expandfs("vol1", 3 * GIB).failure("pool Pool0 has 1.75 GiB free, 2.00 GiB are needed")
    assert bench.size(uid) == GIB
    assert additions(bench) == 0
    grown(bench, uid, bench.expandfs("vol1", 2 * GIB), 2 * GIB)


def test_an_answer_that_is_lost_adds_nothing_twice(bench: Bench, volume: str) -> None:
    bench.do("fault", command="expandvdisksize", after="connection")
    grown(bench, volume, bench.expandfs("vol1", 2 * GIB), 2 * GIB)
    assert additions(bench) == 1


@pytest.mark.parametrize("verb", ["Rescan", "GrowFilesystem"])
def test_a_helper_that_dies_after_the_array_grew_is_asked_again(bench: Bench, volume: str, verb: str) -> None:
    if verb == "Rescan":
        bench.helper.script("Rescan")  # the look at the paths
    bench.helper.script(verb, dies=True)
    bench.expandfs("vol1", 2 * GIB).failure("instorage-helper")
    assert bench.size(volume) == 2 * GIB
    grown(bench, volume, bench.expandfs("vol1", 2 * GIB), 2 * GIB)
    assert additions(bench) == 1


def test_a_new_agent_finishes_what_the_last_one_began(bench: Bench, volume: str) -> None:
    script = bench.helper.script("GrowFilesystem", fault=FaultError("file-system", "It is full."))
    bench.expandfs("vol1", 2 * GIB).failure("It is full.")
    assert script.reached.is_set()
    bench.restart()
    grown(bench, volume, bench.expandfs("vol1", 2 * GIB), 2 * GIB)
    assert additions(bench) == 1


def test_another_pod_on_the_node_is_not_locked_out_by_a_growth_that_stopped_half_way(
    bench: Bench, volume: str
) -> None:
    bench.helper.script("Rescan")
    bench.helper.script("Rescan", fault=FaultError("no-path", "sdb does not answer."))
    bench.expandfs("vol1", 2 * GIB).failure("sdb does not answer.")
    assert bench.helper.sizes[volume] == GIB
    bench.attach("vol1").success()
    assert bench.helper.sizes[volume] == 2 * GIB
    grown(bench, volume, bench.expandfs("vol1", 2 * GIB), 2 * GIB)


def test_the_same_call_twice_at_once_is_one_growth(bench: Bench, volume: str) -> None:
    bench.do("fault", command="expandvdisksize", delay=0.5)
    calls = [bench.begin_expandfs("vol1", 2 * GIB) for _ in range(4)]
    for call in calls:
        grown(bench, volume, call.reply(), 2 * GIB)
    assert additions(bench) == 1
    assert bench.helper.verbs().count("GrowFilesystem") == 1


def test_what_is_only_read_is_not_grown(bench: Bench, volume: str) -> None:
    bench.expandfs("vol1", 2 * GIB, text=options("vol1", "ro")).failure("is used read-only")
    many = options("vol1", "ro", readers="many")
    bench.expandfs("vol1", 2 * GIB, text=many).failure("has «readers: many»")
    bench.helper.mounts[pod_target("vol1")] = (volume, True)
    bench.expandfs("vol1", 2 * GIB).failure("is mounted read-only on")
    assert bench.size(volume) == GIB


def test_only_a_volume_that_is_ours_and_mounted_there_grows(bench: Bench, volume: str) -> None:
    other = pod_target("vol1", "531a7251-1df7-43a7-b81a-9e1d775a898e")
    bench.expandfs("vol1", 2 * GIB, target=other).failure(f"is not mounted on {other}")
    bench.expandfs("vol1", 2 * GIB, target="/etc").failure("'/etc' is not the path of")
    bench.expandfs("vol1", 2 * GIB, text=options("vol2")).failure("The options name volume vol2")
    bench.create("vol2")
    bench.expandfs("vol2", 2 * GIB).failure("was not attached by this agent")
    bench.expandfs("vol3", 2 * GIB).failure("has no volume vol3")
    assert additions(bench) == 0
    assert bench.size(volume) == GIB


def test_a_volume_that_the_asking_pod_may_not_have_does_not_grow(bench: Bench, volume: str) -> None:
    bench.configure(host='  directNames: ["other*"]\n')
    bench.expandfs("vol1", 2 * GIB).failure("host.directNames does not allow")
    assert bench.size(volume) == GIB


def test_an_array_that_shows_another_kind_than_the_pv_is_not_grown(bench: Bench, volume: str) -> None:
    text = json.dumps(json.loads(options("vol1")) | {"volLevel": "aa"})
    said = bench.expandfs("vol1", 2 * GIB, text=text).failure("is basic on array storage-01")
    assert "instoragectl barrier plan vol1" in said
    assert additions(bench) == 0


def test_a_barrier_does_not_stop_mounts_and_the_growth_of_other_volumes(bench: Bench, volume: str) -> None:
    bench.create("vol2")
    bench.attach("vol2").success()
    (bench.paths.plugin / "aa-extend-failure.barrier").write_text("")
    grown(bench, volume, bench.expandfs("vol1", 2 * GIB), 2 * GIB)
    bench.mount_device("vol2").success()
    bench.call("mount", pod_target("vol2"), options("vol2")).success()
    bench.call("unmount", pod_target("vol2")).success()
    assert "Lock" not in bench.helper.verbs()[bench.helper.verbs().index("GrowFilesystem") :]
