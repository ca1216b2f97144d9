"""The units as systemd reads them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).resolve().parents[2] / "systemd"
SOCKETS = ("instorage-nodeagent.socket", "instorage-nodeagent-plugin.socket")

pytestmark = pytest.mark.subprocess


def entries(name: str) -> dict[str, list[str]]:
    """Settings of a unit file, by key."""
    found: dict[str, list[str]] = {}
    for line in (UNITS / name).read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def test_the_agents_exposure_is_two_or_less() -> None:
    tool = shutil.which("systemd-analyze")
    assert tool, "tools/system-packages lab installs systemd"
    done = subprocess.run(
        [tool, "security", "--offline=yes", "--no-pager", str(UNITS / "instorage-nodeagent.service")],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    match = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert match, done.stdout + done.stderr
    assert float(match[1]) <= 2.0


def test_the_agent_has_no_capability_and_is_not_root() -> None:
    service = entries("instorage-nodeagent.service")
    assert service["CapabilityBoundingSet"] == [""]
    assert service["User"] == ["instorage-agent"]
    assert service["NoNewPrivileges"] == ["yes"]


def test_both_sockets_are_roots_alone_and_belong_to_the_agent() -> None:
    service = entries("instorage-nodeagent.service")
    assert service["Sockets"] == [" ".join(SOCKETS)]
    for name in SOCKETS:
        unit = entries(name)
        assert unit["SocketMode"] == ["0600"]
        assert unit["SocketUser"] == ["root"]
        assert unit["RemoveOnStop"] == ["yes"]
        assert unit["Service"] == ["instorage-nodeagent.service"]


@pytest.mark.parametrize("name", [*SOCKETS, "instorage-nodeagent.service", "instorage-helper.socket"])
def test_everything_stops_with_the_target(name: str) -> None:
    assert entries(name)["PartOf"] == ["instorage-node.target"]
    assert name in " ".join(entries("instorage-node.target")["Wants"])


def test_a_restart_of_the_service_keeps_the_sockets() -> None:
    service = entries("instorage-nodeagent.service")
    assert service["Requires"] == [SOCKETS[0]]
    assert all(socket in service["After"][0] for socket in SOCKETS)
