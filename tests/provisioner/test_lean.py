"""What is kept of an object: all but `managedFields`, and each word and part once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from provisioner import lean as lean_module
from provisioner.cluster import CLASSES, Cluster
from provisioner.lean import MOST, lean, part
from tests.provisioner.scripted_api import ScriptedApi, listed, named

if TYPE_CHECKING:
    from pathlib import Path

CLAIM = {
    "metadata": {
        "name": "data",
        "uid": "2c5ff2c4-0d7e-4b8e-9f5d-0c1f6a9d3b11",
        "managedFields": [{"a": "b"}],
    },
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "x": None},
    "status": {"phase": "Bound", "count": 3, "ready": True},
}


def read() -> Any:
    return json.loads(json.dumps(CLAIM))


def test_all_but_the_managed_fields_is_kept() -> None:
    expected = read()
    del expected["metadata"]["managedFields"]
    assert lean(read()) == expected


def test_a_word_of_two_objects_is_kept_once() -> None:
    one, other = read(), read()
    assert one["spec"]["accessModes"][0] is not other["spec"]["accessModes"][0], "else this shows nothing"
    one, other = lean(one), lean(other)
    assert one["spec"]["accessModes"][0] is other["spec"]["accessModes"][0]
    assert one["metadata"]["uid"] is not other["metadata"]["uid"], "a UID is one object's alone"


def test_a_part_of_two_objects_is_kept_once() -> None:
    one, other = lean(read()), lean(read())
    assert one["spec"]["accessModes"] is other["spec"]["accessModes"]
    assert one["spec"]["resources"]["requests"] is other["spec"]["resources"]["requests"]
    assert one["metadata"] is not other["metadata"]
    assert one["spec"]["accessModes"] == ["ReadWriteOnce"]


def test_parts_that_look_alike_are_told_apart() -> None:
    text = '[{"a": []}, {"a": {}}, {"a": [""]}, {"a": "[]"}, {"a": "1"}, {"a": 1}, {"a": true}, {"a": null}]'
    assert json.dumps(lean(json.loads(text))) == text


def test_what_is_read_is_lean_before_it_is_whole() -> None:
    assert json.loads(json.dumps(CLAIM), object_hook=part) == lean(read())


def test_claims_with_parts_of_their_own_do_not_fill_the_memory_of_parts() -> None:
    for number in range(3 * MOST):
        assert lean({"labels": {"app": f"app-{number}"}}) == {"labels": {"app": f"app-{number}"}}
        assert len(lean_module._parts) <= MOST


def test_a_list_is_kept_lean(tmp_path: Path) -> None:
    objects = [named(name) | {"parameters": {"volPoolName": "Pool0"}} for name in "ab"]
    for found in objects:
        found["metadata"] |= {"managedFields": [{"manager": "kubectl"}]}
    with ScriptedApi(lambda _: listed(5, *objects)) as api:
        (one, other), _ = Cluster(api.kubeconfig(tmp_path / "kubeconfig")).objects(CLASSES)
    assert one["parameters"] is other["parameters"]
    assert (one["metadata"]["name"], other["metadata"]["name"]) == ("a", "b")
    assert not {"managedFields"} & (one["metadata"].keys() | other["metadata"].keys())


def test_one_that_is_too_deep_is_left_as_it_is() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert lean(deep) is deep
