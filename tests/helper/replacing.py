"""What `dataclasses.replace` is for dataclasses, for the records of the wire."""

from __future__ import annotations

from typing import Any, TypeVar

from instorage.wire.record import Record

Kind = TypeVar("Kind", bound=Record)


def replace(record: Kind, **changes: Any) -> Kind:
    """Return a record with some fields changed."""
    return type(record)(**vars(record) | changes)
