"""The array's shell splits a line exactly as bash does."""

from __future__ import annotations

import random
import shlex
import string
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.face.shell import ShellSyntaxError, When, split

WORD = st.text(string.printable, max_size=12)


@given(st.lists(WORD, min_size=1, max_size=6))
def test_any_quoted_words_arrive_unchanged(words: list[str]) -> None:
    (command,) = split(shlex.join(["cmd", *words]))
    assert list(command.words) == ["cmd", *words]


@given(st.lists(st.lists(WORD, min_size=1, max_size=3), min_size=1, max_size=4))
def test_a_batch_is_run_command_by_command(commands: list[list[str]]) -> None:
    line = ";".join(shlex.join(["cmd", *words]) for words in commands)
    assert [list(command.words[1:]) for command in split(line)] == commands


@pytest.mark.subprocess
def test_words_are_those_that_bash_makes() -> None:
    source = random.Random(7)
    lines = ["".join(source.choices("ab -'\"\\\t#", k=source.randint(1, 12))) for _ in range(400)]
    script = r'show(){ printf "<%s>" "$@"; printf "\0"; }; while IFS= read -r -d "" line; do '
    script += r'(eval "show $line") 2>/dev/null || printf "refused\0"; done'
    said = subprocess.run(
        ["/bin/bash", "-c", script], input="\0".join([*lines, ""]).encode(), capture_output=True, check=True
    )
    expected = said.stdout.decode().split("\0")[:-1]
    assert [_shown(line) for line in lines] == expected
    assert 20 < expected.count("refused") < 380  # both kinds occur


def _shown(line: str) -> str:
    try:
        (command,) = split("show " + line)
    except ShellSyntaxError:
        return "refused"
    return "".join(f"<{word}>" for word in command.words[1:]) or "<>"


@pytest.mark.parametrize(
    "line", ["a | b", "a > f", "a &", "a `b`", "a $(b)", 'a "$b"', "(a)", "a 'b", 'a "b', "a;;b"]
)
def test_what_needs_a_whole_shell_is_refused(line: str) -> None:
    with pytest.raises(ShellSyntaxError):
        split(line)


def test_conditions_between_commands_are_kept() -> None:
    assert [(c.words, c.when) for c in split("a && b || c; d")] == [
        (("a",), When.ALWAYS),
        (("b",), When.SUCCESS),
        (("c",), When.FAILURE),
        (("d",), When.ALWAYS),
    ]
