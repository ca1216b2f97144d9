"""API servers of other ages than the one that is here: what they lack, and what they answer then.

The table in deploy/README.md, Kubernetes older and newer, has the versions.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import pytest

from provisioner import cluster as cluster_module
from provisioner import reflection as reflection_module
from provisioner.cluster import CLASSES, VOLUMES, Away, Refusal
from provisioner.lease import RETRY_SECONDS, Lease, leases
from provisioner.reflection import Reflection
from tests.provisioner.scripted_api import Answer, ScriptedApi, listed, named, status
from tests.provisioner.test_patience import until

if TYPE_CHECKING:
    from pathlib import Path

    from provisioner.cluster import Object
    from tests.provisioner.scripted_api import Asked

UNKNOWN = Answer(404, text="404 page not found\n")


class Server:
    """One with these versions of leases, and one lease of each name."""

    def __init__(self, *versions: str, groups: Answer | None = None) -> None:
        self.versions = versions
        self.lease: Object | None = None
        self._groups = groups

    def __call__(self, asked: Asked) -> Answer:
        if asked.path == "/apis":
            return self._groups or Answer(document={"kind": "APIGroupList", "groups": self.groups()})
        if not any(asked.path.startswith(leases("kube-system", one)) for one in self.versions):
            return UNKNOWN
        if asked.method == "GET":
            return Answer(document=self.lease) if self.lease else status(404)
        version = asked.path.split("/")[3]
        number = (
            int((self.lease or {"metadata": {"resourceVersion": "0"}})["metadata"]["resourceVersion"]) + 1
        )
        spec = {"holderIdentity": "me", "leaseDurationSeconds": 15}
        metadata = {"name": "inspur-instorage", "resourceVersion": str(number)}
        self.lease = {"apiVersion": f"coordination.k8s.io/{version}", "metadata": metadata, "spec": spec}
        return Answer(document=self.lease)

    def groups(self) -> list[Object]:
        found = [{"name": "storage.k8s.io", "versions": [{"version": "v1"}]}]
        ours = {"name": "coordination.k8s.io", "versions": [{"version": one} for one in self.versions]}
        return [*found, *([ours] if self.versions else [])]


def lease(api: ScriptedApi, directory: Path) -> Lease:
    return Lease(api.cluster(directory), "kube-system", "inspur-instorage", "me")


def test_leases_of_1_12_and_1_13_are_v1beta1(tmp_path: Path) -> None:
    with ScriptedApi(Server("v1beta1")) as api:
        found = lease(api, tmp_path)
        assert found.take() == RETRY_SECONDS
        assert [found.take() for _ in range(3)] == [0.0, 0.0, 0.0]
        assert not found.alone
        found.release()
        assert {asked.path.split("/")[3] for asked in api.asked[3:]} == {"v1beta1"}


def test_a_cluster_that_is_brought_beyond_1_21_has_the_same_lease_as_v1(tmp_path: Path) -> None:
    server = Server("v1beta1")
    with ScriptedApi(server) as api:
        found = lease(api, tmp_path)
        assert [found.take(), found.take()] == [RETRY_SECONDS, 0.0]
        server.versions = ("v1",)
        until(lambda: found.take() == 0.0, 10)
        assert api.asked[-1].path.startswith(leases("kube-system", "v1"))


def test_a_cluster_before_1_12_has_none_and_the_provisioner_works_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with ScriptedApi(Server()) as api:
        found = lease(api, tmp_path)
        assert found.take() == 0.0
        assert found.alone
        assert "Do not start a second one" in caplog.text


@pytest.mark.parametrize(
    "groups", [UNKNOWN, Answer(502, text="bad gateway"), Answer(document={"kind": "Status"})]
)
def test_what_a_proxy_answers_is_no_reason_to_work_beside_another_one(tmp_path: Path, groups: Answer) -> None:
    server = Server(groups=groups)
    with ScriptedApi(server) as api:
        found = lease(api, tmp_path)
        for _ in range(2):
            with pytest.raises((Refusal, Away)):
                found.take()
        assert not found.alone
        server.versions = ("v1",)
        assert found.take() == 0.0


def test_a_server_before_1_16_has_no_bookmarks_and_its_quiet_kinds_are_no_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(cluster_module, "SILENCE", 0.3)
    monkeypatch.setattr(reflection_module, "FIRST_PAUSE", 0.1)

    def answer(asked: Asked) -> Answer:
        return Answer(held=30) if asked.watch else listed(5, named("a"))

    with ScriptedApi(answer) as api, caplog.at_level(logging.WARNING):
        reflection = Reflection(api.cluster(tmp_path), CLASSES, lambda old, new: None)
        reflection.start()
        until(lambda: len(api.watches()) >= 3, 15)
        reflection.stop()
        assert [found["metadata"]["name"] for found in reflection.copy.all()] == ["a"]
        assert caplog.text == ""


def test_a_server_that_gives_a_list_in_one_piece_is_asked_once(tmp_path: Path) -> None:
    many = [named(f"a{number}") for number in range(1200)]
    with ScriptedApi(lambda _: listed(5, *many)) as api:
        began = time.monotonic()
        assert len(api.cluster(tmp_path).objects(CLASSES)[0]) == 1200
        assert time.monotonic() - began < 20
        assert len(api.asked) == 1


def test_a_proxys_404_is_no_word_that_an_object_is_deleted(tmp_path: Path) -> None:
    """Its PV was left behind without a finalizer, and the next start of the program found it."""
    answers = iter((UNKNOWN, status(404, 'persistentvolumes "pv" not found')))
    with ScriptedApi(lambda _: next(answers)) as api:
        cluster = api.cluster(tmp_path)
        with pytest.raises(Refusal, match="404 page not found"):
            cluster.delete(f"{VOLUMES}/pv", "uid-1")
        cluster.delete(f"{VOLUMES}/pv", "uid-1")
    assert [asked.method for asked in api.asked] == ["DELETE", "DELETE"]
