"""Every code is explained, to people and to journald; the delivered catalogue is that of the table."""

from __future__ import annotations

import json
import logging
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from instorage.catalogue.table import CATALOGUE, journald, message_id
from instorage.wire import journal as wire_journal
from instorage.wire.fault import Code
from nodeagent.administration import ctl
from nodeagent.operation.journal import Fields, Journal

if TYPE_CHECKING:
    import pytest

DELIVERED = Path(__file__).parents[2] / "systemd/catalog/instorage.catalog"


def test_no_code_is_missing_and_each_is_whole_sentences() -> None:
    assert set(CATALOGUE) == set(Code)
    for code, entry in CATALOGUE.items():
        for text in (entry.meaning, entry.cause, entry.mend):
            assert text.endswith("."), (code, text)
            assert text.isprintable()


def test_the_delivered_catalogue_is_the_tables() -> None:
    assert DELIVERED.read_text(encoding="utf-8") == journald(), "run: python -m tools.catalog"


def test_journald_takes_every_entry() -> None:
    """Its format: «-- ID», header fields, an empty line, the text; an id comes once."""
    blocks = re.split(r"^-- ", journald(), flags=re.MULTILINE)[1:]
    assert len(blocks) == len(Code)
    ids = [block.splitlines()[0] for block in blocks]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in ids)
    for block in blocks:
        head, _, text = block.partition("\n\n")
        assert re.fullmatch(r"[0-9a-f]{32}\nSubject: .+\nDefined-By: InStorage", head)
        assert text.strip()


def test_an_id_never_changes() -> None:
    assert message_id(Code.BAD_REQUEST) == "6c2a5ae7638b57388c3daeae8003259f"
    assert message_id(Code.BARRIER) == "b442e97b22245bb89ad0f46a74e48cbd"


def test_a_record_with_a_code_carries_its_message_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "journal")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journald_:
        journald_.bind(path)
        journald_.settimeout(20)
        monkeypatch.setattr(wire_journal, "SOCKET", path)
        handler = Journal()
        handler.addFilter(Fields())
        for code in ("barrier", ""):
            extra = {"code": code} if code else {}
            record = logging.makeLogRecord({"msg": "it stopped", "levelno": 30, "name": "nodeagent", **extra})
            handler.handle(record)
            said = journald_.recv(65536)
            assert (message_id(Code.BARRIER).encode() in said) is bool(code)
            assert (b"MESSAGE_ID" in said) is bool(code)


def test_codes_are_printed_for_people_and_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl.main(["codes", "pool-full"]) == 0
    assert capsys.readouterr().out.startswith("pool-full: The pool has not enough room.\n    why: ")
    assert ctl.main(["codes", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["code"] for one in found["codes"]] == [code.value for code in CATALOGUE]
    assert ctl.main(["codes", "none-such"]) == 1
    assert "There is no code none-such" in capsys.readouterr().err
