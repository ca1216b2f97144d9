"""Keys and what they sign: a provisioner that no node would believe says so; older PVs can be adopted."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from instorage.tenancy.adopted import parse_line
from instorage.tenancy.grant import Grant
from instorage.tenancy.signature import SigningKey, verified
from provisioner.cluster import VOLUMES, Refusal
from tests.provisioner.program import ROOT, takes_pods

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from provisioner.cluster import Cluster, Object
    from tests.provisioner.world import World

pytestmark = pytest.mark.kube
DRIVER = "inspur/instorage-flexvolume"
PODS = "/api/v1/namespaces/default/pods?dryRun=All"


def listed(world: World, *lines: str) -> None:
    """Put these lines under host.volumeKey of the provisioner's configuration."""
    text = world.configuration.read_text()
    before, _, storage = text.partition("storage:")
    del before
    host = "host:\n  link: iscsi\n  volumeKey:\n" + "".join(f"  - {line}\n" for line in lines)
    world.configuration.write_text(f"{host}storage:{storage}")


def line_of(world: World) -> str:
    """The public line of the world's provisioner."""
    return SigningKey.load(world.directory / "state" / "volume.key").public_line


def stranger(world: World) -> str:
    return SigningKey.load(world.directory / "stranger.key").public_line


def test_the_public_line_is_printed_at_the_first_start_and_at_each_later_one(world: World) -> None:
    world.array()
    for _ in range(2):
        program = world.start("-v=0")
        program.says("This provisioner works")
        assert f"the line for host.volumeKey on the nodes is {line_of(world)}" in program.log
        program.stop()


def test_a_provisioner_whose_line_is_not_listed_says_so_in_journal_and_event(world: World) -> None:
    world.array()
    listed(world, stranger(world))
    program = world.start()
    program.says("That line is not under host.volumeKey in")
    name = world.claim(world.storage_class())
    world.bound(name)
    world.says(name, "Warning VolumeKeyNotListed Nodes refuse this volume: " + line_of(world))
    listed(world, stranger(world), line_of(world))
    other = world.claim(world.storage_class())
    world.bound(other)
    world.says(other, "ProvisioningSucceeded")
    assert "VolumeKeyNotListed" not in world.said(other), "the file is read anew"


def test_a_provisioner_whose_line_is_listed_says_nothing(world: World) -> None:
    world.array()
    listed(world, stranger(world), line_of(world))
    program = world.start()
    name = world.claim(world.storage_class())
    world.bound(name)
    world.says(name, "ProvisioningSucceeded")
    assert "VolumeKeyNotListed" not in world.said(name)
    assert "That line is not under" not in program.log


def pod(**options: str) -> Object:
    volume = {"name": "v", "flexVolume": {"driver": DRIVER, "options": options}}
    spec = {"containers": [{"name": "c", "image": "nginx"}], "volumes": [volume]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "author"}, "spec": spec}


def test_no_pod_can_write_its_namespace_into_the_options(api: Cluster) -> None:
    """The node believes this key of kubelet's, and an option of that name would win over kubelet's own."""
    takes_pods(api, "default")
    assert api.create(PODS, pod(claimNamespace="team-a"))["spec"]["volumes"][0]["flexVolume"]
    for key in ("kubernetes.io/pod.namespace", "Kubernetes.io/pod.namespace"):
        with pytest.raises(Refusal, match="namespaces are reserved"):
            api.create(PODS, pod(**{key: "team-a"}))


