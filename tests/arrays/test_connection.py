"""One connection, few channels, a deadline for everything: against a simulated array over SSH."""

from __future__ import annotations

import logging
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from instorage import operation
from instorage.volume_name import VolumeName
from instorage.wire.fault import Code, Fault
from simulator.face.limits import Limits as ArrayLimits
from tests.arrays.conftest import LIMITS, NAMES, NODE, settled, spec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from instorage.arrays.as18000 import As18000
    from tests.arrays.conftest import Rig

V1 = VolumeName("v1")


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port that accepts connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)
        yield listener.getsockname()[1]


def test_twenty_attaches_at_once_use_one_connection_and_at_most_eight_channels(
    rig: Rig, array: As18000
) -> None:
    names = [VolumeName(f"v{number}") for number in range(20)]
    for name in names:
        array.create_volume(spec(name))
    host = array.ensure_host(NODE, link="iscsi", names=NAMES)
    rig.client().pool("Pool0")
    fresh = rig.client()
    rig.reset()
    rig.fault("*", delay=0.02, times=0)

    def attach(name: VolumeName) -> int:
        assert fresh.find_volume(name) is not None
        fresh.ensure_host(NODE, link="iscsi", names=NAMES)
        fresh.mappings(name)
        return fresh.map_volume(name, host.name).luns[0][1]

    with ThreadPoolExecutor(20) as pool:
        luns = list(pool.map(attach, names))
    counters = rig.do("counters")
    assert sorted(luns) == list(range(20))
    assert counters["connections"]["opened"] == 1
    assert 2 <= counters["channels"]["peak"] <= 8
    assert counters["channels"]["refused"] == 0
    assert counters["total"] == 20 * 5 + 1  # that it is mapped nowhere is asked twice


def test_an_array_with_fewer_channels_than_ours_is_waited_for(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(limits=ArrayLimits(channels=2))
    array = rig.client()
    array.create_volume(spec("v1"))
    rig.fault("lsvdisk", delay=0.05, times=0)
    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(lambda _: array.find_volume(V1), range(12)))
    counters = rig.do("counters")
    assert counters["channels"]["refused"] > 0
    assert counters["connections"]["opened"] == 1


def test_a_wrong_password_is_named_and_the_array_is_not_hammered(rig: Rig) -> None:
    rig.password = "wrong-marker"
    array = rig.client()
    for _ in range(5):
        with pytest.raises(
            Fault, match=r"refused the user name or the password «superuser»: correct"
        ) as caught:
            array.find_volume(V1)
        assert caught.value.code is Code.ARRAY_AUTHENTICATION
        assert "wrong-marker" not in repr(caught.value)
    assert rig.do("counters")["events"]["authentication_failures"] == 1
    rig.password = "passw0rd"
    assert array.find_volume(V1) is None


def test_a_rotated_password_is_used_by_the_next_connection_without_a_restart(
    rig: Rig, array: As18000
) -> None:
    array.create_volume(spec("v1"))
    rig.do("password", password="new")
    rig.password = "new"
    rig.do("drop-connections")
    assert array.find_volume(V1) is not None
    assert rig.do("counters")["events"].get("authentication_failures", 0) == 0


def test_an_array_that_refuses_the_connection_is_said_to_be_unreachable_with_its_address(rig: Rig) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(
            Fault, match=rf"storage-01 cannot be reached at 127.0.0.1:{port}: Connection"
        ) as caught:
            rig.client(port=port).find_volume(V1)
    assert caught.value.code is Code.ARRAY_UNREACHABLE
    assert "storage[].host" in caught.value.sentence


def test_a_port_that_never_answers_is_given_up_within_the_deadline(rig: Rig, deaf_port: int) -> None:
    array = rig.client(port=deaf_port, limits=replace(LIMITS, connect=0.3))
    began = time.monotonic()
    with pytest.raises(Fault) as caught:
        array.find_volume(V1)
    assert caught.value.code is Code.ARRAY_UNREACHABLE
    assert time.monotonic() - began < 5


