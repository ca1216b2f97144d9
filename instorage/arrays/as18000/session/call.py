"""What holds for every call of the `Array` protocol: it ends in time and knows what it does not know."""

from __future__ import annotations

from contextvars import ContextVar
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Protocol, TypeVar

from instorage import operation
from instorage.arrays.as18000.session.refusal import Refused
from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from instorage.arrays.endpoint import Limits

_done: ContextVar[list[str] | None] = ContextVar("done", default=None)

# The array said nothing of use: after an operation it may be done or not.
_SILENT = frozenset(
    {
        Code.ARRAY_UNREACHABLE,
        Code.ARRAY_AUTHENTICATION,
        Code.ARRAY_HOST_KEY,
        Code.ARRAY_ALGORITHMS,
        Code.ARRAY_SESSIONS,
        Code.ARRAY_ANSWER,
        Code.BAD_CONFIGURATION,
        Code.TIMEOUT,
    }
)


class Limited(Protocol):
    """A client with limits."""

    limits: Limits


S = TypeVar("S", bound=Limited)
P = ParamSpec("P")
R = TypeVar("R")


def note(command: str) -> None:
    """Remember that the call under way did an operation, or may have; one that was refused is not noted."""
    commands = _done.get()
    if commands is not None:
        commands.append(command)


def require_nothing_done(fault: Fault) -> None:
    """Raise the fault as OUTCOME_UNKNOWN when the call under way did an operation, or may have.

    For one whose refusal at its second sending, or half of whose work, is no word about the first.
    """
    commands = _done.get()
    if commands and fault.code is not Code.OUTCOME_UNKNOWN:
        raise _unknown(commands[-1], fault) from fault


def call(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Make a method a call: no command is sent after `Limits.call` seconds (callers hold leases).

    When something changed, or may have, and the state cannot be read afterwards, the fault is
    OUTCOME_UNKNOWN, whatever the reading failed of: a caller must not take it for «nothing was done».
    """

    @wraps(method)
    def bounded(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        commands: list[str] = []
        token = _done.set(commands)
        try:
            with operation.within(self.limits.call):
                return method(self, *args, **kwargs)
        except Fault as fault:
            if commands and (fault.code in _SILENT or isinstance(fault, Refused)):
                raise _unknown(commands[-1], fault) from fault
            raise
        finally:
            _done.reset(token)

    return bounded


def _unknown(command: str, fault: Fault) -> Fault:
    fields = {key: value for key, value in fault.fields.items() if key != "command"}
    cause = fault.sentence.rstrip(".")
    sentence = f"{cause}. That was after «{command}», which may have been done or not: it is looked at again."
    return Fault(Code.OUTCOME_UNKNOWN, sentence, command=command, **fields)
