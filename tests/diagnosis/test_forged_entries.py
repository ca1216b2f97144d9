"""Any user of a host writes into its journal: `trace` and `times` believe our services alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from nodeagent.administration import ctl
from nodeagent.diagnosis import entry, timeline
from nodeagent.diagnosis.entry import Entry

if TYPE_CHECKING:
    from pathlib import Path

OP = "a" * 10
AGENT, SHELL = "instorage-nodeagent.service", "user@1000.service"
ESCAPE = "\x1b]0;x\x07"


def line(unit: str, call: str = "mountdevice", **more: Any) -> dict[str, Any]:
    found = {"INSTORAGE_OP": OP, "INSTORAGE_CALL": call, "INSTORAGE_VOLUME": "vol1", "INSTORAGE_BEGAN": "1"}
    found |= {"INSTORAGE_MS": "5", "INSTORAGE_SPANS": '[["phase","x",0,5,""]]', "_SYSTEMD_UNIT": unit}
    return found | {"__REALTIME_TIMESTAMP": "1700000000000000"} | more


def written(directory: Path, *entries: dict[str, Any]) -> str:
    file = directory / "journal.json"
    file.write_text("".join(json.dumps(one) + "\n" for one in entries))
    return str(file)


def test_what_another_user_wrote_is_no_call_of_the_agents(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forged = line(SHELL, "mountdevice", INSTORAGE_MS="1")
    without = {key: value for key, value in forged.items() if not key.startswith("_SYSTEMD")}
    file = written(tmp_path, line(AGENT, "unmount"), forged, without)
    for asked in (OP, "vol1"):
        assert ctl.main(["trace", asked, "--journal", file]) == 0
        said = capsys.readouterr().out
        assert "unmount of vol1" in said
        assert "mountdevice" not in said
    assert ctl.main(["times", "--journal", file]) == 0
    assert "mountdevice" not in capsys.readouterr().out
    assert ctl.main(["trace", "vol1", "--journal", written(tmp_path, forged, without)]) == 1


@pytest.mark.subprocess
def test_journalctl_is_asked_for_entries_of_our_services_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, noted = tmp_path / "journalctl", tmp_path / "noted"
    program.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" >{noted}\n")
    program.chmod(0o755)
    monkeypatch.setattr(entry, "JOURNALCTL", (str(program),))
    assert entry.read((f"INSTORAGE_OP={OP}", f"INSTORAGE_VOLUME={OP}")) == []
    groups = " ".join(noted.read_text().split()).partition("--all ")[2].split(" + ")
    assert len(groups) == 2
    for group in groups:
        assert {word for word in group.split() if word.startswith("_SYSTEMD_UNIT=")} == {
            f"_SYSTEMD_UNIT={unit}" for unit in entry.UNITS
        }


@pytest.mark.parametrize("number", ["inf", "-inf", "nan", "1e999", "9" * 400, "x"])
def test_a_length_that_is_none_ends_neither_trace_nor_times(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], number: str
) -> None:
    spans = f'[["phase","a",0,{number if number != "x" else "{}"},""],["phase","b",0,5,""]]'
    spans = spans.replace("-inf", "-Infinity").replace("inf,", "Infinity,").replace("nan", "NaN")
    bad = line(AGENT, INSTORAGE_MS=number, INSTORAGE_SPANS=spans, INSTORAGE_DROPPED=number)
    bad |= {"INSTORAGE_PHASES": '{"a":1e999,"b":5}', "__REALTIME_TIMESTAMP": "9" * 400}
    file = written(tmp_path, bad)
    assert ctl.main(["trace", OP, "--journal", file]) == 0
    assert " b" in capsys.readouterr().out
    assert ctl.main(["times", "--journal", file]) == 0
    assert "mountdevice" in capsys.readouterr().out


def test_a_journal_with_escapes_is_shown_without_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spans = json.dumps([["phase", f"a{ESCAPE}", 0, 5, ESCAPE]])
    phases = json.dumps({f"a{ESCAPE}": 5})
    more = {"INSTORAGE_SPANS": spans, "INSTORAGE_PHASES": phases, "INSTORAGE_CODE": ESCAPE}
    file = written(tmp_path, line(AGENT, f"mount{ESCAPE}", **more), line(AGENT, **more))
    picture = tmp_path / "a.svg"
    for command in (["trace", OP], ["times"]):
        assert ctl.main([*command, "--journal", file, "--svg", str(picture)]) == 0
        for text in (capsys.readouterr().out, picture.read_text()):
            assert "\x1b" not in text
            assert "\x07" not in text


def test_of_more_things_than_anybody_reads_the_first_are_placed() -> None:
    fields = line("instorage-helper.service", "") | {"INSTORAGE_VERB": "Attach"}
    made = timeline.built(OP, [Entry(fields)] * (timeline.MOST + 7))
    assert made is not None
    assert made.dropped == 7
    assert len(list(made.walk())) == timeline.MOST + 1
