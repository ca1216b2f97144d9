"""The units on every systemd from 237 to 257: what an older one does not know is no loss, or replaced.

systemd passes over a key, a group of system calls and a call that it does not know, with a warning. So each
key that is younger than 237 needs a word why that does no harm, and a list of allowed calls may hold no group
that is missing: what is left of it would not let a file be opened. The versions are those of systemd's NEWS.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).resolve().parents[2] / "systemd"
OLDER = UNITS / "older"
FIRST, LAST = 237, 257
KINDS = (".service", ".socket", ".target", ".timer")
SERVICES = sorted(path.name for path in UNITS.glob("*.service"))

_KNOWN = """
Accept After Alias AmbientCapabilities Backlog Before CapabilityBoundingSet Description DirectoryMode
Environment EnvironmentFile ExecStart ExecStartPre ExecStop ExecStopPost Group IPAddressDeny KillMode
LimitCORE ListenStream LockPersonality LogsDirectory LogsDirectoryMode MemoryDenyWriteExecute MemoryMax
NoNewPrivileges OOMScoreAdjust PartOf PrivateDevices PrivateTmp PrivateUsers ProtectControlGroups
ProtectHome ProtectKernelModules ProtectKernelTunables ProtectSystem ReadWritePaths RemainAfterExit
RemoveIPC RemoveOnStop Requires Restart RestartSec RestrictAddressFamilies RestrictNamespaces
RestrictRealtime RuntimeDirectory RuntimeDirectoryMode RuntimeDirectoryPreserve Service SocketGroup
SocketMode SocketUser Sockets StartLimitIntervalSec StateDirectory StateDirectoryMode
SystemCallArchitectures SystemCallErrorNumber SystemCallFilter TasksMax TimeoutStartSec TimeoutStopSec
TriggerLimitIntervalSec Type UMask User WantedBy Wants WatchdogSec
AccuracySec OnActiveSec OnUnitInactiveSec RandomizedDelaySec
"""
KNOWN = set(_KNOWN.split())
"""What systemd 237 knows; the youngest are IPAddressDeny, LockPersonality, StateDirectory and such (235)."""

LOST = {
    "LogRateLimitIntervalSec": (240, "journald's own limit holds, and journald says how many it has dropped"),
    "ProtectHostname": (242, "one layer less: the service has no capability that could change the name"),
    "RestrictSUIDSGID": (242, "one layer less: no program of ours makes such a file"),
    "OOMPolicy": (243, "before, systemd did nothing when the kernel killed a process: that is «continue»"),
    "ProtectKernelLogs": (244, "one layer less: reading them takes CAP_SYSLOG, which the service has not"),
    "ProtectClock": (245, "one layer less: setting it takes CAP_SYS_TIME, which the service has not"),
    "ProtectProc": (247, "one layer less: others' processes are seen, and still cannot be traced"),
    "ProcSubset": (247, "one layer less: the rest of /proc is seen, read-only"),
}
"""Younger keys: since which version, and why it does no harm when a systemd passes over one."""

GROUPS = {"@mount": 235, "@privileged": 231, "@resources": 232, "@system-service": 239}
BY_NAME = {"landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"}
"""Calls that a libseccomp before 2.5.2 does not know: the helper goes on without (helper/confinement.py)."""
REFUSED = "io_uring_setup"
"""A libseccomp before 2.4 does not know it: what reads a tenant's data has a filter of its own."""


