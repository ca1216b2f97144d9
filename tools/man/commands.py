"""`instoragectl` as a page has it, from the one table of its commands; and options that argparse knows."""

from __future__ import annotations

import argparse
import importlib
from typing import TYPE_CHECKING

from instorage import version
from nodeagent.administration import commands
from nodeagent.administration.command import JSON, leaves
from tools.man.markup import sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nodeagent.administration.command import Option

_EVERYWHERE = ("context", "kubeconfig", "json")  # each command of the plugin of kubectl takes these


def synopsis() -> Iterator[str]:
    """Yield each command with what it takes, as terms without a text."""
    yield "```"
    for words, command in leaves(commands.table()):
        shown = [_usage(one) for one in command.all_options if one.name != "--json"]
        yield " ".join(["instoragectl", *words, *shown])
    yield "```"


def described(translate: Callable[[str], str]) -> Iterator[str]:
    """Yield a section for each command: what it does, what it takes."""
    for words, command in leaves(commands.table()):
        yield from ("", f"### {' '.join(words)}", "")
        yield sentence(translate(command.help))
        yield from ("", translate(command.text), "") if command.text else ("",)
        for option in command.options:
            yield _term(option)
            yield f": {sentence(translate(option.help))}"


def groups(translate: Callable[[str], str]) -> Iterator[str]:
    """Yield what is said of commands that have actions, and of the option that nearly all have."""
    for one in commands.table():
        if one.actions:
            yield from (f"`{one.name}`", f": {sentence(translate(one.help))}", f": {translate(one.text)}")
    yield from ("`--json`", f": {sentence(translate(JSON.help))}")
    yield from ("`--version`", f": {sentence(translate(version.HELP))}")


def _usage(option: Option) -> str:
    slot = str(option.keywords.get("metavar") or option.name.lstrip("-").upper())
    shown = option.name if option.is_flag else f"{option.name} {slot}"
    if not option.name.startswith("-"):
        shown = slot
    wanted = option.keywords.get("required") or not option.name.startswith("-")
    return shown if wanted and option.keywords.get("nargs") != "?" else f"[{shown}]"


def _term(option: Option) -> str:
    slot = str(option.keywords.get("metavar") or option.name.lstrip("-").upper())
    if not option.name.startswith("-"):
        return f"*{slot}*"
    return f"`{option.name}`" if option.is_flag else f"`{option.name}` *{slot}*"


def options(place: str, translate: Callable[[str], str]) -> Iterator[str]:
    """Yield the options of a program whose parser `MODULE:FUNCTION` returns, in their order."""
    module, _, name = place.partition(":")
    parser: argparse.ArgumentParser = getattr(importlib.import_module(module), name)()
    for action in parser._actions:
        if isinstance(action, argparse._HelpAction) or not action.option_strings:
            continue
        slot = action.metavar or (action.dest.upper() if action.nargs != 0 else "")
        yield f"`{', '.join(action.option_strings)}`" + (f" `{slot}`" if slot else "")
        yield f": {sentence(translate(action.help or action.dest))}"


def of_subcommands(place: str, translate: Callable[[str], str]) -> Iterator[str]:
    """Yield each command of a parser with subcommands, and the options that any of them has."""
    module, _, name = place.partition(":")
    parser: argparse.ArgumentParser = getattr(importlib.import_module(module), name)()
    chosen = next(one for one in parser._actions if isinstance(one, argparse._SubParsersAction))
    for shown, sub in chosen.choices.items():
        words = [_of_usage(one) for one in sub._actions if one.dest not in ("help", *_EVERYWHERE)]
        yield f"`{shown}`" + "".join(f" {word}" for word in words)
        yield f": {sentence(translate(sub.description or ''))}"
    first = next(iter(chosen.choices.values()))
    for action in (one for one in first._actions if one.dest in _EVERYWHERE):
        slot = f" *{action.dest.upper()}*" if action.nargs != 0 else ""
        yield from (f"`{action.option_strings[0]}`{slot}", f": {sentence(translate(action.help or ''))}")


def _of_usage(action: argparse.Action) -> str:
    if not action.option_strings:
        return f"*{action.metavar or action.dest.upper()}*"
    return f"[`{action.option_strings[-1]}`" + ("]" if action.nargs == 0 else f" *{action.dest.upper()}*]")
