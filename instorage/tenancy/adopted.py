"""`config/adopted`: signed lines for PVs whose options carry no signature, and cannot be changed any more.

`instoragectl adopt` prints them, one JSON object a line with the keys of a signed PV's options; empty lines
and lines that begin with «#» are left out. The file needs no protection: what is not signed says nothing.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from typing import TYPE_CHECKING

from instorage.file_stamp import Stamp, stamp
from instorage.tenancy.grant import (
    NAMESPACE_OPTION,
    SIGNATURE_OPTION,
    STORAGE_OPTION,
    UID_OPTION,
    Grant,
    SignedGrant,
)
from instorage.volume_name import VolumeName
from instorage.wire.fault import Code, Fault
from instorage.wire.values import VolumeUid

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

VOLUME_KEY = "volume"
MAX_LINE = 4096  # characters
MAX_BYTES = 64 << 20  # about 200,000 lines
MAX_SAID = 20  # sentences about one state of the file
_KEYS = (VOLUME_KEY, UID_OPTION, STORAGE_OPTION, NAMESPACE_OPTION, SIGNATURE_OPTION)
_LOG = logging.getLogger(__name__)


def adopted_line(signed: SignedGrant) -> str:
    """Return the line for a signed grant, without an end of line."""
    grant = signed.grant
    values = (grant.volume, grant.uid, grant.storage_name, grant.namespace, signed.signature)
    return json.dumps(dict(zip(_KEYS, values, strict=True)))


def parse_line(text: str) -> SignedGrant:
    """Read a line; `Fault(BAD_REQUEST)` says why it is none. The signature is not looked at."""
    if len(text) > MAX_LINE:
        raise Fault(Code.BAD_REQUEST, f"It is longer than {MAX_LINE} characters.")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise Fault(Code.BAD_REQUEST, "It is not JSON.") from None
    if not isinstance(found, dict) or sorted(found) != sorted(_KEYS):
        raise Fault(Code.BAD_REQUEST, f"It is not an object with the keys {', '.join(_KEYS)}.")
    for key, value in found.items():
        if not isinstance(value, str) or not value:
            raise Fault(Code.BAD_REQUEST, f"{key} is not a text.")
    VolumeName.parse(found[VOLUME_KEY])
    VolumeUid.parse(found[UID_OPTION])
    volume, uid, storage, namespace, signature = (found[key] for key in _KEYS)
    return SignedGrant(Grant(volume, uid, storage, namespace), signature)


def parse(text: str) -> tuple[dict[str, tuple[SignedGrant, ...]], list[str]]:
    """Return the grants by volume name, and a sentence for each line that is none; the others hold."""
    grants: dict[str, tuple[SignedGrant, ...]] = {}
    wrong = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            signed = parse_line(line)
        except Fault as fault:
            wrong.append(f"line {number} is left out: {fault.sentence}")
        else:
            grants[signed.grant.volume] = (*grants.get(signed.grant.volume, ()), signed)
    return grants, wrong


class AdoptedFile:
    """The file as it is now, read again when it changed; thread-safe.

    What is wrong with it is logged once. One that cannot be read leaves what was read before in force; one
    that is not there holds nothing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._guard = threading.Lock()
        self._stamp: Stamp | None = None
        self._grants: Mapping[str, tuple[SignedGrant, ...]] = {}
        self._said: list[str] = []

    def grants(self, volume: str) -> tuple[SignedGrant, ...]:
        """Return what the file says of a volume; several lines may be for other keys, arrays, namespaces."""
        with self._guard:
            now = stamp(self.path)
            if now is None or now != self._stamp:
                self._read()
                self._stamp = now
            return self._grants.get(volume, ())

    def _read(self) -> None:
        wrong: list[str] = []
        try:
            self._grants, wrong = parse(_text(self.path))
        except FileNotFoundError:
            self._grants = {}
        except OSError as error:
            wrong = [f"it cannot be read ({error.strerror}): let this service's group read it"]
        for sentence in wrong[:MAX_SAID]:
            if sentence not in self._said:
                _LOG.warning("%s: %s", self.path, sentence)
        self._said = wrong


def _text(path: Path) -> str:
    """Read the file; a FIFO in its place must not hang the agent."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        return file.read(MAX_BYTES).decode("utf-8", errors="replace")
