"""An array that is away for more callers at once than there are channels: all of them are told why."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from instorage.wire.fault import Code, Fault
from tests.arrays.conftest import LIMITS, V1

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.arrays.conftest import Rig

CALLERS = 5 * LIMITS.channels


@pytest.fixture
def deaf() -> Iterator[socket.socket]:
    """A port that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        listener.setblocking(False)
        yield listener


def attempts(listener: socket.socket) -> int:
    """How many connections came."""
    count = 0
    while True:
        try:
            listener.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1


def test_more_callers_than_channels_share_the_failure_of_one_attempt(rig: Rig, deaf: socket.socket) -> None:
    limits = replace(LIMITS, connect=1.0, query=2.0)
    client = rig.client(port=deaf.getsockname()[1], limits=limits)

    def ask(_: int) -> Fault:
        with pytest.raises(Fault) as caught:
            client.find_volume(V1)
        return caught.value

    began = time.monotonic()
    with ThreadPoolExecutor(CALLERS) as pool:
        faults = list(pool.map(ask, range(CALLERS)))
    assert time.monotonic() - began < 4, "one attempt after another"
    assert {fault.code for fault in faults} == {Code.ARRAY_UNREACHABLE}
    assert not [fault for fault in faults if "busy" in fault.sentence]
    assert attempts(deaf) <= 3


def test_callers_of_an_array_that_is_back_wait_for_a_channel_as_ever(rig: Rig) -> None:
    client = rig.client()
    rig.fault("*", delay=0.02, times=0)
    with ThreadPoolExecutor(CALLERS) as pool:
        assert list(pool.map(lambda _: client.find_volume(V1), range(CALLERS))) == [None] * CALLERS
