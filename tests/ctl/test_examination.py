"""All checks at the same time: what hangs, breaks off or may not be seen hides nothing else."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from nodeagent.administration.doctor import examination, run
from nodeagent.administration.doctor.host import Host
from nodeagent.administration.doctor.looks import Looks
from nodeagent.diagnosis.finding import Finding, Severity
from tests.ctl.host_root import HostRoot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.subprocess


@pytest.fixture
def host(tmp_path: Path) -> HostRoot:
    return HostRoot(tmp_path)


def test_a_check_that_hangs_or_breaks_off_hides_no_other(
    host: HostRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hanging(_: Host) -> Iterator[object]:
        threading.Event().wait(30)
        yield from ()

    def broken(_: Host) -> Iterator[object]:
        raise ZeroDivisionError

    checks = {**examination.CHECKS, "clock": hanging, "room": broken}
    monkeypatch.setattr(examination, "CHECKS", checks)
    (host.root / "usr/sbin/iscsiadm").unlink()
    host.say_units()
    names = ("clock", "room", "tools")
    found = examination.examine(Host(Looks(host.root), host.setup()), names, 5)
    assert [one.code for one in found.findings] == ["look-hangs", "defect", "tool-missing"]
    assert found.hanging == ("clock",)


def test_what_was_found_before_a_check_broke_off_is_kept(
    host: HostRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(_: Host) -> Iterator[Finding]:
        yield Finding("room", "room", Severity.ERROR, "It is full.")
        raise PermissionError(13, "Permission denied", "/secret")

    monkeypatch.setattr(examination, "CHECKS", {"room": half})
    found = examination.examine(Host(Looks(host.root), host.setup()), ("room",), 50).findings
    assert [one.code for one in found] == ["room", "not-seen"]
    assert "/secret: Permission denied" in found[1].sentence


def test_what_only_root_sees_is_a_note_for_others(host: HostRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)

    def forbidden(_: Host) -> Iterator[Finding]:
        yield from ()
        raise PermissionError(13, "Permission denied", "/state/volumes")

    monkeypatch.setattr(examination, "CHECKS", {"room": forbidden})
    (found,) = examination.examine(Host(Looks(host.root), host.setup()), ("room",), 50).findings
    assert (found.severity, found.command) == (Severity.OK, "sudo instoragectl doctor")


def test_what_is_kept_of_a_host_names_no_other_user(host: HostRoot) -> None:
    host.write(
        "etc/passwd",
        "somebody:x:1000:1000:Some Body:/home/s:/bin/sh\ninstorage-agent:x:990:991::/:/bin/false\n",
    )
    looks = Looks(host.root)
    (host.root / "log").mkdir()
    examination.examine(Host(looks, host.setup(log=str(host.root / "log"))), ("log",), 50)
    assert looks.kept["user instorage-agent"] == {"is": [990, 991, 992]}
    assert "somebody" not in json.dumps(looks.kept)


def test_the_worst_is_read_first(host: HostRoot) -> None:
    order = (Severity.WARNING, Severity.OK, Severity.ERROR)
    found = tuple(
        Finding("clock", "clock", severity, f"It is {severity.value}.", command="", proof="")
        for severity in order
    )
    shown = run.lines(examination.Examination(Host(Looks(host.root), host.setup()), found, 0.1))
    assert [line.split()[0] for line in shown if "clock: " in line] == ["error", "warning", "note"]
