"""SSH with SHA-1, for the one array whose configuration says `sshLegacy: true`, and for no other.

paramiko 5 has neither `ssh-rsa` signatures nor SHA-1 key exchanges. They are here, below what paramiko has,
so that an array which can do better is still spoken to as before. No program is started for it: the password
stays in this process, the pinned keys and the session are the same; and OpenSSH's own client cannot do it
where the system's policy forbids SHA-1 (RHEL 9).
"""

from __future__ import annotations

from hashlib import sha1
from typing import TYPE_CHECKING, Any, ClassVar

import paramiko
from cryptography.hazmat.primitives import hashes
from paramiko.kex_gex import KexGexSHA256
from paramiko.kex_group14 import KexGroup14SHA256

from instorage.arrays.as18000.session.transport import ArrayTransport, Offer

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY = "ssh-rsa"


class _Key(paramiko.RSAKey):
    HASHES = {**paramiko.RSAKey.HASHES, KEY: hashes.SHA1}  # type: ignore[misc]  # noqa: RUF012  # as there


class _Group14(KexGroup14SHA256):
    name = "diffie-hellman-group14-sha1"
    hash_algo = sha1


class _Exchange(KexGexSHA256):
    name = "diffie-hellman-group-exchange-sha1"
    hash_algo = sha1
    min_bits = 1024  # what servers of that age have


class _Group1(_Group14):
    name = "diffie-hellman-group1-sha1"
    # RFC 2409, 6.2: the second Oakley group, 1024 bits
    P = int(
        "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
        "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
        "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF",
        16,
    )


_EXCHANGES: Mapping[str, Any] = {each.name: each for each in (_Group14, _Exchange, _Group1)}


class LegacyTransport(ArrayTransport):
    """Also takes what `ArrayTransport` does not, after all that it does."""

    _preferred_keys = (*paramiko.Transport._preferred_keys, KEY)  # type: ignore[attr-defined]
    _preferred_kex = (*paramiko.Transport._preferred_kex, *_EXCHANGES)  # type: ignore[attr-defined]
    _key_info: ClassVar[dict[str, Any]] = {**paramiko.Transport._key_info, KEY: _Key}  # type: ignore[attr-defined]
    _kex_info: ClassVar[dict[str, Any]] = {**paramiko.Transport._kex_info, **_EXCHANGES}  # type: ignore[attr-defined]


def suits(kind: type[ArrayTransport], offer: Offer) -> bool:
    """Tell whether a transport of that kind could use what an array offers."""
    known = (
        (kind._preferred_kex, offer.exchange),  # type: ignore[attr-defined]
        (kind._preferred_keys, offer.keys),  # type: ignore[attr-defined]
        (kind._preferred_ciphers, offer.ciphers),  # type: ignore[attr-defined]
        (kind._preferred_macs, offer.digests),  # type: ignore[attr-defined]
    )
    return all(set(ours) & set(theirs) for ours, theirs in known)


def remark(transport: ArrayTransport) -> str:
    """Return what a log line says of a connection that may use SHA-1; empty for any other."""
    if not isinstance(transport, LegacyTransport):
        return ""
    if suits(ArrayTransport, transport.offer):
        return ", which needs no SHA-1 any more: take sshLegacy out of its entry"
    return ", with SHA-1 (sshLegacy)"
