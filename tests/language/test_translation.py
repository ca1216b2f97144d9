"""What a Chinese reader is shown of an English sentence, whoever made it."""

from __future__ import annotations

import gettext
import io
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instorage.translation import Template, Translation, messages
from tools.messages import catalogue, po

TRANSLATION = Translation(messages(catalogue.compiled()))
MADE = [Template(text.strip(), said.strip()) for text, said in catalogue.translations().items()]
HOLDING = [one for one in MADE if any(name for name, _ in one.pieces)]
VALUES = st.from_regex(r"[A-Za-z0-9/{»]([A-Za-z0-9._/:@%,=+{}»-]{0,28}[A-Za-z0-9/}])?", fullmatch=True)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)


@settings(max_examples=400, deadline=None)
@given(data=st.data(), made=st.sampled_from(HOLDING))
def test_what_stands_in_a_sentence_survives_whatever_it_is(data: st.DataObject, made: Template) -> None:
    values = {name: data.draw(VALUES, name) for name, _ in made.pieces if name}
    said = TRANSLATION.said("".join(values[name] if name else piece for name, piece in made.pieces))
    for value in values.values():
        assert value in said


@given(st.text(max_size=300))
def test_any_text_is_taken(text: str) -> None:
    said = TRANSLATION.said(text)
    assert said.startswith(text[: len(text) - len(text.lstrip())])


@given(st.text(string.printable + "«»…", max_size=200))
def test_no_letter_of_a_foreign_text_is_lost_when_nothing_of_it_is_ours(text: str) -> None:
    if not any(ord(one) > 0x2E80 for one in TRANSLATION.said(text)):
        assert TRANSLATION.said(text) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Volume pvc-1 is offline on array s1.", "卷 pvc-1 在存储 s1 上离线。"),
        ("connect: Name or service not known", "connect: Name or service not known"),
        ("name        claim  array  state", "name        claim  array  state"),
        (
            "\x1b[31;1merror\x1b[0m \x1b[1mportals\x1b[0m: Volume pvc-1 is offline on array s1.",
            "\x1b[31;1m错误\x1b[0m \x1b[1mportals\x1b[0m: 卷 pvc-1 在存储 s1 上离线。",
        ),
        (
            (
                "/etc/x.yaml, line 3: storage[0].host is missing: write IP:port, for example 10.0.0.1:22 or "
                "[fd00::1]:22."
            ),
            "/etc/x.yaml 第 3 行: storage[0].host 缺失：请写 IP:端口，例如 10.0.0.1:22 或 [fd00::1]:22。",
        ),
        (
            (
                "The check «volumes» was not made to its end: Volume v is still in use by mount: it will "
                "be tried again."
            ),
            "检查 «volumes» 未能完成：卷 v 仍被 mount 使用：会重试。",
        ),
        (
            "Volume pvc-1 waits since 10:00:00 (4 min): Some other sentence of mine.",
            "卷 pvc-1 自 10:00:00 起在等待（4 min）：Some other sentence of mine.",
        ),
    ],
)
def test_what_is_shown(text: str, said: str) -> None:
    assert TRANSLATION.said(text) == said


def test_a_text_of_any_length_is_answered_at_once() -> None:
    for piece in ("Volume a is ", "a. B ", "x: "):
        for text in (piece * 200_000, piece * 300):
            assert len(TRANSLATION.said(text)) >= len(text) / 2


def test_gettext_reads_the_catalogue_as_we_do() -> None:
    data = catalogue.compiled()
    theirs = gettext.GNUTranslations(io.BytesIO(data))
    for text, translation in messages(data).items():
        if text:
            assert theirs.gettext(text) == translation


def test_a_catalogue_that_is_damaged_is_none() -> None:
    data = catalogue.compiled()
    for broken in (b"", data[:40], b"\0" * 40, data[:2000]):
        with pytest.raises(ValueError, match=r"."):
            messages(broken)


@given(st.dictionaries(TEXT, TEXT, max_size=6))
def test_a_po_file_says_what_was_written(pairs: dict[str, str]) -> None:
    text = po.written((po.Entry(key, ("a.py",), value) for key, value in pairs.items()), "zh_CN")
    assert po.read(text) == pairs
    assert {key: value for key, value in messages(po.compiled(pairs, "zh_CN")).items() if key} == pairs


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('msgid "a"\nmsgstr b\n', "line 2"),
        ('msgid "a\nmsgstr "b"\n', "line 1"),
        ('msgctxt "a"\nmsgid "a"\nmsgstr "b"\n', "line 1"),
        ('msgid "a"\nmsgstr "b"\n\nmsgid "a"\nmsgstr "c"\n', "second time"),
    ],
)
def test_a_po_file_that_is_wrong_is_refused_with_the_line(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        po.read(text)


def test_what_is_fuzzy_counts_as_not_translated() -> None:
    assert po.read('#, fuzzy\nmsgid "a"\nmsgstr "b"\n') == {"a": ""}
