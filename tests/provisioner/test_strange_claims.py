"""A real API server takes strange sizes, names and refusals; the provisioner lives with them, and says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from provisioner.cluster import VOLUMES, Cluster, Refusal
from provisioner.lease import leases
from provisioner.lease_name import lease_name
from provisioner.persistent_volume import FINALIZER, PROVISIONED_BY
from tests.provisioner.conftest import may_renew
from tests.provisioner.program import until
from tests.provisioner.world import CLAIMS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from provisioner.cluster import Object
    from tests.provisioner.world import World

pytestmark = pytest.mark.kube
HOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"


def test_a_claim_enlarged_beyond_all_measure_is_told_so_and_others_are_served(served: World) -> None:
    class_name = served.storage_class(allowVolumeExpansion=True)
    name = served.claim(class_name)
    served.bound(name)
    served.api.patch(served.claim_path(name), {"spec": {"resources": {"requests": {"storage": "1Ei"}}}})
    served.says(name, "The volume cannot grow to 1Ei now")
    served.bound(served.claim(class_name))
    served.programs[0].stop()
    served.start().says("This provisioner works")
    served.bound(served.claim(class_name))
    served.delete_claim(name)


@pytest.mark.parametrize("size", ["1Ei", "1m"])
def test_foreign_claims_of_any_size_are_nothing_to_it(served: World, size: str) -> None:
    foreign = by_hand(served, f"foreign-{served.number}", size)
    served.bound(foreign, 45)  # kube-controller-manager looks at such a pair every 15 s
    grown = {"status": {"capacity": {"storage": size}}}
    served.api.patch(f"{served.claim_path(foreign)}/status", grown)
    name = served.claim(served.storage_class())
    served.bound(name)
    served.programs[0].stop()
    served.start().says("This provisioner works")
    served.bound(served.claim(served.storage_class()))
    assert "does not understand" not in served.programs[-1].log
    served.delete_claim(foreign)
    remove(served.api, f"{VOLUMES}/foreign-{served.number}")


def by_hand(world: World, name: str, size: str) -> str:
    """Make a PV of another driver and a claim for it, both of this size."""
    spec = {
        "capacity": {"storage": size},
        "accessModes": ["ReadWriteOnce"],
        "nfs": {"server": "a", "path": "/"},
    }
    kind: Object = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}}
    world.api.create(VOLUMES, kind | {"spec": spec | {"storageClassName": "nobody"}})
    return world.claim("nobody", size, volumeName=name)


def remove(api: Cluster, path: str) -> None:
    found = api.get(path)
    if found is not None:
        api.delete(path, found["metadata"]["uid"])


def test_a_new_claim_of_any_size_is_refused_by_name(served: World) -> None:
    name = served.claim(served.storage_class(), "1Ei")
    served.says(name, "Warning ProvisioningFailed")
    served.bound(served.claim(served.storage_class()))


def test_a_pv_that_the_api_server_refuses_is_said_on_its_claim(served: World) -> None:
    class_name = served.storage_class()
    served.bound(served.claim(class_name))
    hook = {
        "name": "none.example.com",
        "clientConfig": {"url": "https://127.0.0.1:1/none"},
        "rules": [
            {
                "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"],
                "resources": ["persistentvolumes"],
            }
        ],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }  # fmt: skip
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}
    name = f"hook-{served.number}"
    served.api.create(HOOKS, kind | {"metadata": {"name": name}, "webhooks": [hook]})
    try:
        until(lambda: refused(served.api), what="the hook is in force")
        claim = served.claim(class_name)
        served.says(claim, "none.example.com")
        said = served.said(claim)
        assert "The API server refuses POST /api/v1/persistentvolumes (500)" in said
        assert "look at webhooks, quotas and the rights" in said
    finally:
        remove(served.api, f"{HOOKS}/{name}")
    served.bound(claim, 40)
    assert len(served.names()) == 2


def refused(api: Cluster) -> bool:
    try:
        api.create(f"{VOLUMES}?dryRun=All", pv("trial"))
    except Refusal as refusal:
        return "none.example.com" in str(refusal)
    return False


def pv(name: str, **metadata: Any) -> Object:
    spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"]}
    driver = {"flexVolume": {"driver": "inspur/instorage-flexvolume"}}
    body = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name} | metadata}
    return body | {"spec": spec | driver}


def test_a_pv_whose_annotation_was_removed_says_why_it_stays_and_the_mend_helps(served: World) -> None:
    name = served.claim(served.storage_class())
    volume = served.bound(name)["metadata"]["name"]
    served.api.patch(f"{VOLUMES}/{volume}", {"metadata": {"annotations": {PROVISIONED_BY: None}}})
    served.delete_claim(name)
    remove(served.api, f"{VOLUMES}/{volume}")
    served.says(volume, "Warning VolumeDeletionStuck The finalizer inspur.com/instorage keeps this PV")
    assert FINALIZER in (served.volume(volume) or {})["metadata"]["finalizers"]
    note = {"metadata": {"annotations": {PROVISIONED_BY: served.provisioner}}}
    served.api.patch(f"{VOLUMES}/{volume}", note)
    until(lambda: served.volume(volume) is None, what="the PV is gone")
    assert served.names() == []


@pytest.mark.parametrize("form", ["Inspur/in_storage-{}", "inspur/{:x<63}", "UPPER{}"])
def test_every_name_that_a_class_takes_for_a_provisioner_works(world: World, form: str) -> None:
    world.provisioner = form.format(world.number)
    may_renew(world.api, lease_name(world.provisioner))
    world.array()
    world.start().says("Array storage-01 has 0 volume(s)")
    name = world.claim(world.storage_class())
    volume = world.bound(name)["metadata"]
    assert volume["annotations"][PROVISIONED_BY] == world.provisioner
    world.delete_claim(name)
    until(lambda: world.volume(volume["name"]) is None, what="the PV is gone")


@pytest.mark.parametrize("end", ["-", "."])
def test_a_claim_of_the_longest_name_has_events(served: World, end: str) -> None:
    name = f"{'a' * 229}{end}{'b' * 5}{end}{served.number:0>17}"  # 253 characters
    plain = served.claim(served.storage_class())
    body = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}}
    spec = {key: value for key, value in served.get_claim(plain)["spec"].items() if key != "volumeName"}
    served.api.create(CLAIMS, body | {"spec": spec})
    served.bound(name)
    served.says(name, "ProvisioningSucceeded")


def test_the_account_may_touch_no_lease_but_its_own(served: World, kubeconfig: Path) -> None:
    account = Cluster(kubeconfig)
    kinds = leases("kube-system")
    other = f"other-{served.number}"
    lease: Object = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": other}}
    made = served.api.create(kinds, lease | {"spec": {"holderIdentity": "kube-scheduler"}})
    acts: tuple[Callable[[], object], ...] = (
        lambda: account.get(f"{kinds}/{other}"),
        lambda: account.replace(f"{kinds}/{other}", made | {"spec": {"holderIdentity": "me"}}),
    )
    for act in acts:
        with pytest.raises(Refusal) as refusal:
            act()
        assert refusal.value.status == 403
    assert account.get(served.lease) is not None
