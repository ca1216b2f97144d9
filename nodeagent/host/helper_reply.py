"""What an answer of the helper means: a typed reply, or the fault that it carries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from instorage.wire import record
from instorage.wire.fault import Code, Fault
from instorage.wire.interface import INTERFACE

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


def understood(answer: dict[str, Any], reply: type[T], verb: str) -> T:
    """Return the reply to `verb`; raise the helper's fault, or PROTOCOL for what is no reply to it."""
    parameters = answer.get("parameters", {})
    error = answer.get("error")
    if error is None:
        try:
            return record.from_json(reply, parameters)
        except Fault as fault:
            raise Fault(Code.PROTOCOL, f"The helper's reply to {verb} is wrong: {fault.sentence}") from None
    if error == f"{INTERFACE}.Fault" and isinstance(parameters, dict):
        raise Fault.from_wire(parameters)
    raise Fault(Code.PROTOCOL, f"The helper refused {verb}: {str(error)[:200]}.", verb=verb)
