"""Barrier: on the disk before the answer, in root's directories only, known until it is erased."""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING, Any

import pytest

from helper import store
from helper.barrier import FILE, RECORDS, barrier
from helper.settings import Settings
from instorage.wire.fault import Code, Fault
from instorage.wire.growth import BarrierRequest
from instorage.wire.values import RequestId, VolumeUid
from instorage.wire.varlink import MAX_MESSAGE, encode
from tests.helper.host import OTHER, UID, Host
from tests.helper.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.subprocess
LIMIT = 8192
TEXT = f"Volume vol1 ({UID.upper()}) is not whole.\nmcsop mkrcrelationship …\n"


class Rig:
    def __init__(self, host: Host) -> None:
        self.host = host
        self.plugin = host.root / "plugin/inspur~instorage-flexvolume"
        self.plugin.mkdir(parents=True)
        self.settings = Settings(plugin_directory=str(self.plugin))
        self.file = self.plugin / FILE
        self.records = host.root / "aa"

    def ask(self, uid: str | None = UID, **parameters: Any) -> list[dict[str, Any]]:
        parsed = VolumeUid.parse(uid) if uid else None
        reply = barrier(BarrierRequest(RequestId("test1"), parsed, **parameters), self.settings)
        return [json.loads(record) for record in reply.records]

    def refused(self, code: Code, **parameters: Any) -> str:
        with pytest.raises(Fault) as raised:
            self.ask(**parameters)
        assert raised.value.code is code, raised.value
        return raised.value.sentence


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    host = Host(tmp_path)
    host.patch(monkeypatch)
    yield Rig(host)
    host.close()


def test_records_are_kept_beside_the_formats() -> None:
    assert RECORDS == "/var/lib/instorage-helper/aa"
    assert FILE == "aa-extend-failure.barrier"


def test_a_record_is_kept_changed_and_erased(rig: Rig) -> None:
    assert rig.ask(None) == []
    assert rig.ask(record='{"step": 1}', text=TEXT) == [{"step": 1}]
    assert rig.ask(OTHER, record='{"step": 9}') == [{"step": 1}, {"step": 9}]
    assert rig.ask(record='{"step": 2}') == [{"step": 2}, {"step": 9}]
    assert rig.ask(None) == [{"step": 2}, {"step": 9}]
    assert rig.file.read_text() == TEXT
    assert rig.ask(erase=True) == [{"step": 9}]
    assert not rig.file.exists()
    assert rig.ask(erase=True) == [{"step": 9}]


def test_both_are_on_the_disk_when_the_answer_comes(rig: Rig) -> None:
    rig.ask(record="{}", text=TEXT)
    synced = [event for event in rig.host.events if event.startswith("fsync")]
    assert synced == [f"fsync .{UID}", "fsync aa", f"fsync .{FILE}", f"fsync {rig.plugin.name}"]


def test_the_record_is_roots_alone_and_the_file_is_for_everybody(rig: Rig) -> None:
    before = os.umask(0o077)
    try:
        rig.ask(record="{}", text=TEXT)
    finally:
        os.umask(before)
    assert stat.S_IMODE((rig.records / UID).stat().st_mode) == 0o600
    assert stat.S_IMODE(rig.records.stat().st_mode) == 0o700
    assert stat.S_IMODE(rig.file.stat().st_mode) == 0o644


def written(path: Path) -> tuple[int, int, int]:
    """Which file it is, when it was written last, how much."""
    facts = path.stat()
    return facts.st_ino, facts.st_mtime_ns, facts.st_size


def test_a_barrier_file_that_would_not_change_is_left_alone(rig: Rig) -> None:
    """Each event in that directory has kubelet run init."""
    rig.ask(record='{"step": 1}', text=TEXT)
    before = written(rig.file)
    folder = rig.plugin.stat().st_mtime_ns
    rig.ask(record='{"step": 2}', text=TEXT)
    rig.ask(record='{"step": 3}')
    assert written(rig.file) == before
    assert rig.plugin.stat().st_mtime_ns == folder
    rig.ask(text=TEXT + "more\n")
    assert rig.file.read_text() == TEXT + "more\n"


def test_the_barrier_file_of_another_volume_stays(rig: Rig) -> None:
    rig.ask(record="{}", text=TEXT)
    rig.ask(OTHER, erase=True)
    assert rig.file.exists()
    rig.ask(erase=True, text="another volume is still broken off")
    assert rig.file.read_text() == "another volume is still broken off"
    assert rig.ask(None) == []


def test_a_barrier_file_that_was_removed_by_hand_ends_no_knowledge(rig: Rig) -> None:
    rig.ask(record='{"step": 3}', text=TEXT)
    rig.file.unlink()
    assert rig.ask(None) == [{"step": 3}]
    assert rig.ask(record='{"step": 4}') == [{"step": 4}]
    assert not rig.file.exists()


