"""What an array must show of this node itself, before anything of its volumes can be told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodeagent.diagnosis.finding import Finding, Severity, Who

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodeagent.administration.doctor.host import Host
    from nodeagent.administration.doctor.picture import Picture


def judge(host: Host, found: list[Picture], turn: int) -> Iterator[Finding]:
    """Find arrays that show no host object of this node, although volumes of theirs are in use here."""
    for name, said in host.arrays(turn).items():
        here = [one for one in found if one.here and one.record.get("storage") == name]
        if "fault" in said or said.get("certain", True) or not here:
            continue
        yield Finding(
            "volumes", "host-object-missing", Severity.WARNING,
            f"Array {name} shows no host object with a port of this node, and {len(here)} of its volumes are "
            "in use here.",
            cause="It was deleted or given other ports, or not every host object could be read.",
            risk="Whether these volumes are mapped to this node is not known.", who=Who.ARRAY,
            command="mcsinq lshost", proof=f"lshost on array {name}",
        )  # fmt: skip
