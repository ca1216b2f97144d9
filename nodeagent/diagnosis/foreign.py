"""Words that others wrote: shown so that they are text and nothing else, typed only where they are a name.

A claim's fields, events, annotations, a journal's lines and the names of processes are a tenant's to choose.
"""

from __future__ import annotations

import re

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
_OBJECT = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*", re.ASCII)
_OBJECT_LENGTH = 253  # a DNS-1123 subdomain: what Kubernetes lets an object be called
STRANGE = "\ufffd"
"""Stands for a character that is not shown: an escape, a control character, one that turns a line round."""


def printable(text: str) -> str:
    """Return a text of one line in which a terminal finds nothing to obey."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else " " if one.isspace() else STRANGE for one in text)


def is_name(word: str) -> bool:
    """Say whether a shell and a program take it as a word and nothing else: no sign of theirs, no option."""
    return bool(_NAME.fullmatch(word))


def is_object(word: str) -> bool:
    """Say whether an object of Kubernetes can be called so. Fields that name one may hold anything."""
    return len(word) <= _OBJECT_LENGTH and bool(_OBJECT.fullmatch(word))


def typed(command: str, *words: str, without: str = "") -> str:
    """Return a command with words in its places `{}`; `without` when one of them is not a name alone."""
    return command.format(*words) if all(map(is_name, words)) else without
