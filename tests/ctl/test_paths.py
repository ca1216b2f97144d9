"""What paths, sessions and map of a volume say of each other; looks as a bundle keeps them."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from nodeagent.administration.doctor.examination import examine
from nodeagent.administration.doctor.host import ArrayEntry, Host, Setup
from nodeagent.administration.doctor.looks import Looks
from nodeagent.diagnosis.finding import Finding, Severity, Who

UID = "600507680c80841b0000000000000a01"
PORTALS = ("10.0.0.1:3260", "10.0.0.2:3260")
SETUP = Setup(
    "/plugin", "/plugin/config/instorage.yaml", "/state", "/helper.sock", ("/var/lib/kubelet",), "iscsi",
    "node1", host_names=("iscsi-node1",), arrays=(ArrayEntry("storage-01", "10.1.0.1", 22),),
)  # fmt: skip
SESSIONS = "/sys/class/iscsi_session"


class Seen:
    """Looks at a node with one volume over two portals, all well; a test changes what it wants."""

    def __init__(self) -> None:
        self.paths = [
            {
                "name": f"sd{name}",
                "hctl": f"{number}:0:0:7",
                "state": "running",
                "size": 1 << 30,
                "portal": portal,
            }
            for number, (name, portal) in enumerate(zip("ab", PORTALS, strict=True))
        ]
        self.kernel: dict[str, Any] = {
            "uid": UID, "device": "/dev/mapper/x", "multipath": True, "size": 1 << 30, "paths": self.paths,
            "mounts": [], "holders": [], "formatting": False,
        }  # fmt: skip
        self.record = {"name": "vol1", "uid": UID, "storage": "storage-01", "host": "iscsi-node1"}
        self.sessions = dict(zip(("1", "2"), ("LOGGED_IN", "LOGGED_IN"), strict=True))
        self.array: dict[str, Any] = {
            "targets": [
                {"portal": portal, "target": f"iqn.a:{portal}", "io_group": "0", "portset": ""}
                for portal in PORTALS
            ],
            "hosts": [{"name": "iscsi-node1", "portset": "", "ports": [], "logged_in": True}],
            "mappings": [{"volume": "vol1", "uid": UID, "host": "iscsi-node1", "luns": {"0": 7}}],
            "seconds": 0.1, "protected_minutes": 0,
        }  # fmt: skip
        self.unreachable: dict[str, str] = {}
        self.routed = dict.fromkeys(PORTALS, True)

    def kept(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "whole": True,
            "now": 2e9,
            f"names {SESSIONS}": [f"session{n}" for n in self.sessions],
        }
        for turn in (1, 2):
            found |= {f"arrays {turn}": {"storage-01": self.array}, f"kernel {turn}": [self.kernel]}
        for turn in (1, 2, 3, 4):
            found[f"records {turn}"] = {UID: json.dumps(self.record)} if self.record else {}
        found["portals storage-01"] = {
            one: {"why": self.unreachable.get(one, ""), "routed": self.routed[one]} for one in PORTALS
        }
        for number, portal in zip(("1", "2"), PORTALS, strict=True):
            at = f"/sys/class/iscsi_connection/connection{number}:0"
            found[f"text {at}/persistent_address"], found[f"text {at}/persistent_port"] = portal.split(":")
            found[f"text {SESSIONS}/session{number}/state"] = self.sessions.get(number, "")
            found[f"mtu {portal.partition(':')[0]}"] = ["", 0]
            found[f"target {SESSIONS}/session{number}"] = (
                f"../../devices/platform/host{number}/session{number}"
            )
        found[f"holders {UID}"] = []
        return {key: {"is": value} for key, value in found.items()}

    def findings(self, check: str = "volumes") -> list[Finding]:
        return list(examine(Host(Looks(kept=self.kept()), SETUP), (check,), 50).findings)

    def only(self) -> Finding:
        (found,) = self.findings()
        return found


@pytest.fixture
def seen() -> Seen:
    return Seen()


def test_a_volume_that_is_well_has_no_finding(seen: Seen) -> None:
    assert seen.findings() == []


def test_a_path_that_is_down_is_the_sans_and_all_of_them_an_error(seen: Seen) -> None:
    seen.paths[1]["state"] = "transport-offline"
    found = seen.only()
    assert (found.code, found.severity, found.who) == ("path-down", Severity.WARNING, Who.SAN)
    assert "10.0.0.2:3260" in found.sentence
    seen.paths[0]["state"] = "offline"
    assert [one.severity for one in seen.findings()] == [Severity.ERROR, Severity.ERROR]


def test_a_disk_that_the_kernel_gave_up_does_not_come_back_by_itself(seen: Seen) -> None:
    seen.paths[1]["state"] = "offline"
    found = seen.only()
    assert (found.code, found.who) == ("path-down", Who.NODE)
    assert found.command.endswith(f"echo running >/sys/block/{seen.paths[1]['name']}/device/state")
    assert "tries it no more" in found.cause
    seen.paths[1]["state"] = "transport-offline"
    assert "a path comes back by itself" in seen.only().command


def test_a_session_without_a_path_gets_the_command_that_scans_that_one_lun(seen: Seen) -> None:
    del seen.paths[1]
    found = seen.only()
    assert (found.code, found.command) == ("path-missing", "echo '- - 7' >/sys/class/scsi_host/host2/scan")
    assert "session 2 is logged in" in found.sentence


def test_a_portal_without_a_session_gets_the_login_and_a_dead_one_is_not_said_twice(seen: Seen) -> None:
    del seen.paths[1]
    del seen.sessions["2"]
    found = seen.only()
    assert (found.code, found.command) == ("path-missing", "iscsiadm -m node -p 10.0.0.2:3260 --login")
    seen.unreachable["10.0.0.2:3260"] = "refused the connection"
    assert seen.findings() == []
    assert [one.code for one in seen.findings("portals")] == ["portal-unreachable"]


def test_a_portal_of_another_io_group_or_portset_is_not_missed(seen: Seen) -> None:
    del seen.paths[1]
    seen.array["targets"][1]["io_group"] = "1"
    assert seen.findings() == []
    seen.array["targets"][1] |= {"io_group": "0", "portset": "4"}
    seen.array["hosts"][0]["portset"] = "3"
    assert seen.findings() == []


def test_a_session_that_is_down_is_said_with_its_state(seen: Seen) -> None:
    del seen.paths[1]
    seen.sessions["2"] = "FAILED"
    assert "whose session is FAILED" in seen.only().sentence


def test_sizes_that_differ_are_found(seen: Seen) -> None:
    seen.paths[1]["size"] = 2 << 30
    assert seen.only().code == "sizes-differ"


def test_what_is_built_on_a_leftover_is_named(seen: Seen) -> None:
    seen.record, seen.array["mappings"] = {}, []
    seen.kernel["holders"] = ["dm-9 (vg-data)"]
    found = seen.only()
    assert found.code == "leftover"
    assert "dm-9 (vg-data) is built on it" in found.cause
    assert found.command == ("see who uses it, before anything of it is taken away: lsblk /dev/sda /dev/sdb")


def test_an_array_that_does_not_answer_says_nothing_of_its_volumes(seen: Seen) -> None:
    seen.array |= {
        "mappings": [],
        "fault": {"code": "array-unreachable", "sentence": "It is away.", "fields": {}},
    }
    assert seen.findings() == []
    seen.record = {}
    assert seen.findings() == []  # nor that a device is left


def test_what_only_the_first_look_shows_is_not_said(seen: Seen) -> None:
    seen.paths[1]["state"] = "blocked"
    kept = seen.kept()
    seen.paths[1]["state"] = "running"
    kept = json.loads(json.dumps(kept)) | {"kernel 2": seen.kept()["kernel 2"]}
    kept["kernel 1"]["is"][0]["paths"][1]["state"] = "blocked"
    assert examine(Host(Looks(kept=kept), SETUP), ("volumes",), 50).findings == ()


def test_one_portal_of_two_is_a_warning_and_all_an_error_with_the_command(seen: Seen) -> None:
    seen.unreachable["10.0.0.2:3260"] = "did not answer within 2 s"
    (found,) = seen.findings("portals")
    assert (found.severity, found.who, found.command) == (Severity.WARNING, Who.SAN, "nc -zvw2 10.0.0.2 3260")
    seen.unreachable["10.0.0.1:3260"] = "refused the connection"
    assert [one.severity for one in seen.findings("portals")] == [Severity.ERROR, Severity.ERROR]


def test_a_portal_without_a_route_is_this_nodes_administrators(seen: Seen) -> None:
    seen.unreachable["10.0.0.2:3260"], seen.routed["10.0.0.2:3260"] = "no route", False
    (found,) = seen.findings("portals")
    assert (found.code, found.severity, found.who) == ("portal-not-routed", Severity.WARNING, Who.NODE)
    assert (found.command, found.proof) == ("ip route get 10.0.0.2", "route to 10.0.0.2")
    assert "Portal 10.0.0.2:3260 of array storage-01: no route." in found.sentence


@pytest.mark.subprocess
@pytest.mark.root
def test_in_a_network_without_a_route_the_look_says_so() -> None:
    """In a network namespace of its own there is none."""
    look = "import json; from nodeagent.administration.doctor.portals import _probe as look"
    program = f"{look}; print(json.dumps(look(['10.1.2.3:3260'])))"
    argv = ["unshare", "--net", sys.executable, "-c", program]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout) == {"10.1.2.3:3260": {"why": "no route", "routed": False}}
