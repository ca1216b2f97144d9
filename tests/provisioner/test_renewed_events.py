"""One event for each trouble: renewed, counted, told to the pods that wait, and ended by what ends it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instorage.wire.fault import Code, Fault
from provisioner import complaint
from provisioner.cluster import Away, Refusal
from provisioner.events import OVER, Event, Events
from provisioner.pods import Pods

if TYPE_CHECKING:
    from provisioner.cluster import Cluster, Object

CLAIM: dict[str, Any] = {"metadata": {"name": "data", "namespace": "default", "uid": "u1"}, "spec": {}}


class Api:
    """Events by path, and the pods of a namespace; the true server is in the tests marked kube."""

    def __init__(self) -> None:
        self.kept: dict[str, Object] = {}
        self.pods: list[Object] = []
        self.refuses: Exception | None = None
        self.listed = 0

    def create(self, path: str, body: Object) -> Object:
        key = f"{path}/{body['metadata']['name']}"
        if key in self.kept:
            raise Refusal(409, "it is there")
        self.kept[key] = copy.deepcopy(body)
        return body

    def get(self, path: str) -> Object | None:
        return self.kept.get(path)

    def patch(self, path: str, body: Object) -> Object:
        self.kept[path].update(body)
        return body

    def objects(self, path: str, *words: tuple[str, str]) -> tuple[list[Object], str]:
        self.listed += 1
        assert (path, words) == (
            "/api/v1/namespaces/default/pods",
            (("fieldSelector", "status.phase=Pending"),),
        )
        if self.refuses is not None:
            raise self.refuses
        return self.pods, "1"

    def about(self, kind: str) -> list[Object]:
        return [one for one in self.kept.values() if one["involvedObject"]["kind"] == kind]


@pytest.fixture
def api() -> Api:
    made = Api()
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]
    made.pods = [
        {"metadata": {"name": "web", "namespace": "default", "uid": "p1"}, "spec": {"volumes": volumes}},
        {"metadata": {"name": "other", "namespace": "default", "uid": "p2"}, "spec": {"volumes": []}},
    ]
    return made


def write(api: Api, *events: Event) -> None:
    """Say the events, with a thread of their own as in the service."""
    writing = Events(cast("Cluster", api), "instorage-provisioner", "host")
    writing.start()
    for event in events:
        writing.say(event)
    writing.stop()


def failed(sentence: str) -> Event:
    return complaint.of_claim(CLAIM, sentence)


SUCCESS = Event(
    CLAIM, "PersistentVolumeClaim", normal=True, reason="ProvisioningSucceeded", message="It is made.",
    ends=(complaint.FAILED,),
)  # fmt: skip


def test_a_trouble_with_other_figures_is_the_same_event_counted_up(api: Api) -> None:
    write(api, failed("1.0 GiB free."), failed("1.5 GiB free."), failed("1.7 GiB free."))
    (event,) = api.about("PersistentVolumeClaim")
    assert (event["count"], event["message"], event["type"]) == (3, "1.7 GiB free.", "Warning")


def test_the_pods_that_wait_for_the_claim_are_told_and_no_others(api: Api) -> None:
    write(api, failed("1.0 GiB free."), failed("1.5 GiB free."))
    (event,) = api.about("Pod")
    assert event["involvedObject"]["name"] == "web"
    assert (event["count"], event["message"]) == (2, "1.5 GiB free.")


def test_a_success_ends_the_event_of_the_trouble_on_claim_and_pod(api: Api) -> None:
    write(api, failed("1.0 GiB free."), SUCCESS)
    (pods,) = api.about("Pod")
    claims = {event["reason"]: event for event in api.about("PersistentVolumeClaim")}
    for ended in (pods, claims[complaint.FAILED]):
        assert ended["type"] == "Normal"
        assert ended["message"].startswith(OVER)
        assert ended["message"].endswith("1.0 GiB free.")
    assert claims["ProvisioningSucceeded"]["message"] == "It is made."


def test_a_trouble_after_the_end_begins_anew(api: Api) -> None:
    write(api, failed("one"), failed("one"), SUCCESS, failed("two"))
    event = next(one for one in api.about("PersistentVolumeClaim") if one["reason"] == complaint.FAILED)
    assert (event["count"], event["message"], event["type"]) == (1, "two", "Warning")


def test_a_success_without_a_trouble_before_writes_no_end(api: Api) -> None:
    write(api, SUCCESS)
    assert [one["reason"] for one in api.kept.values()] == ["ProvisioningSucceeded"]
    assert api.listed == 0, "nothing was wrong: nobody has to be told that it is over"


def test_without_the_right_to_list_pods_the_claim_is_told_and_nobody_asked_again(api: Api) -> None:
    api.refuses = Refusal(403, "pods is forbidden")
    write(api, failed("one"), failed("two"))
    assert [one["count"] for one in api.about("PersistentVolumeClaim")] == [2]
    assert (api.about("Pod"), api.listed) == ([], 1)


def test_a_server_that_is_away_for_the_list_is_asked_again(api: Api) -> None:
    api.refuses = Away("no answer")
    write(api, failed("one"), failed("two"))
    assert api.listed == 2


def test_what_is_tried_again_says_so_once_with_its_code() -> None:
    fault = Fault(Code.POOL_FULL, "Pool Pool0 has 1.0 GiB free.")
    assert (
        complaint.of_fault(fault, again=True) == f"{fault.sentence} It is tried again by itself. [pool-full]"
    )
    assert complaint.of_fault(fault, again=False) == f"{fault.sentence} [pool-full]"
    told = Fault(Code.ARRAY_BUSY, "The array is not well: it is asked again.")
    assert complaint.of_fault(told, again=True) == f"{told.sentence} [array-busy]"


THINGS = (
    st.none() | st.integers() | st.text(max_size=3) | st.lists(st.none() | st.text(max_size=3), max_size=2)
)


@given(st.dictionaries(st.sampled_from(["volumes", "nodeName"]), THINGS) | THINGS)
def test_a_strange_pod_hides_no_other(spec: object) -> None:
    api = Api()
    volumes = [{"persistentVolumeClaim": {"claimName": "data"}}]
    good = {"metadata": {"name": "web", "uid": "p1"}, "spec": {"volumes": volumes}}
    api.pods = [{"metadata": {"name": "odd"}, "spec": spec}, good]
    assert Pods(cast("Cluster", api)).waiting(CLAIM) == [good]
