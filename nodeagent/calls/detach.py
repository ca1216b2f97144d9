"""detach: what kube-controller-manager asks of any host, usually after the node itself has unmapped."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from instorage.configuration.settings import Fence
from instorage.operation import only_while, within
from instorage.wire.fault import Code, Fault
from nodeagent.expansion import barrier, earlier, host_lock
from nodeagent.host import identity
from nodeagent.operation.steps import Step, reached
from nodeagent.volume import fencing
from nodeagent.volume.inquiry import ask_all

if TYPE_CHECKING:
    from collections.abc import Callable

    from instorage.arrays.expansion import Expansion
    from instorage.arrays.model import Mapping, Volume
    from instorage.arrays.protocol import Array
    from instorage.volume_name import VolumeName
    from instorage.wire.values import VolumeUid
    from nodeagent.host.helper_client import Helper
    from nodeagent.operation.flexvolume import Detach
    from nodeagent.operation.node import Operation

SILENT_SECONDS = 8.0
UNMAP_SECONDS = 6.0  # an unmap that is sent later could hit a mapping made anew after the stub left
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Finding:
    """What one array says: the volume or None, or why it cannot say; and the volume's mappings."""

    array: Array
    volume: Volume | None = None
    fault: Fault | None = None
    mappings: tuple[Mapping, ...] = ()

    def held_by(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Return those of the host objects that have the volume."""
        return tuple(mapping.host for mapping in self.mappings if mapping.host in names)


def detach(operation: Operation, request: Detach) -> str:
    """Make sure that `request.node` no longer has the volume; return a remark, often empty.

    All arrays are asked at once. A mapping is removed only as `host.fence` allows. A barrier stops calls for
    this host: it says nothing of other nodes.
    """
    names = identity.host_objects(operation.host, request.node)
    with operation.helper() as helper:
        if identity.is_own(operation.host, names):
            host_lock.share(operation, helper)
        return _detached(operation, helper, request, names)


def _detached(operation: Operation, helper: Helper, request: Detach, names: tuple[str, ...]) -> str:
    operation.progress.say("asking the arrays where the volume is mapped")
    findings = _ask_all(operation, request)
    faults = [finding.fault for finding in findings if finding.fault is not None]
    for fault in faults:
        if fault.code is Code.VOLUME_NOT_READY:
            raise fault  # an active-active volume of that name, of which some vdisks are missing
    held = [finding for finding in findings if finding.held_by(names)]
    if len(held) > 1:
        raise _several(request, held, names)
    if held:
        records = barrier.records(helper.barrier()) if helper.there else ()
        _refuse_unfinished(operation, records, request, held[0])
        known = frozenset(member.uid for record in records for member in record.members)
        _fence(operation, request, held[0], held[0].held_by(names), known)
        return ""
    if faults and not any(finding.volume for finding in findings):
        raise faults[0]
    others = sorted({m.host for finding in findings for m in finding.mappings})
    if others:
        return (
            f"Volume {request.name} is mapped to {', '.join(others)}, not to {request.node}: left as it is."
        )
    return ""


def _refuse_unfinished(
    operation: Operation, records: tuple[Expansion, ...], request: Detach, held: Finding
) -> None:
    """Raise when this host keeps the record of a broken-off expansion of the volume: it stays where it is.

    Unless it was finished by hand since. A control plane's host has no helper, and so no records: it expands
    nothing. A record of another volume that had the name before says nothing of this one.
    """
    uid = held.volume.uid if held.volume else None
    kept = [one for one in records if one.volume == request.name and uid in {m.uid for m in one.members}]
    if kept and not earlier.finished(operation, held.array, kept):
        raise Fault(
            Code.VOLUME_NOT_READY,
            f"The active-active expansion of volume {request.name} was broken off: it stays mapped until "
            "«instoragectl barrier resume» has finished it.",
            volume=request.name,
        )


def _ask_all(operation: Operation, request: Detach) -> list[Finding]:
    """Ask every array at once, in their order; one that is silent for 8 s is not waited for: of 25 s."""

    def ask(array: Array) -> Finding:
        volume = array.find_volume(request.name)
        return Finding(array, volume, mappings=array.mappings(request.name) if volume else ())

    unknown = "whether it maps the volume is unknown"
    found = [
        answer if isinstance(answer, Finding) else Finding(array, fault=answer)
        for array, answer in ask_all(operation, ask, SILENT_SECONDS, unknown)
    ]
    order = [storage.name for storage in operation.configuration.storage]
    return sorted(found, key=lambda one: order.index(one.array.name))


def _several(request: Detach, held: list[Finding], names: tuple[str, ...]) -> Fault:
    named = " and ".join(f"{one.array.name} ({', '.join(one.held_by(names))})" for one in held)
    return Fault(
        Code.VOLUME_MAPPED,
        f"A volume {request.name} is mapped to node {request.node} on {named}: take it from the wrong one "
        f"with «instoragectl release {request.name} --from {request.node} --storage NAME».",
        volume=request.name,
        node=request.node,
    )


def _fence(
    operation: Operation,
    request: Detach,
    finding: Finding,
    hosts: tuple[str, ...],
    known: frozenset[VolumeUid],
) -> None:
    """Unmap as `host.fence` allows; not after the caller has left: that could hit a mapping made anew.

    `hosts`: two, where the rule and the table both give the node an object. `known`: see `_refuse_half`.
    """
    array, fence = finding.array, operation.host.fence
    unmap = _allowed(operation, request, finding, hosts, lambda: _refuse_half(request, finding, known))
    operation.progress.say(f"unmapping the volume on array {array.name}")
    _require_caller(operation, request)
    for host in hosts:
        with within(UNMAP_SECONDS), only_while(lambda: _require_caller(operation, request)):
            unmap(request.name, host)
        reached(Step.AGENT_DETACH_FENCED)
        _LOG.warning(
            "Volume %s was taken from node %s (host %s on array %s, host.fence %s): that node is fenced "
            "from it", request.name, request.node, host, array.name, fence.value,
        )  # fmt: skip


def _allowed(
    operation: Operation,
    request: Detach,
    finding: Finding,
    hosts: tuple[str, ...],
    refuse_half: Callable[[], None],
) -> Callable[[VolumeName, str], object]:
    """Return what unmaps, or raise what keeps the volume where it is."""
    array, fence = finding.array, operation.host.fence

    def kept(found: fencing.Living) -> Fault:
        return _kept(request, array, found.why, found.mend)

    if fence is Fence.NEVER:
        raise _kept(request, array, "host.fence is never")
    if fence is not Fence.NODE_LOST:
        refuse_half()
        return array.unmap_volume
    operation.progress.say(f"asking array {array.name} whether the node is logged in")
    if found := fencing.living(array, hosts, refuse_half):
        raise kept(found)
    return fencing.LastLook(array, hosts, kept).unmap


def _refuse_half(request: Detach, finding: Finding, known: frozenset[VolumeUid]) -> None:
    """Raise for an active-active volume that is not whole, by the array's word: no record is needed.

    Those that are here say which vdisks are `known` to be another volume's, which is being expanded.
    """
    assert finding.volume is not None  # noqa: S101  # it has mappings
    doubt = finding.array.doubt(finding.volume, known)
    if doubt:
        raise Fault(
            Code.VOLUME_NOT_READY,
            f"Volume {request.name} stays mapped to node {request.node} on array {finding.array.name}: "
            f"{doubt}. Finish a broken-off expansion first («instoragectl barrier plan {request.name}» on "
            "the node that had it last). If there was none and the node is gone: "
            f"instoragectl release {request.name} --from {request.node}.",
            volume=request.name,
            node=request.node,
            array=finding.array.name,
        )


def _require_caller(operation: Operation, request: Detach) -> None:
    if operation.progress.abandoned():
        raise Fault(Code.TIMEOUT, f"Too late to unmap volume {request.name}: the caller has left.")
    if operation.left < UNMAP_SECONDS:
        spent = operation.progress.spent()
        longest = max(spent, key=spent.__getitem__, default="waiting for the volume")
        text = f"Too late to unmap volume {request.name}: it needs {UNMAP_SECONDS:g} s of the call, and "
        raise Fault(Code.TIMEOUT, f"{text}{operation.left:.0f} are left. «{longest}» took longest.")


def _kept(request: Detach, array: Array, why: str, mend: str = "") -> Fault:
    text = (
        f"Volume {request.name} is still mapped to node {request.node} on array {array.name} and stays so, "
        f"since {why}: the node unmaps it when its pod is gone."
    )
    return Fault(
        Code.VOLUME_MAPPED,
        f"{text} {mend}".rstrip(),
        volume=request.name,
        node=request.node,
        array=array.name,
    )
