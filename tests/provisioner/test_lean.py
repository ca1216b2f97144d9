"""What is kept of an object: all but `managedFields`, and each word once."""

from __future__ import annotations

import json
from typing import Any

from provisioner.lean import lean

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


def test_one_that_is_too_deep_is_left_as_it_is() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert lean(deep) is deep
