"""deploy/podsecuritypolicy.yaml on a real control plane that enforces it: claims yes, inline volumes no."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from provisioner.cluster import Cluster, Refusal
from tests.provisioner.manifests import create, documents
from tests.provisioner.program import takes_pods, until
from tools.kube.control_plane import ControlPlane

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.cluster import Object

pytestmark = pytest.mark.kube
DRIVER = "inspur/instorage-flexvolume"
CORE = "/api/v1/namespaces"
POLICIES = "/apis/policy/v1beta1/podsecuritypolicies"


class Tenant:
    """A namespace whose user may make pods and nothing else."""

    def __init__(self, plane: ControlPlane, admin: Cluster, name: str) -> None:
        self.name = name
        self.admin = admin
        self.roles = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{name}"
        admin.create(CORE, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "author"}}
        admin.create(f"{CORE}/{name}/serviceaccounts", account)
        rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["create", "get", "delete"]}]
        role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "author"}}
        admin.create(f"{self.roles}/roles", role | {"rules": rules})
        self.bind("Role", "author")
        self.user = Cluster(plane.kubeconfig(f"author-{name}", until(self._token, what="the author's token")))
        takes_pods(admin, name)

    def bind(self, kind: str, role: str) -> None:
        subjects = [{"kind": "ServiceAccount", "name": "author", "namespace": self.name}]
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role}
        body = {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": role}, "roleRef": reference, "subjects": subjects,
        }  # fmt: skip
        self.admin.create(f"{self.roles}/rolebindings", body)

    def _token(self) -> str:
        found, _ = self.admin.objects(f"{CORE}/{self.name}/secrets")
        mine = [one for one in found if one["metadata"]["name"].startswith("author-token")]
        return base64.b64decode(mine[0]["data"]["token"]).decode() if mine and mine[0].get("data") else ""

    def pod(self, name: str, volume: Object) -> Object:
        """Have the user make a pod with this volume."""
        container = {
            "name": "c", "image": "nginx", "volumeMounts": [{"name": "v", "mountPath": "/v"}],
            "securityContext": {"allowPrivilegeEscalation": False},
        }  # fmt: skip
        spec = {"containers": [container], "volumes": [{"name": "v", **volume}]}
        pods = f"{CORE}/{self.name}/pods"
        return self.user.create(
            pods, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
        )

    def accepted(self, name: str, volume: Object) -> None:
        """Wait until such a pod is accepted: RBAC and policies reach the admission plugin a moment later."""

        def made() -> bool:
            try:
                self.pod(name, volume)
            except Refusal as refusal:
                assert refusal.status == 403, refusal
                return False
            return True

        until(made, what=f"pod {name} is accepted")


def inline(driver: str = DRIVER) -> dict[str, Any]:
    return {"flexVolume": {"driver": driver, "fsType": "ext4", "options": {"storageName": "storage-01"}}}


CLAIM: dict[str, Any] = {"persistentVolumeClaim": {"claimName": "data"}}


@pytest.fixture(scope="module")
def enforcing() -> Iterator[ControlPlane]:
    """A control plane with the admission plugin, and the manifest's policies."""
    with ControlPlane(admission=("PodSecurityPolicy",)) as plane:
        admin = Cluster(plane.kubeconfig("admin"))
        for document in documents("podsecuritypolicy.yaml"):
            create(admin, document)
        yield plane


@pytest.fixture(scope="module")
def admin(enforcing: ControlPlane) -> Cluster:
    return Cluster(enforcing.kubeconfig("admin"))


def test_a_pod_of_an_ordinary_user_gets_a_volume_through_its_claim_alone(
    enforcing: ControlPlane, admin: Cluster
) -> None:
    tenant = Tenant(enforcing, admin, "tenant")
    tenant.accepted("with-claim", CLAIM)
    with pytest.raises(Refusal, match="inspur/instorage-flexvolume") as refusal:
        tenant.pod("inline", inline())
    assert refusal.value.status == 403
    assert "Flexvolume driver is not allowed to be used" in str(refusal.value)
    with pytest.raises(Refusal, match="hostPath volumes are not allowed"):
        tenant.pod("host", {"hostPath": {"path": "/dev"}})


def test_the_list_of_drivers_is_what_refuses(enforcing: ControlPlane, admin: Cluster) -> None:
    tenant = Tenant(enforcing, admin, "others")
    tenant.accepted("another-driver", inline("example.com/none"))
    with pytest.raises(Refusal, match="Flexvolume driver is not allowed"):
        tenant.pod("inline", inline())
    policy = admin.get(f"{POLICIES}/instorage-claims-only")
    assert policy is not None
    admin.patch(f"{POLICIES}/instorage-claims-only", {"spec": {"allowedFlexVolumes": [{"driver": DRIVER}]}})
    tenant.accepted("inline", inline())
    allowed = policy["spec"]["allowedFlexVolumes"]
    admin.patch(f"{POLICIES}/instorage-claims-only", {"spec": {"allowedFlexVolumes": allowed}})


def test_a_namespace_can_be_given_direct_use(enforcing: ControlPlane, admin: Cluster) -> None:
    tenant = Tenant(enforcing, admin, "direct")
    tenant.accepted("with-claim", CLAIM)
    tenant.bind("ClusterRole", "instorage-direct")
    tenant.accepted("inline", inline())
