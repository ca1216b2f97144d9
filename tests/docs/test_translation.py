"""The comparison of two pages sees what differs: a test of what the pages are held by."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.docs.translation import REMARK, anchor, blocks

PAGE = """# Title with `code`

A paragraph of
two lines, 4.4 and [a link](page.md#part).

| a | b |
|---|---|
| `x | y` | 10,000 |

* an item
  that goes on

      not code, since it is in the item? It is code, and so it is compared.

1. a step

```sh name
run it    # a remark
```

    indented --flag # another
    second
"""
KINDS = [
    "#", "paragraph", "row of 2", "row of 2", "row of 2", "item 0*", "code", "item 01.", "code", "code",
]  # fmt: skip


def test_a_page_is_taken_apart_into_what_a_reader_sees() -> None:
    found = blocks(PAGE)
    assert [block.kind for block in found] == KINDS
    assert found[1].links == ["page.md#part"]
    assert found[1].numbers == {"4.4"}
    assert found[4].commands == {"x | y"}
    assert found[4].numbers == {"10,000"}
    assert found[-1].text == "    indented --flag # another\n    second"


@pytest.mark.parametrize(
    ("cut", "put"),
    [
        ("| `x | y` | 10,000 |\n", ""),
        ("1. a step", "* a step"),
        ("# Title", "## Title"),
        ("\n\n    indented", "\n\nindented"),
        ("* an item", "an item"),
    ],
)
def test_a_row_a_step_a_level_or_code_that_is_missing_is_seen(cut: str, put: str) -> None:
    assert cut in PAGE
    assert [block.kind for block in blocks(PAGE.replace(cut, put))] != KINDS


def test_a_remark_may_be_translated_and_a_command_not() -> None:
    code = blocks(PAGE)[8].text
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
def test_a_section_is_found_by_the_name_that_its_readers_link_to(heading: str, name: str) -> None:
    assert anchor(heading) == name


@given(st.lists(st.text(st.sampled_from("a中 |*#1.-"), max_size=12), max_size=12))
def test_no_word_of_a_page_is_passed_over(lines: list[str]) -> None:
    text = "\n".join(lines)
    seen = "".join(block.text + block.kind for block in blocks(text))
    assert all(seen.count(letter) >= text.count(letter) for letter in "a中")
