"""Under which names this machine reaches the SAN, as sysfs and open-iscsi's file have them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from helper import iscsi, scsi
from helper.settings import Settings
from instorage.wire.values import Iqn, Lun, Portal, VolumeUid
from instorage.wire.verbs import IscsiPath
from tests.helper.host import UID
from tests.helper.sysfs import TARGET

if TYPE_CHECKING:
    import pytest

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
