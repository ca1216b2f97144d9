"""The only way into the array's shell: words that are checked and quoted.

The array reads a command with a bash-like shell (array-as18000.md 2.1). Nothing but letters, digits and a few
harmless signs can be part of a command, whoever the text came from; a word with a space is put in double
quotes, the way the vendor's drivers send it.
"""

from __future__ import annotations

import re

from instorage.wire.fault import Code, Fault

MAX_WORD = 255
_BARE = re.compile(r"[A-Za-z0-9._:%=!,+-]+", re.ASCII)
_SPACED = re.compile(r"[A-Za-z0-9._:%=!,+ -]+", re.ASCII)
_NAME = re.compile(r"[A-Za-z_](?:[A-Za-z0-9._ -]{0,61}[A-Za-z0-9._-])?", re.ASCII)
_ID = re.compile(r"[0-9]{1,10}", re.ASCII)


def word(text: str) -> str:
    """Quote one word for the array's shell. NAME_INVALID when a sign in it could mean something there."""
    if len(text) <= MAX_WORD:
        if _BARE.fullmatch(text):
            return text
        # `!` inside double quotes would be history expansion in an interactive shell
        if _SPACED.fullmatch(text) and "!" not in text:
            return f'"{text}"'
    raise Fault(
        Code.NAME_INVALID,
        f"{_shown(text)} cannot be part of an array command: only letters, digits, space and ._:%=,+- can.",
        value=_shown(text),
    )


def command(*words: str) -> str:
    """Join words to a command line; `shlex.split` of the result gives the words again."""
    return " ".join(word(text) for text in words)


def object_name(text: str, kind: str) -> str:
    """Return `text` when it is a name that the array takes (array-as18000.md 3.5), else NAME_INVALID.

    A number is refused as well: the array would take it for an id and choose another object.
    """
    if _NAME.fullmatch(text):
        return text
    raise Fault(
        Code.NAME_INVALID,
        f"{_shown(text)} is no name that the array takes for a {kind}: at most 63 letters, digits, spaces, "
        "'.', '-', '_', beginning with a letter or '_', not ending with a space.",
        kind=kind,
        value=_shown(text),
    )


def object_id(text: str, kind: str) -> str:
    """Return `text` when it is an object id (a decimal number), else NAME_INVALID."""
    if _ID.fullmatch(text):
        return text
    raise Fault(Code.NAME_INVALID, f"{_shown(text)} is no id of a {kind}.", kind=kind, value=_shown(text))


def name_or_id(text: str, kind: str) -> str:
    """Return `text` when it is either; for I/O groups, which the manual's users write as «0» or «io_grp0»."""
    return text if _ID.fullmatch(text) else object_name(text, kind)


def _shown(text: str) -> str:
    return ascii(text)[:80]
