"""The name of a provisioner's lease: its own, or one that no other provisioner has."""

from __future__ import annotations

import hashlib
import re

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", re.ASCII)


def lease_name(provisioner: str) -> str:
    """Return the name of a provisioner's lease: its own with «-» for «/», where that leads back to it alone.

    `a/b`, `a-b` and others have one such name: it is the lease of that one of which a reader would think
    (`_reading`), as it always was. The others, and names that the API takes for a StorageClass and not for an
    object (upper case, «_», 317 characters), are made to fit and end in a hash.
    """
    plain = provisioner.replace("/", "-")
    if len(plain) <= 253 and _NAME.fullmatch(plain) and _reading(plain) == provisioner:
        return plain
    mark = hashlib.sha256(provisioner.encode()).hexdigest()[:8]
    fitting = re.sub(r"[^a-z0-9]+", "-", plain.lower())[:240].strip("-")
    return f"{fitting}-{mark}" if fitting else mark


def _reading(plain: str) -> str:
    """Return the one provisioner that has this lease: DOMAIN/NAME as they mostly are.

    Cut at the first «-» after the last dot (`inspur/instorage`, `my-company.com/fast-storage`), without such
    a one at the last «-» (`my-company.com/v1.2`). Only what has no «-» is a name without a domain.
    """
    before, dot, last = plain.rpartition(".")
    if "-" in last:
        return before + dot + last.replace("-", "/", 1)
    return "/".join(plain.rsplit("-", 1))
