"""Why a host object is not used: sentences that name object, ports and mend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.arrays.as18000 import holder
from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from instorage.arrays.as18000.claim import Claim
    from instorage.arrays.as18000.session.cli import Cli
    from instorage.arrays.as18000.session.refusal import Refused
    from instorage.arrays.model import Host

_CLONED = "if a cloned machine has the same InitiatorName, change it."
_FOREIGN = {
    "iscsi": "Remove the foreign ports from it on the array, or give this machine its own InitiatorName",
    "fc": "Remove the foreign ports from it on the array (rmhostport): each machine has an object of its own",
}


class HeldElsewhere(Fault):
    """A port of this machine is in no object of ours. To find that out costs a search: see `HostObjects`."""


def require_ports(cli: Cli, claim: Claim) -> None:
    """Raise HOST_OBJECT when the machine has no port for this link."""
    if not claim.wanted:
        what = (
            "Fibre Channel port: see /sys/class/fc_host"
            if claim.link == "fc"
            else "iSCSI name: see InitiatorName in /etc/iscsi/initiatorname.iscsi"
        )
        raise Fault(
            Code.HOST_OBJECT, f"This machine has no {what}. Array {cli.array} cannot know it without."
        )


def explain_taken(
    cli: Cli, claim: Claim, refused: Refused, ports: tuple[str, ...], found: Host | None, *, width: int
) -> Host:
    """Return the holder when it is ours after all (somebody was faster, or zoned it), else raise HOST_OBJECT.

    `found`: the object in which this machine's other ports are.
    """
    said = holder.search(cli, frozenset(port.casefold() for port in ports), width=width)
    if said.holder is None:
        raise _unknown_holder(cli, claim, refused, ports, said) from refused
    alone = found is None or not found.ports
    if said.holder.name in claim.candidates or (alone and zoned(claim, said.holder)):
        return said.holder
    fault = refusal(cli, claim, "its name is not one of this machine's", said.holder)
    if found is not None and zoned(claim, said.holder):
        fault = _split(cli, claim, said.holder, found)
    raise HeldElsewhere(fault.code, fault.sentence, **fault.fields) from refused


def zoned(claim: Claim, host: Host) -> bool:
    """Say whether an object of any name is this machine's: over Fibre Channel administrators make them.

    It holds a port of this machine and none of another, and the configuration gives the machine no other. Not
    so over iSCSI: an InitiatorName is copied with its machine, and a WWPN is burnt in.
    """
    ours = host.port_names & frozenset(port.casefold() for port in claim.wanted)
    whole = not host.unread and host.port_names <= claim.own
    return claim.link == "fc" and claim.assigned is None and bool(ours) and whole


def _split(cli: Cli, claim: Claim, host: Host, found: Host) -> Fault:
    held = ", ".join(sorted(host.port_names & claim.own))
    text = (
        f"Array {cli.array} has ports of this machine in two objects, and takes it for two hosts: {held} in "
        f"host object {host.name}, others in {found.name}. Put all of them into {found.name} (rmhostport, "
        f"addhostport), once nothing is mapped to {host.name}."
    )
    return Fault(Code.HOST_OBJECT, text, array=cli.array, host=host.name, ports=held, line="")


def _unknown_holder(
    cli: Cli, claim: Claim, refused: Refused, ports: tuple[str, ...], found: holder.Search
) -> Fault:
    named = ", ".join(ports)
    sentence = (
        f"Array {cli.array} takes {named} for no host object, yet no object there holds it: the name is not "
        f"valid there, or a limit is reached ({refused.cmmvc})."
    )
    if not found.whole:
        sentence = (
            f"Array {cli.array} does not take {named}, as if another host object has it ({refused.cmmvc}); "
            f"which one was not found within {holder.SECONDS:g} s ({found.read} objects were read). Look for "
            "it there: if it is this machine's, add to the configuration of all hosts: "
            f"host.objects: {{{claim.node}: ITS NAME}}; {_CLONED}"
        )
    return HeldElsewhere(Code.HOST_OBJECT, sentence, array=cli.array, ports=named, cmmvc=refused.cmmvc)


def refusal(cli: Cli, claim: Claim, why: str, host: Host | None) -> Fault:
    """Return HOST_OBJECT for an object that is not used, with the line to add or what to remove from it."""
    name = host.name if host else claim.names[0]
    ports = ", ".join(sorted(port.name for port in host.ports)) if host else ""
    foreign = bool(host and (host.unread or host.port_names - claim.own))
    line = f"host.objects: {{{claim.node}: {name}}}"
    mend = (
        f"{_FOREIGN[claim.link]}."
        if foreign
        else f"If it is this machine's, add to the configuration of all hosts: {line}; {_CLONED}"
    )
    return Fault(
        Code.HOST_OBJECT,
        f"The host object {name} on array {cli.array} with the ports {ports or '(none)'} is not used: "
        f"{why}. {mend}",
        array=cli.array,
        host=name,
        ports=ports,
        line="" if foreign else line,
    )
