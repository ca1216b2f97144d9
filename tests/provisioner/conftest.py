"""A real control plane, simulated arrays over SSH, and the provisioner as a process with its own rights."""

from __future__ import annotations

import base64
import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from provisioner.cluster import CLASSES, VOLUMES, Cluster, Object, Refusal
from tests.provisioner.bench import Bench
from tests.provisioner.program import ROOT, until
from tests.provisioner.world import World
from tools.kube.control_plane import ControlPlane

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCOUNT = "instorage-provisioner"

PATHS = {
    "ServiceAccount": "/api/v1/namespaces/kube-system/serviceaccounts",
    "Secret": "/api/v1/namespaces/kube-system/secrets",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/kube-system/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/kube-system/rolebindings",
    "StorageClass": CLASSES,
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that wants the control plane is of the marker kube, whoever writes it."""
    for item in items:
        if "plane" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.kube)


@pytest.fixture
def bench() -> Iterator[Bench]:
    """The provisioner's parts over two arrays, and an API server in memory."""
    with tempfile.TemporaryDirectory() as directory:  # a control socket's path has a short limit
        bench = Bench(Path(directory))
        yield bench
        bench.close()


@pytest.fixture(scope="session")
def plane() -> Iterator[ControlPlane]:
    """The control plane, with more API calls a second for kcm: it binds 100 claims at once here."""
    with ControlPlane(requests=400) as plane:
        yield plane


@pytest.fixture(scope="session")
def api(plane: ControlPlane) -> Cluster:
    """The cluster as its administrator sees it, with the provisioner's role in place."""
    return administered(plane)


def administered(plane: ControlPlane) -> Cluster:
    """A cluster as its administrator sees it, once the provisioner's role is in place."""
    cluster = Cluster(plane.kubeconfig("admin"))
    for document in yaml.safe_load_all((ROOT / "deploy/provisioner-rbac.yaml").read_text()):
        cluster.create(PATHS[document["kind"]], document)
    return cluster


def may_renew(api: Cluster, lease: str) -> None:
    """Give the account the shipped Role's rights on this lease: each test's provisioner has its own."""
    documents = list(yaml.safe_load_all((ROOT / "deploy/provisioner-rbac.yaml").read_text()))
    role, binding = (next(d for d in documents if d["kind"] == kind) for kind in ("Role", "RoleBinding"))
    for rule in role["rules"]:
        if "resourceNames" in rule:
            rule["resourceNames"] = [lease]
    binding["roleRef"]["name"] = lease
    for document in (role, binding):
        document["metadata"]["name"] = lease
        api.create(PATHS[document["kind"]], document)


@pytest.fixture(scope="session")
def kubeconfig(plane: ControlPlane, api: Cluster) -> Path:
    """The kubeconfig of the provisioner's service account: its token, and so its rights alone."""
    return of_account(plane, api)


def of_account(plane: ControlPlane, api: Cluster) -> Path:
    """The kubeconfig of the provisioner's account in a cluster."""
    return plane.kubeconfig(ACCOUNT, until(lambda: token_of(api), what="the service account's token"))


def asked(plane: ControlPlane) -> list[dict[str, Any]]:
    """What the provisioner's account asked the API server for until now, as audit events."""
    user = f"system:serviceaccount:kube-system:{ACCOUNT}"
    return [event for event in plane.audited() if event["user"]["username"] == user]


def token_secrets(api: Cluster) -> list[Object]:
    """The secrets that hold a token of the provisioner's account."""
    found, _ = api.objects("/api/v1/namespaces/kube-system/secrets")
    note = "kubernetes.io/service-account.name"
    return [
        secret
        for secret in found
        if (secret["metadata"].get("annotations") or {}).get(note) == ACCOUNT
        and "token" in (secret.get("data") or {})
    ]


def token_of(api: Cluster) -> str:
    """The account's token, "" while there is none."""
    found = token_secrets(api)
    return base64.b64decode(found[0]["data"]["token"]).decode() if found else ""


@pytest.fixture
def leaves_no_pv(api: Cluster) -> Iterator[None]:
    """Simulated arrays count alike, so that a PV left here would be about the disk of a later test."""
    before = {found["metadata"]["uid"] for found in api.objects(VOLUMES)[0]}
    yield
    for found in api.objects(VOLUMES)[0]:
        if found["metadata"]["uid"] not in before:
            path = f"{VOLUMES}/{found['metadata']['name']}"
            api.patch(path, {"spec": {"persistentVolumeReclaimPolicy": "Retain"}})
            api.delete(path, found["metadata"]["uid"])
            with contextlib.suppress(Refusal):
                api.patch(path, {"metadata": {"finalizers": None}})


@pytest.fixture
def world(api: Cluster, kubeconfig: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    """A world without arrays and provisioners; the provisioners' logs are shown when the test fails."""
    with tempfile.TemporaryDirectory() as directory:  # a control socket's path has a short limit
        world = World(api, kubeconfig, Path(directory))
        may_renew(api, world.lease.rpartition("/")[2])
        yield world
        world.close()
        for program in world.programs:
            print(f"--- provisioner {program.pid}\n{program.log[-6000:]}")


@pytest.fixture
def served(world: World) -> World:
    """A world with an array and a provisioner that works."""
    world.array()
    world.start().says("Array storage-01 has 0 volume(s)")
    return world
