"""A volume that is moved, mirrored or copied on the array while a node has it, or before it gets it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from instorage.arrays.model import Level
from tests.agent.bench import GIB, Bench, device_target, options, pod_target
from tests.arrays.administrator import order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MOVE = ("movevdisk -iogrp 1 vol1", "addvdiskaccess -iogrp 1 vol1", "rmvdiskaccess -iogrp 0 vol1")
SLOW = 3600


@pytest.fixture
def wide(directory: Path, portal: Callable[[], str]) -> Iterator[Bench]:
    """A node that reaches a portal in each I/O group: node 1's and node 3's."""
    made = Bench(directory, {1: portal(), 3: portal()})
    made.start()
    yield made
    made.close()


def portals(bench: Bench) -> list[str]:
    """The portals of the last attach."""
    return [path["portal"] for path in bench.helper.last("Attach")["paths"]]


def end(bench: Bench) -> None:
    """Unmount, as kubelet does, and see that nothing is left."""
    bench.call("unmount", pod_target("vol1")).success()
    bench.call("unmountdevice", device_target("vol1")).success()
    assert (bench.maps("vol1"), bench.records(), bench.helper.devices) == ([], {}, {})


def test_a_volume_is_attached_through_the_i_o_group_that_it_was_moved_to(wide: Bench) -> None:
    wide.create("vol1")
    wide.use("vol1")
    assert portals(wide) == [wide.portals[1]]
    end(wide)
    order(wide.simulator, *MOVE)
    wide.use("vol1")
    assert portals(wide) == [wide.portals[3]]
    end(wide)


def test_a_volume_that_is_moved_in_use_gets_its_new_paths_with_the_next_attach(wide: Bench) -> None:
    uid = wide.create("vol1")
    wide.use("vol1")
    order(wide.simulator, *MOVE[:2])
    wide.attach("vol1").success()
    assert portals(wide) == [wide.portals[1], wide.portals[3]]
    order(wide.simulator, MOVE[2])
    wide.attach("vol1").success()
    assert portals(wide) == [wide.portals[3]]
    wide.expandfs("vol1", 2 * GIB).success()
    assert wide.size(uid) == 2 * GIB
    end(wide)


def test_a_volume_in_an_i_o_group_without_portals_is_not_left_mapped(bench: Bench) -> None:
    bench.create("vol1")
    order(bench.simulator, *MOVE)
    bench.attach("vol1").failure("is in I/O group 1 of array storage-01, whose nodes have no iSCSI portal")
    assert (bench.maps("vol1"), bench.records()) == ([], {})


def test_a_volume_that_was_migrated_is_used_and_grown_where_it_is(bench: Bench) -> None:
    uid = bench.create("vol1", thin=False)
    bench.use("vol1")
    order(bench.simulator, "migratevdisk -mdiskgrp Pool1 -vdisk vol1")
    bench.attach("vol1").success()
    bench.expandfs("vol1", 2 * GIB).success()
    assert bench.size(uid) == 2 * GIB
    end(bench)
    bench.use("vol1")


@pytest.mark.parametrize("level", ["basic", "mirror"])
def test_a_copy_that_was_added_or_split_off_changes_nothing_for_the_pod(bench: Bench, level: str) -> None:
    text = options("vol1", volLevel=level)
    kind: dict[str, Any] = {} if level == "basic" else {"level": Level.MIRROR, "pools": ("Pool0", "Pool1")}
    uid = bench.create("vol1", **kind)
    bench.use("vol1", text)
    order(
        bench.simulator,
        "addvdiskcopy -mdiskgrp Pool1 vol1" if level == "basic" else "splitvdiskcopy -copy 1 -name half vol1",
    )
    bench.attach("vol1", text).success()
    bench.expandfs("vol1", 2 * GIB, text=text).success()
    assert bench.size(uid) == 2 * GIB
    end(bench)
    bench.use("vol1", text)


def test_a_copy_that_is_not_synchronised_yet_keeps_the_volume_from_growing_and_from_nothing_else(
    bench: Bench,
) -> None:
    uid = bench.create("vol1")
    bench.do("dialect", copy_seconds=SLOW)
    order(bench.simulator, "addvdiskcopy -mdiskgrp Pool1 vol1")
    bench.use("vol1")
    bench.expandfs("vol1", 2 * GIB).failure("wait until its copies are synchronised")
    assert bench.size(uid) == GIB
    end(bench)


def test_a_thick_copy_beside_a_written_one_does_not_make_a_volume_new(bench: Bench) -> None:
    bench.create("vol1")
    bench.do("used", volume="vol1", bytes=GIB // 2)
    order(bench.simulator, "addvdiskcopy -mdiskgrp Pool1 vol1")
    bench.attach("vol1").success()
    bench.mount_device("vol1").failure("Not proven new")
    assert bench.helper.last("Mount")["may_format"] is False


def test_a_snapshot_keeps_a_volume_from_growing_and_is_named(bench: Bench) -> None:
    uid = bench.create("vol1")
    bench.create("snap")
    bench.use("vol1")
    order(bench.simulator, "mklcmap -copyrate 0 -source vol1 -target snap -name monday", "startlcmap -prep 0")
    bench.attach("vol1").success()
    bench.expandfs("vol1", 2 * GIB).failure("monday to volume snap (copying)")
    assert bench.size(uid) == GIB
    order(bench.simulator, "stoplcmap 0", "rmlcmap -force 0")
    bench.expandfs("vol1", 2 * GIB).success()
    end(bench)


def test_the_target_of_a_stopped_copy_is_offline_and_said_to_be(bench: Bench) -> None:
    bench.create("source")
    bench.create("vol1")
    order(
        bench.simulator,
        "mklcmap -copyrate 0 -source source -target vol1",
        "startlcmap -prep 0",
        "stoplcmap 0",
    )
    bench.attach("vol1").failure("Volume vol1 is offline on array storage-01")
    assert bench.maps("vol1") == []
