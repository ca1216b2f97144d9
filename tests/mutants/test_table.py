"""The table of mutants is whole, and what judges them can tell."""

from __future__ import annotations

import subprocess

import pytest

from tools.mutants import FOLDER, ROOT, RULES, Mutant, survived, table

MUTANT = Mutant(6, "x.patch", "nothing is read", ("tests/a.py::test_one", "tests/b.py::test_two"))


def test_every_rule_of_the_node_part_has_a_mutant() -> None:
    assert {mutant.rule for mutant in table()} == set(RULES)


def test_every_patch_is_in_the_table_and_every_line_has_its_patch() -> None:
    assert sorted(mutant.patch for mutant in table()) == sorted(path.name for path in FOLDER.glob("*.patch"))


@pytest.mark.subprocess
def test_every_patch_applies() -> None:
    stale = []
    for mutant in table():
        argv = ["git", "apply", "--check", "-C1", "--recount", str(FOLDER / mutant.patch)]
        if subprocess.run(argv, cwd=ROOT, capture_output=True, check=False, timeout=30).returncode:
            stale.append(mutant.patch)
    assert stale == [], "the code has changed: make these patches anew (they take a rule of safety.md out)"


def test_a_mutant_that_one_of_its_tests_does_not_see_has_survived() -> None:
    seen = "FAILED tests/a.py::test_one[x] - assert 0\nERROR tests/b.py::test_two - Fault\n"
    assert survived(MUTANT, seen) == []
    assert survived(MUTANT, seen.replace("test_two", "test_three")) == ["tests/b.py::test_two"]
    assert len(survived(MUTANT, "2 passed")) == 2
