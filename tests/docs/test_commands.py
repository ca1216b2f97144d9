"""Every command that a page names is one of ours, with options that it has."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

import pytest

from nodeagent.administration.command import Command, leaves
from nodeagent.administration.commands import table
from nodeagent.administration.ext import COMMANDS
from nodeagent.diagnosis import plugin
from tests.docs.markdown import EVERY, code
from tools.install import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTROL = dict(leaves(table()))
GROUPS = {command.name for command in table()}
HELP = {"-h", "--help"}
OTHERS = {"install", "install-headers"}  # targets of other makers' Makefiles that pages speak of
TARGET = re.compile(r"^([a-z-]+):", re.MULTILINE)
EXT = re.compile(r"instorage-(?:flexvolume|provisioner) ((?:ext-)[a-z0-9-]+)")


def called(page: str, program: str) -> Iterator[list[str]]:
    """Yield the words behind each call of a program in a page's code, up to what a shell ends it with."""
    for line in code(page):
        for found in re.finditer(rf"(?:^|[\s/|(]){program}(?: ([^|;&)>]*)|$)", line):
            yield (found[1] or "").split()


@pytest.mark.parametrize("page", EVERY)
def test_every_command_of_instoragectl_is_in_its_table(page: str) -> None:
    for words in called(page, "instoragectl"):
        if not words or words[0] in HELP or words[0].isupper():
            continue
        assert words[0] in GROUPS, words
        command = CONTROL.get((words[0],)) or next(
            (CONTROL[both] for both in [tuple(words[:2])] if both in CONTROL), None
        )
        known = {option.name for option in command.all_options} if command else options(words[0])
        given = {word.strip("[]") for word in words if re.match(r"\[?--", word)}
        assert given <= known, (words, known)


def options(group: str) -> set[str]:
    """The options of all actions of a group."""
    return {option.name for words, one in CONTROL.items() if words[0] == group for option in one.all_options}


@pytest.mark.parametrize("page", EVERY)
def test_every_command_of_kubectl_instorage_is_there(page: str) -> None:
    parser = plugin._parser()
    (commands,) = (one for one in parser._actions if isinstance(one, argparse._SubParsersAction))
    for words in called(page, "kubectl instorage"):
        assert not words or words[0] in commands.choices, words


@pytest.mark.parametrize("page", EVERY)
def test_every_target_of_make_is_there(page: str) -> None:
    targets = set(TARGET.findall((ROOT / "Makefile").read_text()))
    for words in called(page, "make"):
        named = [word for word in words if re.fullmatch(r"[a-z-]+", word)]
        assert set(named[:1]) <= targets | OTHERS, words


@pytest.mark.parametrize("page", EVERY)
def test_every_ext_command_is_there(page: str) -> None:
    assert {name for line in code(page) for name in EXT.findall(line)} <= set(COMMANDS)


def test_these_tests_see_commands_at_all() -> None:
    assert isinstance(CONTROL["doctor",], Command)
    seen = {words[0] for page in EVERY for words in called(page, "instoragectl") if words}
    assert {"doctor", "barrier", "fence", "codes"} <= seen
    assert sum(1 for page in EVERY for _ in called(page, "make")) > 20
