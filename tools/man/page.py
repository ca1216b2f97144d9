"""A man page: its source, what is put in for the directives of that, and what comes of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from instorage.version import VERSION
from tools.man import catalogue, commands, documents, flags, markup, translation, units

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SOURCES: Final = Path(__file__).parent / "pages"
LANGUAGES: Final = {"en": "", "zh_CN": "zh_CN/"}  # and their folders below man/
DATE: Final = "2026-11-30"  # when the sources were last gone through as a whole
ENDINGS: Final = {"en": ".md", "zh_CN": ".zh.md"}  # of sources, and of the documents in docs/
TITLES: Final = {"en": "InStorage for Kubernetes", "zh_CN": "InStorage Kubernetes 存储插件"}
_TITLE: Final = re.compile(r"# (?P<name>[A-Za-z0-9._@-]+)\((?P<section>[1578])\)")
_DIRECTIVE: Final = re.compile(r"\{\{ (?P<what>[a-z]+)(?P<about>(?: [^ }]+)*) \}\}")
# By the first line man's preconv knows how the file is written, and the installer whose it is.
HEAD: Final = r".\" -*- mode: troff; coding: utf-8 -*- InStorage for Kubernetes"


@dataclass(frozen=True)
class File:
    """A file at a path below man/, or a link when `link` is its target."""

    path: str
    content: str = ""
    link: str = ""


@dataclass(frozen=True)
class Page:
    """One page in one language. `names` are «instoragectl.8» and the like, the first its own."""

    language: str
    names: tuple[str, ...]
    source: str
    lines: tuple[str, ...]

    def files(self) -> Iterator[File]:
        """Yield the page, and a link for each of its other names."""
        first, *others = self.names
        yield File(self._path(first), "\n".join([*self._title(first), *self._body(), ""]))
        for name in others:
            yield File(self._path(name), link=first)

    def _path(self, name: str) -> str:
        return f"{LANGUAGES[self.language]}man{name[-1]}/{name}"

    def _title(self, name: str) -> Iterator[str]:
        yield HEAD
        yield rf".\" Made by «make man» of tools/man/pages/{self.source}: change that."
        shown, _, section = name.rpartition(".")
        release = ".".join(VERSION.split(".")[:2])
        yield f'.TH "{shown.upper()}" {section} "{DATE}" "InStorage {release}" "{TITLES[self.language]}"'
        yield from (".nh", ".ad l")

    def _body(self) -> Iterator[str]:
        sections = 0
        for line in markup.rendered(list(expanded(self.lines, self.language))):
            sections += line.startswith(".SH")
            # apropos reads the first section, and would show a place where a line may end.
            yield line.replace(r"\:", "") if sections < 2 else line


def expanded(lines: tuple[str, ...], language: str) -> Iterator[str]:
    """Yield a source's lines, with what its directives stand for."""
    translate = translation.into(language)
    for line in lines:
        found = _DIRECTIVE.fullmatch(line)
        if found is None:
            yield line
        else:
            yield from _told(found["what"], [language, *found["about"].split()], translate)


def _told(what: str, about: list[str], translate: Callable[[str], str]) -> Iterator[str]:
    if what == "synopsis":
        return commands.synopsis()
    if what == "table":
        return documents.described(f"{about[1]}{ENDINGS[about[0]]}", int(about[2]))
    if what in ("unit", "options", "subcommands"):
        by = {"unit": units.described, "options": commands.options, "subcommands": commands.of_subcommands}
        return by[what](about[1], translate)
    every = {
        "commands": commands.described, "groups": commands.groups, "codes": catalogue.described,
        "flags": flags.described,
    }  # fmt: skip
    return every[what](translate)


def pages() -> Iterator[Page]:
    """Yield every page in every language, in the order of their sources' names."""
    for path in sorted(SOURCES.glob("*.md")):
        yield read(path)


def read(path: Path) -> Page:
    """Return a source's page; ValueError: it has no title, or not that of its file."""
    title, *lines = path.read_text(encoding="utf-8").splitlines()
    found = _TITLE.fullmatch(title)
    name = f"{found['name']}.{found['section']}" if found else ""
    language = "zh_CN" if path.name.endswith(".zh.md") else "en"
    if path.name not in (f"{name}.md", f"{name}.zh.md"):
        raise ValueError(f"{path.name} begins with {title!r}, not with its name and section.")
    also: list[str] = []
    if lines and lines[0].startswith("also: "):
        also = lines.pop(0).removeprefix("also: ").split()
    return Page(language, (name, *also), path.name, tuple(lines))
