"""The pages for who installs: whole, and no command that no test executes."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.packaging.pages import (
    ARCHIVES,
    CHECKOUTS,
    CHINESE,
    ENGLISH,
    FENCE,
    PAGES,
    TAKE_OVER,
    TAKE_OVER_CHINESE,
    blocks,
)
from tools.dist.archive import BESIDE
from tools.install import ROOT

EXECUTING = re.compile(r"\b(?:block\(|typed\(\w+, )\s*[\"']([a-z-]+)[\"']")
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
MINUTES_OF_WORK = 5
# Card, Moran and Newell, The keystroke-level model, 1980: an average typist's key; a decision for each line.
KEY, DECISION = 0.28, 1.35  # seconds
WORDS_A_MINUTE = 200  # of careful reading
CONFIGURATION = "host: 10.0.0.1:22\nusername: superuser\npassword: a-password-of-20-char\n"  # is changed


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", [TAKE_OVER, ARCHIVES, CHECKOUTS], ids=name)
def test_another_page_has_blocks_of_the_page(page: Path) -> None:
    assert blocks(page)
    assert blocks(page).items() <= blocks(ENGLISH).items()


@pytest.mark.parametrize("page", [ENGLISH, CHINESE, TAKE_OVER, TAKE_OVER_CHINESE, ARCHIVES], ids=name)
def test_every_command_stands_in_a_block(page: Path) -> None:
    """A block without a name, an indented one, or a command in a sentence that no block has."""
    text = page.read_text()
    assert len(re.findall("^```", text, re.MULTILINE)) == 2 * len(FENCE.findall(text))
    assert not re.findall(r"^(?:    |\t).+", FENCE.sub("", text), re.MULTILINE)
    typed = "\n".join(blocks(ENGLISH).values())
    programs = {line.split()[0] for line in typed.splitlines() if line.strip()} - {"cd", "for", "done"}
    known = {"./install.sh --provisioner", "dpkg --configure -a", "dpkg -P", "kubectl drain"}
    known |= {
        "./instorage-provisioner ext-encrypt-password",
        "instoragectl barrier plan",
        "instoragectl multipath",
        "instoragectl status",
    }
    said = {one for one in INLINE.findall(FENCE.sub("", text)) if one.split()[0] in programs and " " in one}
    assert [one for one in said if one not in typed and one not in known] == []


def test_a_test_executes_every_block() -> None:
    tests = [path for path in (ROOT / "tests").rglob("test_*.py") if path != Path(__file__)]
    executed = {name for path in tests for name in EXECUTING.findall(path.read_text())}
    named = {name for page in PAGES for name in blocks(page)}
    assert named - executed == set(), "no test executes it"
    assert executed - named == set(), "no page has it"


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    """What of the checkout an archive has beside programs."""
    for source, target in BESIDE.items():
        place = tmp_path / target
        place.parent.mkdir(exist_ok=True)
        (shutil.copytree if (ROOT / source).is_dir() else shutil.copy)(ROOT / source, place)
    return tmp_path


def test_every_link_of_the_archives_pages_leads_to_something_in_it(unpacked: Path) -> None:
    lost = []
    pages = [path for path in unpacked.rglob("*.md") if "installer" not in path.parts]
    assert {page.name for page in pages} >= {
        "README.md", "install.md", "install.zh.md", "take-over.md", "take-over.zh.md", "configuration.md",
    }  # fmt: skip

    for page in pages:
        leads = [link for link in LINK.findall(page.read_text()) if "://" not in link]
        lost += [f"{page.name}: {link}" for link in leads if not (page.parent / link).exists()]
    assert lost == []


def test_every_file_that_a_command_names_is_in_the_archive(unpacked: Path) -> None:
    for text in blocks(ENGLISH).values():
        for name in re.findall(r"(?:\./install\.sh|deploy/\S+)", text):
            assert (unpacked / name).exists(), name


@pytest.mark.parametrize("page", [ARCHIVES, CHECKOUTS], ids=name)
def test_from_archive_to_first_volume_is_under_five_minutes_of_work(page: Path) -> None:
    """Reading the section, thinking before each command, typing all of it, and the arrays' entry."""
    (section,) = (text for text in re.split(r"(?m)^## ", page.read_text()) if "```sh node" in text)
    read = section.rpartition("```")[0]
    typed = "".join(blocks(page).values()) + CONFIGURATION
    seconds = len(read.split()) / WORDS_A_MINUTE * 60 + len(typed) * KEY + len(typed.splitlines()) * DECISION
    print(f"{seconds:.0f} s of a person's work")
    assert seconds < MINUTES_OF_WORK * 60
