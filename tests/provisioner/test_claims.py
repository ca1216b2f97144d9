"""Which claims are served, and what is read from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from instorage.arrays.model import Level
from instorage.wire.fault import Fault
from provisioner.claims import as_quantity, is_ours, quantity, requested, wanted

ROOT = Path(__file__).resolve().parents[2]
OURS = "inspur/instorage"
CLASS: dict[str, Any] = {
    "metadata": {"name": "thin"},
    "provisioner": OURS,
    "parameters": {"volPoolName": "Pool0"},
}
BETA = "volume.beta.kubernetes.io/storage-provisioner"
STABLE = "volume.kubernetes.io/storage-provisioner"


def claim(notes: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "c",
            "namespace": "default",
            "uid": "2b2c9d47-29c7-4f8e-9a40-8a3c7b16a6f1",
            "annotations": {BETA: OURS} if notes is None else notes,
        },
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "thin",
            "resources": {"requests": {"storage": "1Gi"}},
        }
        | spec,
    }


@pytest.mark.parametrize("note", [BETA, STABLE])
def test_a_claim_with_either_annotation_is_served(note: str) -> None:
    assert is_ours(claim({note: OURS}), CLASS, OURS)


def test_who_is_not_served() -> None:
    assert not is_ours(claim({}), CLASS, OURS)
    assert not is_ours(claim({BETA: "other/one"}), CLASS, OURS)
    assert not is_ours(claim(), CLASS | {"provisioner": "other/one"}, OURS)
    assert not is_ours(claim(), None, OURS)
    assert not is_ours(claim(volumeName="pvc-1"), CLASS, OURS)
    going = claim()
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert not is_ours(going, CLASS, OURS)


def test_a_claim_that_waits_for_its_first_pod_is_served_once_a_node_is_chosen() -> None:
    waiting = CLASS | {"volumeBindingMode": "WaitForFirstConsumer"}
    assert not is_ours(claim(), waiting, OURS)
    assert is_ours(claim({BETA: OURS, "volume.kubernetes.io/selected-node": "n1"}), waiting, OURS)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1Gi", 1 << 30),
        ("1.5Gi", 3 << 29),
        ("500M", 500_000_000),
        ("1e9", 10**9),
        ("4096", 4096),
        ("1Ti", 1 << 40),
    ],
)
def test_quantities_are_read_as_kubernetes_writes_them(text: str, size: int) -> None:
    assert quantity(text) == size


@given(st.integers(min_value=1, max_value=1 << 59))
def test_a_size_is_written_so_that_it_is_read_back_exactly(size: int) -> None:
    assert quantity(as_quantity(size)) == size


def test_a_size_between_sectors_is_rounded_up() -> None:
    assert requested(claim(resources={"requests": {"storage": "1000"}})) == 1024


def test_every_shipped_storage_class_is_accepted() -> None:
    shipped = list(yaml.safe_load_all((ROOT / "deploy/storageclasses.yaml").read_text()))
    kinds = {document["metadata"]["name"]: wanted(claim(), document).kind for document in shipped}
    assert {kind.level for kind in kinds.values()} == set(Level)
    assert {document["provisioner"] for document in shipped} == {OURS}
    assert kinds["instorage-thin"].provisioning.thin
    assert not kinds["instorage-thick"].provisioning.thin


@pytest.mark.parametrize(
    "spec",
    [
        {"volumeMode": "Block"},
        {"selector": {"matchLabels": {}, "matchExpressions": [{}]}},
        {"dataSource": {"kind": "VolumeSnapshot", "name": "s"}},
        {"accessModes": ["ReadWriteMany"]},
        {"accessModes": ["ReadWriteOnce", "ReadWriteMany"]},
    ],
)
def test_what_a_flexvolume_cannot_give_is_refused(spec: dict[str, Any]) -> None:
    with pytest.raises(Fault, match="The claim is not served"):
        wanted(claim(**spec), CLASS)


def test_a_class_with_mount_options_is_refused_since_no_pod_could_mount_its_volumes() -> None:
    named = CLASS | {"metadata": {"name": "fast"}, "mountOptions": ["noatime"]}
    with pytest.raises(Fault, match="StorageClass fast has mountOptions"):
        wanted(claim(), named)
