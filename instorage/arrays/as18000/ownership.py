"""Which host object is this machine's (architecture.md 5, «Host objects»), and making it.

Ours is an object in which every port is a port of this machine, under a name of ours or one that the
configuration gives to this node; over Fibre Channel under any name, since administrators make objects when
they zone. Anything else is refused: behind a foreign name may be a cloned machine with the same
InitiatorName, the array would take two nodes for one host, and both would write.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from instorage import operation
from instorage.arrays.as18000 import foreign, holder, hosts, siting
from instorage.arrays.as18000.session.cli import OutcomeUnknown
from instorage.arrays.as18000.session.quoting import object_name
from instorage.arrays.as18000.session.refusal import EXISTS, NOT_FOUND, PORT_TAKEN, Refused
from instorage.arrays.model import Site

if TYPE_CHECKING:
    from instorage.arrays.as18000.claim import Claim
    from instorage.arrays.as18000.session.cli import Cli
    from instorage.arrays.model import Host
    from instorage.volume_name import VolumeName
    from instorage.wire.fault import Fault

ATTEMPTS = 4  # another process of this node, or a lost answer, may change the picture between two looks
log = logging.getLogger("instorage.arrays")


def ensure(cli: Cli, claim: Claim, volume: VolumeName | None, *, width: int) -> Host:
    """Find or make this machine's host object. HOST_OBJECT names object, ports and mend.

    `volume`: an active-active one that is to be mapped to it, if that is so; see `siting`.
    """
    foreign.require_ports(cli, claim)
    for name in claim.candidates:
        object_name(name, "host")
    trouble: Fault | None = None
    taken: Host | None = None
    for _ in range(ATTEMPTS):
        found = _ours(cli, claim, taken)
        site = siting.choose(cli, claim.site, volume) if found is None or found.site == Site() else Site()
        if found is not None and not _lacking(claim, found) and not site:
            return found
        try:
            _complete(cli, claim, found, site)
        except OutcomeUnknown as unknown:
            trouble = unknown
        except Refused as refused:
            trouble = refused
            if refused.cmmvc in PORT_TAKEN:
                ports = _lacking(claim, found) if found else claim.wanted
                taken = foreign.explain_taken(cli, claim, refused, ports, found, width=width)
            elif refused.cmmvc != EXISTS and refused.cmmvc not in NOT_FOUND:
                raise
    found = _ours(cli, claim, taken)
    if found is not None and not _lacking(claim, found):
        return found
    raise trouble or foreign.refusal(cli, claim, "it does not show the ports that were added", found)


def _ours(cli: Cli, claim: Claim, taken: Host | None) -> Host | None:
    """Return the object under a name of ours, else the one that an administrator made with our FC ports.

    `taken`: who was found to hold one of them. One with a foreign port is refused here as under our name.
    """
    named = _named(cli, claim)
    if claim.link != "fc" or claim.assigned is not None or (named and named.ports):
        return named
    if taken is not None:
        host = hosts.find(cli, taken.name)
    else:
        host = holder.by_logins(cli, frozenset(port.casefold() for port in claim.wanted))
    if host is None or host.name in claim.candidates:
        return named
    _require_own(cli, claim, host)
    return host if foreign.zoned(claim, host) else named


def _require_own(cli: Cli, claim: Claim, host: Host) -> None:
    """Raise HOST_OBJECT for an object that is, or may be, another machine's as well, or at another site."""
    if host.unread:
        raise foreign.refusal(cli, claim, f"it has {host.unread} more, which the array does not name", host)
    if host.port_names - claim.own:
        raise foreign.refusal(cli, claim, "a port in it is not this machine's", host)
    siting.require(cli, claim.site, host)


def _named(cli: Cli, claim: Claim) -> Host | None:
    """Return the object of ours that holds a port of ours, else an empty one under our name."""
    empty = None
    for name in claim.candidates:
        host = hosts.find(cli, name)
        if host is None:
            continue
        _require_own(cli, claim, host)
        if host.ports:
            return host
        empty = empty or host
    return empty


def _lacking(claim: Claim, host: Host) -> tuple[str, ...]:
    return tuple(port for port in claim.wanted if port.casefold() not in host.port_names)


def _complete(cli: Cli, claim: Claim, found: Host | None, site: Site) -> None:
    """Make the object with its first port, or give it what it lacks: ports, a site."""
    there = ("-site", site.name or site.id) if site else ()
    if found is None:
        name = claim.names[0]
        cli.operate("mkhost", "-force", *_port_words(claim, claim.wanted[0]), "-name", name, *there)
        rest = claim.wanted[1:]
    else:
        name, rest = found.name, _lacking(claim, found)
        if there:
            cli.operate("chhost", *there, name)
    if site and not claim.site:
        log.warning(
            "array %s: host object %s is now at site %s, where the master of its first active-active volume "
            "is: if this host is elsewhere, set host.site and correct the object (chhost -site)",
            cli.array, name, site.name, extra=operation.extra(),
        )  # fmt: skip
    for port in rest:
        cli.operate("addhostport", "-force", *_port_words(claim, port), name)


def _port_words(claim: Claim, port: str) -> tuple[str, str]:
    """Return a port as mkhost takes it; its -force only means that the port need not be logged in yet."""
    return ("-hbawwpn", port.upper()) if claim.link == "fc" else ("-iscsiname", port)
