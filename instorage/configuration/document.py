"""A YAML text as a tree of plain nodes with line numbers: what a configuration needs of YAML, and no more.

No tags, anchors or aliases (so no bombs), no second document, no key twice, bounded depth and size. Scalars
stay text: whether `0123` is a number or a password is decided by the key it stands under, not by YAML.
Everything that is wrong raises `Problem`, whose text never quotes a value: it might be a password.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 1 << 20
MAX_DEPTH = 10
MAX_EVENTS = 20_000
_KEY_LINE = re.compile(r"""["']?[A-Za-z0-9_.-]+["']?\s*:(\s|$)|[-#%.{}]|\s|$""")
_QUOTE_IT = "a value that begins with one of ! & * @ ` % must stand in quotes"


class Problem(Exception):
    """What is wrong with the text, and in which line (from 1; 0: in all of it)."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(f"line {line}: {what}" if line else what)
        self.line = line
        self.what = what


@dataclass(frozen=True)
class Scalar:
    """A text; `plain` when it stands without quotes."""

    text: str
    plain: bool
    line: int

    @property
    def absent(self) -> bool:
        """No value at all: nothing behind the colon, or YAML's null."""
        return self.plain and self.text in ("", "~", "null", "Null", "NULL")


@dataclass(frozen=True)
class Sequence:
    """A list."""

    items: tuple[Node, ...]
    line: int


@dataclass(frozen=True)
class Mapping:
    """Keys, each once, in the order of the text."""

    entries: dict[str, Node]
    line: int


Node = Scalar | Sequence | Mapping


def decode(data: bytes) -> str:
    """Return the text of a file, or raise `Problem` when it is not UTF-8 or too large."""
    if len(data) > MAX_BYTES:
        raise Problem(0, "it is larger than 1 MiB: that is no configuration")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise Problem(line, "it is not UTF-8 text: save the file as UTF-8") from None


def parse(text: str) -> Node:
    """Return the tree of the one document in `text`, or raise `Problem`."""
    try:
        return _Builder(yaml.parse(text, Loader=yaml.SafeLoader)).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Problem(mark.line + 1 if mark else 0, _explained(text, error)) from None
    except yaml.YAMLError:  # the reader: characters that YAML forbids
        raise Problem(0, "it has characters that YAML forbids (control characters): remove them") from None


def rejoin(text: str) -> tuple[str, int]:
    """Undo the manual's print, where long lines are wrapped and go on at the left margin.

    Returns the text, each such line put behind the line before it, and the number of the first one (0: none).
    """
    lines: list[str] = []
    first = 0
    for number, line in enumerate(text.split("\n"), 1):
        if lines and lines[-1].strip() and not _KEY_LINE.match(line):
            lines[-1] = f"{lines[-1].rstrip()} {line}"
            first = first or number
        else:
            lines.append(line)
    return "\n".join(lines), first


def _explained(text: str, error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark
    problem = str(error.problem)
    if mark and "\t" in text.split("\n")[min(mark.line, text.count("\n"))]:
        return "there is a tab: indent with spaces"
    if "cannot start any token" in problem or "tag" in problem or "directive" in problem:
        return _QUOTE_IT
    return f"this is not YAML ({_harmless(problem)}): check indentation, colons and quotes there and above"


def _harmless(problem: str) -> str:
    """Return what the parser says, without what it read."""
    return re.sub(r"'[^']*'", "«...»", problem)


class _Builder:
    """Builds nodes from the parser's events: iterative limits come before any recursion gets deep."""

    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self._events = events
        self._count = 0

    def document(self) -> Node:
        self._next()  # the stream's start
        event = self._next()
        if isinstance(event, yaml.StreamEndEvent):
            raise Problem(0, "it is empty: ext-sample-18000-cfg prints a configuration to begin with")
        root = self._node(self._next(), 0)
        self._next()  # the document's end
        if not isinstance(event := self._next(), yaml.StreamEndEvent):
            raise Problem(_line(event), "a second document begins: keep one, remove the line ---")
        return root

    def _next(self) -> yaml.Event:
        self._count += 1
        if self._count > MAX_EVENTS:
            raise Problem(0, "it has too many entries: that is no configuration")
        return next(self._events)

    def _node(self, event: yaml.Event, depth: int) -> Node:
        line = _line(event)
        if depth > MAX_DEPTH:
            raise Problem(line, "it is nested too deeply: no key has a place there")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise Problem(line, f"anchors (&) and aliases (*) are not taken, and {_QUOTE_IT}")
        if getattr(event, "tag", None) is not None:
            raise Problem(line, f"tags (!) are not taken, and {_QUOTE_IT}")
        if isinstance(event, yaml.ScalarEvent):
            return Scalar(event.value, event.style is None, line)
        if isinstance(event, yaml.SequenceStartEvent):
            return Sequence(tuple(self._items(depth)), line)
        return Mapping(self._entries(depth), line)

    def _items(self, depth: int) -> Iterator[Node]:
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            yield self._node(event, depth + 1)

    def _entries(self, depth: int) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._node(event, depth + 1)
            if not isinstance(key, Scalar):
                raise Problem(key.line, "a key must be a word")
            if key.text in entries:
                raise Problem(
                    key.line, f"the key {key.text[:60]!r} stands there a second time: keep one of them"
                )
            entries[key.text] = self._node(self._next(), depth + 1)
        return entries


def _line(event: yaml.Event) -> int:
    return int(event.start_mark.line) + 1 if event.start_mark else 0
