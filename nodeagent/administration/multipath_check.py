"""`instoragectl multipath`: what multipathd has in force for the array's disks, and what is to be mended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.wire.fault import Fault
from nodeagent.administration import multipathd
from nodeagent.administration.doctor.multipath import MANUAL, PRODUCT, VENDOR, in_force, judged
from nodeagent.administration.multipath_syntax import parse
from nodeagent.diagnosis.finding import Finding, Severity
from nodeagent.diagnosis.outcome import Outcome
from nodeagent.host.paths import Paths

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path


def run(_: argparse.Namespace) -> Outcome:
    """Say what is in force, then what to mend; status 1 when it is serious."""
    force, found = asked(Paths.from_environment().state)
    data = {"in_force": force, "findings": [one.to_json() for one in found]}
    return Outcome(_lines(force, found), data, int(any(map(_serious, found))))


def asked(state: Path) -> tuple[dict[str, str], list[Finding]]:
    """Ask multipathd, and return what is in force and what to mend. As root.

    `state` is the agent's directory, whose records name the WWIDs of volumes that are here.
    """
    records = state / "volumes"
    wwids = [f"3{one.name}" for one in records.glob("6*")] if records.is_dir() else []
    try:
        config = multipathd.ask("show config")
    except Fault as fault:
        sentence, _, mend = fault.sentence.rstrip(".").partition(": ")
        silent = Finding("multipath", "multipathd-silent", Severity.ERROR, f"{sentence}.", command=mend)
        return {}, [silent]
    return in_force(parse(config)), judged(config, wwids)


def _lines(force: dict[str, str], found: list[Finding]) -> Iterator[str]:
    if force:
        yield f"multipathd has in force for {VENDOR} {PRODUCT}:"
        yield from (f"  {key} {force.get(key, '(unset)')}" for key in MANUAL)
    for one in found:
        yield f"{'trouble' if _serious(one) else 'remark'}: {one.sentence} {one.command} [{one.code}]"
    if not found:
        yield "It is as the manual has it, and no blacklist hides the array's disks."


def _serious(one: Finding) -> bool:
    return one.severity is Severity.ERROR
