"""Rules that every test is held to: no program started by accident, no child left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from instorage.configuration import file
from tests import soak

if TYPE_CHECKING:
    from collections.abc import Iterator

settings.register_profile("project", deadline=None, max_examples=60, database=None)
settings.load_profile("project")

MAY_START_PROGRAMS = ("subprocess", "lab", "root", "kube")


BEGAN = time.monotonic()
LAB_SECONDS: dict[str, float] = {}
"""Of each lab test, its fixtures included; gathered here, where the workers of xdist report to."""


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.nodeid.startswith("tests/lab/"):
        LAB_SECONDS[report.nodeid] = LAB_SECONDS.get(report.nodeid, 0) + report.duration


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if LAB_SECONDS:
        terminalreporter.section("seconds of each lab test")
    for name, taken in LAB_SECONDS.items():
        terminalreporter.write_line(f"{taken:7.1f}  {name}")
    if soak.WHOLE and not terminalreporter.config.option.collectonly:
        kinds = ("passed", "skipped", "failed", "error")
        counts = {kind: len(terminalreporter.stats.get(kind, ())) for kind in kinds}
        what = " ".join(terminalreporter.config.invocation_params.args)
        soak.write_down(what, counts, time.monotonic() - BEGAN)


@pytest.fixture(autouse=True)
def hasty_second_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the array's client not wait long before it believes an empty answer, where it is loaded at all."""
    hesitation = sys.modules.get("instorage.arrays.as18000.session.hesitation")
    if hesitation is not None:
        monkeypatch.setattr(hesitation, "LOOK_AGAIN", 0.002)


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    """A program that runs in the test's own process sets its umask: it is not the next test's."""
    before = os.umask(0o022)
    yield
    os.umask(before)


class StrayProgramError(BaseException):
    """Not an Exception, so that the code under test cannot swallow it."""


@pytest.fixture(autouse=True)
def no_stray_program(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse to start programs in a test that does not say that it does."""
    if any(request.node.get_closest_marker(name) for name in MAY_START_PROGRAMS):
        return

    def refuse(*argv: object, **_: object) -> None:
        raise StrayProgramError(f"{request.node.name} starts {argv[:1]} without the marker «subprocess»")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.setattr(os, "posix_spawn", refuse)


@pytest.fixture(autouse=True)
def configurations_count_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the tests of this process the second for which a changed file must rest."""
    monkeypatch.setattr(file, "REST_SECONDS", 0.0)


@pytest.fixture(autouse=True)
def no_leaked_child(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a process behind (machines and control plane belong to the session)."""
    before = _children()
    yield
    if request.node.get_closest_marker("lab") or request.node.get_closest_marker("kube"):
        return
    deadline = time.monotonic() + 5
    while (left := {pid for pid in _children() - before if _lives(pid)}) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not left, f"processes left behind: {[_command(pid) for pid in left]}"


def _children() -> set[int]:
    found: set[int] = set()
    for listing in Path("/proc/self/task").glob("*/children"):
        try:
            found.update(int(pid) for pid in listing.read_text().split())
        except FileNotFoundError:  # the thread has ended
            continue
    return found


def _lives(pid: int) -> bool:
    """Say whether a process runs: a killed child that the helper gave up after 0.2 s is nobody's to reap."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except FileNotFoundError:
        return str(pid)
