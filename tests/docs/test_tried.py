"""No command of a page is untried but those that tests/docs/tried.toml names with a reason."""

from __future__ import annotations

import ast
import functools
import re
import tomllib
from pathlib import Path
from typing import Final

import pytest

from tests.docs.commands import all_commands
from tests.docs.test_instoragectl import RUNS
from tests.packaging.pages import PAGES, blocks
from tools.install import ROOT

TRIED: Final = tomllib.loads(Path(__file__).with_name("tried.toml").read_text(encoding="utf-8"))
ELSEWHERE: Final[dict[str, list[str]]] = TRIED["elsewhere"]
NOT: Final[dict[str, list[str]]] = TRIED["untried"]
COMMANDS: Final = all_commands()
MAKE: Final = sorted(command for command in COMMANDS if re.match(r"(?:[A-Z]+=\S+ )*make ", command))
UNTRIED: Final = 22
"""How many commands nothing executes; who tries one takes it away from this number too."""
UNIT: Final = re.compile(r"\binstorage-[a-z]+\.(?:service|socket|target|timer)\b")
SETTING: Final = re.compile(r"\b([A-Z]+)=")


@functools.cache
def of_blocks() -> frozenset[str]:
    """The lines of the named blocks: tests/packaging/test_pages.py has a test execute each block."""
    texts = [text for page in PAGES for text in blocks(page).values()]
    return frozenset(" ".join(line.split()) for text in texts for line in text.splitlines())


def rows() -> list[str]:
    """Every command that the table has."""
    return [one for table in TRIED.values() for commands in table.values() for one in commands]


def test_every_command_of_the_pages_is_executed_or_says_why_not() -> None:
    tried = {*of_blocks(), *RUNS, *rows(), *MAKE}
    assert {command: pages for command, pages in COMMANDS.items() if command not in tried} == {}


def test_no_row_has_outlived_its_command_or_is_not_needed() -> None:
    assert sorted({*rows(), *RUNS} - COMMANDS.keys()) == []
    assert sorted(row for row in rows() if rows().count(row) > 1 or row in RUNS or row in of_blocks()) == []


@functools.cache
def functions_of(name: str) -> frozenset[str]:
    """The names of a module's functions."""
    body = ast.parse((ROOT / name).read_text(encoding="utf-8")).body
    return frozenset(one.name for one in body if isinstance(one, ast.FunctionDef))


@pytest.mark.parametrize("test", ELSEWHERE)
def test_the_test_that_is_named_is_there(test: str) -> None:
    module, _, name = test.partition("::")
    assert name.startswith("test_")
    assert name in functions_of(module)


def test_what_is_not_tried_does_not_grow_and_has_a_reason() -> None:
    assert sum(len(commands) for commands in NOT.values()) == UNTRIED
    assert [reason for reason in NOT if len(reason.split()) < 6] == []


def test_a_unit_that_a_command_names_is_one_of_ours() -> None:
    named = {unit for command in COMMANDS for unit in UNIT.findall(command)}
    assert len(named) >= 3
    assert {unit for unit in named if not list(ROOT.glob(f"*/{unit}"))} == set()


def test_a_setting_for_make_is_one_that_it_or_its_program_reads() -> None:
    """The targets are there by test_commands.py; what they do is the day's and the soak's own runs."""
    text = "".join((ROOT / name).read_text() for name in ("Makefile", "benchmarks/__main__.py"))
    given = {name for command in MAKE for name in SETTING.findall(command)}
    assert {"N", "SEED", "LINK"} <= given
    assert {one for one in given if not re.search(rf'\$\((?:or \$\()?{one}[):,]|"{one}"', text)} == set()
