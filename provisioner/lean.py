"""An object as it is kept: without what nobody here reads, and what many have, each word and part, kept once.

So a part may be in many objects: nobody changes what comes from here.
"""

from __future__ import annotations

import sys
from typing import Any

LONGEST = 35  # characters of a word that many objects have; a UID, which one has, is longer by one
MOST = 1000  # parts that are known at a time: of some each object has its own (labels with its name)
_parts: dict[str, Any] = {}


def lean(value: Any) -> Any:  # noqa: ANN401
    """Return a copy of JSON's value without `managedFields`, a third of an object, and of shared parts."""
    try:
        return _copied(value)
    except RecursionError:  # deeper than Kubernetes makes one: let others say what is strange about it
        return value


def part(read: dict[str, Any]) -> dict[str, Any]:
    """Return what to keep of a part that was just read: json's `object_hook`, called from the inside out.

    So a list's page is lean before it is whole. With 10,000 claims and 2,000 PVs it is 8 MiB less than with a
    part of its own, such as {"storage": "1Gi"}, for each.
    """
    read.pop("managedFields", None)
    words = True
    for key, found in read.items():
        if _is_word(found):
            read[key] = sys.intern(found)
        else:
            words = False
            if isinstance(found, list) and all(map(_is_word, found)):
                read[key] = _once([sys.intern(word) for word in found])
    return _once(read) if words else read


def _copied(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return part({key: _copied(found) for key, found in value.items() if key != "managedFields"})
    if isinstance(value, list):
        return [_copied(found) for found in value]
    return value


def _is_word(value: object) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST


def _once(made: Any) -> Any:  # noqa: ANN401
    if len(_parts) >= MOST:
        _parts.clear()  # what many have is there again with the next object
    return _parts.setdefault(repr(made), made)
