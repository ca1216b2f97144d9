"""`instoragectl trace` and `times`: where the time of a call went, from the journal alone."""

from __future__ import annotations

import json
import re
import tarfile
import xml.etree.ElementTree as ElementTree
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodeagent.administration import ctl
from nodeagent.diagnosis import entry, timeline
from nodeagent.diagnosis.entry import Entry
from tests.agent.bench import Bench, compared, pod_target, until
from tests.agent.helper_peer import FaultError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nodeagent.diagnosis.timeline import Timeline
    from tests.diagnosis.journald import Journald

SECRET = "S3CRETMARK"
CALLS = ("waitforattach", "mountdevice", "mount", "unmount")
LIVES = 6  # in which the same gap must be found before it is one


def ended(journald: Journald, call: str, times: int = 1) -> list[dict[str, str]]:
    """The entries that end so many calls."""

    def found() -> list[dict[str, str]]:
        return [one for one in journald.entries if one.get("INSTORAGE_CALL") == call]

    until(lambda: len(found()) >= times, 30)
    return found()


def of(journald: Journald, op: str) -> Timeline:
    made = timeline.built(op, map(Entry, journald.entries))
    assert made is not None
    return made


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert ctl.main(list(words)) == 0
    return capsys.readouterr().out


@pytest.fixture
def lived(bench: Bench, journald: Journald) -> Journald:
    """The journal of a volume that was attached, mounted, used and taken away."""
    bench.create("vol1")
    bench.use("vol1")
    bench.call("unmount", pod_target("vol1")).success()
    for call in CALLS:
        ended(journald, call)
    return journald


def test_the_phases_of_a_call_add_up_to_its_time_within_3_percent(lived: Journald) -> None:
    for one in [found for found in lived.entries if "INSTORAGE_CALL" in found]:
        made = of(lived, one["INSTORAGE_OP"])
        phases = sum(node.took for node in made.root.parts if node.kind == timeline.PHASE)
        whole = float(one["INSTORAGE_MS"])
        assert abs(phases - whole) <= max(0.03 * whole, 2.0), one["INSTORAGE_CALL"]


def test_nothing_unexplained_takes_longer_than_100_ms(
    directory: Path, portal: Callable[[], str], journald: Journald
) -> None:
    """What a program does not say is there each time; where it only got no processor, once in a while."""
    each_time: set[tuple[str, str]] = set()
    for number in range(LIVES):
        found = unexplained_in_a_life(directory / str(number), portal, journald)
        each_time = each_time & found if number else found
        if not each_time:
            return
    assert each_time == set()


def unexplained_in_a_life(
    directory: Path, portal: Callable[[], str], journald: Journald
) -> set[tuple[str, str]]:
    """The calls, and the phases of them, with a gap in the life of a volume on a new node."""
    journald.entries.clear()
    bench = Bench(directory, {1: portal(), 2: portal()})
    try:
        bench.start()
        bench.create("vol1")
        bench.use("vol1")
        bench.call("unmount", pod_target("vol1")).success()
        calls = {call: ended(journald, call)[0] for call in CALLS}
    finally:
        bench.close()
    return {
        (call, gap.what) for call, one in calls.items()
        for gap in of(journald, one["INSTORAGE_OP"]).unexplained()
    }  # fmt: skip


def test_a_timeline_has_the_arrays_commands_the_helpers_verbs_and_the_waits_in_their_phases(
    lived: Journald,
) -> None:
    (call,) = ended(lived, "waitforattach")
    made = of(lived, call["INSTORAGE_OP"])
    assert made.whole
    inside = {node.what: [part.what for part in node.parts] for _, node in made.walk()}
    array = inside["asking array storage-01 for the volume"]
    assert any("lsvdisk" in what for what in array)
    device = next(parts for what, parts in inside.items() if what.startswith("waiting for the device"))
    assert "helper: Attach" in device


def test_a_connection_that_is_made_is_a_wait_of_the_command_that_wanted_it(
    bench: Bench, journald: Journald
) -> None:
    bench.create("vol1")
    compared()
    bench.do("drop-connections")
    bench.attach("vol1").success()
    (call,) = ended(journald, "waitforattach")
    waits = [
        part.what for _, node in of(journald, call["INSTORAGE_OP"]).walk() if node.kind == "command"
        for part in node.parts
    ]  # fmt: skip
    assert "a connection to array storage-01" in waits


def test_what_nothing_explains_is_said(bench: Bench, journald: Journald) -> None:
    bench.create("vol1")
    bench.attach("vol1").success()
    (call,) = ended(journald, "waitforattach")
    spans = json.loads(call["INSTORAGE_SPANS"])
    kept = [span for span in spans if span[0] == "phase"]
    longest = max(span[3] for span in kept if not span[1].startswith("waiting"))
    call["INSTORAGE_SPANS"] = json.dumps(kept)  # as if nothing in the phases had been timed
    gaps = of(journald, call["INSTORAGE_OP"]).unexplained(longest / 2)
    assert longest in [gap.took for gap in gaps]


