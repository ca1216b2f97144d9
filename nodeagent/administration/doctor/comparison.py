"""The two sides compared, volume by volume: mapping, session, path, map, mount; each disagreement a finding.

What disagrees is looked at twice, since a volume may come or go at the moment; only what both looks show is
said, as the second one shows it. Where that one fails, the first is said as such, and no command that acts.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from instorage.wire.fault import Fault
from nodeagent.administration.doctor import holders, object_rules, path_rules, removal, volume_rules
from nodeagent.administration.doctor.picture import Picture, of_volume, pictures
from nodeagent.diagnosis.finding import Finding, Severity, Who

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodeagent.administration.doctor.host import Host

CHECK = "volumes"
ONCE = "It was seen once: the second look failed."
AGAIN = "instoragectl doctor, for another look"


def check(host: Host) -> Iterator[Finding]:
    """Find disagreements of every volume, or of `host.volume`."""
    try:
        first = pictures(host)
    except PermissionError as error:
        yield Finding(
            CHECK, "not-seen", Severity.OK,
            f"The volumes were not compared: who is not root cannot read {error.filename or 'the records'}.",
            command="sudo instoragectl doctor", proof=str(error),
        )  # fmt: skip
        return
    found = list(_judged(host, first, 1))
    try:
        again = list(_judged(host, pictures(host, 2), 2)) if found else []
    except (Fault, OSError):
        yield from (
            dataclasses.replace(one, cause=f"{one.cause} {ONCE}".strip(), command=AGAIN) for one in found
        )
        raise
    seen = {(one.code, one.volume) for one in found}
    both = [one for one in again if (one.code, one.volume) in seen]
    yield from removal.named(host, holders.named(host, both, first), first)
    if host.volume:
        yield from _asked_about(host, first)


def _judged(host: Host, found: list[Picture], turn: int) -> Iterator[Finding]:
    sessions = path_rules.sessions(host.looks)
    yield from object_rules.judge(host, found, turn)
    for one in found:
        if host.volume in ("", one.name, one.uid):
            yield from volume_rules.judge(host, one)
            yield from path_rules.judge(host, one, sessions)


def _asked_about(host: Host, found: list[Picture]) -> Iterator[Finding]:
    """Yield what takes a command a volume: is it there, online, mapped to others, as large as its paths."""
    if not host.setup.arrays:
        return
    try:
        said, silent = of_volume(host, found)
    except Fault as fault:
        yield Finding(CHECK, fault.code.value, Severity.WARNING, fault.sentence, volume=host.volume)
        return
    mine = next((one for one in found if host.volume in (one.name, one.uid)), Picture(host.volume))
    there = {array: one for array, one in said.items() if one}
    if not there and said:
        yield _nowhere(host.volume, sorted(said), silent)
    for array, one in there.items():
        yield from _on_array(host, mine, array, one)


def _nowhere(volume: str, asked: list[str], silent: list[str]) -> Finding:
    if silent:
        return Finding(
            CHECK, "volume-missing", Severity.WARNING,
            f"No volume {volume} is on {' or '.join(asked)}; {' and '.join(silent)} did not answer.",
            who=Who.ARRAY, command=f"instoragectl doctor --volume {volume}, once all arrays answer",
            proof="lsvdisk", volume=volume,
        )  # fmt: skip
    return Finding(
        CHECK, "volume-missing", Severity.ERROR, f"No volume {volume} is on {' or '.join(asked)}.",
        risk="Its data is there no more, or it has another name.", who=Who.ARRAY,
        command="correct the name; a PV's volume has the PV's name", proof="lsvdisk", volume=volume,
    )  # fmt: skip


def _on_array(host: Host, mine: Picture, array: str, one: dict[str, Any]) -> Iterator[Finding]:
    name, proof = str(one["name"]), f"lsvdisk {one['name']} on array {array}"
    if not one["online"]:
        yield Finding(
            CHECK, "volume-offline", Severity.ERROR, f"Volume {name} is offline on array {array}.",
            cause=one["degraded"], risk="Nothing can be read or written.", who=Who.ARRAY,
            command="see the pool and the drives of the array", proof=proof, volume=name,
        )  # fmt: skip
    elif one["degraded"]:
        yield Finding(
            CHECK, "volume-degraded", Severity.WARNING, f"Volume {name} on array {array}: {one['degraded']}.",
            risk="One more failure takes it away.", who=Who.ARRAY, command=f"lsvdisk {name}", proof=proof,
            volume=name,
        )  # fmt: skip
    others = sorted(set(one["hosts"]) - set(host.setup.host_names) - {mine.mapping.get("host")})
    if others and not mine.record.get("many_readers"):
        yield Finding(
            CHECK, "mapped-elsewhere", Severity.ERROR if mine.here else Severity.WARNING,
            f"Array {array} maps volume {name} to {', '.join(others)}.",
            cause="A pod uses it on another node, or that node died with it.",
            risk="With two nodes that write, the file system is destroyed." if mine.here else
            "No pod gets it on this node.",
            who=Who.KUBERNETES, command=f"when that node is gone: instoragectl release {name} --from NODE",
            proof=f"lsvdiskhostmap {name} on array {array}", volume=name,
        )  # fmt: skip
    sizes = {int(path["size"]) for path in mine.paths} - {int(one["size"])}
    if sizes:
        yield Finding(
            CHECK, "size-behind", Severity.WARNING,
            f"Volume {name} has {one['size']} bytes on array {array}, and {min(sizes)} on this node.",
            cause="It grew on the array, and no expansion was asked of this node since.", who=Who.KUBERNETES,
            risk="Its file system stays as small as it was.",
            command="see the claim's conditions: kubectl describe pvc", proof=proof, volume=name,
        )  # fmt: skip
