"""What of a host is too old is refused by name, with the version found and the one wanted."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nodeagent.administration import versions
from nodeagent.administration.versions import TABLE, Wanted, judged

if TYPE_CHECKING:
    from collections.abc import Callable

    Say = Callable[..., None]

pytestmark = pytest.mark.subprocess

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/hosts.md"
SAYS = {  # as the tools of each distribution say it
    "uname": ("6.1.0-56-amd64", "4.18.0-553.el8_10.x86_64", "4.4.0-210-generic", "3.10.0-1160.el7.x86_64"),
    "systemctl": (
        "systemd 252 (252.39-1~deb12u2)\n+PAM +AUDIT", "systemd 239 (239-82.el8)", "systemd 237\n+PAM",
        "systemd 219\n+PAM",
    ),
    "iscsiadm": (
        "iscsiadm version 2.1.8", "iscsiadm version 6.2.1.4-1", "iscsiadm version 2.0-875",
        "iscsiadm version 2.0-871",
    ),
    "multipath": (
        "multipath-tools v0.9.4 (12/19, 2022)\nUsage:", "multipath-tools v0.8.4 (05/04, 2020)",
        "multipath-tools v0.6.0 (03/09, 2016)", "multipath-tools v0.4.9 (05/33, 2016)",
    ),
    "mke2fs": ("mke2fs 1.47.0 (5-Feb-2023)", "mke2fs 1.45.6 (20-Mar-2020)", "mke2fs 1.42 (29-Nov-2011)",
               "mke2fs 1.41.12 (17-May-2010)"),
    "mkfs.xfs": ("mkfs.xfs version 6.1.0", "mkfs.xfs version 5.0.0", "mkfs.xfs version 4.3.0",
                 "mkfs.xfs version 3.2.2"),
}  # fmt: skip
TOO_OLD = 3
SEEN = {"uname": "3.10.0-1160.el7.x86_64", "systemctl": "219", "iscsiadm": "2.0-871", "multipath": "0.4.9",
        "mke2fs": "1.41.12", "mkfs.xfs": "3.2.2"}  # fmt: skip


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Have a tool say something, on standard error as some do."""
    monkeypatch.setattr(versions, "DIRECTORIES", (str(tmp_path),))

    def write(program: str, said: str, body: str = "") -> None:
        (tmp_path / program).write_text(f"#!/bin/sh\n{body}\ncat >&2 <<'END'\n{said}\nEND\nexit 1\n")
        (tmp_path / program).chmod(0o755)

    for program, said in SAYS.items():
        write(program, said[0])
    return write


@pytest.mark.parametrize("old", [0, 1, 2])
@pytest.mark.parametrize("program", SAYS)
def test_nothing_is_said_of_what_is_served(say: Say, program: str, old: int) -> None:
    say(program, SAYS[program][old])
    assert [*judged()] == []


@pytest.mark.parametrize("one", TABLE, ids=lambda one: one.name)
def test_what_is_too_old_is_refused_with_the_version_found_and_the_one_wanted(say: Say, one: Wanted) -> None:
    program = one.argv[0]
    say(program, SAYS[program][TOO_OLD])
    ((refused, sentence),) = judged()
    assert refused
    assert sentence.startswith(f"{one.name} {SEEN[program]} is here, and {one.oldest} or later is wanted: ")
    assert ("install" in sentence) == bool(one.packages[0])


@pytest.mark.parametrize("said", ["iscsiadm version 2.0-873", "iscsiadm version 2.0-874"])
def test_an_open_iscsi_that_scans_at_login_is_a_warning_with_the_way_that_is_left(
    say: Say, said: str
) -> None:
    say("iscsiadm", said)
    ((refused, sentence),) = judged()
    assert not refused
    assert (
        f"open-iscsi {said.split()[-1]} is here, and 2.0.875 is wanted: its logins bring every LUN"
        in sentence
    )
    assert "log in to the arrays yourself, with node.startup = automatic, or install open-iscsi" in sentence


def test_what_is_not_installed_is_named_with_its_package(say: Say, tmp_path: Path) -> None:
    (tmp_path / "multipath").unlink()
    (tmp_path / "mkfs.xfs").unlink()
    (refused, multipath), (_, xfs) = judged()
    assert not refused
    assert multipath == (
        "multipath-tools is not installed, and without it no volume has more than one path: install "
        "multipath-tools (Debian, Ubuntu) or device-mapper-multipath (RHEL)."
    )
    assert "no volume gets an xfs" in xfs


@pytest.mark.parametrize("root", [True, False])
def test_what_does_not_say_its_version_is_neither_good_nor_refused(
    say: Say, monkeypatch: pytest.MonkeyPatch, root: bool
) -> None:
    """Of one who is not root some tools want root first."""
    monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)
    say("multipath", "need to be root")
    said = [*judged()]
    assert len(said) == root
    assert not any(refused for refused, _ in said)


def test_a_tool_that_hangs_holds_up_nobody(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "_SECONDS", 0.3)
    say("systemctl", "systemd 252", "exec sleep 30")
    begun = time.monotonic()
    assert not any(refused for refused, _ in judged())
    assert time.monotonic() - begun < 10


def test_the_document_for_people_has_the_same_table() -> None:
    rows = [
        line.split("|")[1:3] for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line[:2] == "| "
    ]
    told = {name.strip(): oldest.strip() for name, oldest in rows}
    assert {one.name: one.oldest for one in TABLE}.items() <= told.items()
