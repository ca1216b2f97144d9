"""The API server restarted, a token exchanged, a lease lost or taken: one provisioner works, and goes on."""

from __future__ import annotations

import contextlib
import datetime
import time
from typing import TYPE_CHECKING

import pytest
from kubernetes.watch import Watch

from provisioner.cluster import CLASSES, Away, Cluster, Refusal
from provisioner.reflection import Reflection
from tests.provisioner.conftest import ACCOUNT, token_of, token_secrets
from tests.provisioner.program import until

if TYPE_CHECKING:
    from provisioner.cluster import Object
    from tests.provisioner.world import World
    from tools.kube.control_plane import ControlPlane

pytestmark = pytest.mark.kube


def new_token(api: Cluster) -> str:
    """Revoke the account's token and return the new one that kube-controller-manager makes."""
    secrets = "/api/v1/namespaces/kube-system/secrets"
    old = token_of(api)
    for secret in token_secrets(api):  # two, where the manager made one more before it saw the first
        api.delete(f"{secrets}/{secret['metadata']['name']}", secret["metadata"]["uid"])
    return str(until(lambda: (new := token_of(api)) != old and new, what="a new token"))


def test_one_of_two_works_and_the_other_takes_over_when_it_is_killed(served: World) -> None:
    second = served.start(state="second")
    second.says("this provisioner waits")
    class_name = served.storage_class()
    served.bound(served.claim(class_name))
    served.do("fault", command="mkvdisk", delay_after=30.0)
    name = served.claim(class_name)
    until(lambda: len(served.names()) == 2, what="the volume is made, the answer still to come")
    served.programs[0].kill()
    killed = time.monotonic()
    served.do("clear")
    second.says("This provisioner works", 25)
    assert time.monotonic() - killed < 20
    served.bound(name)
    assert len(served.names()) == 2


def test_a_lease_that_somebody_changed_or_removed_is_taken_again_and_one_given_away_is_waited_for(
    served: World,
) -> None:
    def lease() -> Object:
        return served.api.get(served.lease) or {"metadata": {}, "spec": {}}

    held = lease()["spec"]["holderIdentity"]
    served.api.patch(served.lease, {"metadata": {"annotations": {"seen": "yes"}}})
    changed = lease()["spec"]["renewTime"]
    until(lambda: lease()["spec"].get("renewTime", changed) > changed, what="it is renewed")
    assert lease()["metadata"]["annotations"]["seen"] == "yes"
    served.api.delete(served.lease, lease()["metadata"]["uid"])
    until(lambda: lease()["spec"].get("holderIdentity") == held, what="it is made again")
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")
    served.api.patch(
        served.lease, {"spec": {"holderIdentity": "another", "renewTime": now, "leaseDurationSeconds": 3600}}
    )
    served.programs[0].says("The lease is held by another: waiting for it again", 25)
    served.programs[0].says("another works; this provisioner waits")
    assert lease()["spec"]["holderIdentity"] == "another"


def test_the_api_server_may_be_restarted(served: World, plane: ControlPlane) -> None:
    class_name = served.storage_class()
    before = served.bound(served.claim(class_name))["metadata"]["name"]
    served.do("fault", command="mkvdisk", delay=2.0)
    during = served.claim(class_name)
    until(lambda: served.do("counters")["running"]["now"] == 1, what="a volume is being made")
    plane.end("kube-apiserver")
    until(lambda: served.do("counters")["running"]["now"] == 0, what="the volume is made")
    with pytest.raises((Away, Refusal)):
        served.get_claim(during)
    second = served.start(state="second")
    second.says("The lease cannot be read")
    plane.start_apiserver()
    with contextlib.suppress(KeyError):
        plane.end("kube-controller-manager")  # as an init system does that starts it again
    plane.start_manager()
    after = served.claim(class_name)
    volumes = {before, *(served.bound(name, 30)["metadata"]["name"] for name in (during, after))}
    assert served.names() == sorted(volumes)
    assert served.programs[0].running
    second.says("this provisioner waits")
    follows_from_long_ago(served.api, class_name)


def follows_from_long_ago(api: Cluster, class_name: str) -> None:
    """After its restart the API server remembers nothing old (410): the copy is listed anew."""
    with pytest.raises(Refusal) as refused:
        next(api.watch(Watch(), CLASSES, "1"))
    assert refused.value.status == 410
    seen: list[Object] = []
    reflection = Reflection(api, CLASSES, lambda old, new: seen.append(new or old or {}))
    reflection._version = "1"
    reflection.start()
    assert reflection.listed.wait(20)
    reflection.stop()
    assert class_name in {found["metadata"]["name"] for found in seen}


def test_a_token_that_was_exchanged_is_read_from_the_file(served: World, plane: ControlPlane) -> None:
    class_name = served.storage_class()
    served.bound(served.claim(class_name))
    old = Cluster(plane.kubeconfig("old", token_of(served.api)))
    plane.kubeconfig(ACCOUNT, new_token(served.api))
    until(lambda: refused(old), what="the API server forgets the old token")
    served.bound(served.claim(class_name))


def refused(cluster: Cluster) -> bool:
    """Say whether the API server takes these credentials no more."""
    try:
        cluster.objects(CLASSES)
    except Refusal as refusal:
        return refusal.status == 401
    return False
