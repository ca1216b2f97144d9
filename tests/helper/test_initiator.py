"""Under which names this machine reaches the SAN, as sysfs and open-iscsi's file have them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from helper import iscsi, scsi
from helper.settings import Settings
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Iqn, Lun, Portal, VolumeUid
from instorage.wire.verbs import IscsiPath
from tests.helper.host import UID
from tests.helper.sysfs import TARGET

if TYPE_CHECKING:
    from tests.helper.host import Host


def adapter(host: Host, number: int, name: str, state: str = "Online") -> None:
    at = host.root / f"sys/class/fc_host/host{number}"
    at.mkdir(parents=True)
    (at / "port_state").write_text(f"{state}\n")
    if name:
        (at / "port_name").write_text(f"{name}\n")


def test_the_ports_of_adapters_are_this_machines_with_a_link_or_without(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = host.root / "initiatorname.iscsi"
    monkeypatch.setattr(iscsi, "NAME_FILE", str(name))
    adapter(host, 1, "0x2100000E1E30ACFC")
    adapter(host, 2, "0x2100000e1e30acfd", "Linkdown")
    for number, strange in enumerate(("0x0", "0xffffffffffffffff", "0x0000000000000000", "", "nonsense"), 3):
        adapter(host, number, strange)
    ports = ("2100000e1e30acfc", "2100000e1e30acfd")
    assert iscsi.initiator().wwpns == ports, "also without an iSCSI name"
    name.write_text("InitiatorName=iqn.2026-01.com.example:NodeA\n")
    reply = iscsi.initiator()
    assert (reply.iqn, reply.wwpns) == ("iqn.2026-01.com.example:NodeA", ports)


def test_a_machine_without_adapters_tells_none(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(iscsi, "NAME_FILE", str(host.root / "none"))
    assert (iscsi.initiator().iqn, iscsi.initiator().wwpns) == (None, ())


def test_a_target_is_the_same_however_it_is_spelled(host: Host) -> None:
    host.session(4, "10.9.0.1:3260", TARGET.upper().replace("IQN", "iqn"))
    path = IscsiPath(Portal.parse("10.9.0.1:3260"), Iqn.parse(TARGET), Lun.parse(1))
    found = iscsi.connect([path], time.monotonic() + 5)
    assert isinstance(found[path], scsi.Session)
    assert host.events == [], "no second login"
    shown = IscsiPath(path.portal, Iqn.parse(TARGET.replace("inspur", "Inspur")), path.lun)
    Settings(targets=(TARGET,)).check(VolumeUid.parse(UID), (shown,))


def named(host: Host, monkeypatch: pytest.MonkeyPatch, line: str) -> str | None:
    file = host.root / "initiatorname.iscsi"
    file.write_text(f"## DO NOT EDIT\n{line}\n")
    monkeypatch.setattr(iscsi, "NAME_FILE", str(file))
    return iscsi.initiator().iqn


def test_an_initiators_name_in_capitals_is_told_as_it_is_sent(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "iqn.2026-01.com.example:NodeA.7shEhjs"
    assert named(host, monkeypatch, f"InitiatorName={name}") == name


@pytest.mark.parametrize("bad", ["iqn.2026-1.com.example:a", "iqn.2026-01.com.example:a # mine", "node-a"])
def test_a_name_that_is_none_is_said_with_its_file_and_what_to_do(
    host: Host, monkeypatch: pytest.MonkeyPatch, bad: str
) -> None:
    with pytest.raises(Fault) as refused:
        named(host, monkeypatch, f"InitiatorName={bad}")
    assert refused.value.code is Code.BAD_CONFIGURATION
    assert f"{host.root}/initiatorname.iscsi" in refused.value.sentence
    assert "restart iscsid" in refused.value.sentence
