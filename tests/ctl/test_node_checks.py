"""Each check of the node alone finds exactly the thing that is broken, and nothing on a healthy node."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from nodeagent.administration.doctor import examination
from nodeagent.administration.doctor.host import Host
from nodeagent.administration.doctor.looks import Looks, Room
from nodeagent.diagnosis.finding import Severity, Who
from tests.ctl.host_root import HostRoot

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.subprocess
ALONE = tuple(
    name for name in examination.CHECKS if name not in ("arrays", "protection", "portals", "volumes")
)


@pytest.fixture
def host(tmp_path: Path) -> HostRoot:
    return HostRoot(tmp_path)


def test_a_healthy_node_has_no_finding_twenty_times(host: HostRoot) -> None:
    for _ in range(20):
        assert host.findings(*ALONE) == []


@pytest.mark.parametrize(
    ("program", "script", "code"),
    [
        ("iscsiadm", "echo iscsiadm version 2.0-874", "tool-limited"),
        ("iscsiadm", "echo iscsiadm version 2.0-872", "tool-old"),
        ("multipath", "echo multipath-tools v0.4.9", "tool-old"),
        ("mkfs.xfs", "exit 0", "tool-unknown"),
        ("uname", "echo 3.10.0-1160.el7", "tool-old"),
    ],
)
def test_a_tool_that_is_too_old_is_named(
    host: HostRoot, program: str, script: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    host.program(program, script)
    (found,) = host.findings("tools")
    assert found.code == code
    assert program in found.proof


def test_a_tool_that_is_not_there_is_named_with_its_package(host: HostRoot) -> None:
    (host.root / "usr/sbin/iscsiadm").unlink()
    (found,) = host.findings("tools")
    assert (found.code, found.severity) == ("tool-missing", Severity.ERROR)
    assert "iscsi-initiator-utils" in found.command
    assert host.codes("tools", link="fc") == []


def test_a_tool_that_hangs_hides_no_other_and_is_ended(host: HostRoot) -> None:
    host.program("mke2fs", "exec sleep 60")
    (host.root / "usr/sbin/mkfs.xfs").unlink()
    began = time.monotonic()
    assert "tool-missing" in host.codes("tools")
    assert time.monotonic() - began < 40


@pytest.mark.parametrize(
    ("unit", "state", "severity"),
    [
        ("iscsid.socket", "inactive", Severity.ERROR),
        ("iscsid.service", "failed", Severity.ERROR),
        ("multipathd.service", "failed", Severity.WARNING),
        ("instorage-nodeagent.service", "failed", Severity.ERROR),
        ("instorage-helper.socket", "inactive", Severity.ERROR),
    ],
)
def test_a_service_that_does_not_run_is_named(
    host: HostRoot, unit: str, state: str, severity: Severity
) -> None:
    host.units[unit] |= {"ActiveState": state, "Result": "exit-code"}
    (found,) = host.findings("services")
    assert (found.code, found.severity) == ("unit-inactive", severity)
    assert unit.partition(".")[0] in found.sentence
    assert found.command.startswith("systemctl enable --now")


def test_multipathd_is_an_error_where_a_map_is_demanded(host: HostRoot) -> None:
    host.units["multipathd.service"]["ActiveState"] = "failed"
    (found,) = host.findings("services", force_multipath=True)
    assert found.severity is Severity.ERROR


def test_what_the_agent_says_of_itself_is_passed_on(host: HostRoot) -> None:
    host.units["instorage-nodeagent.service"]["StatusText"] = "The barrier file is there."
    (found,) = host.findings("services")
    assert (found.code, found.sentence) == ("agent-says", "The node agent says: The barrier file is there.")


@pytest.mark.parametrize(
    ("state", "text", "codes"),
    [
        ("active", "working", []),
        ("active", "waiting: another provisioner works", []),
        ("active", "", ["lease-not-held"]),
        ("failed", "", ["provisioner-stopped"]),
        ("", "", []),
    ],
)
def test_a_provisioner_without_the_lease_is_found(
    host: HostRoot, state: str, text: str, codes: list[str]
) -> None:
    host.units["instorage-provisioner.service"] = {"ActiveState": state, "StatusText": text}
    assert host.codes("lease") == codes


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("InitiatorName=IQN_of_nobody\n", "initiator-syntax"),
        ("# nothing\n", "initiator-number"),
        ("InitiatorName=iqn.2001-04.a:b\nInitiatorName=iqn.2001-04.a:c\n", "initiator-number"),
    ],
)
def test_a_wrong_initiator_name_is_found(host: HostRoot, text: str, code: str) -> None:
    host.write("etc/iscsi/initiatorname.iscsi", text)
    (found,) = host.findings("initiator")
    assert found.code == code
    assert "initiatorname.iscsi" in found.command


def test_a_node_without_an_initiator_name_is_told_how_to_get_one(host: HostRoot) -> None:
    (host.root / "etc/iscsi/initiatorname.iscsi").unlink()
    (found,) = host.findings("initiator")
    assert found.code == "initiator-missing"
    assert "iscsi-iname" in found.command
    assert host.codes("initiator", link="fc") == []


def test_fibre_channel_links_that_are_down_are_found(host: HostRoot) -> None:
    assert host.codes("fc", link="fc") == ["fc-no-port"]
    for number, state in ((1, "Online"), (2, "Linkdown")):
        host.write(f"sys/class/fc_host/host{number}/port_state", f"{state}\n")
        host.write(f"sys/class/fc_host/host{number}/port_name", f"0x10000090fa00000{number}\n")
    (found,) = host.findings("fc", link="fc")
    assert (found.code, found.severity, found.who) == ("fc-link-down", Severity.WARNING, Who.SAN)
    assert "host2" in found.sentence
    assert "0x10000090fa000002" in found.command
    host.write("sys/class/fc_host/host1/port_state", "Linkdown\n")
    assert {one.severity for one in host.findings("fc", link="fc")} == {Severity.ERROR}
    assert host.codes("fc") == []


def test_a_plugin_that_others_can_change_or_that_is_not_there_is_found(host: HostRoot) -> None:
    stub = host.root / "plugin/instorage-flexvolume"
    stub.chmod(0o775)
    assert host.codes("plugin") == ["plugin-rights"]
    stub.chmod(0o644)
    assert host.codes("plugin") == ["stub-not-executable"]
    stub.unlink()
    assert host.codes("plugin") == ["plugin-missing"]


def test_a_configuration_that_all_can_read_or_that_is_broken_is_found(host: HostRoot) -> None:
    host.write("plugin/config/instorage.yaml", "", 0o640)
    assert host.codes("configuration") == []
    (host.root / "plugin/config/instorage.yaml").chmod(0o644)
    assert host.codes("configuration") == ["configuration-open"]
    assert host.codes("configuration", fault="Line 3 is wrong.") == [
        "bad-configuration",
        "configuration-open",
    ]


def test_kubelets_directory_is_looked_at(host: HostRoot) -> None:
    own = host.root / "var/lib/kubelet"
    host.write("proc/1/mountinfo", "21 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n"
               f"22 21 8:2 / {own} rw,relatime - ext4 /dev/sdb rw\n")  # fmt: skip
    (found,) = host.findings("kubelet")
    assert (found.code, found.command) == ("mount-private", f"mount --make-rshared {own}")
    own.rmdir()
    assert host.codes("kubelet") == ["kubelet-root-missing"]
    own.symlink_to("nowhere")
    assert host.codes("kubelet") == ["kubelet-root-missing"]


def test_a_log_directory_without_rights_is_found(host: HostRoot) -> None:
    log = str(host.root / "log")
    assert host.codes("log", log=log) == ["log-missing"]
    (host.root / "log").mkdir(mode=0o755)
    assert host.codes("log", log=log) == ["log-rights"]
    (host.root / "log").chmod(0o777)
    assert host.codes("log", log=log) == []
    assert host.codes("log") == []


@pytest.mark.parametrize(
    ("room", "codes"),
    [
        (Room(1 << 30, 100_000, read_only=False), []),
        (Room(1 << 30, None, read_only=False), []),
        (Room(8 << 20, 100_000, read_only=False), ["room"]),
        (Room(1 << 30, 3, read_only=False), ["room"]),
        (Room(1 << 30, 9_000, read_only=True), ["read-only"]),
    ],
)
def test_a_place_without_room_is_found(host: HostRoot, room: Room, codes: list[str]) -> None:
    looks = Looks(host.root)
    for place in (host.setup().state, "/run"):
        looks.answer(f"room {place}", lambda: [1 << 30, 100_000, False])
    looks.kept[f"room {host.setup().state}"] = {"is": [room.free, room.inodes, room.read_only]}
    found = examination.examine(Host(looks, host.setup()), ("room",), 50).findings
    assert [one.code for one in found] == codes
    assert all(host.setup().state in one.sentence for one in found)


def test_a_clock_that_nobody_sets_is_found(host: HostRoot) -> None:
    host.program("timedatectl", "echo NTPSynchronized=no")
    assert host.codes("clock") == ["clock"]
    host.program("timedatectl", "echo Unknown command show. >&2; exit 1")  # systemd 237 does not know it
    assert host.codes("clock") == []
