"""Attach over Fibre Channel: one LUN behind the right ports only, and every disk proven as over iSCSI."""

from __future__ import annotations

from threading import Timer
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helper import fc
from helper.attach import attach
from helper.detach import detach
from helper.inventory import inspect
from helper.settings import Settings
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Bytes, Iqn, Lun, Portal, RequestId, VolumeUid, Wwpn
from instorage.wire.verbs import (
    AttachReply,
    AttachRequest,
    DetachRequest,
    FcPath,
    InspectRequest,
    IscsiPath,
    Multipath,
)
from tests.helper.host import OTHER, UID, Host
from tests.helper.sysfs import GIB, TARGET

pytestmark = pytest.mark.subprocess

OURS = ("2100000e1e30acfc", "2100000e1e30acfd")
TARGETS = ("500507680110aaaa", "500507680110bbbb")
FOREIGN = "5006016012345678"


@pytest.fixture
def fabric(host: Host) -> Host:
    """Two adapters, each of which sees both ports of the array, and another array's at target id 7."""
    for adapter, wwpn in enumerate(OURS, 3):
        host.adapter(adapter, wwpn)
        for number, target in enumerate(TARGETS):
            host.remote_port(adapter, number, target)
            host.luns[adapter, number, 1] = (UID, GIB)
        host.remote_port(adapter, 7, FOREIGN)
        host.luns[adapter, 7, 1] = (OTHER, GIB)
    return host


def ask(
    *targets: str, lun: int = 1, portals: tuple[str, ...] = (), known: Settings | None = None
) -> AttachReply:
    over_fc = tuple(FcPath(Wwpn.parse(one), Lun.parse(lun)) for one in targets or TARGETS)
    over_ip = tuple(IscsiPath(Portal.parse(one), Iqn.parse(TARGET), Lun.parse(lun)) for one in portals)
    request = AttachRequest(
        RequestId("test1"),
        VolumeUid.parse(UID),
        Bytes(GIB),
        over_ip,
        Multipath.PREFERRED,
        8000,
        over_fc,
    )
    return attach(request, known or Settings())


def refused(*targets: str, **how: Any) -> Fault:
    with pytest.raises(Fault) as raised:
        ask(*targets, **how)
    print(raised.value)
    return raised.value


def scans(host: Host) -> list[str]:
    return sorted(event for event in host.events if event.startswith("scan"))


def test_a_volume_comes_up_over_all_four_ways(fabric: Host) -> None:
    reply = ask()
    assert (reply.multipath, len(reply.found), reply.refused) == (True, 4, ())
    assert not [event for event in fabric.events if event.startswith("iscsiadm")]


def test_one_lun_is_scanned_behind_the_ports_that_were_asked_for_and_nothing_else(fabric: Host) -> None:
    fabric.luns[3, 0, 2] = (OTHER, GIB)
    ask(TARGETS[1])
    assert scans(fabric) == ["scan host3 «0 1 1»", "scan host4 «0 1 1»"]
    assert [name for name in fabric.names() if name.startswith("sd")] == ["sdm", "sdn"]


def test_a_port_that_no_adapter_sees_is_refused_by_name(fabric: Host) -> None:
    fault = refused("500507680110cccc")
    assert fault.code is Code.NO_PATH
    assert "500507680110cccc is seen by no adapter" in str(fault)
    assert scans(fabric) == []


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"state": "Blocked"}, "is Blocked for adapter 2100000e1e30acfc"),
        ({"state": "Not Present", "roles": "unknown"}, "is Not Present"),
        ({"roles": "FCP Initiator"}, "is no target"),
        ({"target_id": -1}, "is no target"),
    ],
)
def test_a_port_that_cannot_be_used_is_not_scanned_and_the_others_are(
    fabric: Host, facts: dict[str, str], why: str
) -> None:
    fabric.remote_port(3, 0, TARGETS[0], **facts)  # type: ignore[arg-type]
    reply = ask()
    assert len(reply.found) == 3
    (left_out,) = reply.refused
    assert left_out.fc_path is not None
    assert (left_out.code, left_out.fc_path.target, left_out.path) == (
        "portal-unreachable",
        TARGETS[0],
        None,
    )
    assert why in left_out.sentence
    assert "scan host3 «0 0 1»" not in scans(fabric)


def test_a_port_is_known_by_its_name_and_never_by_its_target_id(fabric: Host) -> None:
    fabric.remote_port(3, 0, FOREIGN, target_id=0)
    fabric.remote_port(3, 9, TARGETS[0], target_id=5)
    fabric.luns[3, 5, 1] = (UID, GIB)
    assert len(ask(TARGETS[0]).found) == 2
    assert scans(fabric) == ["scan host3 «0 5 1»", "scan host4 «0 0 1»"]


def test_another_volume_behind_one_way_is_left_out(fabric: Host) -> None:
    fabric.luns[4, 1, 1] = (OTHER, GIB)
    reply = ask()
    assert len(reply.found) == 3
    assert [(one.code, one.fc_path and one.fc_path.target) for one in reply.refused] == [
        ("wrong-device", TARGETS[1])
    ]


