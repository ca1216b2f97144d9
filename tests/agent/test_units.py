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


# What systemd makes of a unit, 0 (shut) to 10. The helper's mounts must reach kubelet, so it has no mount
# namespace, and it is root with four capabilities; the unit says of each line that is missing why it is.
EXPOSURE = {
    "instorage-nodeagent": 1.5,
    "instorage-provisioner": 1.5,
    "instorage-helper": 4.4,
    "instorage-volumes": 4.6,
}


@pytest.mark.parametrize("unit", EXPOSURE)
def test_the_exposure_of_a_unit_does_not_grow(unit: str) -> None:
    tool = shutil.which("systemd-analyze")
    assert tool, "tools/system-packages lab installs systemd"
    done = subprocess.run(
        [tool, "security", "--offline=yes", "--no-pager", str(UNITS / f"{unit}.service")],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    match = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert match, done.stdout + done.stderr
    assert float(match[1]) <= EXPOSURE[unit]


def test_the_agent_has_no_capability_and_is_not_root() -> None:
    service = entries("instorage-nodeagent.service")
    assert service["CapabilityBoundingSet"] == [""]
    assert service["User"] == ["instorage-agent"]
    assert service["NoNewPrivileges"] == ["yes"]


def test_no_record_of_a_verb_is_dropped_behind_thousands_of_others() -> None:
    """journald drops what is beyond 10,000 in 30 s: the mount that follows a flood of cheap verbs."""
    assert entries("instorage-helper.service")["LogRateLimitIntervalSec"] == ["0"]


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


def test_a_start_of_the_service_brings_its_sockets_and_neither_stop_nor_restart_of_it_takes_them_away() -> (
    None
):
    """Calls wait in them through a crash; systemd 252 propagates a stop at automatic restarts, too (seen)."""
    for name in SOCKETS:
        assert "StopPropagatedFrom" not in entries(name)
    assert entries("instorage-nodeagent.service")["Sockets"] == [
        " ".join(SOCKETS)
    ]  # implies Wants= and After=


def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    """As they lie on a host; the programs that they name are stood in for."""
    tool = shutil.which("systemd-analyze")
    assert tool
    for unit in UNITS.glob("instorage-*.*"):
        text = re.sub(r"^(Exec\w+=-?)/\S+", r"\1/bin/true", unit.read_text(), flags=re.MULTILINE)
        (tmp_path / unit.name).write_text(text)
    names = [str(tmp_path / name) for name in (*SOCKETS, *(path.name for path in UNITS.glob("*.service")))]
    done = subprocess.run(
        [tool, "verify", "--man=no", "--recursive-errors=no", *names],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_restart_of_the_service_keeps_the_sockets() -> None:
    """Neither it nor a crash stops them: `PartOf=` the service would."""
    assert all(entries(name)["PartOf"] == ["instorage-node.target"] for name in SOCKETS)
    service = entries("instorage-nodeagent.service")
    assert service["Requires"] == [SOCKETS[0]]
    assert all(socket in service["After"][0] for socket in SOCKETS)
