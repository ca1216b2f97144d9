"""Flags, values and the object of one command, checked against the command's syntax."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from simulator.language.codes import ArrayError

NAME = re.compile(r"[A-Za-z_](?:[A-Za-z0-9 ._-]*[A-Za-z0-9._-])?")
LONGEST_NAME = 63


@dataclass(frozen=True)
class Syntax:
    """What a command accepts: switches, flags with a value, and whether it takes an object at its end."""

    switches: frozenset[str] = frozenset()
    values: frozenset[str] = frozenset()
    takes_object: bool = True
    needs_object: bool = False


def syntax(text: str, *, takes_object: bool = True, needs_object: bool = False) -> Syntax:
    """Build a Syntax from the flags' names; a name that ends in `=` takes a value."""
    names = text.split()
    return Syntax(
        frozenset(name for name in names if not name.endswith("=")),
        frozenset(name[:-1] for name in names if name.endswith("=")),
        takes_object,
        needs_object,
    )


@dataclass(frozen=True)
class Arguments:
    """The parsed words of one command."""

    switches: frozenset[str]
    values: dict[str, str]
    object: str | None

    def has(self, name: str) -> bool:
        """Tell whether a switch was given."""
        return name in self.switches

    def get(self, name: str) -> str | None:
        """Return a flag's value, None when the flag is absent."""
        return self.values.get(name)

    def require(self, name: str) -> str:
        """Return a flag's value; 5707E when the flag is absent."""
        if name not in self.values:
            raise ArrayError("CMMVC5707E")
        return self.values[name]

    def exclude(self, *names: str) -> None:
        """Refuse with 5713E when more than one of these flags was given."""
        if len(set(names) & (self.switches | self.values.keys())) > 1:
            raise ArrayError("CMMVC5713E")


def parse(words: Sequence[str], accepted: Syntax) -> Arguments:
    """Sort a command's words (without its name); raises ArrayError 5701E, 5707E, 5709E or 6017E."""
    if any(not word.isascii() for word in words):
        raise ArrayError("CMMVC6017E")
    switches: set[str] = set()
    values: dict[str, str] = {}
    objects: list[str] = []
    rest = list(words)
    while rest:
        _take(rest, accepted, switches, values, objects)
    if len(objects) > (1 if accepted.takes_object else 0):
        raise ArrayError("CMMVC5709E", objects[-1])
    if accepted.needs_object and not objects:
        raise ArrayError("CMMVC5701E")
    return Arguments(frozenset(switches), values, objects[0] if objects else None)


def _take(
    rest: list[str], accepted: Syntax, switches: set[str], values: dict[str, str], objects: list[str]
) -> None:
    """Move the next argument (one word, or a flag and its value) from `rest` to where it belongs."""
    word = rest.pop(0)
    flag = word.removeprefix("-")
    if not word.startswith("-"):
        objects.append(word)
    elif flag in switches or flag in values:
        raise ArrayError("CMMVC5709E", word)
    elif flag in accepted.switches:
        switches.add(flag)
    elif flag in accepted.values:
        if not rest:
            raise ArrayError("CMMVC5707E")
        values[flag] = rest.pop(0)
    else:
        raise ArrayError("CMMVC5709E", word)


def valid_name(name: str) -> str:
    """Return the name of a new object if the array's rules allow it; else 5738E or 6527E."""
    if len(name) > LONGEST_NAME:
        raise ArrayError("CMMVC5738E", name)
    if not NAME.fullmatch(name):
        raise ArrayError("CMMVC6527E")
    return name
