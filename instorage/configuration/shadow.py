"""The encrypted password of `storage[].shadow`, as the vendor's `ext-encrypt-password` writes it.

Hex of a nonce (12 bytes), the AES-256-GCM ciphertext and its tag (16 bytes), without additional data. The
AES key is the 32 ASCII characters of the hexadecimal MD5 of the installation's *cipher key*, so that shadows
made by a vendor's build can be carried over by writing that build's cipher key into the key file.
"""

from __future__ import annotations

import contextlib
import grp
import hashlib
import os
import secrets
import tempfile
from pathlib import Path

from instorage.configuration.secret import Secret
from instorage.wire.fault import Code, Fault

KEY_FILE = Path("/etc/instorage/shadow.key")
KEY_MODE = 0o640
GROUP = "instorage-agent"
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
            "it was made with another cipher key or is damaged: make a new one with ext-encrypt-password "
            "on this machine, or bring the key file of the machine that made it",
        ) from None


def read_key(path: Path = KEY_FILE) -> Secret:
    """Return the cipher key of this installation; `Fault(BAD_CONFIGURATION)` names the file and the mend."""
    try:
        text = path.read_text(encoding="utf-8").rstrip("\r\n")
    except FileNotFoundError:
        raise Fault(
            Code.BAD_CONFIGURATION,
            f"The key file {path} does not exist: ext-encrypt-password, run by root, makes it; "
            "then make the shadow anew",
            file=str(path),
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise Fault(
            Code.BAD_CONFIGURATION,
            f"The key file {path} cannot be read ({reason}): it must be a readable text file, "
            f"0640 and group {GROUP}",
            file=str(path),
        ) from None
    if not text:
        raise Fault(
            Code.BAD_CONFIGURATION,
            f"The key file {path} is empty: remove it, then ext-encrypt-password, run by root, makes one",
            file=str(path),
        )
    return Secret(text)


def ensure_key(path: Path = KEY_FILE) -> Secret:
    """Return the cipher key, made first (random, 0640) when there is none and this is root."""
    if os.geteuid() == 0 and not path.exists():
        _make_key(path)
    return read_key(path)


def _make_key(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".shadow-key-")
    except OSError as error:
        raise Fault(
            Code.BAD_CONFIGURATION,
            f"The key file {path} cannot be made ({error.strerror}): make its directory writable for root",
            file=str(path),
        ) from None
    try:
        with open(descriptor, "w") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fchmod(descriptor, KEY_MODE)
            with contextlib.suppress(KeyError):  # the group comes with the agent's package
                os.fchown(descriptor, -1, grp.getgrnam(GROUP).gr_gid)
            os.fsync(descriptor)
        with contextlib.suppress(FileExistsError):  # somebody was faster: theirs is the key
            os.link(name, path)
    finally:
        Path(name).unlink()


def _aes_key(cipher_key: Secret) -> bytes:
    # MD5 only turns a text into 32 characters here, as the vendor does; a made key has 256 random bits.
    digest = hashlib.md5(cipher_key.reveal().encode(), usedforsecurity=False)
    return digest.hexdigest().encode()