class Before:
    """PVs that no provisioner of this kind has made."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._made: list[Object] = []

    def remove(self) -> None:
        for made in self._made:
            self.world.api.delete(f"{VOLUMES}/{made['metadata']['name']}", made["metadata"]["uid"])

    def volume(self, name: str, namespace: str | None, driver: str = DRIVER, **options: str) -> str:
        """Write a PV by hand, with its volume on the array; return the volume's UID."""
        self.world.run(f"mcsop mkvdisk -name {name} -mdiskgrp Pool0 -size 1 -unit gb -iogrp 0")
        self.pv(name, namespace, driver, **options)
        return self.uid(name)

    def pv(self, name: str, namespace: str | None, driver: str = DRIVER, **options: str) -> None:
        spec: dict[str, Any] = {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "flexVolume": {"driver": driver, "options": options},
        }
        if namespace:
            spec["claimRef"] = {
                "apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": namespace, "name": name,
            }  # fmt: skip
        body = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec}
        self._made.append(self.world.api.create(VOLUMES, body))

    def uid(self, name: str) -> str:
        (uid,) = [row["uid"].lower() for row in self.world.do("volumes") if row["name"] == name]
        return str(uid)

    def adopt(self, kubeconfig: Path, *more: str) -> subprocess.CompletedProcess[str]:
        state = self.world.directory / "state"
        return subprocess.run(
            [
                sys.executable, "-m", "provisioner.ctl", "adopt", "--kubeconfig", str(kubeconfig),
                "--config", str(self.world.configuration), *more,
            ],
            cwd=ROOT, capture_output=True, text=True, timeout=50, check=False,
            env=os.environ | {"STATE_DIRECTORY": str(state)},
        )  # fmt: skip


@pytest.fixture
def before(world: World) -> Iterator[Before]:
    world.array()
    made = Before(world)
    yield made
    made.remove()


def test_adopt_prints_a_signed_line_for_each_pv_without_a_signature(
    world: World, before: Before, kubeconfig: Path
) -> None:
    driver = f"inspur/driver-{world.number}"
    world.start("-flex-volume-driver-name", driver).says("Array storage-01 has 0 volume(s)")
    world.bound(world.claim(world.storage_class()))  # signed: not to be adopted
    vendors = before.volume(f"pvc-vendors-{world.number}", "team-a", driver, volPoolName="Pool0")
    by_hand = before.volume(f"by-hand-{world.number}", "team-b", driver, storageName="storage-01")
    before.volume(f"others-{world.number}", "team-a", "example/other")
    before.volume(f"unbound-{world.number}", None, driver)
    done = before.adopt(kubeconfig, "--driver", driver)
    assert done.returncode == 0, done.stderr
    lines = [parse_line(line) for line in done.stdout.splitlines()]
    assert [signed.grant for signed in lines] == [
        Grant(f"by-hand-{world.number}", by_hand, "storage-01", "team-b"),
        Grant(f"pvc-vendors-{world.number}", vendors, "storage-01", "team-a"),
    ]
    assert all(verified([line_of(world)], signed.grant, signed.signature) for signed in lines)
    assert f"PV unbound-{world.number} belongs to no claim yet" in done.stderr
    assert line_of(world) in done.stderr
    assert before.adopt(kubeconfig, "--driver", driver).stdout == done.stdout, "the same again"


def test_adopt_leaves_out_what_the_array_does_not_have_and_goes_on(
    world: World, before: Before, kubeconfig: Path
) -> None:
    driver = f"inspur/driver-{world.number}"
    SigningKey.load(world.directory / "state" / "volume.key")
    before.pv(f"gone-{world.number}", "team-a", driver)
    before.pv(f"nowhere-{world.number}", "team-a", driver, storageName="storage-09")
    before.volume(f"there-{world.number}", "team-a", driver)
    done = before.adopt(kubeconfig, "--driver", driver)
    assert done.returncode == 1
    assert [parse_line(line).grant.volume for line in done.stdout.splitlines()] == [f"there-{world.number}"]
    assert f"PV gone-{world.number} is left out: Array storage-01 has no volume" in done.stderr
    assert "'storage-09' is not in" in done.stderr


def test_adopt_needs_the_key_and_the_cluster(world: World, before: Before, kubeconfig: Path) -> None:
    done = before.adopt(kubeconfig)
    assert done.returncode == 1
    assert "volume.key that signs volumes cannot be used" in done.stderr
    assert not (world.directory / "state").exists()
    SigningKey.load(world.directory / "state" / "volume.key")
    away = world.directory / "kubeconfig"
    text = kubeconfig.read_text()
    away.write_text(text.replace(text.split("https://127.0.0.1:")[1].split('"')[0], "9"))
    done = before.adopt(away)
    assert done.returncode == 1
    assert "the PVs cannot be read" in done.stderr
    assert "Traceback" not in done.stderr
