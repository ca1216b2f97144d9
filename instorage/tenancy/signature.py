"""The signature of a volume's grant: Ed25519, made where a provisioner runs, checked on every node.

A node whose configuration lists the public line under `host.volumeKey` uses a volume `pvc-*` only with a
valid signature, and only for pods of the namespace in it (security.md, Tenancy).
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from instorage.tenancy.grant import KEY_PREFIX
from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from collections.abc import Iterable

    from instorage.tenancy.grant import Grant


class SigningKey:
    """The private key of one provisioner's host; never leaves the file that it is made in."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @classmethod
    def load(cls, path: Path, *, make: bool = True) -> SigningKey:
        """Read the key, made first (0600) when there is none, if `make`; `Fault(BAD_CONFIGURATION)`."""
        try:
            if make and not path.exists():
                _make(path)
            key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no private key"
            raise Fault(
                Code.BAD_CONFIGURATION,
                f"The key {path} that signs volumes cannot be used ({reason}): let the service own its "
                "directory, or remove the file to have a new one made (old volumes keep the old line).",
                file=str(path),
            ) from None
        if not isinstance(key, Ed25519PrivateKey):
            raise Fault(
                Code.BAD_CONFIGURATION, f"The key {path} is no Ed25519 key: remove it.", file=str(path)
            )
        return cls(key)

    @property
    def public_line(self) -> str:
        """The line for `host.volumeKey` in `instorage.yaml` of every node."""
        raw = self._key.public_key().public_bytes_raw()
        return KEY_PREFIX + base64.b64encode(raw).decode()

    def sign(self, grant: Grant) -> str:
        """Return the signature as text for a PV's options."""
        return base64.b64encode(self._key.sign(grant.message)).decode()


def verified(lines: Iterable[str], grant: Grant, signature: str) -> bool:
    """Say whether one of the public lines made this signature over `grant`; a bad line verifies nothing."""
    try:
        raw = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return False
    for line in lines:
        with contextlib.suppress(InvalidSignature, ValueError):
            _public(line).verify(raw, grant.message)
            return True
    return False


def _public(line: str) -> Ed25519PublicKey:
    raw = base64.b64decode(line.strip().removeprefix(KEY_PREFIX), validate=True)
    return Ed25519PublicKey.from_public_bytes(raw)


def _make(path: Path) -> None:
    """Write a new key under its name only when it is whole and on the disk."""
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".volume-key-")  # mkstemp gives 0600
    try:
        with open(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(descriptor)
        with contextlib.suppress(FileExistsError):  # somebody was faster: theirs is the key
            os.link(name, path)
    finally:
        Path(name).unlink()
