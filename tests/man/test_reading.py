"""The pages as people and packages read them: no warning of any formatter, and words that can be copied."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.man import roff
from tools.man.__main__ import FOLDER
from tools.man.markup import rendered, sentence
from tools.man.page import SOURCES

if TYPE_CHECKING:
    from pathlib import Path

PAGES = sorted(path for path in FOLDER.rglob("*.?") if not path.is_symlink())
# As lintian asks (groff-message), but for nothing forgiven.
MAN = ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z"]
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]), max_size=200)


def run(*argv: str | Path) -> str:
    """What a formatter prints and complains of."""
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANROFFSEQ": "", "MANWIDTH": "80"}
    done = subprocess.run(
        [*argv], capture_output=True, text=True, timeout=60, check=False, cwd=FOLDER, env=environment,
    )  # fmt: skip
    return done.stderr + done.stdout


@pytest.mark.subprocess
def test_mandoc_has_nothing_to_say() -> None:
    assert len(PAGES) > 30
    assert run("mandoc", "-T", "lint", "-W", "warning", *PAGES) == ""


@pytest.mark.subprocess
def test_man_formats_each_page_without_a_warning() -> None:
    with ThreadPoolExecutor(2) as threads:
        said = dict(zip(PAGES, threads.map(complaints, PAGES), strict=True))
    assert {path.name: text for path, text in said.items() if text} == {}


def complaints(path: Path) -> str:
    argv = [*MAN, str(path)]
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANROFFSEQ": "", "MANWIDTH": "80"}
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert done.stdout, path
    return done.stderr


@pytest.mark.subprocess
def test_apropos_finds_every_page_by_its_name() -> None:
    said = run("lexgrog", *PAGES).splitlines()
    assert len(said) >= len(PAGES), "a line for each name"
    for path in PAGES:
        assert f'{path}: "{path.stem} - {_told(path)}"' in said


def _told(path: Path) -> str:
    """What the page's source says after the names."""
    ending = ".zh.md" if "zh_CN" in path.parts else ".md"
    lines = (SOURCES / f"{path.name}{ending}").read_text().splitlines()
    start = lines.index("## 名称" if ending == ".zh.md" else "## NAME") + 2
    return " ".join(lines[start : lines.index("", start)]).partition(" - ")[2]


@pytest.mark.subprocess
def test_a_reader_sees_the_words_and_can_copy_a_command(tmp_path: Path) -> None:
    lines = [
        "## A",
        "",
        r"In C:\x `don't --stop` at ~/a-b, *FILE* or **this**.",
        "",
        "```",
        ".a 'b' \\n",
        "```",
    ]
    page = "\n".join(['.TH "A" "1" "2026-01-01"', ".ad l", *rendered(lines), ""])
    (tmp_path / "a.1").write_text(page)
    said = run("mandoc", "-T", "ascii", "-O", "width=78", tmp_path / "a.1")
    plain = "".join(one for at, one in enumerate(said) if one != "\b" and said[at + 1 : at + 2] != "\b")
    assert r"In C:\x don't --stop at ~/a-b, FILE or this." in plain
    assert r".a 'b' \n" in plain


@given(TEXT)
def test_no_text_becomes_a_command_of_roff(text: str) -> None:
    for line in roff.filled(text):
        assert not line.startswith((".", "'"))
    assert "\\" not in roff.escaped(text).replace(r"\e", "").replace(r"\(ti", "").replace(
        r"\(ha", ""
    ).replace(r"\-", "")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("show it", "Show it."), ("instorage.yaml", "instorage.yaml."), ("true: yes", "true: yes."),
        ("thin: less", "Thin: less."),
        ("a note (this)", "A note (this)."), ("显示本节点", "显示本节点。"), ("Done.", "Done."),
    ],
)  # fmt: skip
def test_a_text_of_a_table_is_shown_as_a_sentence(text: str, shown: str) -> None:
    assert sentence(text) == shown


def test_what_a_term_is_told_may_go_on_in_the_next_line() -> None:
    lines = ["`--one`", ": Told in", "two lines.", "`--two`", ": Told in one."]
    shown = list(rendered(lines))
    assert shown.count(".TP") == 2
    assert "Told in two lines." in " ".join(shown)
