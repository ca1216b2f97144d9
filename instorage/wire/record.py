"""Frozen dataclasses to JSON objects and back, by their type hints.

Knows `str`, `int`, `bool`, `X | None`, `tuple[X, ...]`, string enumerations, nested dataclasses, and every
type with a `parse` (see `values`). An unknown, missing or wrongly typed key raises `Fault(BAD_REQUEST)`
naming it.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


@typing.dataclass_transform(frozen_default=True)
class Record:
    """A message or a part of one: each subclass is a frozen dataclass."""

    if TYPE_CHECKING:  # at run time it would be a field of messages
        __dataclass_fields__: typing.ClassVar[dict[str, dataclasses.Field[Any]]]

    def __init_subclass__(cls) -> None:
        dataclasses.dataclass(frozen=True)(cls)


_PLAIN = {str: "a string", int: "an integer", bool: "true or false"}


def to_json(record: DataclassInstance) -> dict[str, object]:
    """Return `record` as a JSON object; a key whose value is None is left out."""
    found = {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}
    return {key: _plain(value) for key, value in found.items() if value is not None}


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return str(value) if hasattr(type(value), "parse") else to_json(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, bool | int) else str(value)


def from_json(kind: type[T], found: object) -> T:
    """Build a `kind` from a JSON object, checking every field; raises `Fault(BAD_REQUEST)`."""
    if not isinstance(found, dict):
        raise Fault(Code.BAD_REQUEST, f"{kind.__name__} is not an object.", record=kind.__name__)
    hints = _hints(kind)
    if unknown := sorted(str(key)[:40] for key in found.keys() - hints.keys()):
        raise Fault(Code.BAD_REQUEST, f"{kind.__name__} has no field {unknown[0]!r}.", field=unknown[0])
    values = {key: _value(hints[key], value, f"{kind.__name__}.{key}") for key, value in found.items()}
    absent = [field for field in dataclasses.fields(kind) if field.name not in values]
    if missing := [field.name for field in absent if _needed(field)]:
        raise Fault(Code.BAD_REQUEST, f"{kind.__name__}.{missing[0]} is missing.", field=missing[0])
    return kind(**values)


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _needed(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _value(hint: Any, value: object, where: str) -> Any:  # noqa: ANN401  # a type hint is anything
    origin = typing.get_origin(hint)
    if origin is types.UnionType or origin is typing.Union:
        if value is None:
            return None
        (hint,) = (option for option in typing.get_args(hint) if option is not type(None))
        return _value(hint, value, where)
    if origin is tuple:
        if not isinstance(value, list):
            raise Fault(Code.BAD_REQUEST, f"{where} is not a list.", field=where)
        return tuple(_value(typing.get_args(hint)[0], item, where) for item in value)
    return _single(hint, value, where)


def _single(hint: Any, value: object, where: str) -> Any:  # noqa: ANN401  # a type hint is anything
    if hasattr(hint, "parse"):
        try:
            return hint.parse(value)
        except Fault as fault:
            raise Fault(fault.code, f"{where}: {fault.sentence}", field=where) from None
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return from_json(hint, value)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        if value in list(hint):
            return hint(str(value))
        raise Fault(Code.BAD_REQUEST, f"{where} is not one of {', '.join(hint)}.", field=where)
    if type(value) is not hint:
        raise Fault(Code.BAD_REQUEST, f"{where} is not {_PLAIN[hint]}.", field=where)
    return value
