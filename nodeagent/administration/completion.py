"""What a shell completes after `instoragectl`: scripts for bash, zsh and fish, made from the table."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from nodeagent.administration.command import leaves

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nodeagent.administration.command import Command

SHELLS = ("bash", "zsh", "fish")
VOLUMES = "instoragectl volumes --names 2>/dev/null"


def script(shell: str, table: Sequence[Command]) -> Iterator[str]:
    """Yield the lines of a shell's script."""
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](table)


def _bash(table: Sequence[Command]) -> Iterator[str]:
    yield "# bash completion of instoragectl, printed by «instoragectl completion bash»"
    yield "_instoragectl() {"
    yield "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words i"
    yield "  local said=${COMP_WORDS[1]}"
    yield '  case "$before" in'
    files = _named(table, "file")
    yield f'    {"|".join(files)}) COMPREPLY=($(compgen -f -- "$word")); return ;;'
    yield "  esac"
    yield '  if [ "$COMP_CWORD" -eq 1 ]; then'
    yield f"    words='{_words(table)}'"
    yield "  else"
    yield '    case "$said ${COMP_WORDS[2]}" in'
    for words, command in leaves(table):
        if len(words) > 1:
            yield f"      '{' '.join(words)}') words={_offered(command)} ;;"
    yield '      *) case "$said" in'
    for one in table:
        what = f"'{_words(one.actions)}'" if one.actions else _offered(one)
        yield f"        {one.name}) words={what} ;;"
    yield "      esac ;;"
    yield "    esac"
    yield "  fi"
    yield '  COMPREPLY=($(compgen -W "$words" -- "$word"))'
    yield "}"
    yield "complete -F _instoragectl instoragectl"


def _offered(command: Command) -> str:
    """Return what can follow a command, as a word of a shell; volumes are asked for when they are wanted."""
    options = " ".join(one.name for one in command.all_options if one.name.startswith("-"))
    choices = [word for one in command.options for word in one.keywords.get("choices", ())]
    plain = " ".join([*choices, *([options] if options else [])])
    volumes = any(one.complete == "volume" for one in command.options)
    return f'"{plain} $({VOLUMES})"' if volumes else f"'{plain}'"


def _words(table: Sequence[Command]) -> str:
    return " ".join(one.name for one in table)


def _named(table: Sequence[Command], complete: str) -> list[str]:
    """Return the options whose value is of a kind."""
    found = {
        one.name
        for _, command in leaves(table)
        for one in command.options
        if one.complete == complete and one.name.startswith("-")
    }
    return sorted(found)


def _zsh(table: Sequence[Command]) -> Iterator[str]:
    yield "#compdef instoragectl"
    yield "# zsh completion, printed by «instoragectl completion zsh»: the words are those of bash's script"
    yield "autoload -U +X bashcompinit && bashcompinit"
    yield from list(_bash(table))[1:]


def _fish(table: Sequence[Command]) -> Iterator[str]:
    yield "# fish completion of instoragectl, printed by «instoragectl completion fish»"
    yield "complete -c instoragectl -f"
    for one in table:
        yield f"complete -c instoragectl -n __fish_use_subcommand -a {one.name} -d {shlex.quote(one.help)}"
        for action in one.actions:
            seen = f"'__fish_seen_subcommand_from {one.name}'"
            yield f"complete -c instoragectl -n {seen} -a {action.name} -d {shlex.quote(action.help)}"
    for words, command in leaves(table):
        seen = "; and ".join(f"__fish_seen_subcommand_from {word}" for word in words)
        for option in command.all_options:
            if option.name.startswith("-"):
                takes = "" if option.is_flag else (" -r -F" if option.complete == "file" else " -r")
                yield (
                    f"complete -c instoragectl -n '{seen}' -l {option.name.lstrip('-')}{takes} "
                    f"-d {shlex.quote(option.help)}"
                )
            elif option.complete == "volume":
                yield f"complete -c instoragectl -n '{seen}' -a '({VOLUMES})'"
            for choice in option.keywords.get("choices", ()):
                yield f"complete -c instoragectl -n '{seen}' -a {choice}"