@pytest.mark.parametrize("shown", [300, 0x4000 | 300])
def test_a_large_lun_is_found_by_either_spelling(fabric: Host, shown: int) -> None:
    for adapter in (3, 4):
        for number in range(2):
            fabric.luns[adapter, number, shown] = (UID, GIB)
    assert len(ask(lun=300).found) == 4
    assert {name.rpartition(" ")[2].rstrip("»") for name in scans(fabric)} <= {"300", str(0x4000 | 300)}


def test_a_large_lun_that_the_kernel_found_by_itself_is_not_scanned_again(fabric: Host) -> None:
    fabric.disk("sda", f"3:0:0:{0x4000 | 300}", UID)
    fabric.disk("sdb", f"4:0:0:{0x4000 | 300}", UID)
    assert sorted(ask(TARGETS[0], lun=300).found) == ["sda", "sdb"]
    assert scans(fabric) == []


def test_a_large_lun_whose_disk_has_no_name_yet_is_not_asked_for_by_its_other_spelling(fabric: Host) -> None:
    """The kernel knows the LUN a moment before its disk has a node; by the other number it may be another."""
    fabric.disk("sda", f"3:0:0:{0x4000 | 300}", UID)
    fabric.disk("sdb", f"4:0:0:{0x4000 | 300}", UID)
    node, away = fabric.root / "dev/sda", fabric.root / "away"
    node.rename(away)
    Timer(0.3, away.rename, (node,)).start()
    assert sorted(ask(TARGETS[0], lun=300).found) == ["sda", "sdb"]
    assert scans(fabric) == []


def test_over_iscsi_a_large_lun_has_two_spellings_as_well(host: Host) -> None:
    host.session(0, "10.9.0.1:3260")
    host.luns[0, 0, 0x4000 | 300] = (UID, GIB)
    over_ip = (IscsiPath(Portal.parse("10.9.0.1:3260"), Iqn.parse(TARGET), Lun.parse(300)),)
    request = AttachRequest(
        RequestId("test1"), VolumeUid.parse(UID), Bytes(GIB), over_ip, Multipath.PREFERRED, 8000
    )
    assert len(attach(request, Settings()).found) == 1


def test_both_links_make_one_map(fabric: Host) -> None:
    fabric.session(0, "10.9.0.1:3260")
    fabric.luns[0, 0, 1] = (UID, GIB)
    reply = ask(portals=("10.9.0.1:3260",))
    assert (reply.multipath, len(reply.found)) == (True, 5)


def test_more_than_sixteen_ways_are_refused_before_anything_is_done(host: Host) -> None:
    targets = [f"50050768011{number:05x}" for number in range(9)]
    for adapter, wwpn in enumerate(OURS, 3):
        host.adapter(adapter, wwpn)
        for number, target in enumerate(targets):
            host.remote_port(adapter, number, target)
    fault = refused(*targets)
    assert fault.code is Code.BAD_REQUEST
    assert "18 paths are asked for, more than 16" in str(fault)
    assert host.events == []


def test_a_port_that_is_not_pinned_is_not_used(fabric: Host) -> None:
    with pytest.raises(Fault) as raised:
        ask(known=Settings(targets=(TARGETS[0],)))
    assert raised.value.code is Code.NOT_ALLOWED
    assert TARGETS[1] in str(raised.value)
    assert scans(fabric) == []
    assert len(ask(known=Settings(targets=TARGETS)).found) == 4


def test_pinned_portals_alone_let_no_port_in(fabric: Host) -> None:
    """A list of targets that is empty allows all of them, over iSCSI: there the portals say who it is."""
    with pytest.raises(Fault) as raised:
        ask(known=Settings(portals=("10.9.0.1:3260",)))
    assert raised.value.code is Code.NOT_ALLOWED
    assert scans(fabric) == []


def test_what_is_here_is_told_with_the_ports_at_both_ends(fabric: Host) -> None:
    ask()
    (found,) = inspect(InspectRequest(RequestId("test1"), VolumeUid.parse(UID)), Settings(), more=False)
    ends = sorted((path.initiator, path.target, path.portal) for path in found.paths)
    assert ends == [(ours, target, None) for ours in OURS for target in TARGETS]


def test_a_detach_takes_every_way_and_leaves_the_other_arrays(fabric: Host) -> None:
    ask()
    fabric.disk("sda", "3:0:7:1", OTHER)
    reply = detach(DetachRequest(RequestId("test1"), VolumeUid.parse(UID), 8000), Settings())
    assert len(reply.removed) == 5
    assert fabric.names() == ["sda"]


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=24)


@given(name=TEXT, number=TEXT, state=TEXT, roles=TEXT)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_content_of_sysfs_makes_a_port_that_is_scanned_by_chance(
    host: Host, name: str, number: str, state: str, roles: str
) -> None:
    host.adapter(3, OURS[0])
    at = host.root / "sys/class/fc_remote_ports/rport-3:0-1"
    host._write(at, port_name=name, scsi_target_id=number, port_state=state, roles=roles)
    for port in fc.ports():
        assert Wwpn.pattern.fullmatch(port.target)
        assert port.why or (state.strip() == "Online" and port.at.rpartition(":")[2].isdigit())
