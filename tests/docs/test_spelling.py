"""Every word of the English pages is one of the language (hunspell's en_US) or of tests/docs/words.txt."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.docs.markdown import EVERY, words

OWN = Path(__file__).with_name("words.txt")
ENGLISH = tuple(page for page in EVERY if not page.endswith(".zh.md"))
pytestmark = pytest.mark.subprocess


def own() -> list[str]:
    return [line for line in OWN.read_text().splitlines() if line and not line.startswith("#")]


def unknown(found: set[str]) -> set[str]:
    """Those that the dictionary has not."""
    assert shutil.which("hunspell"), "hunspell is not here: run tools/system-packages build"
    argv = ["hunspell", "-d", "en_US", "-l"]
    done = subprocess.run(
        argv, input="\n".join(found), text=True, capture_output=True, check=True, timeout=50
    )
    return set(done.stdout.split())


def test_no_word_is_misspelt() -> None:
    found = {word.replace("’", "'").removesuffix("'s"): page for page in ENGLISH for word in words(page)}
    strange = unknown(set(found)) - set(own())
    assert {word: found[word] for word in sorted(strange)} == {}


def test_the_list_of_own_words_is_sorted_and_the_dictionary_has_none_of_them() -> None:
    assert own() == sorted(set(own()))
    assert set(own()) - unknown(set(own())) == set()


def test_a_misspelt_word_would_be_found() -> None:
    assert unknown({"volume", "volumme"}) == {"volumme"}
