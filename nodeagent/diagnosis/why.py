"""`instoragectl why`: what a volume, claim or pod waits for, who must act and how; the chain with its proofs.

Everything in reach is looked at: Kubernetes by this administrator's kubectl, this node's agent, kernel and
records, the arrays. What is out of reach is said, and never taken for right.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from instorage.privilege import leave_root
from instorage.wire.fault import Code, Fault
from nodeagent.diagnosis import agent, claim, device, link, mapping, objects, pod, remedy
from nodeagent.diagnosis.foreign import typed
from nodeagent.diagnosis.kubectl import Kubectl
from nodeagent.diagnosis.link import KUBERNETES, NODE, UNSEEN, WAITS, WRONG, Link
from nodeagent.diagnosis.objects import Objects, Unknown, at
from nodeagent.diagnosis.outcome import Outcome
from nodeagent.diagnosis.waiting import waited
from nodeagent.expansion import barrier
from nodeagent.host.paths import Paths

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path

    from instorage.configuration.settings import Configuration
    from nodeagent.diagnosis.link import Verdict

USER = "instorage-agent"


def run(given: argparse.Namespace) -> Outcome:
    """Return the verdict on what was asked about; exit status as of `Verdict.status`."""
    verdict = judged(given.object, given.config)
    return Outcome(list(link.lines(verdict, proof=given.proof)), verdict.to_json(), verdict.status)


def judged(subject: str, configuration: Path) -> Verdict:
    """Return what everything in reach says of a volume, `NAMESPACE/PVC` or `NAMESPACE/POD`.

    `Fault(BAD_REQUEST)`: there is no such object, or Kubernetes is out of reach and alone knows it.
    """
    found = _objects(subject)
    volume = found.volume_name or ("" if "/" in subject else subject)
    here = _here(volume, found, configuration) if volume else ()
    links = [*claim.links(found), *here, *pod.links(found)]  # this node knows before kubelet tells
    return link.judged(_called(subject, found), links)


def _objects(subject: str) -> Objects:
    with waited("asking Kubernetes"):
        try:
            found = objects.gathered(Kubectl(), subject)
        except Unknown as error:
            raise Fault(Code.BAD_REQUEST, str(error)) from None
    if "/" in subject and not found.volume_name and found.pod is None and found.claim is None:
        why = next(iter(found.unseen.values()), "it is not there")
        text = (
            f"What volume {subject} has is known to Kubernetes alone, which could not be asked ({why}): name "
        )
        raise Fault(Code.BAD_REQUEST, f"{text}the volume itself, or run this where kubectl works.")
    return found


def _called(subject: str, found: Objects) -> str:
    if "/" not in subject:
        return f"Volume {subject}"
    return (
        f"{'Pod' if at(found.pod, 'metadata', 'name') == subject.rpartition('/')[2] else 'Claim'} {subject}"
    )


def _here(volume: str, found: Objects, file: Path) -> Iterator[Link]:
    """Yield what this host, if the pod is here or nowhere, and the arrays say."""
    paths, asked = Paths.from_environment(), at(found.pod, "spec", "nodeName")
    configuration, unread = _configuration(file)
    names = {
        socket.gethostname(),
        *([configuration.host.node_name] if configuration and configuration.host else []),
    }
    named = str(at(found.volume, "spec", "flexVolume", "options", "storageName") or "")
    kept, _ = agent.records(paths.records, volume, named)
    away = bool(asked) and asked not in names
    if away and not kept:
        text = f"Agent, paths and mount are on node {asked}, not here: run «{remedy.look(volume)}» there."
        yield Link("agent", UNSEEN, text)
    else:
        place = os.environ.get("INSTORAGE_AGENT_SOCKET", agent.SOCKET)
        wanted = asked in names and at(found.pod, "status", "phase") not in ("Running", *objects.ENDS)
        idle = configuration is not None and _idle(configuration)
        said = list(agent.links(volume, paths.records, place, storage=named, wanted=wanted, idle=idle))
        yield from said
        for one in kept:  # a call under way may not have brought the paths yet
            attached, kernel = all(link.state != WAITS for link in said), device.Kernel(paths.sysfs)
            links = list(
                device.links(volume, str(one.get("uid")), kernel, attached=attached, pod=_pod(found))
            )
            yield from (
                link for link in links if not (away and link.place == "mount" and link.state != WRONG)
            )
            if away:
                yield _still_here(str(asked), configuration, shared=bool(one.get("many_readers")))
    if configuration is None:
        yield unread
        return
    yield from _barriers(configuration)
    leave_root(USER)
    storage = named or (str(kept[0].get("storage") or "") if len(kept) == 1 else "")
    yield from mapping.links(volume, configuration, storage)


def _still_here(asked: str, configuration: Configuration | None, *, shared: bool) -> Link:
    """Return that it is here though its pod is elsewhere: a mount here is no sign that the pod works."""
    here = configuration.host.node_name if configuration and configuration.host else socket.gethostname()
    if shared:
        return Link("mount", UNSEEN, f"Whether the pod has its mount is seen on node {asked}, not on {here}.")
    text = f"The volume is still here, on {here}, and its pod is on {asked}: end the pod here that uses it."
    text += " None uses it: it is let go of within some minutes."
    command = typed(remedy.ON_NODE.replace("{node}", "{}"), here, without="kubectl get pods -A -o wide")
    return Link("mount", WRONG, text, KUBERNETES, command)


def _idle(configuration: Configuration) -> bool:
    """Say whether it was seen that no expansion is under way on this host."""
    try:
        return not any(one.running for one in barrier.all_present(configuration))
    except Fault:
        return False


def _pod(found: Objects) -> str:
    name = at(found.pod, "metadata", "name")
    return f"{found.namespace}/{name}" if name else ""


def _configuration(file: Path) -> tuple[Configuration | None, Link]:
    from instorage.configuration.settings import load

    for need_host in (True, False):  # a provisioner's has no group «host»
        try:
            return load(file, need_host=need_host), Link("array", UNSEEN, "")
        except Fault as fault:
            found = _without(file, fault)
    return None, found


def _without(file: Path, fault: Fault) -> Link:
    """Return that no array could be asked: for want of rights or of a file, or since the file is wrong."""
    text = f"The arrays could not be asked: {fault.sentence}"
    try:
        file.read_bytes()
    except OSError:
        return Link("array", UNSEEN, text)
    return Link("array", WRONG, text, NODE, remedy.CHECK, 0.0, str(file))


def _barriers(configuration: Configuration) -> Iterator[Link]:
    try:
        found = barrier.all_present(configuration)
    except Fault as fault:
        yield Link("agent", UNSEEN, fault.sentence)
        return
    for one in found:
        if not one.running:
            text = f"{one.what} was broken off: {one.path} stops attach and detach on this node."
            named = one.record.volume if one.record else ""
            command = typed("instoragectl barrier plan {}", named, without="instoragectl barrier plan")
            yield Link("agent", WRONG, text, NODE, command, one.path.stat().st_mtime, str(one.path))
