"""The arrays' command lines: does a login work, is an SSH slot free, what is protected, how long it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault
from nodeagent.diagnosis.finding import Finding, Severity, Who

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodeagent.administration.doctor.host import ArrayEntry, Host

CHECK = "arrays"
SLOW_SECONDS = 3.0
_RISK = "Volumes of it are neither attached nor detached; what is mounted works on."
_WHO = {
    Code.ARRAY_AUTHENTICATION: Who.NODE,
    Code.ARRAY_HOST_KEY: Who.ARRAY,
    Code.ARRAY_SESSIONS: Who.ARRAY,
    Code.ARRAY_UNREACHABLE: Who.SAN,
}
_UNHEARD = (Code.ARRAY_UNREACHABLE, Code.TIMEOUT)  # in which a long wait ends, be it for a processor


def check(host: Host) -> Iterator[Finding]:
    """Find arrays that do not answer, and those that keep volumes for a while after I/O."""
    if not host.setup.arrays:
        return
    try:
        answers = host.arrays()
    except Fault as fault:
        if fault.code is Code.NOT_SUPPORTED:
            raise
        yield from dict.fromkeys(_unanswered(one, fault) for one in host.setup.arrays)
        return
    for one in host.setup.arrays:
        said = answers[one.name]
        if "fault" in said:
            spent = float(said["seconds"]), float(said.get("waited", 0.0))
            yield _unanswered(one, Fault.from_wire(said["fault"]), *spent)
        elif said["seconds"] > SLOW_SECONDS:
            yield _slow(one, said["seconds"], said.get("waited", 0.0))


def _unanswered(one: ArrayEntry, fault: Fault, seconds: float = 0.0, waited: float = 0.0) -> Finding:
    """Say why there is no answer: of a node that had no processor to ask, how the array is is not known."""
    seconds, waited = (
        float(fault.fields.get(key, own)) for key, own in (("seconds", seconds), ("waited", waited))
    )
    if fault.code in _UNHEARD and seconds > SLOW_SECONDS and waited > seconds / 2:
        return _starved(Severity.WARNING, fault.sentence, waited)
    return _silent(one.name, f"{one.address}:{one.port}", fault)


def _slow(one: ArrayEntry, seconds: float, waited: float) -> Finding:
    """Say who was slow: the array, or this node, which had no processor for the programs that ask it."""
    took = f"Array {one.name} took {seconds:.1f} s for a login and a few commands."
    if seconds - waited <= SLOW_SECONDS:
        return _starved(Severity.OK, took, waited)
    return Finding(
        CHECK, "array-slow", Severity.WARNING, took, risk="Each attach takes so long at least.",
        who=Who.ARRAY, command="see the array's load, and who is logged in", proof=f"SSH to {one.address}",
    )  # fmt: skip


def _starved(severity: Severity, sentence: str, waited: float) -> Finding:
    return Finding(
        CHECK, "node-busy", severity, sentence,
        cause=f"For {waited:.1f} s of them this program waited for a processor: this node has more to do "
        "than processors.",
        risk="Volumes are attached and detached as slowly.", who=Who.NODE,
        command="top, or: cat /proc/pressure/cpu", proof="schedstat of this program's threads",
    )  # fmt: skip


def _silent(name: str, address: str, fault: Fault) -> Finding:
    return Finding(
        CHECK, fault.code.value, Severity.ERROR, fault.sentence, risk=_RISK,
        who=_WHO.get(fault.code, Who.ARRAY), command=f"instoragectl arrays, once {name} can answer",
        proof=f"SSH to {address}",
    )  # fmt: skip


def protection(host: Host) -> Iterator[Finding]:
    """Say volume protection, by which a pod that moves waits; that is a setting, and no trouble by itself."""
    if not host.setup.arrays:
        return
    for name, said in host.arrays().items():
        if minutes := said.get("protected_minutes"):
            yield Finding(
                "protection", "volume-protection", Severity.OK,
                f"Array {name} unmaps and deletes no volume within {minutes} minutes after its last I/O.",
                risk="A pod that moves to another node waits for that long.", who=Who.ARRAY,
                command="mcsop chsystem -vdiskprotectiontime MINUTES, or for a pool: "
                "mcsop chmdiskgrp -vdiskprotectionenabled no POOL",
                proof=f"lssystem on array {name}",
            )  # fmt: skip
