"""The encrypted password of `storage[].shadow`, as the vendor's `ext-encrypt-password` writes it.

Hex of a nonce (12 bytes), the AES-256-GCM ciphertext and its tag (16 bytes), without additional data. The
AES key is the 32 ASCII characters of the hexadecimal MD5 of the installation's *cipher key*, so that shadows
made by a vendor's build can be carried over by importing that build's cipher key (`instoragectl shadow-key`).
"""

from __future__ import annotations

import hashlib
import secrets

from instorage.configuration.secret import Secret
from instorage.wire.fault import Code, Fault

NONCE, TAG = 12, 16


def encrypt(plain: str, cipher_key: Secret) -> str:
    """Return the shadow of `plain`: a new one each time, since the nonce is random."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # slow to import, seldom needed

    nonce = secrets.token_bytes(NONCE)
    return (nonce + AESGCM(_aes_key(cipher_key)).encrypt(nonce, plain.encode(), None)).hex()


def decrypt(shadow: str, cipher_key: Secret) -> Secret:
    """Return the password; `Fault(BAD_CONFIGURATION)` when the text is no shadow or the key is another."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        whole = bytes.fromhex(shadow)
    except ValueError:
        whole = b""
    if len(whole) < NONCE + TAG:
        raise Fault(
            Code.BAD_CONFIGURATION,
            f"it is no shadow (hex digits, at least {2 * (NONCE + TAG)}): make one with ext-encrypt-password",
        )
    try:
        return Secret(AESGCM(_aes_key(cipher_key)).decrypt(whole[:NONCE], whole[NONCE:], None).decode())
    except (InvalidTag, UnicodeDecodeError):
        raise Fault(
            Code.BAD_CONFIGURATION,
            "it was made with another cipher key than this host's, or is damaged: bring the key of the host "
            "that made it (there instoragectl shadow-key export, here instoragectl shadow-key import), or "
            "make a new one with ext-encrypt-password here",
        ) from None


def _aes_key(cipher_key: Secret) -> bytes:
    # MD5 only turns a text into 32 characters here, as the vendor does; a made key has 256 random bits.
    digest = hashlib.md5(cipher_key.reveal().encode(), usedforsecurity=False)
    return digest.hexdigest().encode()