def lines(path: Path) -> list[tuple[str, str]]:
    """Keys and values of a unit file in order; a line that ends with a backslash goes on."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    split = (line.partition("=") for line in text.splitlines() if line[:1] not in ("#", "[", ""))
    return [(key, value.strip()) for key, equals, value in split if equals]


def files(version: int, service: str) -> list[Path]:
    """A service as a host with this systemd has it: the unit and its drop-ins."""
    needed = (folder for folder in sorted(OLDER.glob("[0-9]*")) if version <= int(folder.name))
    return [
        UNITS / service,
        *(file for one in needed for file in sorted((one / f"{service}.d").glob("*.conf"))),
    ]


def filters(version: int, service: str) -> list[str]:
    """The values of SystemCallFilter= that count; an empty one takes back what stood before it."""
    found: list[str] = []
    for key, value in (pair for file in files(version, service) for pair in lines(file)):
        if key == "SystemCallFilter":
            found = [*found, value] if value else []
    return found


@pytest.mark.parametrize(
    "path",
    [*(path for path in sorted(UNITS.iterdir()) if path.suffix in KINDS), *sorted(OLDER.rglob("*.conf"))],
    ids=lambda path: "/".join(path.parts[-2:]),
)
def test_each_key_of_a_unit_is_known_to_every_systemd_or_may_be_lost(path: Path) -> None:
    keys = {key for key, _ in lines(path)}
    undecided = keys - KNOWN - set(LOST)
    assert not undecided, (
        f"since which systemd, and does it harm when an older one passes over it? {undecided}"
    )


@pytest.mark.parametrize("service", SERVICES)
def test_no_systemd_has_a_hole_in_its_list_of_allowed_calls(service: str) -> None:
    for version in range(FIRST, LAST + 1):
        values = filters(version, service)
        assert values, f"systemd {version}: no filter is left"
        if values[0].startswith("~"):
            continue  # what is forbidden: an unknown group forbids nothing, and breaks nothing
        words = {word for value in values for word in value.removeprefix("~").split()}
        unknown = {word for word in words - BY_NAME - {REFUSED} if GROUPS.get(word, LAST + 1) > version}
        assert not unknown, f"systemd {version} passes over {unknown}"


def test_landlock_is_allowed_to_what_reads_a_tenants_file_system() -> None:
    """Where it is refused the helper goes on without: nothing fails."""
    for version in range(239, LAST + 1):
        words = {word for value in filters(version, "instorage-helper.service") for word in value.split()}
        assert words >= BY_NAME


def test_root_code_makes_no_socket_past_its_list_of_families() -> None:
    """By io_uring, or by the calls of another processor: the list is one of socket(2) of this one alone."""
    for version in range(FIRST, LAST + 1):
        values = filters(version, "instorage-helper.service")
        assert [
            value for value in values if value.startswith("~") and REFUSED in value.removeprefix("~").split()
        ]
        assert not [value for value in values if REFUSED in value.split() and not value.startswith("~")]
    assert ("SystemCallArchitectures", "native") in lines(UNITS / "instorage-helper.service")


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_for_an_older_systemd_forbids_and_does_not_allow(service: str) -> None:
    oldest = files(FIRST, service)[1:]
    assert oldest, "the list of @system-service needs a drop-in"
    for file in oldest:
        assert [key for key, _ in lines(file)] == ["SystemCallFilter", "SystemCallFilter"]
        assert lines(file)[0][1] == ""
        forbidden = lines(file)[1][1]
        assert forbidden.startswith("~@")
        assert ("@mount" in forbidden) == (
            service not in ("instorage-helper.service", "instorage-volumes.service")
        )
    assert files(239, service)[1:] == []


def groups() -> dict[str, set[str]]:
    """The groups of system calls as the systemd of this machine has them, with what each holds."""
    tool = shutil.which("systemd-analyze")
    assert tool, "tools/system-packages lab installs systemd"
    argv = [tool, "syscall-filter", "--no-pager"]
    listed = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True).stdout
    blocks = (block.split("\n") for block in re.split(r"^(?=@)", listed, flags=re.MULTILINE)[1:])
    return {
        name: {line.strip() for line in held if line[:1] == " " and "#" not in line} for name, *held in blocks
    }


def calls(value: str, known: dict[str, set[str]]) -> set[str]:
    """The system calls that a value of SystemCallFilter= names, by itself or by groups."""
    named = (calls(" ".join(known[word]), known) if word in known else {word} for word in value.split())
    return set[str]().union(*named)


@pytest.mark.subprocess
@pytest.mark.parametrize("service", SERVICES)
def test_what_is_forbidden_under_an_older_systemd_no_newer_one_allows(service: str) -> None:
    """So that a drop-in breaks nothing that works with the unit alone."""
    known = groups()
    allowed = calls("@default", known)
    for value in filters(LAST, service):
        named = calls(value.removeprefix("~"), known)
        allowed = allowed - named if value.startswith("~") else allowed | named
    assert {"openat", "read", "execve"} <= allowed
    (value,) = filters(FIRST, service)
    forbidden = calls(value.removeprefix("~"), known)
    assert {"reboot", "init_module", "ptrace"} <= forbidden
    assert not allowed & forbidden


def test_every_drop_in_belongs_to_a_unit() -> None:
    folders = {path.name for path in OLDER.glob("*/*")}
    assert folders == {f"{service}.d" for service in SERVICES}
    for path in OLDER.glob("*/*/*"):
        version = path.parts[-3]
        assert FIRST <= int(version) <= LAST
        assert path.name == f"older-{version}.conf", "put.sh would take one for the other's"
