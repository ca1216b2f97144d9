"""The faults of a session: what they are called, and what a person can do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from instorage.arrays.as18000.session.transport import Offer
    from instorage.arrays.endpoint import Endpoint

_CREDENTIALS = "storage[].username and password (or shadow) in the configuration; no restart is needed"


def unreachable(endpoint: Endpoint, why: str) -> Fault:
    """Return ARRAY_UNREACHABLE with the address and what to look at."""
    return Fault(
        Code.ARRAY_UNREACHABLE,
        f"Array {endpoint.name} cannot be reached at {endpoint.place}: {why}. Check storage[].host in "
        "the configuration, the management network and the firewall between, and the array's SSH service.",
        array=endpoint.name,
        address=endpoint.place,
    )


def ended(endpoint: Endpoint) -> Fault:
    """Return ARRAY_UNREACHABLE for a connection that this process itself does not want any more."""
    return Fault(
        Code.ARRAY_UNREACHABLE,
        f"The connection to array {endpoint.name} ({endpoint.place}) was given up while it was made: this "
        "program ends, or storage[] in the configuration was changed. Ask again.",
        array=endpoint.name,
        address=endpoint.place,
    )


def full(endpoint: Endpoint, seconds: float) -> Fault:
    """Return ARRAY_SESSIONS: the array took the password and closed the connection, for so many seconds."""
    return Fault(
        Code.ARRAY_SESSIONS,
        f"All SSH sessions of array {endpoint.name} ({endpoint.place}) are taken: for {seconds:.0f} s it has "
        "closed each connection right after the login. Its GUI, nodes, provisioners, scripts and people "
        "share them (32 in this family): mcsinq catauditlog shows who has been at work there, from which "
        "address; end what keeps sessions open. It is asked again.",
        array=endpoint.name,
        address=endpoint.place,
    )


def unproven(endpoint: Endpoint) -> Fault:
    """Return ARRAY_HOST_KEY for a key that came with a signature which is not that key's."""
    return Fault(
        Code.ARRAY_HOST_KEY,
        f"Array {endpoint.name} ({endpoint.place}) shows an SSH host key and does not prove that it is its "
        "own (the signature is wrong): somebody may stand between, or its SSH service is broken. No password "
        "was sent. Compare the key with the array's, and look at the network between.",
        array=endpoint.name,
        address=endpoint.place,
    )


def rejected(endpoint: Endpoint, what: str = "the user name or the password") -> Fault:
    """Return ARRAY_AUTHENTICATION for a login that the array refused."""
    return Fault(
        Code.ARRAY_AUTHENTICATION,
        f"Array {endpoint.name} ({endpoint.place}) refused {what} «{endpoint.username}»: correct "
        f"{_CREDENTIALS}.",
        array=endpoint.name,
        username=endpoint.username,
    )


def more_wanted(endpoint: Endpoint, asked: str) -> Fault:
    """Return ARRAY_AUTHENTICATION for an array that took the password and wants more; `asked`: its words."""
    said = f" («{asked[:200]}»)" if asked else ""
    return Fault(
        Code.ARRAY_AUTHENTICATION,
        f"Array {endpoint.name} ({endpoint.place}) asks «{endpoint.username}» for more than the password"
        f"{said}: as a rule it has expired. Log in there once by hand, with ssh, set a new one that does not "
        f"expire, and write it into {_CREDENTIALS}.",
        array=endpoint.name,
        username=endpoint.username,
    )


def incompatible(endpoint: Endpoint, offer: Offer, *, legacy_would: bool, why: str) -> Fault:
    """Return ARRAY_ALGORITHMS: what the array offers, and whether sshLegacy would mend it."""
    mend = "update the array's firmware"
    if legacy_would:
        mend += (
            ", or allow SHA-1 for this array alone, on a management network that you trust: "
            "sshLegacy: true beside its name under storage in the configuration"
        )
    return Fault(
        Code.ARRAY_ALGORITHMS,
        f"The SSH of array {endpoint.name} ({endpoint.place}) is too old for this program ({why}). It "
        f"offers {offer}: {mend}.",
        array=endpoint.name,
        address=endpoint.place,
        host_keys=" ".join(offer.keys),
        key_exchange=" ".join(offer.exchange),
    )
