"""An SSH transport that remembers what the array offered, and with which words it hung up."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import paramiko

from instorage.arrays.as18000.session.answer import clean

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

_SHOWN = 12  # names of one kind
# A program without a log of its own would print the library's traceback of each peer that hangs up.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


@dataclass(frozen=True)
class Offer:
    """The algorithms of the other side, in its order; empty when it came to none."""

    exchange: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    ciphers: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()

    def __str__(self) -> str:
        kinds = (
            ("key exchange", self.exchange), ("host keys", self.keys),
            ("ciphers", self.ciphers), ("MACs", self.digests),
        )  # fmt: skip
        shown = [f"{kind} {', '.join(names[:_SHOWN])}" for kind, names in kinds if names]
        return "; ".join(shown) or "no algorithms at all"


class ArrayTransport(paramiko.Transport):
    """paramiko's transport with its defaults: nothing of SHA-1 but the sum of a packet."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__(connection)
        self.offer = Offer()
        self.farewell: tuple[int, str] | None = None  # the reason and the words of the array's disconnect

    def _really_parse_kex_init(self, m: paramiko.Message, ignore_first_byte: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002  # paramiko's
        parsed: dict[str, Any] = super()._really_parse_kex_init(m, ignore_first_byte)  # type: ignore[misc]
        if not ignore_first_byte:
            self.offer = Offer(
                _names(name for name in parsed["kex_algo_list"] if not name.startswith(("ext-", "kex-"))),
                _names(parsed["server_key_algo_list"]),
                _names(parsed["server_encrypt_algo_list"]),
                _names(parsed["server_mac_algo_list"]),
            )
        return parsed

    def _parse_disconnect(self, m: paramiko.Message) -> None:
        self.farewell = (m.get_int(), clean(m.get_text())[:200])


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(clean(name)[:64] for name in names if name)
