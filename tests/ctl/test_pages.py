"""docs/doctor.md has every check and every command that looks."""

from __future__ import annotations

import re
from pathlib import Path

from nodeagent.administration import report
from nodeagent.administration.command import leaves
from nodeagent.administration.commands import table
from nodeagent.administration.doctor.examination import CHECKS

PAGE = (Path(__file__).parents[2] / "docs/doctor.md").read_text(encoding="utf-8")
RULES = Path(__file__).parents[2] / "nodeagent/administration/doctor"


def test_every_check_is_described_and_none_that_is_not_there() -> None:
    section = PAGE.partition("## doctor")[2].partition("**`volumes`**")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(CHECKS)


def test_every_disagreement_of_the_two_sides_is_described() -> None:
    sources = (RULES / name for name in ("volume_rules.py", "path_rules.py"))
    codes = {code for path in sources for code in re.findall(r'CHECK, "([a-z-]+)"', path.read_text())}
    assert len(codes) > 10
    assert {code for code in codes if f"`{code}`" not in PAGE} == set()


def test_the_commands_of_the_page_are_there_and_the_annotation_is_the_reports() -> None:
    known = {words[0] for words, _ in leaves(table())}
    assert set(re.findall(r"`instoragectl (\w+)", PAGE)) <= known
    assert f"`{report.KEY}`" in PAGE
    left_out = [name for name in CHECKS if name not in report.CHECKS]
    assert f"all checks but {', '.join(f'`{name}`' for name in left_out)};" in PAGE
