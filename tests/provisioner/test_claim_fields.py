"""Every field that changes what a user gets is honoured or refused by its name, none left out in silence."""

from __future__ import annotations

from typing import Any

import pytest

from instorage.wire.fault import Code, Fault
from provisioner.claims import wanted
from tests.provisioner.test_claims import CLASS, claim


def refused(asked: dict[str, Any], storage_class: dict[str, Any], name: str) -> str:
    with pytest.raises(Fault, match=name) as caught:
        wanted(asked, storage_class)
    assert caught.value.code is Code.NOT_SUPPORTED
    return caught.value.sentence


@pytest.mark.parametrize(
    "source",
    [
        {"apiGroup": "hello.example.com", "kind": "Hello", "name": "h"},
        {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "s", "namespace": "other"},
        {"kind": "PersistentVolumeClaim", "name": "c"},
    ],
    ids=["a populator's", "a snapshot in another namespace", "a claim"],
)
def test_a_claim_that_is_to_be_filled_from_somewhere_gets_no_empty_volume(source: dict[str, str]) -> None:
    refused(claim(dataSourceRef=source), CLASS, "dataSourceRef")


def test_attributes_of_a_volume_are_refused_by_name() -> None:
    refused(claim(volumeAttributesClassName="gold"), CLASS, "volumeAttributesClassName")


def test_a_field_that_is_newer_than_this_program_is_refused_by_name() -> None:
    refused(claim(colour="red"), CLASS, "does not know the field colour")
    refused(claim(), CLASS | {"colour": "red"}, "StorageClass thin has the field colour")


def test_a_class_for_certain_places_is_refused() -> None:
    topology = [{"matchLabelExpressions": [{"key": "zone", "values": ["a"]}]}]
    refused(claim(), CLASS | {"allowedTopologies": topology}, "StorageClass thin has allowedTopologies")


def test_a_limit_that_whole_gibs_would_exceed_is_refused_and_one_that_fits_is_kept() -> None:
    asked = {"requests": {"storage": "1500Mi"}, "limits": {"storage": "1600Mi"}}
    assert "2Gi here" in refused(claim(resources=asked), CLASS, "limits.storage is 1600Mi")
    assert wanted(claim(resources=asked | {"limits": {"storage": "2Gi"}}), CLASS)


def test_fields_that_are_there_and_say_nothing_are_served() -> None:
    assert wanted(claim(selector={}, dataSource=None, volumeMode="Filesystem", volumeName=""), CLASS)
    allowed = {"kind": "StorageClass", "allowVolumeExpansion": True, "mountOptions": []}
    assert wanted(claim(), CLASS | allowed | {"volumeBindingMode": "Immediate"})
