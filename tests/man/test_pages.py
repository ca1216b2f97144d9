"""The man pages: what their sources and the code's tables say, in both languages, nothing forgotten."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from installer import arguments, places
from instorage import volume_class
from instorage.catalogue.table import CATALOGUE
from instorage.configuration import host_section, storage_section
from instorage.configuration.settings import LOG_KEYS
from nodeagent.administration import commands
from nodeagent.administration.command import leaves
from provisioner import ctl
from tools.install import NODE, ROOT, THE_PROVISIONER
from tools.man import __main__ as program
from tools.man import page, translation, units
from tools.man.page import LANGUAGES, File

if TYPE_CHECKING:
    from collections.abc import Iterator

REFERENCE = re.compile(r"\\fB([^\\]+(?:\\-[^\\]+)*)\\fR\((\d)\)")
CONFIGURED = (*host_section.KEYS, *storage_section.KEYS, *LOG_KEYS)
OF_OTHERS = {"multipath.conf.5", "iscsiadm.8", "journalctl.1", "targetcli.8", "multipathd.8"}
OF_SYSTEMD = {"systemd.service.5", "systemd.target.5"}


@pytest.fixture(scope="module")
def made() -> dict[str, File]:
    """Every file below man/, made now."""
    return program.made()


def shown(name: str, made: dict[str, File]) -> Iterator[str]:
    """What a page shows in each language, hyphens and breaks as a reader sees them."""
    for folder in LANGUAGES.values():
        path = f"{folder}man{name[-1]}/{name}"
        file = made[path]
        content = made[f"{folder}man{name[-1]}/{file.link}"].content if file.link else file.content
        yield re.sub(r"\\f[BIR]", "", content.replace(r"\-", "-").replace(r"\:", "").replace(r"\(ti", "~"))


def test_man_is_what_its_sources_make_now(made: dict[str, File]) -> None:
    assert program.differences(program.FOLDER, made) == [], "make man"


def test_what_is_stale_missing_or_too_much_is_named_and_mended(tmp_path: Path) -> None:
    wanted = {name: File(name, "text\n") for name in ("man1/a.1", "man1/b.1")}
    wanted["man1/c.1"] = File("man1/c.1", link="a.1")
    program.write(tmp_path, wanted)
    assert program.differences(tmp_path, wanted) == []
    (tmp_path / "man1/a.1").write_text("older\n")
    (tmp_path / "man1/b.1").unlink()
    (tmp_path / "man1/c.1").unlink()
    (tmp_path / "man1/c.1").symlink_to("b.1")
    (tmp_path / "man1/d.1").write_text("of nobody\n")
    assert program.differences(tmp_path, wanted) == ["man1/a.1", "man1/b.1", "man1/c.1", "man1/d.1"]
    program.write(tmp_path, wanted)
    assert program.differences(tmp_path, wanted) == []


def test_each_page_is_there_in_both_languages_with_the_same_parts() -> None:
    found: dict[tuple[str, ...], dict[str, page.Page]] = {}
    for one in page.pages():
        found.setdefault(one.names, {})[one.language] = one
    for languages in found.values():
        assert set(languages) == set(LANGUAGES)
        english, chinese = (shape(languages[one].lines) for one in LANGUAGES)
        assert english == chinese


def shape(lines: tuple[str, ...]) -> list[str]:
    """What both languages must have alike: headings by depth, terms, blocks word for word, directives."""
    kept, fenced = [], False
    for line in lines:
        fenced ^= line.startswith("```")
        if fenced or line.startswith(("```", "{{")):
            kept.append(line)
        elif line.startswith(("## ", "### ", "* ")):
            kept.append(line.partition(" ")[0])
        elif line.startswith(": "):
            kept.append(":")
    return kept


@pytest.mark.parametrize(
    "name",
    [
        *(f"{Path(path).name}.8" for part in (NODE, THE_PROVISIONER) for path in part.programs),
        *(f"{name}.8" for name in units.names()),
        "instorage-flexvolume.8", "install.sh.8", "kubectl-instorage.1", "instorage-simulator.1",
        "instorage.yaml.5", "helper.conf.5", "instorage-places.5", "instorage-files.5", "instorage.7",
        "instorage-storageclass.7", "instorage-codes.7", "aa-extend-failure.barrier.5",
    ],
)  # fmt: skip
def test_each_program_unit_and_file_has_a_page(name: str, made: dict[str, File]) -> None:
    if name == "instorage-helper-shutdown.8":
        assert made[f"man8/{name}"].link == "instorage-volumes.service.8"
    assert all(text.startswith(page.HEAD) for text in shown(name, made))


def test_every_command_and_option_of_instoragectl_is_told(made: dict[str, File]) -> None:
    for text in shown("instoragectl.8", made):
        for words, command in leaves(commands.table()):
            assert f'.SS "{" ".join(words)}"' in text
            assert all(option.name in text for option in command.all_options)


def test_every_option_of_adopt_is_told(made: dict[str, File]) -> None:
    usage = ctl._parser().parse_args(["adopt"])
    for text in shown("instoragectl.8", made):
        assert all(f"--{name}" in text for name in vars(usage) if name not in ("command", "run"))


def test_every_code_is_told(made: dict[str, File]) -> None:
    for text in shown("instorage-codes.7", made):
        assert all(f".TP\n{code.value}\n" in text for code in CATALOGUE)


def test_every_key_of_the_configuration_is_told(made: dict[str, File]) -> None:
    for text in shown("instorage.yaml.5", made):
        assert [key for key in CONFIGURED if key not in text] == []
    for text in shown("helper.conf.5", made):
        settings = (ROOT / "helper/settings.py").read_text()
        keys = set(re.findall(r'"((?:allowed_|plugin_|kubelet_|lock_)\w+|logout|multipath)"', settings))
        assert len(keys) >= 7
        assert [key for key in keys if key not in text] == []
    for text in shown("instorage-places.5", made):
        assert all(key in text for key in places.KEYS)


def test_every_parameter_of_a_class_and_option_of_the_installer_is_told(made: dict[str, File]) -> None:
    for text in shown("instorage-storageclass.7", made):
        assert [name for name in volume_class.KNOWN if f"\n{name}\n" not in text] == []
    for text in shown("install.sh.8", made):
        assert [name for name in re.findall(r"--[a-z-]+", arguments.USAGE) if name not in text] == []


def test_a_unit_is_told_as_its_file_has_it(made: dict[str, File]) -> None:
    for text in shown("instorage-provisioner.service.8", made):
        assert "-strconfig=/opt/inspur-instorage-provisioner/config/instorage.yaml" in text
        assert "\nCapabilityBoundingSet=\n" in text
    for text in shown("instorage-helper.socket.8", made):
        assert "\nSocketMode=0660\n" in text


def test_what_a_page_refers_to_is_there(made: dict[str, File]) -> None:
    for path, file in made.items():
        folder = path.rpartition("man")[0]
        for name, section in REFERENCE.findall(file.content):
            aim = f"{name.replace(chr(92) + '-', '-')}.{section}"
            assert f"{folder}man{section}/{aim}" in made or aim in OF_OTHERS | OF_SYSTEMD, (path, aim)


def test_chinese_that_is_missing_is_named() -> None:
    with pytest.raises(translation.Untranslated, match="'a text that nobody wrote'"):
        translation.into("zh_CN")("a text that nobody wrote")


def test_no_chinese_is_kept_that_no_page_asks_for_or_that_programs_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: set[str] = set()
    translate = translation.into("zh_CN")

    def recording(text: str) -> str:
        asked.add(text)
        return translate(text)

    monkeypatch.setattr(translation, "into", lambda _: recording)
    for one in page.pages():
        if one.language == "zh_CN":
            list(one.files())
    own = set(translation.known(translation.OF_PAGES))
    assert own - asked == set()
    again = own & set(translation.known(translation.OF_PROGRAMS))
    assert again == set(), f"po/ has it: take it out of {translation.OF_PAGES}"
