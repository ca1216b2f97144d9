"""`instoragectl doctor`: examine this node, or what a bundle keeps of another, and say what was found."""

from __future__ import annotations

import json
import os
import tarfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from instorage.wire.fault import Code, Fault
from nodeagent.administration.doctor import examination
from nodeagent.administration.doctor.host import Host, Setup
from nodeagent.administration.doctor.looks import Looks
from nodeagent.diagnosis.finding import Severity, exit_status
from nodeagent.diagnosis.outcome import Outcome
from nodeagent.diagnosis.terminal import Paint
from nodeagent.diagnosis.waiting import waited
from nodeagent.host.paths import Paths

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from nodeagent.administration.doctor.examination import Examination
    from nodeagent.diagnosis.finding import Finding

UNREADABLE = (OSError, EOFError, zlib.error, tarfile.TarError)
LOOKS = "doctor.json"
"""The file of a bundle that keeps the looks."""
_WORST = (Severity.ERROR, Severity.WARNING, Severity.OK)


def root() -> Path:
    """Return where the host's file system is: / , or INSTORAGE_ROOT, where a rescue system has mounted it."""
    return Path(os.environ.get("INSTORAGE_ROOT", "/"))


def run(given: argparse.Namespace) -> Outcome:
    """Examine; exit status 0, 1 (warnings) or 2 (errors)."""
    if given.bundle:
        found = examination.examine(of_bundle(given.bundle, given.volume or ""))
    else:
        this_node = examination.this_node(Paths.from_environment(), root(), given.volume or "")
        with this_node as host, waited("examining this node"):
            found = examination.examine(host)
    status = exit_status(found.findings)
    return Outcome(lines(found), to_json(found), status, abandon=bool(found.hanging))


def to_json(found: Examination) -> dict[str, Any]:
    """Return what programs read."""
    return {
        "node": found.host.setup.node,
        "seconds": round(found.seconds, 3),
        "checks": list(examination.CHECKS),
        "findings": [one.to_json() for one in found.findings],
    }


def of_bundle(path: Path, volume: str) -> Host:
    """Return the host that a bundle describes; nothing of this one is looked at."""
    try:
        with tarfile.open(path) as tar:
            member = next(one for one in tar.getmembers() if Path(one.name).name == LOOKS and one.isfile())
            file = tar.extractfile(member)
            kept = json.load(file) if file else {}
        return Host(Looks(kept=kept), Setup.from_json(kept["setup"]["is"]), None, volume)
    except (*UNREADABLE, StopIteration, ValueError, LookupError, TypeError, AttributeError) as error:
        why = str(error) or f"it has no {LOOKS}"
        text = f"{path} is no bundle that can be read ({why}): make one with «instoragectl bundle»."
        raise Fault(Code.BAD_REQUEST, text, file=str(path)) from None


def lines(found: Examination) -> Iterator[str]:
    """Yield what people read, the worst first."""
    paint = Paint.here()
    for one in sorted(found.findings, key=lambda one: _WORST.index(one.severity)):
        yield from shown(one, paint)
    counts = {kind: sum(one.severity is kind for one in found.findings) for kind in Severity}
    errors, warnings = counts[Severity.ERROR], counts[Severity.WARNING]
    counted = (
        "1 error" if errors == 1 else f"{errors} errors",
        "1 warning" if warnings == 1 else f"{warnings} warnings",
    )
    said = ", ".join(counted)
    if not errors + warnings:
        said = paint.severity(Severity.OK, "Nothing is wrong")
    yield f"{said}: {len(examination.CHECKS)} checks in {found.seconds:.1f} s."


def shown(one: Finding, paint: Paint) -> Iterator[str]:
    """Yield a finding for people: what and where, why, what happens, who does what, where it was read."""
    mark = "note" if one.severity is Severity.OK else one.severity.value
    yield f"{paint.severity(one.severity, mark)} {paint.bold(one.check)}: {one.sentence}"
    for what, text in (("why", one.cause), ("risk", one.risk)):
        if text:
            yield f"    {what}: {text}"
    if one.command:
        yield f"    do ({one.who}): {one.command}"
    if one.proof:
        yield paint.faint(f"    seen in: {one.proof}")
