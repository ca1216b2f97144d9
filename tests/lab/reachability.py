"""Whether a machine of the lab reaches an address, asked once or until it does."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tools.lab import Machine

PING = "ping -q -c 1 -W 1"


def wait_until(condition: Callable[[], bool], limit: float = 30) -> None:
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, f"not so within {limit} s"


def pings(machine: Machine, address: str) -> bool:
    return machine.run(f"{PING} {address}", check=False).exit_status == 0
