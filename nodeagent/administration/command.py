"""A command of `instoragectl` as the table has it, and the parser that a table makes."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from instorage import version
from instorage.language import said
from nodeagent.host.paths import Paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from nodeagent.diagnosis.outcome import Outcome


@dataclass(frozen=True)
class Option:
    """An option (`--from`) or an argument (`VOLUME`, without dashes), with argparse's keywords.

    `complete` says what completion offers for its value: «file», «volume», or nothing.
    """

    name: str
    help: str
    keywords: dict[str, Any] = field(default_factory=dict)
    complete: str = ""

    @property
    def is_flag(self) -> bool:
        """Whether it takes no value."""
        return self.keywords.get("action") == "store_true"

    def add_to(self, parser: argparse.ArgumentParser) -> None:
        """Let a parser know it."""
        if self.name.startswith("-"):
            parser.add_argument(self.name, help=said(self.help), **self.keywords)
        else:
            keywords = {"metavar": self.name} | self.keywords
            parser.add_argument(self.name.lower(), help=said(self.help), **keywords)


def flag(name: str, text: str) -> Option:
    """Return an option without a value."""
    return Option(name, text, {"action": "store_true"})


def config() -> Option:
    """Return the option that names `instorage.yaml`."""
    default = {"type": Path, "default": Paths.from_environment().configuration}
    return Option("--config", "instorage.yaml", default, "file")


def volume(text: str = "the volume's name, as of its PV", **keywords: object) -> Option:
    """Return the argument that names a volume."""
    return Option("VOLUME", text, dict(keywords), "volume")


JSON = flag("--json", "print one JSON object for programs, and nothing else")


@dataclass(frozen=True)
class Command:
    """One command, or with `actions` a group of them. `run` does it.

    `text` is the second paragraph of its help. `plain`: its output is no text for people, so no `--json`.
    """

    name: str
    help: str
    run: Callable[[argparse.Namespace], Outcome] | None = None
    options: tuple[Option, ...] = ()
    text: str = ""
    actions: tuple[Command, ...] = ()
    plain: bool = False

    @property
    def all_options(self) -> tuple[Option, ...]:
        """Its options, and those that every command has."""
        return self.options if self.plain or self.actions else (*self.options, JSON)


def leaves(
    table: Sequence[Command], before: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Command]]:
    """Yield every command that does something, with its words («barrier», «plan»)."""
    for one in table:
        words = (*before, one.name)
        if one.actions:
            yield from leaves(one.actions, words)
        else:
            yield words, one


def parser(program: str, description: str, table: Sequence[Command]) -> argparse.ArgumentParser:
    """Return the parser of a table; what was chosen is `run` of its namespace, its words are in `words`."""
    made = argparse.ArgumentParser(prog=program, description=said(description))
    told = f"{program} {version.VERSION}"
    made.add_argument("--version", action="version", version=told, help=said(version.HELP))
    _add(made, table, (), "command")
    return made


def _add(made: argparse.ArgumentParser, table: Sequence[Command], before: tuple[str, ...], into: str) -> None:
    commands = made.add_subparsers(dest=into, required=True, metavar="COMMAND" if not before else "ACTION")
    for one in table:
        short = said(one.help)
        text = said(one.text) or f"{short[0].upper()}{short[1:]}{'.' if short.isascii() else '。'}"
        sub = commands.add_parser(one.name, help=short, description=text)
        words = (*before, one.name)
        for option in one.all_options:
            option.add_to(sub)
        if one.actions:
            _add(sub, one.actions, words, "action")
        else:
            sub.set_defaults(run=one.run, words=" ".join(words), json=False)
