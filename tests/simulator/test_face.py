"""What a client meets before its first command, and when the simulator itself has a defect."""

from __future__ import annotations

from typing import TYPE_CHECKING

import paramiko
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.array import Simulator
    from tests.simulator.conftest import Client


def test_an_exception_in_a_command_is_an_answer_that_names_it_and_is_counted(
    array: Simulator, ssh: Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: object) -> str:
        raise KeyError("vdisk")

    with monkeypatch.context() as broken:
        broken.setattr(array.engine, "run", fail)
        reply = ssh.run("mcsinq lsnode")
    assert reply.status == 255
    assert reply.stderr.startswith("simulator: KeyError('vdisk') in lsnode\nTraceback")
    counters = array.control.do("counters")
    assert (counters["events"]["defects"], counters["running"]["now"], counters["channels"]["now"]) == (
        1,
        0,
        0,
    )
    assert "Traceback" in capsys.readouterr().err
    assert ssh.rows("lsnode"), "the connection is as before"


def test_an_expired_password_is_answered_by_the_request_for_a_new_one(
    array: Simulator, connect: Callable[..., Client]
) -> None:
    array.control.do("password", expired=True)
    with pytest.raises(paramiko.SSHException, match="Illegal info request"):  # as paramiko calls it
        connect(array)
    array.control.do("password")
    assert connect(array).rows("lsnode")
