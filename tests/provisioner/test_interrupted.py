"""An active-active volume whose expansion was broken off is not deleted: three vdisks would stay.

The array is simulated behind real SSH. Of the API server nothing is needed but the one PV that it shows; the
whole deletion is tried with a real control plane in test_life.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from instorage.arrays.as18000 import As18000
from instorage.arrays.endpoint import Endpoint
from instorage.arrays.expansion import Step
from instorage.arrays.model import Level, VolumeSpec
from instorage.volume_name import VolumeName
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Bytes
from provisioner.census import Registrar
from provisioner.cluster import VOLUMES
from provisioner.deletion import Deletion
from provisioner.persistent_volume import MARK, PROVISIONED_BY, Names
from provisioner.wanting import Wanting
from simulator.array import Settings, Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from provisioner.arrays import Arrays
    from provisioner.cluster import Cluster
    from provisioner.events import Events

pytestmark = pytest.mark.slow
NAME = "pvc-aa"


class Site:
    """One array, one released PV; what is done to the PV is noted."""

    def __init__(self, array: As18000, simulator: Simulator) -> None:
        self.array, self.simulator = array, simulator
        self.gone: list[str] = []
        self.options = {"volLevel": "aa", "storageName": "storage-01"}
        self.volume_keys, self.storage = (), ()
        self.notes = {PROVISIONED_BY: Names().provisioner, MARK: "1"}
        cluster, arrays, events = cast("Cluster", self), cast("Arrays", self), cast("Events", self)
        wanting = Wanting(Registrar(cluster), arrays, events, "")
        self.deletion = Deletion(cluster, arrays, events, Names(), wanting)

    @property
    def volume(self) -> dict[str, Any]:
        return {
            "metadata": {
                "name": NAME,
                "uid": "1",
                "resourceVersion": "1",
                "annotations": self.notes,
            },
            "spec": {
                "persistentVolumeReclaimPolicy": "Delete",
                "flexVolume": {"options": self.options},
                "claimRef": {"namespace": "default", "name": "data", "uid": "of-a-claim-that-is-gone"},
            },
            "status": {"phase": "Released"},
        }

    def get(self, what: str | None) -> Any:
        return self.array if what == "storage-01" else self.volume

    def configuration(self) -> Any:
        return self

    def pages(self, path: str) -> Any:
        yield ([self.volume] if path == VOLUMES else []), "1"

    def patch(self, path: str, body: Any) -> Any:
        self.notes |= body["metadata"]["annotations"]
        return self.volume

    def delete(self, path: str, uid: str) -> None:
        self.gone.append(path)

    def say(self, event: object) -> None:
        pass

    def vdisks(self) -> int:
        return len(self.simulator.control.do("volumes"))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Simulator(Settings(tmp_path / "array", tmp_path / "control")) as simulator:
        host, _, port = simulator.address.rpartition(":")
        endpoint = Endpoint("storage-01", host, int(port), "superuser", lambda: "passw0rd")
        array = As18000(endpoint, tmp_path / "known_hosts")
        array.create_volume(
            VolumeSpec(VolumeName(NAME), Bytes(1 << 30), ("Pool0", "Pool1"), Level.ACTIVE_ACTIVE, ("0", "1"))
        )
        yield Site(array, simulator)
        array.close()


@pytest.mark.parametrize("vendors", [True, False], ids=["a PV without a UID", "our PV"])
@pytest.mark.parametrize("step", [Step.UNTIE, Step.GROW_MASTER, Step.TIE])
def test_an_interrupted_active_active_volume_is_kept_with_the_way_to_its_plan(
    site: Site, vendors: bool, step: Step
) -> None:
    seen = site.array.active_active(VolumeName(NAME))
    if not vendors:
        site.options["volumeUid"] = str(seen.members[0].uid)
    site.array._cli.operate("rmrcrelationship", seen.members[0].id)
    if step is Step.GROW_MASTER:
        site.array._cli.operate("expandvdisksize", "-size", "1", "-unit", "gb", NAME)
    if step is Step.TIE:
        ends = ("-master", NAME, "-aux", seen.members[1].name, "-cluster", "mcs1")
        site.array._cli.operate("mkrcrelationship", *ends, "-activeactive")
    with pytest.raises(Fault, match=f"instoragectl barrier plan {NAME}") as caught:
        site.deletion.run(site.volume)
    assert caught.value.code is Code.VOLUME_NOT_READY
    assert site.vdisks() == 4
    assert site.gone == []


def test_a_whole_one_is_deleted_and_a_missing_one_was(site: Site) -> None:
    site.deletion.run(site.volume)
    assert site.vdisks() == 0
    site.deletion.run(site.volume)
    assert len(site.gone) == 2
