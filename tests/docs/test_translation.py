"""The comparison of two pages sees what differs: a test of what the pages are held by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.docs.translation import REMARK, anchors, blocks

if TYPE_CHECKING:
    from pathlib import Path

PAGE = """# Title with `code`

A paragraph of
two lines, 4.4 and [a link](page.md#part).

| a | b |
|---|---|
| `x \\| y` | 10,000 |

* an item
  that goes on

1. a step

```sh name
run it    # a remark
```

Indented:

    indented --flag # another
    second
"""
KINDS = [block.kind for block in blocks(PAGE)]


def test_a_page_is_taken_apart_into_what_a_reader_sees() -> None:
    found = blocks(PAGE)
    assert found[0].commands == {"code"}
    assert found[1].links == ("page.md#part",)
    assert found[1].numbers == {"4.4"}
    assert found[4].commands == {"x | y"}
    assert found[5].numbers == {"10,000"}
    assert [block.source for block in found if block.is_code] == [
        "sh name\nrun it    # a remark\n",
        "\nindented --flag # another\nsecond\n",
    ]


@pytest.mark.parametrize(
    ("cut", "put"),
    [
        ("| `x \\| y` | 10,000 |\n", ""),
        ("1. a step", "* a step"),
        ("# Title", "## Title"),
        ("\n\n    indented", "\n\nindented"),
        ("* an item", "an item"),
        ("two lines", "\ntwo lines"),
    ],
)
def test_a_row_a_step_a_level_or_code_that_is_missing_is_seen(cut: str, put: str) -> None:
    assert cut in PAGE
    assert [block.kind for block in blocks(PAGE.replace(cut, put))] != KINDS


def test_a_remark_may_be_translated_and_a_command_not() -> None:
    (code, _) = [block.source for block in blocks(PAGE) if block.is_code]
    assert REMARK.sub("", code.replace("a remark", "注释")) == REMARK.sub("", code)
    assert REMARK.sub("", code.replace("run it", "run that")) != REMARK.sub("", code)
    assert REMARK.sub("", "curl http://a#b") == "curl http://a#b"


@pytest.mark.parametrize(
    ("heading", "name"),
    [
        ("The key of the shadows", "the-key-of-the-shadows"),
        ("密文的密钥", "密文的密钥"),
        ("`instoragectl`: look at a node", "instoragectl-look-at-a-node"),
        ("storage：列表，第一项为默认", "storage列表第一项为默认"),
    ],
)
def test_a_section_is_found_by_the_name_that_its_readers_link_to(
    tmp_path: Path, heading: str, name: str
) -> None:
    (tmp_path / "page.md").write_text(f"# Page\n\n## {heading}\n", encoding="utf-8")
    assert anchors(tmp_path / "page.md") == ["page", name]
