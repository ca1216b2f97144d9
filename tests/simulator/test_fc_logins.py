"""Who is logged in at an FC port, read where the kernel says it: fc_host and fc_remote_ports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simulator.dataplane.fibre_channel import FcGroup
from simulator.dataplane.plane import DataPlaneError, FcTarget

if TYPE_CHECKING:
    from pathlib import Path

PORT, OTHER, ADAPTER = "200002000000F101", "200002000000F201", "200002000000A302"


def show(sysfs: Path, kind: str, name: str, wwpn: str, **attributes: str) -> None:
    folder = sysfs / kind / name
    folder.mkdir(parents=True)
    for key, value in {"port_name": f"0x{wwpn.lower()}", **attributes}.items():
        (folder / key).write_text(f"{value}\n")


def remote(sysfs: Path, name: str, wwpn: str, state: str = "Online", roles: str = "FCP Initiator") -> None:
    show(sysfs, "fc_remote_ports", name, wwpn, port_state=state, roles=roles)


@pytest.fixture
def sysfs(tmp_path: Path) -> Path:
    show(tmp_path, "fc_host", "host1", OTHER)
    show(tmp_path, "fc_host", "host10", PORT)
    return tmp_path


@pytest.fixture
def group(sysfs: Path) -> FcGroup:
    return FcGroup(sysfs / "target", FcTarget(1, PORT, optimized=True, zone=(ADAPTER,)), sysfs)


def test_an_initiator_that_is_online_is_logged_in(sysfs: Path, group: FcGroup) -> None:
    assert group.logins() == []
    remote(sysfs, "rport-10:0-0", ADAPTER)
    assert group.logins() == [ADAPTER]


@pytest.mark.parametrize(
    ("name", "wwpn", "state", "roles"),
    [
        ("rport-10:0-0", ADAPTER, "Blocked", "FCP Initiator"),
        ("rport-10:0-0", ADAPTER, "Online", "FCP Target"),
        ("rport-10:0-0", OTHER, "Online", "FCP Target, FCP Initiator"),
        ("rport-1:0-0", ADAPTER, "Online", "FCP Initiator"),
    ],
    ids=["gone", "no initiator", "a port of the array", "at another port"],
)
def test_nobody_else_is(sysfs: Path, group: FcGroup, name: str, wwpn: str, state: str, roles: str) -> None:
    remote(sysfs, name, wwpn, state, roles)
    assert group.logins() == []


def test_a_port_that_goes_while_it_is_read_hides_no_other(sysfs: Path, group: FcGroup) -> None:
    (sysfs / "fc_remote_ports/rport-10:0-7").mkdir(parents=True)
    remote(sysfs, "rport-10:0-8", ADAPTER)
    assert group.logins() == [ADAPTER]


def test_a_port_that_the_machine_has_not_is_no_port_without_logins(sysfs: Path) -> None:
    group = FcGroup(sysfs / "target", FcTarget(2, "200002000000FFFF", optimized=False), sysfs)
    with pytest.raises(DataPlaneError, match="no FC port 200002000000FFFF"):
        group.logins()


def test_acls_are_written_as_the_target_writes_wwpns(group: FcGroup) -> None:
    acl = group.acl(ADAPTER)
    assert acl.name == "20:00:02:00:00:00:a3:02"
    assert group.initiator(acl) == ADAPTER
