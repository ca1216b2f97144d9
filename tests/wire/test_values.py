"""Values from a peer are taken exactly, or refused by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instorage.volume_name import VolumeName
from instorage.wire.fault import Code, Fault
from instorage.wire.values import (
    Bytes,
    FsType,
    Iqn,
    Lun,
    MountOption,
    Portal,
    RequestId,
    VolumeUid,
    Wwpn,
)

UID = "60050760008989C0D00000000002C485"
TEXTS = (VolumeUid, Iqn, Wwpn, VolumeName, RequestId, FsType, MountOption)


def test_a_uid_is_stored_as_linux_prints_it() -> None:
    uid = VolumeUid.parse(UID)
    assert uid == UID.lower()


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (VolumeUid, UID[:-1]),
        (VolumeUid, "3" + UID[1:]),
        (VolumeUid, UID + "\n"),
        (VolumeUid, UID.replace("0", "０", 1)),  # a full-width zero
        (Iqn, "-iqn.2004-12.com.inspur:mcs"),
        (Iqn, "iqn.2004-12.com.inspur:mcs node1"),
        (Iqn, "iqn.2004-12.com.inspur:" + "a" * 300),
        (VolumeName, "a" * 64),
        (VolumeName, "7seven"),
        (VolumeName, "../etc"),
        (VolumeName, "a b"),
        (VolumeName, "a\0b"),
        (VolumeName, ""),
        (FsType, "fuse.sshfs"),
        (FsType, "-t ext4"),
        (FsType, "ext4 "),
        (MountOption, "suid"),
        (MountOption, "noatime,dev"),
        (MountOption, "bind"),
        (MountOption, "context=x"),
        (MountOption, "context=system_u:object_r:container_file_t:s0,suid"),
        (MountOption, 'context="system_u:object_r:container_file_t:s0"'),
        (MountOption, "fscontext=system_u:object_r:container_file_t:s0"),
        (MountOption, "context=system_u:system_r:container_t:s0"),
        (RequestId, "abc\ndef"),
    ],
)
def test_what_does_not_belong_is_refused_by_name(kind: type, text: str) -> None:
    with pytest.raises(Fault) as refused:
        kind.parse(text)  # type: ignore[attr-defined]
    assert refused.value.code is Code.BAD_REQUEST
    assert "\n" not in refused.value.sentence


@pytest.mark.parametrize("kind", TEXTS)
@given(text=st.one_of(st.text(), st.integers(), st.none(), st.lists(st.text())))
def test_anything_is_taken_or_refused_never_a_crash(kind: type, text: object) -> None:
    try:
        assert isinstance(kind.parse(text), str)  # type: ignore[attr-defined]
    except Fault as refused:
        assert refused.code is Code.BAD_REQUEST


@pytest.mark.parametrize("level", ["", ":s0", ":s0:c7", ":s0:c0.c1023"])
def test_a_label_for_all_that_is_in_a_volume_is_taken(level: str) -> None:
    option = f"context=system_u:object_r:container_file_t{level}"
    assert MountOption.parse(option) == option


def test_an_iscsi_name_keeps_its_spelling() -> None:
    assert Iqn.parse("iqn.1994-05.com.redhat:NODE_1") == "iqn.1994-05.com.redhat:NODE_1"


@pytest.mark.parametrize("text", ["10.9.0.1:3260", "[fd00::1]:3260"])
def test_a_portal_prints_as_it_was_written(text: str) -> None:
    assert str(Portal.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    ["10.9.0.1", "10.9.0.1:0", "10.9.0.1:65536", "array:3260", "fd00::1:3260", "10.9.0.999:1", ":1", 5],
)
def test_a_portal_needs_a_numeric_address_and_a_port(text: object) -> None:
    with pytest.raises(Fault):
        Portal.parse(text)


@pytest.mark.parametrize("number", [-1, 16384, True, "1", None, 1.0])
def test_a_lun_is_a_number_in_range(number: object) -> None:
    with pytest.raises(Fault):
        Lun.parse(number)


@pytest.mark.parametrize("number", [0, -512, 513, 1 << 60, True, "512"])
def test_a_size_is_whole_sectors(number: object) -> None:
    with pytest.raises(Fault):
        Bytes.parse(number)
