"""`instoragectl status`: this node on one screen: version, services, arrays, volumes by state, findings."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from instorage.version import VERSION
from instorage.wire.fault import Fault
from nodeagent.administration import volumes
from nodeagent.administration.doctor import examination, services
from nodeagent.administration.doctor.run import root
from nodeagent.diagnosis.finding import Severity, exit_status
from nodeagent.diagnosis.outcome import Outcome
from nodeagent.diagnosis.terminal import Paint
from nodeagent.host.paths import Paths

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from nodeagent.administration.doctor.examination import Examination
    from nodeagent.administration.doctor.host import Host

SHOWN = (services.AGENT, "instorage-helper.socket", "multipathd.service", "iscsid.service")
MOST = 8  # findings on the screen


def run(given: argparse.Namespace) -> Outcome:
    """Show it; exit status as doctor's."""
    del given
    with examination.this_node(Paths.from_environment(), root()) as host:
        found = examination.examine(host)
        host.looks.patience = 0.0  # what hangs has had its time
        data = gathered(host, found)
    lines = _lines(data, found, Paint.here())
    return Outcome(lines, data, exit_status(found.findings), abandon=bool(found.hanging))


def gathered(host: Host, found: Examination) -> dict[str, Any]:
    """Return what is on the screen, for programs."""
    try:
        listed: list[dict[str, Any]] | None = volumes.listed(host)
    except (Fault, OSError):
        listed = None
    states = None if listed is None else dict(Counter(row["state"] for row in listed))
    try:
        units = services.units(host) or {}
    except Fault:
        units = {}
    return {
        "version": VERSION, "node": host.setup.node, "configuration": host.setup.configuration,
        "units": {name: units.get(name, {}).get("ActiveState", "") for name in SHOWN},
        "agent_says": units.get(services.AGENT, {}).get("StatusText", ""),
        "arrays": [_array(host, name) for name in (one.name for one in host.setup.arrays)],
        "volumes": states,
        "findings": [one.to_json() for one in found.findings],
    }  # fmt: skip


def _array(host: Host, name: str) -> dict[str, Any]:
    try:
        said = host.arrays().get(name, {})
    except Fault as fault:
        return {"name": name, "answers": False, "sentence": fault.sentence}
    if "fault" in said:
        return {"name": name, "answers": False, "sentence": str(said["fault"]["sentence"])}
    return {
        "name": name, "answers": True, "seconds": said["seconds"], "mapped": len(said["mappings"]),
        "logged_in": any(one["logged_in"] for one in said["hosts"]),
    }  # fmt: skip


def _lines(data: dict[str, Any], found: Examination, paint: Paint) -> Iterator[str]:
    yield f"{paint.bold('InStorage')} {data['version']} on node {data['node'] or '(not configured)'}"
    units = ", ".join(
        f"{name.partition('.')[0]} {state or 'unknown'}" for name, state in data["units"].items()
    )
    yield f"  services  {units}" + (f"; the agent says: {data['agent_says']}" if data["agent_says"] else "")
    for one in data["arrays"]:
        if one["answers"]:
            seen = "logged in" if one["logged_in"] else "not logged in"
            name, mapped = one["name"], one["mapped"]
            yield f"  array     {name} answers in {one['seconds']} s, {mapped} volumes mapped here, {seen}"
        else:
            name = paint.severity(Severity.ERROR, one["name"])
            yield f"  array     {name} does not answer: {one['sentence']}"
    if data["volumes"] is None:
        yield f"  volumes   cannot be seen: {'a look hangs' if found.hanging else 'run this as root'}"
    else:
        said = ", ".join(f"{count} {state}" for state, count in sorted(data["volumes"].items()))
        yield f"  volumes   {said or 'none'}"
    serious = [one for one in found.findings if one.severity is not Severity.OK]
    for finding in serious[:MOST]:
        yield f"  {paint.severity(finding.severity, finding.severity.value.ljust(9))} {finding.sentence}"
    if len(serious) > MOST:
        yield f"  and {len(serious) - MOST} more"
    yield "  see «instoragectl doctor»" if serious else f"  {paint.severity(Severity.OK, 'nothing is wrong')}"
