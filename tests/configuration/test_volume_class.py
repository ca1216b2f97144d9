"""The parameters of a StorageClass: the manual's classes pass, a wrong word is refused by name."""

from __future__ import annotations

import pytest

from instorage.arrays.model import Level, Provisioning
from instorage.volume_class import VolumeClass
from instorage.volume_name import VolumeName
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Bytes

AA = {"volLevel": "aa", "volPoolName": "P0", "volAuxPoolName": "P1", "volIOGrp": "0", "volAuxIOGrp": "1"}
THIN = {
    "volPoolName": "Pool1",
    "volThin": "true",
    "volThinResize": "2",
    "volThinGrainSize": "256",
    "volThinWarning": "80",
}


def test_the_manuals_thick_and_thin_classes_are_understood() -> None:
    thick = VolumeClass.parse({"volPoolName": "Pool1"})
    assert (thick.level, thick.pools, thick.io_groups) == (Level.BASIC, ("Pool1",), ())
    assert (thick.provisioning, thick.fs_type, thick.storage_name) == (Provisioning(), "ext4", None)
    thin = VolumeClass.parse(THIN)
    assert thin.provisioning == Provisioning(
        thin=True, initial_percent=2, grain_kib=256, warning_percent=80, auto_expand=True
    )


def test_two_copies_need_two_pools_and_two_sites_two_groups() -> None:
    assert VolumeClass.parse(AA).io_groups == ("0", "1")
    mirror = VolumeClass.parse({"volLevel": "mirror", "volPoolName": "P0", "volAuxPoolName": "P1"})
    assert (mirror.level, mirror.pools) == (Level.MIRROR, ("P0", "P1"))
    for key in AA.keys() - {"volLevel"}:
        with pytest.raises(Fault, match=f"Parameter {key} is missing"):
            VolumeClass.parse({name: value for name, value in AA.items() if name != key})


def test_compression_implies_thin_and_growth_can_be_switched_off() -> None:
    found = VolumeClass.parse(
        {"volPoolName": "P", "volCompress": "True", "volAutoExpand": "false"}
    ).provisioning
    assert (found.thin, found.compressed, found.auto_expand) == (True, True, False)


def test_a_class_with_a_name_and_a_size_is_a_volume() -> None:
    spec = VolumeClass.parse(AA | {"storageName": "east"}).spec(VolumeName("pvc-1"), Bytes(1 << 30))
    assert (spec.name, spec.size, spec.level, spec.pools) == (
        "pvc-1",
        1 << 30,
        Level.ACTIVE_ACTIVE,
        ("P0", "P1"),
    )


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("volThni", "true", "Parameter volThni is not known: did you mean volThin?"),
        ("zzz\n", "", "Parameter zzz? is not known"),
        ("volThin", "yes", "Parameter volThin is 'yes': allowed are true and false"),
        ("volLevel", "raid5", "allowed are basic, mirror, aa"),
        ("volThinResize", "101", "allowed are 0 to 100"),
        ("volThinResize", "2%", "allowed are 0 to 100"),
        ("volThinWarning", "0", "allowed are 1 to 99"),
        ("volThinGrainSize", "100", "allowed are 32, 64, 128, 256"),
        ("provisioner/fsType", "btrfs", "allowed are ext4, ext3, xfs"),
        ("volAuxPoolName", "P1", "is for volLevel mirror or aa"),
        ("volAuxIOGrp", "1", "is for volLevel aa"),
        ("volPoolName", "", "Parameter volPoolName is missing"),
        ("volPoolName", "P0:P1", "without colons"),
        ("volPoolName", "P" * 64, "1 to 63 characters"),
    ],
)
def test_a_wrong_parameter_is_named_with_what_is_allowed(key: str, value: str, said: str) -> None:
    with pytest.raises(Fault) as caught:
        VolumeClass.parse({"volPoolName": "P0"} | {key: value})
    assert caught.value.code == Code.BAD_REQUEST
    assert said in caught.value.sentence


def test_a_parameter_of_the_other_family_is_not_supported_yet() -> None:
    with pytest.raises(Fault, match="devKind is for an AS13000") as caught:
        VolumeClass.parse({"devKind": "block"})
    assert caught.value.code == Code.NOT_SUPPORTED
