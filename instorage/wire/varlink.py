"""The varlink wire format (https://varlink.org): one JSON object a message, ended by a NUL byte.

Input is untrusted on both sides: at most `MAX_MESSAGE` bytes, at most `MAX_DEPTH` levels, no key twice, no
integer beyond 64 bits, no NaN. What breaks a rule raises `Fault(PROTOCOL)`, and the connection is
to be closed.
"""

import json
import re
import socket
import time
from collections.abc import Mapping
from typing import Any

from instorage.wire.fault import Code, Fault

MAX_MESSAGE = 64 * 1024  # bytes, the NUL included
MAX_DEPTH = 16
_MAX_INTEGER_DIGITS = 19
_STRING = re.compile(rb'"(?:[^"\\]|\\.?)*+"?', re.DOTALL)  # never tries a byte twice


def encode(message: Mapping[str, object]) -> bytes:
    """Return the bytes of one message, NUL included; `Fault(PROTOCOL)` when it is over the limit."""
    data = json.dumps(message, separators=(",", ":"), allow_nan=False).encode() + b"\0"
    if len(data) > MAX_MESSAGE:
        raise Fault(Code.PROTOCOL, f"A message of {len(data)} bytes is over the limit of {MAX_MESSAGE}.")
    return data


def decode(data: bytes) -> dict[str, Any]:
    """Parse one message (without its NUL) into an object, or raise `Fault(PROTOCOL)`."""
    if _depth(data) > MAX_DEPTH:
        raise Fault(Code.PROTOCOL, f"A message is nested deeper than {MAX_DEPTH} levels.")
    try:
        text = str(data, "utf-8")
        message = json.loads(text, object_pairs_hook=_unique, parse_int=_integer, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Fault(Code.PROTOCOL, f"A message is not valid JSON: {str(error)[:100]}") from None
    if not isinstance(message, dict):
        raise Fault(Code.PROTOCOL, "A message is not a JSON object.")
    return message


def _depth(data: bytes) -> int:
    """Return the nesting; brackets inside strings count nothing, else a string of `]` would hide others."""
    depth = deepest = 0
    for byte in _STRING.sub(b"", data):
        depth += (byte in b"[{") - (byte in b"]}")
        deepest = max(deepest, depth)
    return deepest


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _integer(text: str) -> int:
    if len(text.lstrip("-")) > _MAX_INTEGER_DIGITS:
        raise ValueError("an integer has more than 64 bits")
    return int(text)


def _no_constant(text: str) -> object:
    raise ValueError(f"{text} is not JSON")


class Stream:
    """Messages over a connected stream socket; every wait ends at a deadline (monotonic seconds)."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._pending = b""

    def send(self, message: Mapping[str, object], deadline: float) -> None:
        """Send one message; `TimeoutError` when the peer does not take it before `deadline`."""
        self._connection.settimeout(_left(deadline))
        self._connection.sendall(encode(message))

    def receive(self, deadline: float) -> dict[str, Any] | None:
        """Return the next message, or None when the peer has closed between two messages.

        Raises `TimeoutError` at the deadline, `Fault(PROTOCOL)` for a broken or half message.
        """
        _left(deadline)  # also when a whole message lies here already
        while (end := self._pending.find(b"\0", 0, MAX_MESSAGE)) < 0:
            if len(self._pending) >= MAX_MESSAGE:
                raise Fault(Code.PROTOCOL, f"A message is over the limit of {MAX_MESSAGE} bytes.")
            self._connection.settimeout(_left(deadline))
            data = self._connection.recv(16384)
            if not data:
                if self._pending:
                    raise Fault(Code.PROTOCOL, "The peer closed the connection within a message.")
                return None
            self._pending += data
        message, self._pending = self._pending[:end], self._pending[end + 1 :]
        return decode(message)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("deadline")
    return left
