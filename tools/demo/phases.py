"""Where the time of a pod's volume went, from the journal of agent and helper."""

from __future__ import annotations

import json
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


def rows(answers: Iterable[Answer], records: Iterable[dict[str, Any]]) -> Iterator[Row]:
    """Pair each answer with the agent's record of it, by call and order; `records` are the oldest first."""
    timed = [record for record in records if "INSTORAGE_PHASES" in record]
    for answer in answers:
        yield Row(answer.call, "", answer.seconds)
        record = next((one for one in timed if one["INSTORAGE_CALL"] == answer.call), None)
        if record is None:
            continue
        timed.remove(record)
        spent = json.loads(record["INSTORAGE_PHASES"])
        yield Row(
            answer.call,
            "starting the stub, reaching the agent",
            answer.seconds - int(record["INSTORAGE_MS"]) / 1000,
        )
        for phase, milliseconds in spent.items():
            yield Row(answer.call, phase, milliseconds / 1000)


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