def test_many_threads_share_the_failure_of_one_attempt(rig: Rig, deaf_port: int) -> None:
    array = rig.client(port=deaf_port, limits=replace(LIMITS, connect=0.3))
    began = time.monotonic()

    def ask(_: int) -> Code:
        with pytest.raises(Fault) as caught:
            array.find_volume(V1)
        return caught.value.code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(8))) == {Code.ARRAY_UNREACHABLE}
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("point", ["before", "after"])
@pytest.mark.parametrize("how", ["connection", "channel"])
def test_a_query_is_repeated_when_the_connection_breaks(
    rig: Rig, array: As18000, point: str, how: str
) -> None:
    made = array.create_volume(spec("v1"))
    rig.fault("lsvdisk", times=2, **{point: how})
    assert array.find_volume(V1) == made


def test_a_query_that_is_never_answered_ends_with_its_deadline(rig: Rig) -> None:
    array = rig.client(limits=replace(LIMITS, query=0.3, call=0.7))
    array.create_volume(spec("v1"))
    rig.fault("lsvdisk", before="silence", times=0)
    began = time.monotonic()
    with pytest.raises(Fault, match="does not answer «mcsinq lsvdisk") as caught:
        array.find_volume(V1)
    assert caught.value.code is Code.ARRAY_UNREACHABLE
    assert time.monotonic() - began < 4


def test_connections_that_the_array_dropped_are_made_again(rig: Rig, array: As18000) -> None:
    array.create_volume(spec("v1"))
    for _ in range(3):
        rig.do("drop-connections")
        assert array.find_volume(V1) is not None


def test_threads_whose_connection_is_dropped_share_the_next_one(rig: Rig, array: As18000) -> None:
    array.create_volume(spec("v1"))
    rig.reset()
    rig.fault("lsvdisk", delay=1.5, times=8)
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(array.find_volume, V1) for _ in range(8)]
        assert settled(lambda: rig.do("counters")["running"]["now"] == 8)
        rig.do("drop-connections")
        assert all(answer.result() for answer in answers)
    assert rig.do("counters")["connections"]["opened"] == 1


def test_noise_on_standard_error_changes_nothing(rig: Rig, array: As18000) -> None:
    rig.fault("*", noise="bash: warning: command substitution: ignored null byte in input", times=0)
    made = array.create_volume(spec("v1"))
    host = array.ensure_host(NODE, link="iscsi", names=NAMES)
    mapping = array.map_volume(V1, host.name)
    assert (array.find_volume(V1), array.mappings(V1)) == (made, (mapping,))
    assert array.unmap_volume(V1, host.name) is True
    assert array.delete_volume(V1) is True


def test_an_idle_connection_is_closed_leaves_no_thread_and_is_made_again(rig: Rig) -> None:
    before = threading.active_count() - rig.do("counters")["connections"]["now"]
    others = set(threading.enumerate())  # of tests whose connections are just being closed
    array = rig.client(limits=replace(LIMITS, idle=0.2))
    array.create_volume(spec("v1"))
    assert rig.do("counters")["connections"]["now"] == 1
    assert settled(lambda: rig.do("counters")["connections"]["now"] == 0)
    assert settled(lambda: "array-connection" not in {one.name for one in {*threading.enumerate()} - others})
    assert settled(lambda: threading.active_count() <= before + 1)
    assert array.find_volume(V1) is not None


def test_a_command_that_outlasts_the_idle_time_is_not_cut_off(rig: Rig) -> None:
    array = rig.client(limits=replace(LIMITS, idle=0.1))
    array.create_volume(spec("v1"))
    rig.reset()
    rig.fault("lsvdisk", delay=0.5)
    assert array.find_volume(V1) is not None
    assert rig.commands() == {"lsvdisk": 1}


def test_every_command_is_logged_with_the_request_it_serves_and_no_password(
    rig: Rig, array: As18000, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token = operation.current.set("req7")
    try:
        array.iscsi_targets()
        array.create_volume(spec("v1"))
    finally:
        operation.current.reset(token)
    ours = [record for record in caplog.records if record.name == "instorage.arrays"]
    assert all(record.__dict__["op"] == "req7" for record in ours)
    assert any("mcsinq lsnode" in record.getMessage() for record in ours), "from a thread of the request"
    assert any("mcsop mkvdisk" in record.getMessage() and record.levelno == logging.INFO for record in ours)
    assert not [record for record in caplog.records if "passw0rd" in record.getMessage()]


def test_a_closed_client_can_be_used_again(rig: Rig, array: As18000) -> None:
    array.create_volume(spec("v1"))
    array.close()
    assert settled(lambda: rig.do("counters")["connections"]["now"] == 0)
    assert array.find_volume(V1) is not None
