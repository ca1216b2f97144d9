"""Nothing that means something to the array's shell ever leaves the program."""

import shlex
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instorage.arrays.as18000.session import quoting
from instorage.wire.fault import Code, Fault

HARMLESS = string.ascii_letters + string.digits + " ._:%=,+-"
words = st.lists(st.text(HARMLESS, min_size=1, max_size=60), min_size=1, max_size=8)


@given(words)
def test_words_arrive_at_the_arrays_shell_as_they_were_given(given_words: list[str]) -> None:
    assert shlex.split(quoting.command(*given_words)) == given_words


@given(st.text())
def test_any_other_text_is_refused_before_it_is_sent(text: str) -> None:
    try:
        sent = quoting.word(text)
    except Fault as fault:
        assert fault.code is Code.NAME_INVALID
        assert fault.sentence.isprintable()
    else:
        assert set(text) <= set(HARMLESS) | {"!"}
        assert shlex.split(sent) == [text]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a;reboot",
        "$(id)",
        "`id`",
        "a|b",
        "a&b",
        "a>b",
        "a<b",
        'a"b',
        "a'b",
        "a\\b",
        "a\nb",
        "a\x00b",
        "a*",
        "é",
        "a{b}",
        "~",
        "#",
        "a!b c",
        "x" * 256,
    ],
)
def test_shell_characters_are_refused(text: str) -> None:
    with pytest.raises(Fault) as caught:
        quoting.word(text)
    assert caught.value.code is Code.NAME_INVALID


def test_a_name_of_63_characters_is_taken_and_one_of_64_is_not() -> None:
    assert quoting.object_name("n" * 63, "volume") == "n" * 63
    with pytest.raises(Fault, match="at most 63"):
        quoting.object_name("n" * 64, "volume")


@pytest.mark.parametrize("name", ["7", "12", "-force", " a", "a ", "", ".a", "a\n", "名"])
def test_a_name_the_array_would_refuse_or_take_for_an_id_or_option_is_refused(name: str) -> None:
    with pytest.raises(Fault) as caught:
        quoting.object_name(name, "host")
    assert caught.value.code is Code.NAME_INVALID
    assert caught.value.fields["kind"] == "host"


def test_a_name_with_a_space_is_one_argument() -> None:
    assert quoting.command("lsmdiskgrp", quoting.object_name("Pool A", "pool")) == 'lsmdiskgrp "Pool A"'


def test_an_io_group_may_be_given_by_name_or_number() -> None:
    assert quoting.name_or_id("0", "I/O group") == "0"
    assert quoting.name_or_id("io_grp0", "I/O group") == "io_grp0"
