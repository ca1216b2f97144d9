"""Ownership records of other versions, damaged ones, and a disk that takes no change."""

from __future__ import annotations

import errno
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.agent.bench import GIB, Bench, until
from tests.agent.test_where_it_is_mapped import arrays, clean, end

if TYPE_CHECKING:
    from pathlib import Path


def rewritten(bench: Bench, uid: str, **fields: Any) -> None:
    """Change a record on the disk; a field that is None is taken out."""
    path = place(bench, uid)
    found = json.loads(path.read_text()) | fields
    path.write_text(json.dumps({key: value for key, value in found.items() if value is not None}))


def place(bench: Bench, uid: str) -> Path:
    return bench.directory / "state/volumes" / uid


def attached(bench: Bench) -> str:
    """Attach a volume that is then mounted nowhere."""
    uid = bench.create("vol1")
    bench.attach("vol1").success()
    return uid


def test_a_record_of_a_newer_version_is_understood(bench: Bench) -> None:
    uid = attached(bench)
    bench.restart(lambda: rewritten(bench, uid, schema=7, mirrored_to="storage-02"))
    end(bench).success()
    assert clean(bench)


def test_what_a_newer_version_wrote_is_kept_when_a_record_is_written_again(bench: Bench) -> None:
    uid = attached(bench)
    bench.restart(lambda: rewritten(bench, uid, schema=7, mirrored_to="storage-02"))
    bench.mount_device("vol1").success()
    record = bench.records()[uid]
    assert record["mirrored_to"] == "storage-02"
    assert record["schema"] == 7
    assert record["target"]
    end(bench).success()
    assert attached_anew(bench, uid).get("mirrored_to") is None, "it is another attach"


def attached_anew(bench: Bench, uid: str) -> dict[str, Any]:
    bench.attach("vol1").success()
    return bench.records()[uid]


def test_a_record_of_an_older_version_may_lack_what_decides_nothing(bench: Bench) -> None:
    uid = attached(bench)
    bench.mount_device("vol1").success()
    lacking = dict.fromkeys(("schema", "boot_id", "created", "read_only", "many_readers"))
    bench.restart(lambda: rewritten(bench, uid, **lacking))
    assert bench.agent._reconciler.wait_settled(10), "it is looked at as one of an earlier boot"
    assert bench.helper.mounts
    end(bench).success()
    assert clean(bench)


@pytest.mark.parametrize(
    "text", ["{ half a rec", '{"schema": 9, "volume": "vol1"}', "[" * 100_000, "\0\0\0", ""]
)
def test_a_damaged_record_is_made_anew_from_the_array_and_kept_beside(bench: Bench, text: str) -> None:
    uid = attached(bench)
    before = bench.records()[uid]
    bench.restart(lambda: place(bench, uid).write_text(text))
    until(lambda: place(bench, uid).read_text() != text)
    assert bench.records()[uid] == before | {"created": bench.records()[uid]["created"]}
    assert place(bench, f".{uid}.unreadable").read_text() == text
    end(bench).success()
    assert clean(bench)


def test_a_volume_with_a_damaged_record_is_no_success_while_its_array_is_away(bench: Bench) -> None:
    uid = attached(bench)

    def damaged() -> None:
        place(bench, uid).write_text("{ half a rec")
        arrays(bench, ("storage-01", 1))

    bench.restart(damaged)
    end(bench).failure(f"The record of volume UID {uid} cannot be read")
    assert place(bench, uid).read_text() == "{ half a rec"
    bench.configure()
    end(bench, "never-here").success()
    end(bench).success()
    assert clean(bench)


def test_a_damaged_record_of_a_volume_that_is_not_here_keeps_nobody(bench: Bench) -> None:
    uid = attached(bench)
    end(bench).success()
    bench.restart(lambda: place(bench, uid).write_text("{ half a rec"))
    until(lambda: bench.agent._reconciler.idle())
    end(bench).success()
    assert place(bench, uid).read_text() == "{ half a rec"
    bench.attach("vol1").success()
    assert place(bench, f".{uid}.unreadable").read_text() == "{ half a rec"


def damaged(bench: Bench, uid: str, text: str) -> None:
    """Have the agent start with that for a record, and wait until it made it anew."""
    bench.restart(lambda: place(bench, uid).write_text(text))
    until(lambda: place(bench, uid).read_text() != text)


def test_a_second_damaged_record_does_not_take_the_place_of_the_first(bench: Bench) -> None:
    uid = attached(bench)
    for text in ("{ first", "{ second"):
        damaged(bench, uid, text)
    texts = {path.read_text() for path in place(bench, uid).parent.glob(f".{uid}.unreadable*")}
    assert texts == {"{ first", "{ second"}


def test_a_record_that_cannot_be_removed_is_a_failure_each_time(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    attached(bench)

    def broken(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.unlink", broken)
        for _ in range(2):
            end(bench).failure("cannot be removed")
    assert bench.agent._node.records.all()
    end(bench).success()
    assert clean(bench)


def test_a_full_disk_at_mountdevice_is_not_said_to_have_mapped_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    attached(bench)
    with monkeypatch.context() as patch:
        patch.setattr("instorage.durable_file.write", full)
        message = bench.mount_device("vol1").failure("No space left on device")
    assert "nothing was mapped" not in message
    assert "free space" in message
    bench.mount_device("vol1").success()


def test_a_full_disk_stops_a_growth_before_the_array_is_told(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    uid = bench.create("vol1")
    bench.use("vol1")
    with monkeypatch.context() as patch:
        patch.setattr("instorage.durable_file.write", full)
        message = bench.expandfs("vol1", 2 * GIB).failure("No space left on device")
    assert f"The record of volume vol1 cannot be written to {place(bench, uid)}" in message
    assert bench.size(uid) == GIB
    assert "expandvdisksize" not in bench.commands()


def test_a_full_disk_after_a_growth_is_said_as_that_and_nothing_is_added_twice(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By then volume, device and file system have grown: only the record of the size lacks."""
    uid = bench.create("vol1")
    bench.use("vol1")
    with monkeypatch.context() as patch:
        bench.helper._seen = lambda verb: (
            patch.setattr("instorage.durable_file.write", full) if verb == "GrowFilesystem" else None
        )
        message = bench.expandfs("vol1", 2 * GIB).failure("No space left on device")
    assert "nothing was mapped" not in message
    assert f"The record of volume vol1 cannot be written to {place(bench, uid)}" in message
    assert "free space" in message
    assert bench.size(uid) == bench.helper.filesystems[uid] == 2 * GIB
    bench.helper._seen = lambda _: None
    bench.expandfs("vol1", 2 * GIB).success()
    assert bench.records()[uid]["size"] == 2 * GIB
    assert bench.commands().count("expandvdisksize") == 1


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_an_attach_that_fails_leaves_a_damaged_record_where_it_is_known(bench: Bench) -> None:
    uid = attached(bench)

    def damaged() -> None:
        place(bench, uid).write_text("{ half a rec")
        bench.helper.devices.clear()
        arrays(bench, ("storage-01", 1))

    bench.restart(damaged)
    bench.call("init").success()
    bench.configure()
    bench.do("fault", command="mkvdiskhostmap", error="CMMVC5754E")
    bench.attach("vol1").failure()
    assert bench.maps("vol1") == ["iscsi-node1"]
    assert bench.records()[uid]["name"] == "vol1", "nobody would unmap it any more"
