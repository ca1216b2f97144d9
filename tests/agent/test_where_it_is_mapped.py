"""No path of a volume goes before it is known where it is mapped, whatever instorage.yaml says now."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from instorage.volume_name import VolumeName
from tests.agent.bench import Bench, compared, device_target, options, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.agent.call import Reply

GONE = "- name: gone\n  type: AS18000\n  host: 127.0.0.1:1\n  username: u\n  password: p\n"


@pytest.fixture
def node(directory: Path, portal: Callable[[], str]) -> Iterator[Bench]:
    """A node with volume vol1 mounted, whose agent waits 0.3 s instead of 30 s after the last call."""
    bench = Bench(directory, {1: portal(), 2: portal()}, rest=0.3)
    bench.start()
    bench.create("vol1")
    bench.attach("vol1").success()
    bench.mount_device("vol1").success()
    yield bench
    bench.close()


def arrays(bench: Bench, *entries: tuple[str, int], first: str = "") -> None:
    """Write a configuration whose arrays have these names and ports."""
    text = "".join(
        f"- name: {name}\n  type: AS18000\n  host: 127.0.0.1:{port}\n"
        "  username: superuser\n  password: passw0rd\n"
        for name, port in entries
    )
    bench.write_configuration(f"host:\n  link: iscsi\n  nodeName: node1\nstorage:\n{first}{text}")


def end(bench: Bench, volume: str = "vol1") -> Reply:
    return bench.call("unmountdevice", device_target(volume))


def clean(bench: Bench) -> bool:
    return not (bench.maps("vol1") or bench.records() or bench.helper.devices or bench.helper.mounts)


def test_the_volume_of_a_renamed_array_is_found_there_and_unmapped(node: Bench) -> None:
    arrays(node, ("main", node.port))
    end(node).success()
    assert clean(node)


def test_a_renamed_array_is_found_beside_one_that_is_away(node: Bench) -> None:
    arrays(node, ("main", node.port), first=GONE)
    end(node).success()
    assert clean(node)


@pytest.mark.parametrize("other", ["away", "there"])
def test_nothing_is_taken_down_while_the_array_is_missing_from_the_configuration(
    node: Bench, other: str, second_port: int
) -> None:
    arrays(node, ("other", second_port if other == "there" else 1))
    before = len(node.helper.calls)
    message = end(node).failure("storage-01")
    assert "Put the entry of that array back" in message
    verbs = [verb for verb, _ in node.helper.calls[before:]]
    assert not {"Unmount", "Detach"} & set(verbs)
    assert node.helper.mounts, "kubelet repeats the call only while this is mounted"
    node.configure()
    end(node).success()
    assert clean(node)


@pytest.fixture
def second(directory: Path, portal: Callable[[], str]) -> Iterator[Bench]:
    """Another array that answers and has no volume."""
    (directory / "two").mkdir()
    other = Bench(directory / "two", {1: portal()})
    yield other
    other.close()


@pytest.fixture
def second_port(second: Bench) -> int:
    return second.port


def test_a_volume_whose_arrays_name_another_array_has_by_now_is_unmapped_where_it_is(
    node: Bench, second: Bench
) -> None:
    arrays(node, ("storage-01", second.port), ("before", node.port))
    end(node).success()
    assert clean(node), "it is still mapped, and nothing here knows it any more"


def test_it_is_found_there_when_nobody_calls_as_well(node: Bench, second: Bench) -> None:
    node.helper.mounts.clear()
    arrays(node, ("storage-01", second.port), ("before", node.port))
    node.attach("vol1").failure("no volume vol1")
    until(lambda: clean(node))


def test_a_volume_that_the_array_of_that_name_does_not_have_keeps_its_device_while_another_is_away(
    node: Bench, second: Bench
) -> None:
    uid = next(iter(node.records()))
    arrays(node, ("storage-01", second.port), ("before", 1))
    before = len(node.helper.calls)
    assert "is unmounted" in end(node).failure("until array before says")
    until(lambda: node.agent._reconciler._failures)
    assert "Detach" not in [verb for verb, _ in node.helper.calls[before:]]
    assert (uid in node.helper.devices, uid in node.records()) == (True, True)
    arrays(node, ("storage-01", second.port), ("before", node.port))
    until(lambda: clean(node))


def test_what_no_array_has_any_more_is_taken_down_without_its_array(node: Bench, second: Bench) -> None:
    arrays(node, ("storage-01", node.port), ("other", second.port))
    node.array.unmap_volume(VolumeName("vol1"), "iscsi-node1")
    node.array.delete_volume(VolumeName("vol1"))
    end(node).success()
    assert (node.records(), node.helper.devices, node.helper.mounts) == ({}, {}, {})


@pytest.mark.parametrize("host", ["known", "unknown"])
def test_a_volume_whose_arrays_name_another_array_has_by_now_is_said_to_be_neither_deleted_nor_a_strangers(
    node: Bench, second: Bench, caplog: pytest.LogCaptureFixture, host: str
) -> None:
    if host == "known":
        second.make_host("iscsi-node1")
    node.restart(lambda: arrays(node, ("storage-01", second.port), ("before", node.port)))
    until(lambda: "which is attached here from array storage-01, is on array before" in caplog.text)
    compared()
    assert "needs storageName before" in caplog.text
    for false in ("deleted", "nothing here says that it is ours", "Host object", "no longer maps"):
        assert false not in caplog.text


def test_what_was_unmapped_at_the_array_that_has_it_is_said_of_that_one(
    node: Bench, second: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    second.make_host("iscsi-node1")

    def between() -> None:
        arrays(node, ("storage-01", second.port), ("before", node.port))
        node.array.unmap_volume(VolumeName("vol1"), "iscsi-node1")

    node.restart(between)
    until(lambda: "Array before no longer maps volume vol1 to this host" in caplog.text)


def test_of_a_volume_that_the_array_of_that_name_does_not_have_nothing_is_said_while_another_is_away(
    node: Bench, second: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    second.make_host("iscsi-node1")
    node.restart(lambda: arrays(node, ("storage-01", second.port), ("before", 1)))
    until(lambda: "What became of a volume that is not mapped any more is not known" in caplog.text, 30)
    assert "deleted" not in caplog.text


def test_an_array_that_is_away_keeps_the_device_and_not_the_mount(node: Bench) -> None:
    uid = next(iter(node.records()))
    arrays(node, ("storage-01", 1))
    before = len(node.helper.calls)
    assert "is unmounted" in end(node).failure("until array storage-01 says")
    assert node.helper.mounts == {}
    assert uid in node.helper.devices, "its paths went although nobody knows where it is mapped"
    until(lambda: node.agent._reconciler._failures._in_a_row)
    assert "Detach" not in [verb for verb, _ in node.helper.calls[before:]]
    assert uid in node.records()
    end(node).failure("until array storage-01 says")
    node.configure()
    until(lambda: clean(node))


def test_a_pod_may_come_back_while_its_old_device_waits_for_the_array(bench: Bench) -> None:
    bench.create("vol1")
    bench.use("vol1")
    bench.helper.mounts.clear()
    arrays(bench, ("storage-01", 1))
    end(bench).failure("until array storage-01 says")
    bench.configure()
    bench.use("vol1")
    assert bench.maps("vol1") == ["iscsi-node1"]


def test_a_name_that_went_to_another_volume_during_a_long_unmount_is_not_unmapped(
    node: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nodeagent.volume.takedown.FRESH_SECONDS", 0.0)
    gate = threading.Event()
    script = node.helper.script("Detach", gate=gate)
    stub = node.begin("unmountdevice", device_target("vol1"))
    assert script.reached.wait(10)
    node.array.unmap_volume(VolumeName("vol1"), "iscsi-node1")
    node.array.delete_volume(VolumeName("vol1"))
    node.create("vol1")
    node.map("vol1", "iscsi-node1")
    gate.set()
    stub.reply().success()
    assert node.maps("vol1") == ["iscsi-node1"]


def test_recorded_arrays_that_are_not_configured_are_said_at_the_start_and_at_a_reload(
    node: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    arrays(node, ("other", 1))
    node.attach("x", options("x", storageName="other")).failure()
    until(lambda: caplog.text.count("Array 'storage-01' is not in") == 1)
    assert "put its entry back until they are detached" in caplog.text
    assert "(vol1)" in caplog.text
    node.restart()
    until(lambda: caplog.text.count("Array 'storage-01' is not in") == 2)
