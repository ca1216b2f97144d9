"""Where the time of a pod's volume went, from the journal of agent and helper."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tools.lab.kubelet import Answer


@dataclass(frozen=True)
class Row:
    """One line of the table: a call, and below it the phases that the agent journalled for it."""

    call: str
    phase: str
    seconds: float


def rows(answers: Iterable[Answer], records: list[dict[str, Any]]) -> Iterator[Row]:
    """Pair each answer with its phases by call and order; `records` are the node's journal, oldest first."""
    phases = [record for record in records if "INSTORAGE_PHASE" in record]
    for answer in answers:
        yield Row(answer.call, "", answer.seconds)
        operation = next((p["INSTORAGE_OP"] for p in phases if p.get("INSTORAGE_CALL") == answer.call), None)
        mine = [phase for phase in phases if phase["INSTORAGE_OP"] == operation]
        phases = [phase for phase in phases if phase["INSTORAGE_OP"] != operation]
        for phase in mine:
            yield Row(answer.call, phase["INSTORAGE_PHASE"], int(phase["INSTORAGE_MS"]) / 1000)


def table(found: Iterable[Row]) -> str:
    """Return the rows as text, a bar for each share of the whole."""
    listed = list(found)
    whole = sum(row.seconds for row in listed if not row.phase) or 1.0
    lines = []
    for row in listed:
        name = f"    {row.phase}" if row.phase else row.call
        bar = "#" * round(40 * row.seconds / whole)
        lines.append(f"{name:<58.58} {row.seconds:7.2f} s  {bar}")
    lines.append(f"{'in all':<58} {whole:7.2f} s")
    return "\n".join(lines)
