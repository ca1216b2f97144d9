"""Which host object is this machine's (architecture.md 5, «Host objects»), and making it.

Ours is an object in which every port is a port of this machine, under a name of ours or one that the
configuration gives to this node. Anything else is refused: behind a foreign name may be a cloned machine with
the same InitiatorName, the array would take two nodes for one host, and both would write.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from instorage.arrays.as18000 import hosts
from instorage.arrays.as18000.session.cli import OutcomeUnknown
from instorage.arrays.as18000.session.quoting import object_name
from instorage.arrays.as18000.session.refusal import EXISTS, NOT_FOUND, PORT_TAKEN, Refused
from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from instorage.arrays.as18000.session.cli import Cli
    from instorage.arrays.model import Host, Initiator

ATTEMPTS = 4  # another process of this node, or a lost answer, may change the picture between two looks


@dataclass(frozen=True)
class Claim:
    """What this machine may call its own; `link` is iscsi or fc."""

    initiator: Initiator
    link: str
    names: tuple[str, ...]
    assigned: str | None

    @property
    def candidates(self) -> tuple[str, ...]:
        """Acceptable names in the order in which they are tried."""
        return tuple(dict.fromkeys([*([self.assigned] if self.assigned else []), *self.names]))

    @property
    def wanted(self) -> tuple[str, ...]:
        """The ports that the object must have for this link."""
        if self.link == "fc":
            return tuple(self.initiator.wwpns)
        return (self.initiator.iqn,) if self.initiator.iqn else ()

    @property
    def own(self) -> frozenset[str]:
        """Every port of this machine."""
        return frozenset([*self.initiator.wwpns, *([self.initiator.iqn] if self.initiator.iqn else [])])


def ensure(cli: Cli, claim: Claim, *, width: int) -> Host:
    """Find or make this machine's host object. HOST_OBJECT names object, ports and mend."""
    _require_ports(cli, claim)
    for name in claim.candidates:
        object_name(name, "host")
    trouble: Fault | None = None
    for _ in range(ATTEMPTS):
        found = _named(cli, claim)
        if found is not None and not _lacking(claim, found):
            return found
        try:
            _complete(cli, claim, found)
        except OutcomeUnknown as unknown:
            trouble = unknown
        except Refused as refused:
            trouble = refused
            if refused.cmmvc in PORT_TAKEN:
                ports = _lacking(claim, found) if found else claim.wanted
                _explain_taken(cli, claim, refused, ports, width=width)
            elif refused.cmmvc != EXISTS and refused.cmmvc not in NOT_FOUND:
                raise
    found = _named(cli, claim)
    if found is not None and not _lacking(claim, found):
        return found
    raise trouble or _refusal(cli, claim, "it does not show the ports that were added", found)


def _named(cli: Cli, claim: Claim) -> Host | None:
    """Return the object of ours that holds a port of ours, else an empty one under our name."""
    empty = None
    for name in claim.candidates:
        host = hosts.find(cli, name)
        if host is None:
            continue
        held = hosts.port_names(host)
        if held - claim.own:
            raise _refusal(cli, claim, "a port in it is not this machine's", host)
        if held:
            return host
        empty = empty or host
    return empty


def _lacking(claim: Claim, host: Host) -> tuple[str, ...]:
    held = hosts.port_names(host)
    return tuple(port for port in claim.wanted if port not in held)


def _complete(cli: Cli, claim: Claim, found: Host | None) -> None:
    """Make the object with its first port, or add the ports that it lacks."""
    if found is None:
        name = claim.names[0]
        cli.operate("mkhost", "-force", *_port_words(claim, claim.wanted[0]), "-name", name)
        rest = claim.wanted[1:]
    else:
        name, rest = found.name, _lacking(claim, found)
    for port in rest:
        cli.operate("addhostport", "-force", *_port_words(claim, port), name)


def _port_words(claim: Claim, port: str) -> tuple[str, str]:
    """Return a port as mkhost takes it; its -force only means that the port need not be logged in yet."""
    return ("-hbawwpn", port.upper()) if claim.link == "fc" else ("-iscsiname", port)


def _require_ports(cli: Cli, claim: Claim) -> None:
    if not claim.wanted:
        what = (
            "Fibre Channel port: see /sys/class/fc_host"
            if claim.link == "fc"
            else "iSCSI name: see InitiatorName in /etc/iscsi/initiatorname.iscsi"
        )
        raise Fault(
            Code.HOST_OBJECT, f"This machine has no {what}. Array {cli.array} cannot know it without."
        )


def _explain_taken(cli: Cli, claim: Claim, refused: Refused, ports: tuple[str, ...], *, width: int) -> None:
    """Return when the holder is ours after all (somebody was faster), else raise HOST_OBJECT."""
    holder = hosts.holding(cli, frozenset(ports), width=width)
    if holder is None:
        raise Fault(
            Code.HOST_OBJECT,
            f"Array {cli.array} takes {', '.join(ports)} for no host object, yet no object there "
            f"holds it: the name is not valid there, or a limit is reached ({refused.cmmvc}).",
            array=cli.array,
            ports=", ".join(ports),
            cmmvc=refused.cmmvc,
        ) from refused
    if holder.name not in claim.candidates:
        raise _refusal(cli, claim, "its name is not one of this machine's", holder) from refused


def _refusal(cli: Cli, claim: Claim, why: str, host: Host | None) -> Fault:
    name = host.name if host else claim.names[0]
    ports = ", ".join(sorted(hosts.port_names(host))) if host else ""
    foreign = bool(host and hosts.port_names(host) - claim.own)
    node = claim.names[0].removeprefix(f"{claim.link}-")
    line = f"host.objects: {{{node}: {name}}}"
    mend = (
        "Remove the foreign ports from it on the array, or give this machine an InitiatorName of its own."
        if foreign
        else f"If it is this machine's, add to the configuration of all hosts: {line}; if a cloned machine "
        "has the same InitiatorName, change it."
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
