"""Records to JSON objects and back, by their type hints.

A record is a `Record`, or a frozen dataclass without factories. Knows `str`, `int`, `bool`, `X | None`,
`tuple[X, ...]`, string enumerations, records in records, and every type with a `parse` (see `values`). An
unknown, missing or wrongly typed key raises `Fault(BAD_REQUEST)` naming it.
"""

import functools
import types
import typing
from collections.abc import Callable
from enum import StrEnum
from typing import Any, NoReturn, TypeVar

from instorage.wire.fault import Code, Fault

T = TypeVar("T")


@typing.dataclass_transform(frozen_default=True)
class Record:
    """A message or a part of one: annotated fields, some with a default; it is not changed once it is made.

    What a frozen dataclass is, without the functions that `dataclasses` compiles for each class: those of the
    verbs were a fourth of the helper's start.
    """

    def __init__(self, *values: object, **named: object) -> None:
        kind, names = type(self), _names(type(self))
        given = dict(zip(names, values, strict=False)) | named
        if len(given) < len(values) + len(named) or not given.keys() <= set(names):
            raise TypeError(f"{kind.__name__} has the fields {names}: {values} and {named} came.")
        vars(self).update({name: given[name] if name in given else getattr(kind, name) for name in names})

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{name} of a {type(self).__name__} is not changed.")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash((type(self), *vars(self).values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in vars(self).items())})"


_hints: Callable[[type], dict[str, Any]] = functools.cache(typing.get_type_hints)
_PLAIN = {str: "a string", int: "an integer", bool: "true or false"}


def to_json(record: object) -> dict[str, object]:
    """Return a record as a JSON object; a key whose value is None is left out."""
    return {name: _plain(one) for name in _names(type(record)) if (one := getattr(record, name)) is not None}


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bool | int):
        return value
    return str(value) if isinstance(value, str) or hasattr(value, "parse") else to_json(value)


def from_json(kind: type[T], found: object) -> T:
    """Build a `kind` from a JSON object, checking every field; raises `Fault(BAD_REQUEST)`."""
    if not isinstance(found, dict):
        raise Fault(Code.BAD_REQUEST, f"{kind.__name__} is not an object.", record=kind.__name__)
    hints = _hints(kind)
    if unknown := sorted(str(key)[:40] for key in found.keys() - hints.keys()):
        raise Fault(Code.BAD_REQUEST, f"{kind.__name__} has no field {unknown[0]!r}.", field=unknown[0])
    values = {key: _value(hints[key], value, f"{kind.__name__}.{key}") for key, value in found.items()}
    # a default is an attribute of the class
    if missing := [name for name in _names(kind) if name not in values and not hasattr(kind, name)]:
        raise Fault(Code.BAD_REQUEST, f"{kind.__name__}.{missing[0]} is missing.", field=missing[0])
    return kind(**values)


def _names(kind: type) -> tuple[str, ...]:
    """Return the fields in their order, inherited ones first."""
    return tuple(name for base in reversed(kind.__mro__) for name in vars(base).get("__annotations__", ()))


def _value(hint: Any, value: object, where: str) -> Any:  # noqa: ANN401  # a type hint is anything
    origin = typing.get_origin(hint)
    if origin is types.UnionType or origin is typing.Union:
        (hint,) = (option for option in typing.get_args(hint) if option is not type(None))
        return None if value is None else _value(hint, value, where)
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
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        if value in list(hint):
            return hint(str(value))
        raise Fault(Code.BAD_REQUEST, f"{where} is not one of {', '.join(hint)}.", field=where)
    if hint not in _PLAIN:
        return from_json(hint, value)
    if type(value) is not hint:
        raise Fault(Code.BAD_REQUEST, f"{where} is not {_PLAIN[hint]}.", field=where)
    return value
