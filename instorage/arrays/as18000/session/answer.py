"""What the array prints, as rows and sections whose fields are read by name (array-as18000.md 3).

An answer is data: control characters in it are replaced, a heading that is missing is a `Fault`, a row that
is too short or too long is read as far as it goes, and nothing else can be raised.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from instorage.wire.fault import Code, Fault

DELIMITER = "!"
_QUOTED = 80  # characters of an answer that cannot be used: a message of the day shows itself
_QUIRK = "host_cluster_name"  # some firmware prints this heading over rows that do not have the field


def clean(text: str) -> str:
    """Replace what could forge a log line or a terminal's escape code; strip blanks around."""
    return "".join(char if char.isprintable() else "?" for char in text.strip())


@dataclass(frozen=True)
class Source:
    """Which array said it to which command, beginning with what: for sentences."""

    array: str
    command: str
    begins: str = ""

    def misfit(self, what: str, **fields: str) -> Fault:
        """Return ARRAY_ANSWER, naming array and command."""
        begins = f" (it begins with «{self.begins}»)" if self.begins else ""
        sentence = f"The answer of array {self.array} to «{self.command}» cannot be used: {what}{begins}."
        return Fault(Code.ARRAY_ANSWER, sentence, array=self.array, command=self.command, **fields)


@dataclass(frozen=True)
class Row:
    """Named fields: a line of a list view, or the keys of a section (the first of repeated ones)."""

    source: Source
    fields: dict[str, str]

    def __getitem__(self, column: str) -> str:
        value = self.fields.get(column)
        if value is None:
            raise self.source.misfit(f"column {column} is missing", column=column)
        return value

    def get(self, column: str, default: str = "") -> str:
        """Return a field that not every firmware prints."""
        return self.fields.get(column, default)

    def number(self, column: str, default: str | None = None) -> int:
        """Return a field that is a non-negative decimal number."""
        text = self[column] if default is None else self.fields.get(column, default)
        if text.isascii() and text.isdigit() and len(text) < 20:
            return int(text)
        raise self.source.misfit(f"column {column} is {text[:40]!r}, not a number", column=column)


@dataclass(frozen=True)
class Detail:
    """A detailed view: key and value pairs in the array's order, over all sections."""

    source: Source
    pairs: tuple[tuple[str, str], ...]

    def __bool__(self) -> bool:
        """Tell whether it says anything."""
        return bool(self.pairs)

    def head(self) -> Row:
        """Return the object's own attributes: of a repeated key the first counts."""
        return Row(self.source, dict(reversed(self.pairs)))

    def groups(self, *first: str) -> list[Row]:
        """Return the repeated groups, each beginning with one of the keys `first` (ports, copies).

        Sections are not looked at: some firmware prints no blank line between them.
        """
        starts = [at for at, (key, _) in enumerate(self.pairs) if key in first]
        ends = [*starts[1:], len(self.pairs)]
        return [
            Row(self.source, dict(reversed(self.pairs[at:end])))
            for at, end in zip(starts, ends, strict=bool(starts))
        ]


def parse_list(source: Source, text: str) -> tuple[Row, ...]:
    """Read a list view printed with `-delim !`; no output and a heading alone are both an empty list."""
    lines = [[clean(field) for field in line.split(DELIMITER)] for line in text.split("\n") if line.strip()]
    if not lines:
        return ()
    heading, rows = lines[0], lines[1:]
    source = replace(source, begins=DELIMITER.join(heading)[:_QUOTED])
    return tuple(Row(source, _fields(heading, row)) for row in rows)


def parse_detail(source: Source, text: str) -> Detail:
    """Read a detailed view printed with `-delim !`; a value may contain the delimiter."""
    lines = [line for line in text.split("\n") if line.strip()]
    source = replace(source, begins=clean(lines[0])[:_QUOTED] if lines else "")
    pairs = (line.partition(DELIMITER) for line in lines)
    return Detail(source, tuple((clean(key), clean(value)) for key, _, value in pairs))


def _fields(heading: list[str], row: list[str]) -> dict[str, str]:
    if len(row) != len(heading) and _QUIRK in heading:
        heading = [column for column in heading if column != _QUIRK]
    return dict(zip(heading, row, strict=False))