@pytest.mark.parametrize(
    "record", ["[]", "x", "1", '{"a": 1, "a": 2}', '{"a": ' + "[" * 20, "{}x", "{\ud800}"]
)
def test_a_record_that_is_no_object_is_refused(rig: Rig, record: str) -> None:
    rig.refused(Code.BAD_REQUEST, record=record)
    assert rig.ask(None) == []


def test_sizes_have_limits_and_all_records_fit_into_an_answer(rig: Rig) -> None:
    def record(size: int, letter: str = "x") -> str:
        return json.dumps({"a": letter * (size - 9)})

    assert len(record(LIMIT)) == LIMIT
    rig.refused(Code.BAD_REQUEST, record=record(LIMIT + 1))
    rig.refused(Code.BAD_REQUEST, record=json.dumps({"a": "ü" * 5000}, ensure_ascii=False))
    rig.refused(Code.BAD_REQUEST, record="{}", text="ü" * (12 * 1024) + "x")
    many_quotes = "{" + ",".join(f'"{number:x}":""' for number in range(900)) + "}"
    assert len(many_quotes) < LIMIT
    rig.refused(Code.BAD_REQUEST, record=many_quotes)
    assert rig.ask(None) == []
    for number in range(6):
        rig.ask(f"6{number:031x}", record=record(LIMIT), text="x" * (24 * 1024))
    assert len(encode({"parameters": {"records": rig.ask(None)}})) < MAX_MESSAGE
    assert "broken off on this host" in rig.refused(Code.BARRIER, record="{}")
    rig.ask("6" + "0" * 31, record='{"again": true}')


def test_what_belongs_to_no_volume_is_refused(rig: Rig) -> None:
    for parameters in ({"record": "{}"}, {"text": TEXT}, {"erase": True}):
        rig.refused(Code.BAD_REQUEST, uid=None, **parameters)
    rig.refused(Code.BAD_REQUEST, record="{}", erase=True)
    assert not rig.file.exists()


def test_only_volumes_of_pinned_arrays_have_a_barrier(rig: Rig) -> None:
    rig.settings = replace(rig.settings, uid_prefixes=("6aa",))
    rig.refused(Code.NOT_ALLOWED, record="{}", text=TEXT)
    assert rig.ask(None) == []


def test_a_link_in_the_place_of_a_directory_is_not_followed(rig: Rig) -> None:
    elsewhere = rig.host.root / "elsewhere"
    elsewhere.mkdir()
    rig.plugin.rmdir()
    rig.plugin.symlink_to(elsewhere)
    rig.refused(Code.BAD_CONFIGURATION, record="{}", text=TEXT)
    assert list(elsewhere.iterdir()) == []


def test_a_directory_that_others_may_write_is_not_used(rig: Rig) -> None:
    rig.plugin.chmod(0o777)
    assert "others than root" in rig.refused(Code.BAD_CONFIGURATION, record="{}", text=TEXT)
    assert list(rig.plugin.iterdir()) == []
    assert rig.ask(None) == [], "there is no record of what cannot begin"
    rig.plugin.chmod(0o755)
    rig.ask(record="{}", text=TEXT)
    rig.plugin.chmod(0o777)
    rig.refused(Code.BAD_CONFIGURATION, erase=True)
    assert rig.ask(None) == [{}], "a file that was not removed keeps its record"


def test_a_link_in_the_place_of_the_file_is_replaced_and_never_written_through(rig: Rig) -> None:
    precious = rig.host.root / "precious"
    precious.write_text("precious")
    for name in (FILE, f".{FILE}"):
        (rig.plugin / name).symlink_to(precious)
    rig.refused(Code.BAD_CONFIGURATION, record="{}", text=TEXT)
    (rig.plugin / f".{FILE}").unlink()
    rig.ask(record="{}", text=TEXT)
    assert precious.read_text() == "precious"
    assert rig.file.read_text() == TEXT
    assert not rig.file.is_symlink()


def test_a_disk_that_is_full_is_said_before_anything_is_expanded(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    rig.ask(record='{"step": 1}')
    monkeypatch.setattr(os, "fsync", full)
    assert "No space left" in rig.refused(Code.BAD_CONFIGURATION, record='{"step": 2}')
    assert rig.ask(None) == [{"step": 1}]


def test_what_is_only_being_written_is_no_record(rig: Rig) -> None:
    rig.records.mkdir(mode=0o700)
    (rig.records / f".{UID}").write_text("{half")
    assert rig.ask(None) == []
    assert store.names(str(rig.records)) == []
