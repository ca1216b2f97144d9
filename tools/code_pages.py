"""`python -m tools.code_pages [--check]`: write docs/codes.md and docs/codes.zh.md.

The Chinese sentences are those that `instoragectl codes` shows, of po/zh_CN.po; one that is missing stops it.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from instorage.catalogue import of_arrays, of_nodes
from instorage.catalogue.table import CATALOGUE, message_id
from tools.messages import po

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from instorage.catalogue.entry import Entry
    from instorage.wire.fault import Code

ROOT: Final = Path(__file__).resolve().parents[1]
SECTIONS: Final = (of_arrays.ENTRIES, of_nodes.ENTRIES)
HEAD: Final = """\
# The codes of failures

Made by `python -m tools.code_pages` from `instorage/catalogue`. Every failure has a sentence that names the
thing and the mend, and one of these codes, which never changes its meaning: in brackets at the end of an
answer to kubelet, as `INSTORAGE_CODE` in the journal, as `code` of `--json`. Here is what holds of every one
with that code. In a terminal: `instoragectl codes CODE`, or `journalctl -x`, which knows a record by its
`MESSAGE_ID`. 中文：[codes.zh.md](codes.zh.md).

| code | means |
"""
HEAD_IN_CHINESE: Final = """\
# 失败代码

本页由 `python -m tools.code_pages` 根据 `instorage/catalogue` 生成。
每条失败信息都有一句话指出对象和处理办法，并带有下列代码之一，代码的含义从不改变：
在答复 kubelet 的末尾，位于方括号中；在日志中为 `INSTORAGE_CODE`；在 `--json` 的输出中为 `code`。
本页说明每个代码的共同含义。在终端上查看：`instoragectl codes CODE`，
或 `journalctl -x`，它按 `MESSAGE_ID` 识别记录。
English: [codes.md](codes.md)。

| 代码 | 含义 |
"""


@dataclass(frozen=True)
class Language:
    """What a page says around the catalogue's sentences, and how these are said in its language."""

    file: Path
    head: str
    sections: tuple[str, str]
    why: str
    mend: str
    said: Callable[[str], str]


def languages() -> tuple[Language, Language]:
    """Return English and Chinese; a sentence without a translation is a KeyError that has it."""
    chinese = po.read((ROOT / "po/zh_CN.po").read_text(encoding="utf-8"))
    return (
        Language(
            ROOT / "docs/codes.md",
            HEAD,
            ("Arrays, volumes, requests", "Nodes and processes"),
            "* Why: ",
            "* Do: ",
            str,
        ),
        Language(
            ROOT / "docs/codes.zh.md",
            HEAD_IN_CHINESE,
            ("存储、卷、请求", "节点和进程"),
            "* 原因：",
            "* 处理：",
            lambda sentence: chinese[sentence],
        ),
    )


def page(language: Language) -> str:
    """Return the page: a table to find a code, then a section for each."""
    pairs = zip(language.sections, SECTIONS, strict=True)
    sections = (line for name, entries in pairs for line in _section(name, entries, language))
    return language.head + "\n".join([*_table(language), *sections])


def _table(language: Language) -> Iterator[str]:
    yield "|---|---|"
    for code, entry in sorted(CATALOGUE.items(), key=lambda item: item[0].value):
        yield f"| [`{code.value}`](#{code.value}) | {_cell(language.said(entry.meaning))} |"
    yield ""


def _section(name: str, entries: Mapping[Code, Entry], language: Language) -> Iterator[str]:
    yield f"## {name}"
    yield ""
    for code, entry in entries.items():
        yield f"### {code.value}"
        yield ""
        yield from (language.said(entry.meaning), "")
        yield f"{language.why}{language.said(entry.cause)}"
        yield f"{language.mend}{language.said(entry.mend)}"
        yield f"* `MESSAGE_ID`: `{message_id(code)}`"
        yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> int:
    """Write the pages, or with `--check` say whether they are what the catalogue says."""
    parser = argparse.ArgumentParser(description="Write docs/codes.md and codes.zh.md from the catalogue.")
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 when one is outdated")
    wanted = {language.file: page(language) for language in languages()}
    if parser.parse_args().check:
        found = {file: file.read_text(encoding="utf-8") for file in wanted if file.exists()}
        return int(found != wanted)
    for file, text in wanted.items():
        file.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
