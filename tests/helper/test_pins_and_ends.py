"""Pins keep strange arrays out; what is here of an array that nobody pins any more can still be ended."""

from __future__ import annotations

import pytest

from helper.attach import attach
from helper.detach import detach
from helper.growth import rescan
from helper.settings import Settings
from instorage.wire.fault import Code, Fault
from instorage.wire.growth import RescanRequest
from instorage.wire.values import Bytes, Iqn, Lun, Portal, RequestId, VolumeUid
from instorage.wire.verbs import AttachRequest, DetachRequest, IscsiPath, Multipath
from tests.helper.host import UID, Host
from tests.helper.sysfs import GIB, TARGET

pytestmark = pytest.mark.subprocess
OP, VOLUME, SIZE = RequestId("test1"), VolumeUid.parse(UID), Bytes.parse(GIB)
PINNED = Settings(portals=("10.9.0.1:3260",), targets=(TARGET,), uid_prefixes=("6aa",))


@pytest.fixture
def attached(host: Host) -> Host:
    host.disk("sda", "0:0:0:1", UID)
    host.map(UID, "sda")
    return host


def test_a_volume_of_an_array_that_is_pinned_no_more_is_detached(attached: Host) -> None:
    assert len(detach(DetachRequest(OP, VOLUME, 4000), PINNED).removed) == 2


def test_it_may_be_read_again_to_its_size(attached: Host) -> None:
    assert rescan(RescanRequest(OP, VOLUME, SIZE, 4000), PINNED).paths == ("sda",)


def test_it_is_not_attached_anew(attached: Host) -> None:
    path = IscsiPath(Portal.parse("10.9.0.1:3260"), Iqn.parse(TARGET), Lun.parse(1))
    with pytest.raises(Fault) as refused:
        attach(AttachRequest(OP, VOLUME, SIZE, (path,), Multipath.PREFERRED, 4000), PINNED)
    assert refused.value.code is Code.NOT_ALLOWED
    assert attached.events == []
