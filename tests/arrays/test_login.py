"""A password leaves once, and what comes of it is called by its name."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from instorage.arrays.as18000.session import dial
from instorage.wire.fault import Code, Fault
from tests.arrays.conftest import LIMITS, V1, settled, spec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.arrays.conftest import Rig


@pytest.fixture
def dead() -> Iterator[int]:
    """A port at which a connect is never answered: its backlog is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        callers = []
        for _ in range(4):
            caller = socket.socket()
            caller.settimeout(0)
            caller.connect_ex(listener.getsockname())
            callers.append(caller)
        yield listener.getsockname()[1]
        for caller in callers:
            caller.close()


def passwords(rig: Rig) -> int:
    return int(rig.do("counters")["passwords"]["opened"])


@pytest.mark.parametrize("interactive", [False, True])
def test_an_expired_password_is_called_expired_and_sent_once(rig: Rig, interactive: bool) -> None:
    rig.do("password", expired=True, interactive=interactive)
    array = rig.client()
    for _ in range(4):
        with pytest.raises(Fault, match="as a rule it has expired") as caught:
            array.find_volume(V1)
        assert caught.value.code is Code.ARRAY_AUTHENTICATION
        assert "firewall" not in caught.value.sentence
    assert passwords(rig) == 1
    rig.do("password", password="renewed", interactive=interactive)
    rig.password = "renewed"
    assert array.find_volume(V1) is None


def test_an_old_password_is_not_typed_where_a_new_one_is_asked_for(rig: Rig) -> None:
    rig.do("password", expired=True, interactive=True)
    with pytest.raises(Fault, match="New password:"):
        rig.client().find_volume(V1)
    assert passwords(rig) == 1, "the question for a new one has no answer"


def test_an_array_that_asks_for_the_password_gets_it(rig: Rig) -> None:
    rig.do("password", interactive=True)
    assert rig.client().find_volume(V1) is None
    assert passwords(rig) == 1


@pytest.mark.parametrize("interactive", [False, True])
def test_a_wrong_password_is_sent_once_by_one_way(rig: Rig, interactive: bool) -> None:
    rig.do("password", interactive=interactive)
    rig.password = "wrong"
    array = rig.client()
    for _ in range(3):
        with pytest.raises(Fault, match="refused the user name or the password") as caught:
            array.find_volume(V1)
        assert caught.value.code is Code.ARRAY_AUTHENTICATION
    assert passwords(rig) == 1


def test_a_dead_address_of_a_name_does_not_hide_the_living_one(
    rig: Rig, dead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dial, "PATIENCE", 0.3)
    asked: list[str] = []

    def resolve(name: str, port: int, **_: Any) -> list[Any]:
        asked.append(name)
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, ("127.0.0.1", dead)), (*kind, ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    array = rig.client(address="array.example")
    began = time.monotonic()
    array.create_volume(spec("v1"))
    assert time.monotonic() - began < 4
    assert asked == ["array.example"]
    monkeypatch.setattr(dial, "PATIENCE", 30.0)
    rig.do("drop-connections")
    assert array.find_volume(V1) is not None, "the living one comes first now"


def test_a_name_none_of_whose_addresses_lives_is_reported_with_each(
    rig: Rig, dead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dial, "PATIENCE", 0.2)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        places = [(*kind, ("127.0.0.1", dead)), (*kind, ("127.0.0.1", unused.getsockname()[1]))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: places)
        with pytest.raises(Fault, match=r"127.0.0.1: no answer; 127.0.0.1: Connection refused"):
            rig.client(address="array.example").find_volume(V1)


def test_a_resolver_that_hangs_holds_nobody_longer_than_a_connect_may_take(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, true = threading.Event(), socket.getaddrinfo

    def resolve(name: str, port: int, **options: Any) -> list[Any]:
        if options["flags"] & socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "not a number")
        answer.wait(20)
        return true("127.0.0.1", port, type=socket.SOCK_STREAM)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    limits = replace(LIMITS, connect=0.4)
    began = time.monotonic()
    with pytest.raises(Fault, match="its name was not resolved in time"):
        rig.client(address="array.example", limits=limits).find_volume(V1)
    assert time.monotonic() - began < 3
    answer.set()
    assert rig.client(address="array.example").find_volume(V1) is None


@pytest.mark.parametrize("where", ["tcp", "handshake", "full"])
def test_closing_a_client_ends_a_connect_that_is_under_way(
    rig: Rig, dead: int, make_rig: Callable[..., Rig], where: str
) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(8)
        if where == "full":
            from simulator.face.limits import Limits

            full = make_rig(limits=Limits(active=1))
            full.client().pool("Pool0")
            array = full.client()
        else:
            array = rig.client(port=dead if where == "tcp" else deaf.getsockname()[1])
        faults: list[Fault] = []

        def ask() -> None:
            try:
                array.find_volume(V1)
            except Fault as fault:
                faults.append(fault)

        asking = [threading.Thread(target=ask, daemon=True) for _ in range(3)]
        for thread in asking:
            thread.start()
        assert settled(lambda: array._ssh._opening._attempt is not None)
        time.sleep(0.3)  # into the wait itself
        began = time.monotonic()
        array.close()
        assert time.monotonic() - began < 1.5
        for thread in asking:
            thread.join(3)
    assert len(faults) == 3
    assert all("was given up while it was made" in fault.sentence for fault in faults)


def test_a_message_of_the_day_in_an_answer_is_quoted(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    array = rig.client()
    array.create_volume(spec("v1"))
    run = rig.simulator.engine.run
    monkeypatch.setattr(rig.simulator.engine, "run", lambda command: f"Welcome to MCS!\n{run(command)}")
    with pytest.raises(Fault, match=r"name is missing \(it begins with «Welcome to MCS") as caught:
        array.find_volume(V1)
    assert caught.value.code is Code.ARRAY_ANSWER
