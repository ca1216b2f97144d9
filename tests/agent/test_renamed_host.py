"""A host object that somebody renames, or whose name somebody takes, while this node has a volume."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.agent.bench import ACTIVE_ACTIVE, GIB, device_target, options, pod_target, until

if TYPE_CHECKING:
    from tests.agent.bench import Bench

VOLUME = "vol1"
OTHER = "iqn.1993-08.org.debian:01:other"


def rename(bench: Bench, old: str = "iscsi-node1", new: str = "esx-A") -> None:
    bench.array._cli.operate("chhost", "-name", new, old)


def unmounted(bench: Bench) -> None:
    bench.call("unmount", pod_target(VOLUME)).success()
    bench.call("unmountdevice", device_target(VOLUME)).success()


@pytest.fixture
def used(bench: Bench) -> Bench:
    bench.create(VOLUME)
    bench.use(VOLUME)
    return bench


def test_its_mapping_goes_when_the_pod_ends(used: Bench) -> None:
    rename(used)
    unmounted(used)
    assert (used.maps(VOLUME), used.records()) == ([], {})


def test_its_mapping_goes_also_when_an_empty_answer_hides_it_for_a_moment(used: Bench) -> None:
    rename(used)
    used.do("fault", command="lsvdiskhostmap", empty=True)
    unmounted(used)
    assert (used.maps(VOLUME), used.records()) == ([], {})


def test_its_mapping_goes_also_by_the_record_of_an_older_agent(used: Bench) -> None:
    def older() -> None:
        (path,) = (used.directory / "state/volumes").iterdir()
        record = json.loads(path.read_text())
        assert record.pop("host_id") == "0"
        path.write_text(json.dumps(record))

    used.restart(older)
    rename(used)
    unmounted(used)
    assert (used.maps(VOLUME), used.records()) == ([], {})


def test_another_machines_object_that_has_the_name_now_keeps_its_mapping(used: Bench) -> None:
    rename(used)
    used.make_host("iscsi-node1", OTHER)
    used.map(VOLUME, "iscsi-node1", share=True)
    unmounted(used)
    assert (used.maps(VOLUME), used.records()) == (["iscsi-node1"], {})


def test_another_machines_object_that_has_name_and_mapping_alone_keeps_it(used: Bench) -> None:
    used.array.unmap_volume(VOLUME, "iscsi-node1")  # type: ignore[arg-type]
    rename(used)
    used.make_host("iscsi-node1", OTHER)
    used.map(VOLUME, "iscsi-node1")
    unmounted(used)
    assert (used.maps(VOLUME), used.records()) == (["iscsi-node1"], {})


def test_a_volume_is_mounted_that_is_mapped_under_the_new_name(bench: Bench) -> None:
    bench.create(VOLUME)
    bench.attach(VOLUME).success()
    rename(bench)
    bench.restart()
    bench.mount_device(VOLUME).success()


def test_an_attach_that_is_asked_for_again_sees_that_it_is_mapped_already(used: Bench) -> None:
    rename(used)
    used.reset()
    used.attach(VOLUME).success()
    assert "mkvdiskhostmap" not in used.commands()
    assert used.maps(VOLUME) == ["esx-A"]


def test_the_record_of_an_attach_names_the_object_by_its_id(bench: Bench) -> None:
    bench.make_host("iscsi-other", OTHER)
    bench.create("aa", **ACTIVE_ACTIVE)
    bench.attach("aa", options("aa", volLevel="aa")).success()
    (record,) = bench.records().values()
    assert (record["host"], record["host_id"]) == ("iscsi-node1", "1")


def test_an_active_active_volume_grows_that_is_mapped_under_the_new_name(bench: Bench) -> None:
    text = options(VOLUME, volLevel="aa")
    bench.create(VOLUME, **ACTIVE_ACTIVE)
    bench.use(VOLUME, text)
    rename(bench)
    bench.expandfs(VOLUME, 2 * GIB, text=text).success()
    assert {row["size"] for row in bench.do("volumes")} == {2 * GIB}


def test_the_new_name_is_asked_for_at_the_start(used: Bench, caplog: pytest.LogCaptureFixture) -> None:
    rename(used)
    used.restart()
    until(lambda: "host.objects: {node1: ITS NAME}" in caplog.text)


def test_another_machines_object_that_has_the_number_now_does_not_pass_for_ours(used: Bench) -> None:
    """The node's own object was removed a moment ago, and the array gives its number to the next one."""
    used.array.unmap_volume(VOLUME, "iscsi-node1")  # type: ignore[arg-type]
    used.array._cli.operate("rmhost", "iscsi-node1")
    used.make_host("esx-B", OTHER)
    assert used.do("hosts")[0]["id"] == 0
    used.map(VOLUME, "esx-B")
    used.attach(VOLUME).failure("is mapped to host esx-B")
    assert used.maps(VOLUME) == ["esx-B"]
