"""`config/adopted`: a line is a signed grant as it was written, or it is left out and named."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instorage.tenancy.adopted import MAX_LINE, AdoptedFile, adopted_line, parse, parse_line
from instorage.tenancy.grant import Grant, SignedGrant
from instorage.wire.fault import Fault

if TYPE_CHECKING:
    from pathlib import Path

SIGNED = SignedGrant(Grant("pvc-1", "60050760008989c0d00000000002c485", "storage-01", "team-a"), "c2ln")
LINE = adopted_line(SIGNED)
TEXT = st.text(min_size=1, max_size=60)
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9._-]{0,62}", fullmatch=True)
UIDS = st.from_regex(r"6[0-9A-Fa-f]{31}", fullmatch=True)
GRANTS = st.builds(SignedGrant, st.builds(Grant, NAMES, UIDS, TEXT, TEXT), TEXT)


@given(GRANTS)
def test_a_line_says_what_was_written(signed: SignedGrant) -> None:
    line = adopted_line(signed)
    assert "\n" not in line
    assert line.isprintable()
    assert parse_line(line) == signed


@given(st.lists(GRANTS, max_size=5), st.lists(TEXT, max_size=5), st.randoms())
def test_lines_hold_whatever_stands_between_them(
    grants: list[SignedGrant], rubbish: list[str], order: object
) -> None:
    lines = [adopted_line(signed) for signed in grants] + rubbish
    order.shuffle(lines)  # type: ignore[attr-defined]
    found, wrong = parse("\n".join(lines))
    held = [signed for several in found.values() for signed in several]
    assert sorted(map(adopted_line, held)) == sorted(map(adopted_line, grants))
    assert all(name == signed.grant.volume for name, several in found.items() for signed in several)
    assert len(wrong) <= sum(text.count("\n") + 1 for text in rubbish)


@given(
    st.text() | st.recursive(st.text() | st.integers() | st.none(), st.lists, max_leaves=5).map(json.dumps)
)
def test_what_is_no_line_is_refused_by_a_fault(text: str) -> None:
    try:
        parsed = parse_line(text)
    except Fault:
        return
    assert json.loads(text) == json.loads(adopted_line(parsed))


@given(
    st.sampled_from(sorted(json.loads(LINE))), st.text(max_size=3) | st.integers() | st.none() | st.just([])
)
def test_a_changed_value_is_kept_as_it_is_or_refused(key: str, value: object) -> None:
    changed = json.loads(LINE) | {key: value}
    try:
        parsed = parse_line(json.dumps(changed))
    except Fault:
        return
    assert json.loads(adopted_line(parsed)) == changed, "nothing is taken for what it is not"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("pvc-1 team-a", "It is not JSON"),
        ("[" * 2000, "It is not JSON"),
        ("[]", "with the keys volume, volumeUid, storageName, claimNamespace, signature"),
        (LINE[:-1] + ', "more": "x"}', "It is not an object with the keys"),
        (LINE.replace('"team-a"', "1"), "claimNamespace is not a text"),
        (LINE.replace('"team-a"', '""'), "claimNamespace is not a text"),
        (LINE.replace("pvc-1", "../1"), "is not a volume name"),
        (LINE.replace('"6005', '"5005'), "is not a volume UID"),
        (LINE + " " * MAX_LINE, "longer than"),
    ],
)
def test_a_line_that_is_none_is_named_by_its_number(line: str, said: str) -> None:
    found, (sentence,) = parse(f"# a remark\n\n{line}\n{LINE}\r\n")
    assert found == {"pvc-1": (SIGNED,)}
    assert sentence.startswith("line 3 is left out")
    assert said in sentence


def test_the_file_is_read_again_when_it_changed(tmp_path: Path) -> None:
    held = AdoptedFile(tmp_path / "adopted")
    assert held.grants("pvc-1") == ()
    held.path.write_text(LINE)
    assert held.grants("pvc-1") == (SIGNED,)
    assert held.grants("pvc-2") == ()
    held.path.write_text(LINE.replace("pvc-1", "pvc-2"))  # same size, same inode, within one clock tick
    assert held.grants("pvc-1") == ()
    held.path.unlink()
    assert held.grants("pvc-2") == ()


def test_a_file_that_did_not_change_is_not_read_again(tmp_path: Path) -> None:
    held = AdoptedFile(tmp_path / "adopted")
    held.path.write_text(LINE)
    settled = time.time() - 60
    os.utime(held.path, (settled, settled))
    until = time.monotonic() + 10
    while held.grants("pvc-1") is not held.grants("pvc-1") and time.monotonic() < until:
        time.sleep(0.1)
    assert held.grants("pvc-1") is held.grants("pvc-1")


def test_trouble_is_said_once_and_leaves_in_force_what_was(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    held = AdoptedFile(tmp_path / "adopted")
    held.path.write_text(f"{LINE}\nnonsense\n")
    for _ in range(3):
        assert held.grants("pvc-1") == (SIGNED,)
    assert [record.getMessage() for record in caplog.records] == [
        f"{held.path}: line 2 is left out: It is not JSON."
    ]
    held.path.unlink()
    held.path.mkdir()
    assert held.grants("pvc-1") == (SIGNED,)
    assert "cannot be read" in caplog.text


def test_a_pipe_in_its_place_hangs_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "adopted")
    assert AdoptedFile(tmp_path / "adopted").grants("pvc-1") == ()
