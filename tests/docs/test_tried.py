"""No command of a page is untried but those that tests/docs/tried.toml names with a reason."""

from __future__ import annotations

import functools
import importlib
import re
import tomllib
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.docs.commands import all_commands
from tests.docs.test_instoragectl import RUNS
from tests.packaging.pages import PAGES, blocks
from tools.install import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

TRIED: Final = tomllib.loads(Path(__file__).with_name("tried.toml").read_text(encoding="utf-8"))
ELSEWHERE: Final[dict[str, list[str]]] = TRIED["elsewhere"]
SOAK: Final[dict[str, list[str]]] = TRIED["soak"]
MADE: Final[dict[str, list[str]]] = TRIED["make"]
NOT: Final[dict[str, list[str]]] = TRIED["untried"]
COMMANDS: Final = all_commands()
MAKE: Final = sorted(command for command in COMMANDS if re.match(r"(?:[A-Z]+=\S+ )*make ", command))
UNTRIED: Final = 2
"""How many commands nothing executes; who tries one takes it away from this number too."""
NOWHERE, WORD_FOR_WORD, OTHERWISE = (
    "no row says so", "docs/soak.md, word for word", "docs/soak.md, with other settings",
)  # fmt: skip
UNNOTED: Final = 6
"""How many targets of make no row says that somebody ran; it may only fall."""
NOT_DAILY: Final = re.compile(r"make soak|UNSEEN=1")
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
    tried = {*of_blocks(), *RUNS, *rows()}
    assert {command: pages for command, pages in COMMANDS.items() if command not in tried} == {}


def test_no_row_has_outlived_its_command_or_is_not_needed() -> None:
    assert sorted({*rows(), *RUNS} - COMMANDS.keys()) == []
    assert sorted(row for row in rows() if rows().count(row) > 1 or row in RUNS or row in of_blocks()) == []


def named_tests() -> list[str]:
    """Every test that a table names."""
    return [key for table in (ELSEWHERE, SOAK, MADE) for key in table if "::" in key]


def in_soak_alone(test: str) -> bool:
    """Whether the marks of a test, or of each link that it runs over, leave it out of every day's choice."""
    module, _, name = test.partition("::")
    there = importlib.import_module(module.removesuffix(".py").replace("/", "."))
    of_module = getattr(there, "pytestmark", [])
    marks = [*(of_module if isinstance(of_module, list) else [of_module]), *own_marks(there, name)]
    marks = [getattr(mark, "mark", mark) for mark in marks]
    kinds = [mark.args[1] for mark in marks if mark.name == "parametrize"]
    every = [all(left_out(getattr(kind, "marks", ())) for kind in kind_of) for kind_of in kinds]
    return left_out(marks) or any(every)


def own_marks(module: ModuleType, name: str) -> list[pytest.Mark]:
    found: list[pytest.Mark] = getattr(getattr(module, name), "pytestmark", [])
    return found


def left_out(marks: Iterable[pytest.Mark | pytest.MarkDecorator]) -> bool:
    reasons = [str(mark.kwargs.get("reason", "")) for mark in marks if mark.name == "skipif"]
    return any(NOT_DAILY.search(reason) for reason in reasons)


@pytest.mark.parametrize("test", named_tests())
def test_the_test_that_is_named_is_there_and_a_day_has_it_or_the_table_is_that_of_the_soak(test: str) -> None:
    assert test.partition("::")[2].startswith("test_")
    assert in_soak_alone(test) is (test in SOAK)


def of_target(name: str) -> set[str]:
    """What a target of the Makefile has run, itself and what it asks make for."""
    lines = (ROOT / "Makefile").read_text().splitlines()
    starts = [at for at, line in enumerate(lines) if re.match(rf"{re.escape(name)}:(?!=)", line)]
    recipe = [one for at in starts for one in takewhile(lambda line: line.startswith("\t"), lines[at + 1 :])]
    asked = {
        word
        for line in recipe
        for call in re.findall(r"\$\(MAKE\)((?: [-\w]+)+)", line)
        for word in call.split()
        if word[0] != "-"
    }
    return {name}.union(*(of_target(word) for word in asked if not word.isdigit()))


def test_where_a_target_was_run_is_so() -> None:
    noted = (ROOT / "docs/soak.md").read_text().partition("|---|")[2]
    assert set(MADE) >= {"make test", NOWHERE, WORD_FOR_WORD, OTHERWISE}
    for command in MADE["make test"]:
        assert command.removeprefix("make ") in of_target("test"), command
    for command in MADE[WORD_FOR_WORD]:
        assert f"`{command}`" in noted, command
    for command in MADE[OTHERWISE]:
        target = re.sub(r"^.*?(make [a-z-]+).*", r"\1", command)
        assert re.search(rf"`[^`]*\b{target}[` ]", noted), command
        assert f"`{command}`" not in noted, f"{command}: word for word"
    for command in MADE[NOWHERE]:
        assert not re.search(rf"{command}[`:, ]", noted), command


def test_each_target_has_a_row_and_those_of_nowhere_do_not_grow() -> None:
    assert sorted(row for commands in MADE.values() for row in commands) == sorted(
        set(MAKE) - set(TRIED["named"]["all"])
    )
    assert len(MADE[NOWHERE]) == UNNOTED


def test_what_is_not_tried_does_not_grow_and_has_a_reason() -> None:
    assert sum(len(commands) for commands in NOT.values()) == UNTRIED
    assert [reason for reason in NOT if len(reason.split()) < 6] == []


def test_a_unit_that_a_command_names_is_one_of_ours() -> None:
    named = {unit for command in COMMANDS for unit in UNIT.findall(command)}
    assert len(named) >= 3
    assert {unit for unit in named if not list(ROOT.glob(f"*/{unit}"))} == set()


def test_a_setting_for_make_is_one_that_it_or_its_program_reads() -> None:
    """The targets are there by test_commands.py; where each was run, the table says."""
    text = "".join(
        (ROOT / name).read_text() for name in ("Makefile", "benchmarks/__main__.py", "tests/soak.py")
    )
    given = {name for command in MAKE for name in SETTING.findall(command)}
    assert {"N", "SEED", "LINK"} <= given
    assert {one for one in given if not re.search(rf'\$\((?:or \$\()?{one}[):,]|"{one}"', text)} == set()
