"""`po/zh_CN.po` against the sources: nothing is missing or left over, and nothing that counts is lost."""

from __future__ import annotations

import re
from collections import Counter

from instorage.translation import Template, Translation, messages
from tools.messages import catalogue, exclusions, po
from tools.messages.modules import modules
from tools.messages.templates import texts

PAIRS = list(catalogue.translations().items())
KEPT = re.compile(
    r"\d+(?:\.\d+)*"  # numbers
    r"|(?<![\w<])--?[a-z][\w-]+"  # options
    r"|(?<![\w}\])])/[a-z][\w./-]*"  # paths
    r"|\b\w*[a-z][A-Z]\w*"  # keys and kinds: volPoolName, StorageClass
    r"|\b[a-z]+(?:[_.][a-z]\w*)+"  # host.site, no_path_retry, multipath.conf
    r"|\b(?:ls|mk|rm|ch|add|switch)(?:vdisk|host|rc|mdisk|system|iogrp|site|node|fabric|migrate|port)\w*"
    r"|\b[A-Z]{2,}[A-Z0-9_]*\b"  # words to fill in, and abbreviations
    r"|\b(?:instoragectl|instorage-[a-z-]+|mcs\w+|multipathd?|kubectl|kubelet|systemctl|journalctl|iscsid)\b"
    r"|\b(?:barrier (?:plan|resume|clear)|release|ext-[a-z0-9-]+|shadow-key (?:ex|im)port|kube-scheduler)\b"
)
OTHERWISE = {"GUI": "图形界面", "SECONDS": "", "USER": "", "release": "", "multipath": ""}
"""What has a Chinese word, or is a word of prose as well as a command."""


def placeholders(text: str) -> list[str]:
    return [name for name, _ in Template(text, "").pieces if name]


def test_every_text_is_translated() -> None:
    assert [one.text for one in catalogue.entries() if not one.translation] == [], (
        "translate them in po/zh_CN.po, after «python -m tools.messages»"
    )


def test_no_translation_is_of_a_text_that_is_gone() -> None:
    assert sorted(set(catalogue.translations()) - set(catalogue.texts())) == [], "python -m tools.messages"


def test_both_files_are_as_the_tool_writes_them() -> None:
    entries = catalogue.entries()
    template = po.written(po.Entry(one.text, one.files) for one in entries)
    assert catalogue.TEMPLATE.read_text(encoding="utf-8") == template, "python -m tools.messages"
    assert catalogue.TRANSLATION.read_text(encoding="utf-8") == po.written(entries, catalogue.LANGUAGE)


def test_nothing_is_excluded_that_is_not_in_the_sources() -> None:
    there = {text for tree in modules().values() for text in texts(tree)}
    assert sorted(exclusions.EXCLUDED - there) == []


def test_a_translation_has_exactly_the_placeholders_of_its_text() -> None:
    wrong = [text for text, said in PAIRS if sorted(placeholders(text)) != sorted(placeholders(said))]
    assert wrong == []


def test_a_translation_loses_no_command_code_path_or_number() -> None:
    lost = {
        text: missing
        for text, translation in PAIRS
        if (missing := sorted(Counter(kept(text)) - Counter(kept(translation))))
    }
    assert lost == {}


def test_what_must_not_be_lost_is_seen() -> None:
    text = "See «mcsop chhost -site {site}» in /etc/x.yaml (host.site, CMMVC5786E), 3 of volPoolName: --json."
    assert kept(text) == [
        "mcsop", "chhost", "-site", "/etc/x.yaml", "host.site", "CMMVC5786E", "3", "volPoolName", "--json",
    ]  # fmt: skip


def kept(text: str) -> list[str]:
    plain = re.sub(r"\{\w+\}", "{}", text)
    return [one for one in KEPT.findall(plain) if one not in OTHERWISE]


def test_values_without_a_space_between_stay_together_in_their_order() -> None:
    """Nothing says where one ends, so that a translation must not tear them apart."""
    for text, translation in PAIRS:
        for pair in re.findall(r"(?=(\{\w+\}\{\w+\}))", text):
            assert pair in translation, (text, translation)


def test_no_text_has_values_that_only_a_full_stop_parts() -> None:
    """«{volume}.{more}» tears «pvc.1» apart: the two are two texts."""
    assert [text for text, _ in PAIRS if re.search(r"\}[.,:;]\{", text) and "__name__" not in text] == []


def test_every_text_is_found_by_the_sentence_that_is_made_of_it() -> None:
    translate = Translation(messages(catalogue.compiled())).said
    wrong = {}
    for text, translation in PAIRS:
        made = Template(text.strip(), translation.strip())
        values = {name: f"v{at}x" for at, name in enumerate(placeholders(text))}
        sentence = "".join(values[name] if name else piece for name, piece in made.pieces)
        if translate(sentence) != made.filled(values):
            wrong[sentence] = translate(sentence)
    assert wrong == {}
