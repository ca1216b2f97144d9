"""What record, mapping and mounts of one volume must say of each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.arrays import naming
from nodeagent.administration.doctor import restart
from nodeagent.diagnosis.finding import Finding, Severity, Who
from nodeagent.operation import targets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodeagent.administration.doctor.host import Host, Setup
    from nodeagent.administration.doctor.picture import Picture

CHECK = "volumes"


def judge(host: Host, one: Picture) -> Iterator[Finding]:
    """Yield what disagrees."""
    setup = host.setup
    if one.record.get("unreadable"):
        yield Finding(
            CHECK, "record-unreadable", Severity.WARNING,
            f"The record {setup.state}/volumes/{one.uid} cannot be read.",
            risk="The volume counts as attached here until its array has answered.",
            command=restart.command(host), proof=f"{setup.state}/volumes/{one.uid}", volume=one.name,
        )  # fmt: skip
    elif one.record:
        yield from _recorded(host, one)
    elif one.mapping:
        yield _stranger(host, one)
    elif one.here and not one.silent:
        yield _left(setup, one)
    yield from _mounts(one)


def _recorded(host: Host, one: Picture) -> Iterator[Finding]:
    kept = f"{host.setup.state}/volumes/{one.uid}"
    proof = f"{kept}; lshostvdiskmap {one.record.get('host')} on array {one.array}"
    known = {entry.name for entry in host.setup.arrays}
    if known and (one.array not in known or (one.leads is False and not one.mapping and not one.silent)):
        yield Finding(
            CHECK, "array-not-configured", Severity.WARNING,
            f"Volume {one.name} is attached here from array {one.array}, which is not configured, or under "
            "another name.",
            risk="It is not unmapped when its pod ends, and cannot grow.",
            command=f"give the array its entry in {host.setup.configuration} back, under that name",
            proof=f"{kept}; {host.setup.configuration}", volume=one.name,
        )  # fmt: skip
        return
    if one.silent or one.young:
        return
    if not one.mapping and one.here:
        yield Finding(
            CHECK, "unmapped-outside", Severity.ERROR,
            f"Array {one.array} does not map volume {one.name} to this node any more, and it is in use here.",
            cause="It was unmapped, or deleted, from outside.",
            risk="Its mount takes no more data; what was written last may be lost.", who=Who.KUBERNETES,
            command=_end_pods(one), proof=proof, volume=one.name,
        )  # fmt: skip
    elif not one.here:
        yield Finding(
            CHECK, "recorded-without-device", Severity.WARNING,
            f"Volume {one.name} is recorded as attached here, and this node has no device of it.",
            cause="An attach or a detach was broken off.", who=Who.NOBODY,
            risk="Its pod on another node waits until this one has let it go.",
            command=f"nothing: it is taken down within a minute; if it stays: {restart.command(host)}",
            proof=proof, volume=one.name,
        )  # fmt: skip
    if one.mapping and one.mapping["volume"] != one.record.get("name"):
        before, now = str(one.record.get("name")), str(one.mapping["volume"])
        yield Finding(
            CHECK, "renamed", Severity.WARNING,
            f"Volume {before}, which is attached here, is called «{now}» on array {one.array} now.",
            cause="It was renamed there.", risk="It can neither grow nor be attached anew.", who=Who.ARRAY,
            command=naming.command(before, now), proof=proof, volume=one.name,
        )  # fmt: skip


def _end_pods(one: Picture) -> str:
    pods = sorted({pod for mount in one.mounts if (pod := targets.pod_of(mount["target"]))})
    named = f" with UID {' and '.join(pods)}" if pods else ""
    return f"end what uses it: kubectl delete pod, the pod{'s' if pods[1:] else ''}{named}"


def _stranger(host: Host, one: Picture) -> Finding:
    name, volume = one.mapping["host"], one.mapping["volume"]
    proof = f"lshostvdiskmap {name} on array {one.array}; no {host.setup.state}/volumes/{one.uid}"
    if one.mounts:
        return Finding(
            CHECK, "mapped-unrecorded", Severity.WARNING,
            f"Volume {volume} of array {one.array} is mounted here, and no record says that it is ours.",
            cause="It was attached by another program, or the records were lost.",
            risk="It is not unmapped when its pod ends.",
            command=f"{restart.command(host)}: at its start the agent takes over what is mounted in "
            "kubelet's directories",
            proof=proof, volume=one.name,
        )  # fmt: skip
    return Finding(
        CHECK, "mapped-unrecorded", Severity.WARNING,
        f"Array {one.array} maps volume {volume} to this node ({name}), and no record says so.",
        cause="Somebody mapped it by hand, or the records were lost.",
        risk="Its pod cannot start on another node.", who=Who.ARRAY,
        command=_look(one) if one.here or not one.alone
        else f"if nobody uses it: mcsop rmvdiskhostmap -host {name} {volume}",
        proof=proof, volume=one.name,
    )  # fmt: skip


def _left(setup: Setup, one: Picture) -> Finding:
    """Return what is said of devices that nobody owns: whose they are is certain where their paths say it.

    What removes them is added by `removal`, where nothing uses them.
    """
    used = f" and mounted on {one.mounts[0]['target']}" if one.mounts else ""
    pods = any(targets.pod_of(str(mount["target"])) for mount in one.mounts)
    certain = one.leads is True
    return Finding(
        CHECK, "leftover", Severity.ERROR if one.mounts and certain else Severity.WARNING,
        f"Volume {one.uid} has devices on this node{used}, and no array that is configured maps it here.",
        cause="It was unmapped while the node had its devices." if certain else
        "It was unmapped while the node had its devices, or its array is not configured.",
        risk="Whoever reads the devices of a volume that was unmapped hangs, or meets another one that gets "
        "its LUN.",
        who=Who.KUBERNETES if pods and certain else Who.NODE,
        command=_end_pods(one) if pods and certain else _look(one),
        proof=f"helper's Inspect {one.uid}; no record below {setup.state}/volumes", volume=one.name,
    )  # fmt: skip


def _look(one: Picture) -> str:
    disks = " ".join(f"/dev/{path['name']}" for path in one.paths)
    return f"see who uses it, before anything of it is taken away: lsblk {disks}".rstrip()


def _mounts(one: Picture) -> Iterator[Finding]:
    mount = next((mount for mount in one.mounts if mount.get("trouble")), None)
    if mount:  # the file system's, and so that of each place where it is mounted
        yield Finding(
            CHECK, "mount-trouble", Severity.ERROR,
            f"Volume {one.name} on {mount['target']}: {mount['trouble']}.",
            risk="What the pod writes fails, or is lost.", who=Who.KUBERNETES,
            command=f"{_end_pods(one)}; its next start checks the file system",
            proof=f"/proc/1/mountinfo, {mount['target']}", volume=one.name,
        )  # fmt: skip
    places = [str(mount["target"]) for mount in one.mounts]
    pods = [place for place in places if targets.pod_of(place)]
    if pods and not any(targets.is_device_mount(place) for place in places):
        yield Finding(
            CHECK, "device-mount-missing", Severity.WARNING,
            f"Volume {one.name} is mounted for a pod on {pods[0]}, and its device mount is gone.",
            cause="Somebody unmounted it by hand.", risk="It is not taken down with the pod.",
            who=Who.KUBERNETES, command=_end_pods(one), proof="/proc/1/mountinfo", volume=one.name,
        )  # fmt: skip
    if one.kernel.get("formatting") and not one.young:
        yield Finding(
            CHECK, "format-unfinished", Severity.WARNING,
            f"A format of volume {one.name} was begun by this node, and has not ended.",
            cause="mkfs works yet, or was broken off.", who=Who.NOBODY,
            risk="The volume is not used before it has ended.",
            command="nothing: mount is asked for again, and a broken-off format is repeated",
            proof=f"helper's Inspect {one.uid}", volume=one.name,
        )  # fmt: skip
