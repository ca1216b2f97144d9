"""Who may use a volume: what the provisioner signs, and how a PV's options carry it (security.md, Tenancy).

With an inline volume the author of a pod chooses a volume's name, so a name alone gives no right to it.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

CLAIM_PREFIX = "pvc-"
"""How the names of volumes that were made for a claim begin: these need a signature."""
UID_OPTION = "volumeUid"
STORAGE_OPTION = "storageName"
NAMESPACE_OPTION = "claimNamespace"
SIGNATURE_OPTION = "signature"
KEY_PREFIX = "ed25519:"
"""How the public line of a provisioner begins; the base64 of 32 bytes follows."""
_KEY_BYTES = 32
_PURPOSE = "inspur-instorage-volume-1"


@dataclass(frozen=True)
class Grant:
    """What is signed: this volume, of this array, may be used by pods of this namespace."""

    volume: str
    uid: str
    storage_name: str
    namespace: str

    @classmethod
    def from_options(cls, volume: str, options: Mapping[str, str]) -> Grant:
        """Read what a PV's options say of the volume."""
        found = (options.get(key, "") for key in (UID_OPTION, STORAGE_OPTION, NAMESPACE_OPTION))
        return cls(volume, *found)

    @property
    def message(self) -> bytes:
        """The signed bytes: a JSON list, so that no two grants have the same."""
        return json.dumps([_PURPOSE, *astuple(self)], ensure_ascii=True, separators=(",", ":")).encode()


@dataclass(frozen=True)
class SignedGrant:
    """A grant and what claims to be its signature (text); nothing is verified by having one."""

    grant: Grant
    signature: str

    @classmethod
    def from_options(cls, volume: str, options: Mapping[str, str]) -> SignedGrant | None:
        """Read a PV's options; None when they carry no signature."""
        signature = options.get(SIGNATURE_OPTION)
        return cls(Grant.from_options(volume, options), signature) if signature else None


def is_public_line(line: str) -> bool:
    """Say whether a line of `host.volumeKey` has the form of a public key; needs no cryptography."""
    if not line.startswith(KEY_PREFIX):
        return False
    try:
        return len(base64.b64decode(line.removeprefix(KEY_PREFIX), validate=True)) == _KEY_BYTES
    except (binascii.Error, ValueError):
        return False
