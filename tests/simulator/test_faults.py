"""What goes wrong on command goes wrong as ordered, and is counted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import paramiko
import pytest

from simulator.control.client import ControlError
from tests.simulator.conftest import IQN, Client, finish

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.array import Simulator

CREATE = "mcsop mkvdisk -name v -size 1 -unit gb -mdiskgrp Pool0 -iogrp 0"
BROKEN = (paramiko.SSHException, EOFError, OSError)


def test_a_lost_answer_leaves_the_work_done(
    array: Simulator, ssh: Client, connect: Callable[..., Client]
) -> None:
    array.control.do("fault", command="mkvdisk", after="connection")
    assert ssh.run(CREATE).status == -1
    ssh.transport.join(5)
    assert not ssh.transport.is_active()
    assert [row["name"] for row in connect(array).rows("lsvdisk")] == ["v"]


def test_a_connection_dropped_before_leaves_nothing_done(
    array: Simulator, ssh: Client, connect: Callable[..., Client]
) -> None:
    array.control.do("fault", command="mkvdisk", before="connection")
    assert ssh.run(CREATE).status == -1
    ssh.transport.join(5)
    assert not ssh.transport.is_active()
    assert connect(array).rows("lsvdisk") == []


def test_a_channel_may_end_without_an_exit_status(array: Simulator, ssh: Client) -> None:
    array.control.do("fault", command="mkvdisk", after="channel")
    assert ssh.run(CREATE).status == -1
    assert len(ssh.rows("lsvdisk")) == 1


def test_silence_lasts_until_the_client_gives_up(array: Simulator, ssh: Client) -> None:
    array.control.do("fault", command="lsvdisk", before="silence")
    channel = ssh.begin("mcsinq lsvdisk")
    channel.settimeout(0.3)
    with pytest.raises(TimeoutError):
        channel.recv(1)
    assert ssh.good("mcsinq lsnode").stdout


def test_an_error_code_hits_the_named_command_as_often_as_ordered(array: Simulator, ssh: Client) -> None:
    array.control.do("fault", command="mk*", match="-name v", error="CMMVC5786E", skip=1, times=2)
    replies = [ssh.run(CREATE).status for _ in range(3)]
    assert replies == [0, 1, 1]
    assert ssh.refusal(CREATE) == "CMMVC6035E"


def test_noise_and_an_empty_answer_come_with_status_0(array: Simulator, ssh: Client) -> None:
    ssh.good(CREATE)
    array.control.do("fault", command="lsvdisk", empty=True)
    array.control.do("fault", command="lsvdisk", skip=1, noise="bash: warning: null byte ignored")
    assert ssh.run("mcsinq lsvdisk").stdout == ""
    reply = ssh.run("mcsinq lsvdisk")
    assert (reply.stderr, reply.status) == ("bash: warning: null byte ignored\n", 0)
    assert "v" in reply.stdout


@pytest.mark.parametrize(("status", "said"), [(0, True), (1, False)])
def test_a_warning_comes_with_the_work_done(array: Simulator, ssh: Client, status: int, said: bool) -> None:
    array.control.do("dialect", warning_status=status)
    array.control.do("fault", command="mkvdisk", warning="CMMVC6372W")
    reply = ssh.run(CREATE)
    assert (reply.code, reply.status, "created" in reply.stdout) == ("CMMVC6372W", status, said)
    assert len(ssh.rows("lsvdisk")) == 1


def test_commands_of_several_channels_run_at_the_same_time(array: Simulator, ssh: Client) -> None:
    array.control.do("fault", command="ls*", delay=0.3, times=0)
    began = time.monotonic()
    channels = [ssh.begin("mcsinq lsnode") for _ in range(5)]
    assert all(finish(channel).status == 0 for channel in channels)
    assert time.monotonic() - began < 0.3 * 5
    counters = array.control.do("counters")
    assert counters["channels"]["peak"] == counters["running"]["peak"] == 5


def test_an_answer_can_be_late_after_the_work_is_done(array: Simulator, ssh: Client) -> None:
    array.control.do("fault", command="mkvdisk", delay=0.05, jitter=0.05, delay_after=3600)
    channel = ssh.begin(CREATE)
    _until(lambda: len(array.control.do("volumes")) == 1)
    assert not channel.exit_status_ready()
    array.control.do("clear")
    assert finish(channel).status == 0
    (entry,) = array.control.do("log")
    assert 0.05 <= entry["seconds"] < 5


def test_clearing_lets_delayed_commands_go_on(array: Simulator, ssh: Client) -> None:
    array.control.do("fault", command="lsnode", delay=3600)
    channel = ssh.begin("mcsinq lsnode")
    _until(lambda: array.control.do("counters")["running"]["now"] == 1)
    array.control.do("clear")
    assert finish(channel).status == 0


def test_commands_are_counted_by_name_and_listed(array: Simulator, ssh: Client) -> None:
    ssh.rows("lsnode")
    array.control.do("reset-counters")
    ssh.good(CREATE)
    ssh.good("lsvdisk;echo;lsvdisk v")
    counters = array.control.do("counters")
    assert counters["commands"] == {"mkvdisk": 1, "lsvdisk": 2}
    assert counters["total"] == 3
    assert counters["channels"] == {"opened": 2, "now": 0, "peak": 1, "refused": 0}
    assert counters["connections"]["now"] == counters["connections"]["peak"] == 1
    assert [entry["line"] for entry in array.control.do("log")] == [CREATE, "lsvdisk", "lsvdisk v"]


def test_all_connections_can_be_dropped(array: Simulator, ssh: Client) -> None:
    ssh.rows("lsnode")
    assert array.control.do("drop-connections") == 1
    with pytest.raises(BROKEN):
        ssh.rows("lsnode")
    _until(lambda: array.control.do("counters")["connections"]["now"] == 0)


def test_the_password_can_change_while_running(array: Simulator, connect: Callable[..., Client]) -> None:
    array.control.do("password", password="other")
    with pytest.raises(paramiko.AuthenticationException):
        connect(array)
    assert connect(array, password="other").rows("lsnode")
    assert array.control.do("counters")["events"]["authentication_failures"] == 1


def test_a_volume_shrinks_behind_the_commands_back(array: Simulator, ssh: Client) -> None:
    ssh.good(CREATE)
    array.control.do("shrink", volume="v", size=512 << 20)
    assert ssh.rows("lsvdisk -bytes")[0]["capacity"] == str(512 << 20)
    with pytest.raises(ControlError, match="not larger"):
        array.control.do("shrink", volume="v", size=1 << 30)


def test_volumes_and_hosts_are_told_to_tests(array: Simulator, ssh: Client) -> None:
    ssh.good(CREATE)
    ssh.good(f"mcsop mkhost -force -iscsiname {IQN} -name h")
    ssh.good("mcsop mkvdiskhostmap -host h v")
    (volume,) = array.control.do("volumes")
    assert (volume["name"], volume["size"], volume["maps"]) == ("v", 1 << 30, [{"host": "h", "lun": 0}])
    assert array.control.do("hosts")[0]["ports"] == [{"kind": "iscsi", "name": IQN}]


@pytest.mark.parametrize(
    ("verb", "fields"),
    [
        ("nonsense", {}),
        ("fault", {"comand": "ls*"}),
        ("fault", {"before": "lunch"}),
        ("fault", {"times": "2"}),
        ("dialect", {"columns": "new"}),
        ("map-wrong-lun", {"host": "nix", "volume": "v", "instead": "w"}),
        ("portal", {}),
        ("portal", {"node": 3, "up": False}),
    ],
)
def test_a_wrong_order_is_refused(array: Simulator, verb: str, fields: dict[str, object]) -> None:
    with pytest.raises(ControlError):
        array.control.do(verb, **fields)
    assert array.control.do("counters")["total"] == 0


def _until(condition: Callable[[], bool], seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
