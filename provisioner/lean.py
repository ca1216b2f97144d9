"""An object as it is kept: without what nobody here reads, and each word that many have kept once."""

from __future__ import annotations

import sys
from typing import Any

LONGEST = 35  # characters of a word that many objects have; a UID, which one has, is longer by one


def lean(value: Any) -> Any:  # noqa: ANN401
    """Return a copy of JSON's value without `managedFields`, a third of an object.

    With 10,000 claims that is 24 MiB of 47, where it is done before the next page of a list comes.
    """
    try:
        return _copied(value)
    except RecursionError:  # deeper than Kubernetes makes one: let others say what is strange about it
        return value


def _copied(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {key: _copied(found) for key, found in value.items() if key != "managedFields"}
    if isinstance(value, list):
        return [_copied(found) for found in value]
    return sys.intern(value) if isinstance(value, str) and len(value) <= LONGEST else value
