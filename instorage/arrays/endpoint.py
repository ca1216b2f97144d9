"""Where an array is reached and how patient its client is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Endpoint:
    """The management address of an array and the login there.

    `password` is called at each new connection, so that one changed in the file is used without a restart; it
    never shows in `repr`. `legacy`: the array may use SSH algorithms of SHA-1 (`storage[].sshLegacy`).
    """

    name: str
    address: str
    port: int
    username: str
    password: Callable[[], str] = field(repr=False)
    legacy: bool = False

    @property
    def place(self) -> str:
        """Address and port for a sentence."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


@dataclass(frozen=True)
class Limits:
    """Bounds of one array client; times in seconds.

    `call`: one call of an `Array`, its repetitions and second looks included (`operation.within` makes it
    shorter); no command is sent after that, and so long an array whose SSH sessions are all taken is waited
    for. `channels`: commands at the same time. `connect`: one attempt at connecting, the login included.
    `dropped`: after this an array that closes connections before the login is given up. `query`: one attempt
    of a query. `operation`: one changing command; less than `call`, so that the state can be read again after
    it. `step`: one command of an active-active expansion, while the file system is frozen: the freeze must be
    leased for longer. `idle`: after this the connection is closed: the array has 32 for everybody
    (array-as18000.md 2.1). `crowded`: the same for a connection that had to wait for others: as long as the
    next command of the same operation may take to come. `spacing`: between new connections, so that there are
    at most two in a second.
    """

    call: float = 60.0
    channels: int = 8
    connect: float = 15.0
    dropped: float = 30.0
    query: float = 30.0
    operation: float = 40.0
    step: float = 20.0
    idle: float = 5.0
    crowded: float = 0.3
    spacing: float = 0.55
