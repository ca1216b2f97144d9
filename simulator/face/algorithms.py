"""The algorithms that an array's SSH offers: those of today, or those of firmware from before SHA-2.

paramiko 5 has no SHA-1 any more, so what an old server had is added here; a test holds it against OpenSSH's
client.
"""

from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path
from typing import Any

import paramiko
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from paramiko.kex_gex import KexGexSHA256
from paramiko.kex_group14 import KexGroup14SHA256

SHA1_KEY = "ssh-rsa"


class Sha1Key(paramiko.RSAKey):
    """An RSA key that also signs with SHA-1."""

    HASHES = {**paramiko.RSAKey.HASHES, SHA1_KEY: hashes.SHA1}  # type: ignore[misc]  # noqa: RUF012


class _Group14(KexGroup14SHA256):
    name = "diffie-hellman-group14-sha1"
    hash_algo = sha1


class _Group1(_Group14):
    name = "diffie-hellman-group1-sha1"
    # RFC 2409, 6.2
    P = int(
        "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
        "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
        "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF",
        16,
    )


class _Exchange(KexGexSHA256):
    name = "diffie-hellman-group-exchange-sha1"
    hash_algo = sha1


class _Moduli:
    """The one group that an exchange is done with: group 14's."""

    def get_modulus(self, *_bits: int) -> tuple[int, int]:
        """Return generator and prime."""
        return KexGroup14SHA256.G, KexGroup14SHA256.P


EXCHANGES: dict[str, Any] = {each.name: each for each in (_Group14, _Exchange, _Group1)}


@dataclass(frozen=True)
class Offer:
    """Names of key exchanges and host keys in the array's order; none: what paramiko has, an Ed25519 key."""

    exchanges: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()

    def host_key(self, directory: Path) -> paramiko.PKey:
        """Return the array's host key, made on first use and then always the same."""
        if not any("rsa" in name for name in self.keys):
            text = _kept(directory / "host_key", ed25519.Ed25519PrivateKey.generate)
            return paramiko.Ed25519Key.from_private_key_file(str(text))
        path = _kept(directory / "host_key_rsa", lambda: rsa.generate_private_key(65537, 2048))
        return Sha1Key(filename=str(path))

    def apply(self, transport: Any) -> None:  # noqa: ANN401  # its private attributes are set
        """Have a server's transport offer this."""
        if self.exchanges:
            transport._preferred_kex = self.exchanges
            transport._kex_info = {**transport._kex_info, **EXCHANGES}
            transport._modulus_pack = _Moduli()
        if self.keys:
            transport._preferred_keys = self.keys
            transport._key_info = {**transport._key_info, SHA1_KEY: Sha1Key}


def _kept(path: Path, make: Any) -> Path:  # noqa: ANN401  # one of two kinds of key
    if not path.exists():
        text = make().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
        path.touch(mode=0o600)
        path.write_bytes(text)
    return path