def test_a_failed_call_is_traced_with_its_code(bench: Bench, journald: Journald, tmp_path: Path) -> None:
    bench.create("vol1")
    bench.helper.script("Attach", fault=FaultError("wrong-device", "Page 0x83 says another volume."))
    bench.attach("vol1").failure()
    (call,) = ended(journald, "waitforattach")
    made = of(journald, call["INSTORAGE_OP"])
    assert made.code == "wrong-device"
    (attach,) = [node for _, node in made.walk() if node.what == "helper: Attach"]
    assert attach.outcome == "wrong-device"


def test_trace_takes_a_request_or_a_volume_and_prints_text_json_and_a_picture(
    lived: Journald, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(lived.exported(tmp_path / "journal.json"))
    (call,) = ended(lived, "waitforattach")
    text = asked(capsys, "trace", call["INSTORAGE_OP"], "--journal", file)
    assert text.startswith("waitforattach of vol1 succeeded after ")
    assert "mcsop mkvdiskhostmap" in text
    assert "Earlier" not in text
    last = asked(capsys, "trace", "vol1", "--journal", file)
    assert last.startswith("unmount of vol1 succeeded")
    assert f"{call['INSTORAGE_OP']} (waitforattach, " in last
    found = json.loads(asked(capsys, "trace", call["INSTORAGE_OP"], "--journal", file, "--json"))
    assert found["call"]["ms"] == float(call["INSTORAGE_MS"])
    assert found["unexplained"] == [] or found["unexplained"][0]["ms"] >= timeline.LARGE
    picture = tmp_path / "a.svg"
    asked(capsys, "trace", call["INSTORAGE_OP"], "--journal", file, "--svg", str(picture))
    shown = picture.read_text()
    ElementTree.fromstring(shown)
    assert "mkvdiskhostmap" in shown
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)|<script|href=|url\(", shown) == []


def test_a_bundle_is_read_as_the_journal_is(
    lived: Journald, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = lived.exported(tmp_path / "journal.json")
    with tarfile.open(tmp_path / "bundle.tar.gz", "w:gz") as tar:
        tar.add(journal, "instorage-node1/journal.json")
    told = asked(capsys, "trace", "vol1", "--journal", str(tmp_path / "bundle.tar.gz"))
    assert told == asked(capsys, "trace", "vol1", "--journal", str(journal))


def test_an_unknown_request_is_told_where_to_look(
    lived: Journald, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(lived.exported(tmp_path / "journal.json"))
    assert ctl.main(["trace", "ffffffffff", "--journal", file]) == 1
    assert "nothing of a request or volume ffffffffff" in capsys.readouterr().err
    assert ctl.main(["trace", "vol1", "--journal", str(tmp_path / "none")]) == 1
    assert "cannot be read" in capsys.readouterr().err


def test_times_has_each_call_and_phase_and_names_the_slowest(
    lived: Journald, bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(3):
        bench.call("mount", pod_target("vol1"), '{"kubernetes.io/pvOrVolumeName":"vol1"}')
    file = str(lived.exported(tmp_path / "journal.json"))
    picture = tmp_path / "a.svg"
    text = asked(capsys, "times", "--journal", file, "--svg", str(picture))
    assert re.search(r"^waitforattach +1 ", text, re.M)
    assert re.search(r"^    asking array storage-N for the volume +1 ", text, re.M)
    assert re.search(r"^storage-01: lsvdisk +\d+ ", text, re.M)
    assert re.search(r"^helper: Attach +1 ", text, re.M)
    ElementTree.fromstring(picture.read_text())
    found = json.loads(asked(capsys, "times", "--since", "-1h", "--journal", file, "--json"))
    slowest = [one["ms"] for one in found["slowest"]]
    assert slowest == sorted(slowest, reverse=True)
    for one in found["figures"]:
        assert one["p50"] <= one["p95"] <= one["max"]


def test_no_secret_is_in_journal_timeline_or_picture(
    bench: Bench, journald: Journald, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.create("vol1")
    bench.do("password", password=SECRET)
    bench.configure(password=SECRET)
    bench.attach("vol1").success()
    (call,) = ended(journald, "waitforattach")
    file = journald.exported(tmp_path / "journal.json")
    picture = tmp_path / "a.svg"
    words = ("trace", call["INSTORAGE_OP"], "--journal", str(file), "--svg", str(picture))
    said = asked(capsys, *words) + asked(capsys, *words, "--json")
    assert SECRET not in file.read_text() + said + picture.read_text()


@given(st.lists(st.text() | st.from_regex(r'\{"INSTORAGE_(OP|SPANS|BEGAN|MS|CALL)":.{0,30}\}'), max_size=8))
def test_lines_that_are_no_entries_hide_no_other(lines: list[str]) -> None:
    good = {"INSTORAGE_OP": "a" * 10, "INSTORAGE_CALL": "mount", "INSTORAGE_BEGAN": "1", "INSTORAGE_MS": "5"}
    found = list(entry.parsed([*lines, json.dumps(good | {"INSTORAGE_SPANS": '[[1],["phase","x",0,5,""]]'})]))
    made = timeline.built("a" * 10, found[-1:])
    assert made is not None
    assert [node.what for _, node in made.walk()] == ["mount", "x"]
    for one in found:
        timeline.built(one.mark("op"), found)
