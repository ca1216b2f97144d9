"""An object as it is kept: without what nobody here reads, and as text, which takes a third of the memory."""

from __future__ import annotations

import json
from typing import Any


def part(read: dict[str, Any]) -> dict[str, Any]:
    """Return what to keep of a part that was just read, all but `managedFields`: json's `object_hook`."""
    read.pop("managedFields", None)
    return read


def packed(found: dict[str, Any]) -> bytes:
    """Return an object as text; RecursionError when it is deeper than Kubernetes makes one."""
    metadata = found.get("metadata")
    if isinstance(metadata, dict):
        part(metadata)  # of a watch
    return json.dumps(found, separators=(",", ":")).encode()


def unpacked(kept: bytes) -> dict[str, Any]:
    """Return the object of a text; it is the caller's own."""
    found: dict[str, Any] = json.loads(kept)
    return found
