"""The varlink text of the helper's interface, made from the records of `instorage.wire.verbs`.

`python -m tests.helper.interface` writes it anew after a verb has changed.
"""

from __future__ import annotations

import types
import typing
from enum import StrEnum
from pathlib import Path

from instorage.wire.interface import INTERFACE, VERBS
from instorage.wire.record import Record

FILE = Path(__file__).parents[2] / "helper" / f"{INTERFACE}.varlink"
PLAIN = {str: "string", int: "int", bool: "bool"}


def text() -> str:
    """Return the whole interface."""
    kinds: dict[str, str] = {}
    methods = []
    for verb, (request, reply) in VERBS.items():
        methods.append(f"method {verb}{_fields(request, kinds)} -> {_fields(reply, kinds)}")
    parts = [f"type {name} {body}" for name, body in sorted(kinds.items())]
    error = "error Fault (\n  code: string,\n  sentence: string,\n  fields: [string]string\n)"
    head = (
        "# What root code does for the node agent. Sizes are bytes, times milliseconds; a call carries its\n"
        "# request id (op). Inspect without a uid gives one reply a volume and is to be called with «more».\n"
    )
    return f"{head}interface {INTERFACE}\n\n" + "\n\n".join([*parts, *methods, error]) + "\n"


def _fields(record: type, kinds: dict[str, str]) -> str:
    fields = []
    for name, hint in typing.get_type_hints(record).items():
        kind = _kind(hint, kinds)
        fields.append(f"  {name}: {'?' if hasattr(record, name) and kind[0] != '?' else ''}{kind}")
    return "(\n" + ",\n".join(fields) + "\n)" if fields else "()"


def _kind(hint: typing.Any, kinds: dict[str, str]) -> str:
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        (inner,) = (option for option in typing.get_args(hint) if option is not types.NoneType)
        return f"?{_kind(inner, kinds)}"
    if typing.get_origin(hint) is tuple:
        return f"[]{_kind(typing.get_args(hint)[0], kinds)}"
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        kinds[hint.__name__] = f"({', '.join(hint)})"
        return hint.__name__
    if issubclass(hint, Record) and not hasattr(hint, "parse"):
        kinds[hint.__name__] = _fields(hint, kinds)
        return str(hint.__name__)
    plain: str | None = PLAIN.get(hint)
    return plain or ("int" if issubclass(hint, int) else "string")


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
