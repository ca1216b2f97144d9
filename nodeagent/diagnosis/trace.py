"""`instoragectl trace`: one request end to end, from the journal of agent and helper, as a timeline."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault
from nodeagent.diagnosis import entry, picture, timeline
from nodeagent.diagnosis.outcome import Outcome
from nodeagent.diagnosis.terminal import Paint
from nodeagent.diagnosis.waiting import waited

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path

    from nodeagent.diagnosis.entry import Entry
    from nodeagent.diagnosis.timeline import Timeline

_EARLIER = 5  # requests that are named besides the last one


def run(given: argparse.Namespace) -> Outcome:
    """Return the timeline of a request, or of a volume's last; with --svg it goes into a file as well."""
    with waited("reading the journal"):
        found, earlier = traced(given.request, given.journal)
    lines = list(text(found))
    if earlier:
        lines += ["", "Earlier requests of it: " + ", ".join(earlier)]
    if given.svg:
        written(given.svg, drawn(found))
        lines.append(f"{given.svg} has the picture: open it in a browser.")
    return Outcome(lines, data(found) | {"earlier": earlier})


def traced(asked: str, file: Path | None) -> tuple[Timeline, list[str]]:
    """Return the timeline of request or volume `asked`, and earlier requests of the volume.

    `Fault(BAD_REQUEST)` when the journal has neither.
    """
    found = entry.read((f"INSTORAGE_OP={asked}", f"INSTORAGE_VOLUME={asked}"), file=file)
    op, earlier = asked, []
    if not any(one.mark("op") == asked for one in found):
        calls = [one for one in found if one.mark("call") and one.mark("began")]
        if calls:
            op, earlier = calls[-1].mark("op"), _named(calls[-1 - _EARLIER : -1])
            found = entry.read((f"INSTORAGE_OP={op}",), file=file)
    made = timeline.built(op, found)
    if made is None:
        raise _unknown(asked, found)
    return made, earlier


def _named(calls: list[Entry]) -> list[str]:
    return [f"{one.mark('op')} ({one.mark('call')}, {one.mark('ms')} ms)" for one in reversed(calls)]


def _unknown(asked: str, found: list[Entry]) -> Fault:
    if found:
        said = f"The journal has {len(found)} lines of {asked}, and none that says how long a thing took: "
        said += f"see journalctl INSTORAGE_OP={found[-1].mark('op') or asked}."
    else:
        said = f"The journal has nothing of a request or volume {asked}: correct it, or run this on the node "
        said += "that did the work, as root or a member of systemd-journal. A failure that is as before is "
        said += "written under the request that its answer names."
    return Fault(Code.BAD_REQUEST, said, request=asked)


def text(found: Timeline) -> Iterator[str]:
    """Yield the timeline as lines: begin and length in ms, and what it was."""
    paint = Paint.here()
    yield f"{paint.bold(found.title)}, {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(found.at))}"
    for depth, node in found.walk():
        outcome = f" · {node.outcome}" if node.outcome not in ("", "ok", "status 0") else ""
        yield f"{node.at:9.0f} {node.took:9.0f} ms  {'  ' * depth}{node.what}{outcome}"
    for gap in found.unexplained():
        yield f"{gap.at:9.0f} {gap.took:9.0f} ms  nothing says what was done here, in «{gap.what}»"
    if found.dropped:
        yield f"{found.dropped} more things were done than are kept of one request."


def data(found: Timeline) -> dict[str, object]:
    """Return the timeline as an object: ms from its beginning, `began` in seconds since the epoch."""
    gaps = [{"at": gap.at, "ms": gap.took, "within": gap.what} for gap in found.unexplained()]
    return {
        "request": found.op, "title": found.title, "began": round(found.at, 3), "whole": found.whole,
        "code": found.code, "dropped": found.dropped, "call": found.root.to_json(), "unexplained": gaps,
    }  # fmt: skip


def drawn(found: Timeline) -> str:
    """Return the timeline as SVG."""
    rows = [
        picture.Row(node.what, depth, (picture.Bar(node.kind, node.at, node.took),), node.outcome)
        for depth, node in found.walk()
    ]
    for gap in found.unexplained():
        bar = picture.Bar("gap", gap.at, gap.took)
        rows.append(picture.Row(f"not explained, in «{gap.what}»", 1, (bar,)))
    return picture.drawn(found.title, rows)


def written(file: Path, what: str) -> None:
    """Write a picture; `Fault(BAD_REQUEST)` when that is not possible."""
    try:
        file.write_text(what, encoding="utf-8")
    except OSError as error:
        text = f"{file} cannot be written ({error.strerror}): name another file with --svg."
        raise Fault(Code.BAD_REQUEST, text, file=str(file)) from None
