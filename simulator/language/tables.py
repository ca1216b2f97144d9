"""The two views of a query's answer: the list (concise) and the detail view with its sections."""

from dataclasses import dataclass, field

from simulator.language.arguments import Arguments
from simulator.language.codes import ArrayError

Row = dict[str, str]

QUERY = "delim= nohdr filtervalue= filtervalue? unit= "
"""What every query accepts, for `arguments.syntax`; `render` obeys it (`-unit` alone changes nothing)."""


def columns_of(names: str) -> tuple[str, ...]:
    """Return column names written in one string, as the fact base writes them."""
    return tuple(names.split())


@dataclass(frozen=True)
class Table:
    """A list view: one row per object, every row with every column.

    `phantom` columns have a heading but no field in the rows: a fault of some firmware.
    """

    columns: tuple[str, ...]
    rows: list[Row]
    phantom: frozenset[str] = field(default_factory=frozenset)

    def filtered(self, expression: str) -> "Table":
        """Keep the rows that match `attr=value[:attr=value...]`; `*` may begin or end a value; 5741E."""
        rows = self.rows
        for term in expression.split(":"):
            name, equals, value = term.partition("=")
            if not equals or name not in self.columns or "*" in value[1:-1]:
                raise ArrayError("CMMVC5741E", expression)
            rows = [row for row in rows if _matches(row[name], value)]
        return Table(self.columns, rows, self.phantom)

    def text(self, delimiter: str | None, *, header: bool, empty_header: bool) -> str:
        """Print the rows; nothing at all when there are none, unless the dialect prints a lone header."""
        if not self.rows and not (empty_header and header):
            return ""
        shown = [c for c in self.columns if c not in self.phantom]
        lines = [list(self.columns)] if header else []
        lines += [[row[column] for column in shown] for row in self.rows]
        if delimiter is not None:
            return "".join(delimiter.join(line) + "\n" for line in lines)
        widths = [max(map(len, column)) for column in zip(*lines, strict=False)]
        return "".join(_padded(line, widths) + "\n" for line in lines)


@dataclass(frozen=True)
class Detail:
    """A detail view: sections of (key, value) pairs in order; keys may repeat."""

    sections: list[list[tuple[str, str]]]

    def text(self, delimiter: str | None, *, header: bool) -> str:
        """Print one pair a line and a blank line between sections; values only without header."""
        gap = " " if delimiter is None else delimiter
        blocks = (
            "".join(f"{key}{gap}{value}\n" if header else f"{value}\n" for key, value in section)
            for section in self.sections
        )
        return "\n".join(blocks)


def yes(flag: bool) -> str:  # noqa: FBT001
    """Print a truth as the array does."""
    return "yes" if flag else "no"


def render(answer: Table | Detail, arguments: Arguments, *, empty_header: bool = False) -> str:
    """Print a query's answer as its -delim, -nohdr and -filtervalue ask."""
    delimiter = arguments.get("delim")
    if delimiter is not None and len(delimiter) != 1:
        raise ArrayError("CMMVC5711E", delimiter)
    header = not arguments.has("nohdr")
    if isinstance(answer, Detail):
        return answer.text(delimiter, header=header)
    if arguments.has("filtervalue?"):
        return "The filterable attributes are:\n" + "".join(f"{column}\n" for column in answer.columns)
    expression = arguments.get("filtervalue")
    if expression is not None:
        answer = answer.filtered(expression)
    return answer.text(delimiter, header=header, empty_header=empty_header)


def _matches(value: str, pattern: str) -> bool:
    if pattern.startswith("*"):
        return value.endswith(pattern[1:])
    if pattern.endswith("*"):
        return value.startswith(pattern[:-1])
    return value == pattern


def _padded(line: list[str], widths: list[int]) -> str:
    return " ".join(text.ljust(width) for text, width in zip(line, widths, strict=False))
