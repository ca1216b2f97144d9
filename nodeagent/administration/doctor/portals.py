"""The arrays' portals: routed, reachable, and with the size of packets that this node's links have."""

from __future__ import annotations

import functools
import socket
from typing import TYPE_CHECKING, Any

from instorage.operation import overlap
from instorage.wire.values import Portal
from nodeagent.diagnosis.finding import Finding, Severity, Who
from nodeagent.host import portals, routes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodeagent.administration.doctor.host import Host

CHECK = "portals"
PROBE_SECONDS = 2.0
_LARGEST = 65507  # bytes of an echo
_HEADERS = {socket.AF_INET: 28, socket.AF_INET6: 48}


def check(host: Host) -> Iterator[Finding]:
    """Find portals that cannot be used from here, and paths that lose large packets."""
    if host.setup.link == "fc" or not host.setup.arrays:
        return
    for array, said in host.arrays().items():
        targets = sorted({one["portal"] for one in said.get("targets", ())})
        if targets:
            found = probed(host, array, targets)
            yield from _unreachable(array, found)
            good = sorted({Portal.parse(one).address for one, why in found.items() if not why["why"]})
            checks = [functools.partial(_mtu, host, array, address) for address in good]
            for one in overlap(checks):
                yield from one


def probed(host: Host, array: str, targets: list[str]) -> dict[str, dict[str, Any]]:
    """Return of each portal why it cannot be used (empty: it can), and whether it is routed; asked once."""
    return dict(host.looks.answer(f"portals {array}", functools.partial(_probe, targets)))


def _probe(targets: list[str]) -> dict[str, dict[str, Any]]:
    all_of = {Portal.parse(one): one for one in targets}
    unrouted = {one: why for one in all_of if (why := routes.no_route(one.address))}
    silent = portals.connect_all([one for one in all_of if one not in unrouted], PROBE_SECONDS)
    return {
        text: {"why": unrouted.get(one) or silent.get(one) or "", "routed": one not in unrouted}
        for one, text in all_of.items()
    }


def _unreachable(array: str, probed: dict[str, dict[str, Any]]) -> Iterator[Finding]:
    bad = {portal: said for portal, said in probed.items() if said["why"]}
    severity = Severity.ERROR if len(bad) == len(probed) else Severity.WARNING
    risk = "No volume of it can be attached." if severity is Severity.ERROR else "Volumes have fewer paths."
    for portal, said in bad.items():
        address, port = Portal.parse(portal).address, Portal.parse(portal).port
        routed = said["routed"]
        yield Finding(
            CHECK, "portal-unreachable" if routed else "portal-not-routed", severity,
            f"Portal {portal} of array {array}: {said['why']}.",
            cause="" if routed else "No address of this node is in the portal's network.", risk=risk,
            who=Who.SAN if routed else Who.NODE,
            command=f"nc -zvw2 {address} {port}" if routed else f"ip route get {address}",
            proof=f"TCP to {portal}" if routed else f"route to {address}",
        )  # fmt: skip


def _mtu(host: Host, array: str, address: str) -> list[Finding]:
    """Send an echo as large as the link takes, not to be cut; said only when a small one comes back."""
    found = host.looks.answer(f"mtu {address}", lambda: list(routes.link(address)))
    device, mtu = str(found[0]), int(found[1])
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    size = min(mtu - _HEADERS[family], _LARGEST)
    if not device or size <= 0:
        return []
    argv = ("-n", "-q", "-c", "1", "-W", "1")
    large = host.looks.run("ping", *argv, "-M", "do", "-s", str(size), address)
    if large is None or large.status == 0:
        return []
    again = host.looks.run("ping", *argv, "-M", "do", "-s", str(size), address, "-p", "00")  # one may be lost
    small = host.looks.run("ping", *argv, address)
    if again is None or again.status == 0 or small is None or small.status:
        return []
    return [
        Finding(
            CHECK,
            "mtu",
            Severity.ERROR,
            f"Packets of {mtu} bytes, the MTU of {device}, do not come back from {address} of array {array}; "
            "small ones do.",
            cause="A switch, or the array's port, has a smaller MTU than this node.",
            risk="Logins work and transfers hang: an attach, a format or a pod stands still.",
            who=Who.SAN,
            command=f"ip link set {device} mtu 1500, or the larger MTU all the way",
            proof=f"ping -M do -s {size} {address}",
        )
    ]  # fmt: skip
