"""One group of keys of the configuration: each value has a type, each error names file, key and mend."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from instorage.configuration.document import Mapping, Node, Scalar, Sequence
from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_TRUE = frozenset({"true", "yes", "on"})
_FALSE = frozenset({"false", "no", "off"})
_SIZE = re.compile(r"([0-9]{1,12}) ?([KMGkmg]?)(?:i?[Bb])?", re.ASCII)
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_PLACEHOLDER = re.compile(r"<[^<>]*>", re.DOTALL)
MAX_TEXT = 4096


def bad(file: Path, line: int, what: str, **fields: str) -> Fault:
    """Return the fault for one place of the file; `what` is the rest of the sentence, mend included."""
    place = f"{file}, line {line}" if line else str(file)
    return Fault(Code.BAD_CONFIGURATION, f"{place}: {what}.", file=str(file), line=line, **fields)


def plugin_directory(file: Path) -> Path:
    """Return the directory that holds `config/`: what relative paths in the configuration are relative to."""
    absolute = file.absolute()
    return absolute.parent.parent if absolute.parent.name == "config" else absolute.parent


@dataclass(frozen=True)
class Section:
    """A mapping with the name that people know it by («host», «storage[0]»); "" is the whole file."""

    file: Path
    name: str
    node: Mapping
    warnings: list[str]

    def refuse_unknown(self, known: Iterable[str]) -> None:
        """Raise for a key that no version of the file has, with the nearest one that it has."""
        allowed = list(known)
        for key, value in self.node.entries.items():
            if key not in allowed:
                lower = {name.lower(): name for name in allowed}
                near = difflib.get_close_matches(key.lower(), lower, n=1, cutoff=0.6)
                mend = f"did you mean {lower[near[0]]}?" if near else f"known here: {', '.join(allowed)}"
                self.fail(key, f"is not a known key; {mend}", value.line)

    def fail(self, key: str, what: str, line: int | None = None) -> NoReturn:
        """Raise the fault about `key`."""
        node = self.node.entries.get(key)
        at = line or (node.line if node else self.node.line)
        name = self.label(key)
        raise bad(self.file, at, f"{name} {what}", key=name)

    def warn(self, key: str, what: str) -> None:
        """Remember a warning about `key`."""
        self.warnings.append(f"{self.file}: {self.label(key)} {what}.")

    def label(self, key: str) -> str:
        """Return the key as people write it: host.link, storage[0].name; shortened when it is absurd."""
        shown = key[:60] if key.isprintable() else repr(key)[:60]
        return f"{self.name}.{shown}" if self.name else shown

    def present(self, key: str) -> Node | None:
        """Return the node of `key`, None when it is absent or has no value."""
        node = self.node.entries.get(key)
        return None if node is None or (isinstance(node, Scalar) and node.absent) else node

    def text(self, key: str) -> str | None:
        """Return a text, None when it is absent or empty. A number or `true` is taken as it is written."""
        node = self.present(key)
        if node is None:
            return None
        if not isinstance(node, Scalar):
            self.fail(key, "must be one text, not a list or a group of keys")
        if len(node.text) > MAX_TEXT or not node.text.isprintable():
            self.fail(key, f"has control characters or more than {MAX_TEXT} characters: correct it")
        return node.text or None

    def needed(self, key: str, example: str) -> str:
        """Return a text that must be there."""
        text = self.text(key)
        if text is None:
            self.fail(key, f"is missing: add it, for example {key}: {example}")
        return text

    def concrete(self, key: str) -> str | None:
        """Return a text like `text`, but a placeholder of a sample (`<path/to/cfg>`) counts as absent."""
        text = self.text(key)
        if text is not None and _PLACEHOLDER.fullmatch(text):
            self.warn(
                key, "is still the sample's placeholder and counts as absent: write a value or remove the key"
            )
            return None
        return text

    def name_of(self, key: str, longest: int) -> str | None:
        """Return a name of letters, digits, dot, dash and underscore."""
        text = self.text(key)
        if text is not None and not re.fullmatch(rf"[A-Za-z0-9_.-]{{1,{longest}}}", text, re.ASCII):
            self.fail(key, f"must have 1 to {longest} letters, digits, dots, dashes or underscores")
        return text

    def word(self, key: str, default: str, allowed: Iterable[str]) -> str:
        """Return one of the allowed words, compared without case."""
        text = self.text(key) or default
        words = list(allowed)
        if text.lower() not in words:
            self.fail(key, f"is {text[:40]!r}: allowed are {', '.join(words)}")
        return text.lower()

    def flag(self, key: str, *, default: bool) -> bool:
        """Return true or false."""
        node = self.present(key)
        if node is None:
            return default
        if isinstance(node, Scalar) and node.plain and node.text.lower() in _TRUE | _FALSE:
            return node.text.lower() in _TRUE
        self.fail(key, "must be true or false, without quotes")

    def whole(self, key: str, default: int, highest: int) -> int:
        """Return a whole number from 0 to `highest`."""
        node = self.present(key)
        if node is None:
            return default
        if isinstance(node, Scalar) and node.plain and re.fullmatch(r"[0-9]{1,9}", node.text, re.ASCII):
            number = int(node.text)
            if number <= highest:
                return number
        self.fail(key, f"must be a whole number from 0 to {highest}, without quotes")

    def seconds(self, key: str, default: float, highest: float) -> float:
        """Return a time in seconds from 0 to `highest`, a fraction allowed."""
        node = self.present(key)
        if node is None:
            return default
        if (
            isinstance(node, Scalar)
            and node.plain
            and re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", node.text, re.ASCII)
        ):
            number = float(node.text)
            if number <= highest:
                return number
        self.fail(key, f"must be a number of seconds from 0 to {highest:g}, without quotes")

    def size(self, key: str, default: int) -> int:
        """Return bytes; K, M and G are powers of 1024."""
        node = self.present(key)
        if node is None:
            return default
        match = _SIZE.fullmatch(node.text) if isinstance(node, Scalar) else None
        if match is None:
            self.fail(key, "must be a number of bytes, or one with K, M or G, for example 100M")
        return int(match[1]) * _UNITS[match[2].upper()]

    def table(self, key: str) -> dict[str, str]:
        """Return a mapping of texts to texts."""
        inner = self.section(key)
        return {name: inner.needed(name, "NAME") for name in inner.node.entries} if inner else {}

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts; a single text is a list of one."""
        node = self.present(key)
        if isinstance(node, Sequence):
            held = Mapping({f"{key}[{n}]": item for n, item in enumerate(node.items)}, node.line)
            inner = Section(self.file, self.name, held, self.warnings)
            return tuple(inner.needed(name, "VALUE") for name in held.entries)
        text = self.text(key)
        return () if text is None else (text,)

    def section(self, key: str) -> Section | None:
        """Return the group of keys under `key`, None when it is absent."""
        node = self.present(key)
        if node is None:
            return None
        if not isinstance(node, Mapping):
            self.fail(key, "must be a group of keys, indented under it")
        return Section(self.file, self.label(key), node, self.warnings)
