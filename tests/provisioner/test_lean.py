"""What is kept of an object: all but `managedFields`, as text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from provisioner.cluster import CLASSES, Cluster
from provisioner.lean import packed, part, unpacked
from provisioner.mirror import Mirror
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
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def read() -> Any:
    return json.loads(json.dumps(CLAIM))


def test_all_but_the_managed_fields_is_kept() -> None:
    expected = read()
    del expected["metadata"]["managedFields"]
    assert unpacked(packed(read())) == expected
    assert json.loads(json.dumps(CLAIM), object_hook=part) == expected


@given(st.dictionaries(st.text(), VALUES, max_size=4))
def test_whatever_was_read_is_kept_as_it_was(found: dict[str, Any]) -> None:
    """A lone surrogate, a metadata that is none: what others have written comes back as it came."""
    before = json.loads(json.dumps(found))
    if isinstance(before.get("metadata"), dict):
        before["metadata"].pop("managedFields", None)
    assert unpacked(packed(found)) == before


def test_who_changes_what_he_was_given_changes_nothing_that_is_kept() -> None:
    mirror = Mirror(lambda found: (found["metadata"]["name"],))
    mirror.put("1", read())
    for mine in (mirror.get("1"), *mirror.all(), *mirror.by("data")):
        assert mine is not None
        mine["spec"]["x"] = "changed"
    kept = mirror.get("1")
    assert kept is not None
    assert kept["spec"]["x"] is None


def test_a_list_is_read_without_managed_fields_page_by_page(tmp_path: Path) -> None:
    objects = [named(name) for name in "ab"]
    for found in objects:
        found["metadata"] |= {"managedFields": [{"manager": "kubectl"}]}
    with ScriptedApi(lambda _: listed(5, *objects)) as api:
        ((page, version),) = Cluster(api.kubeconfig(tmp_path / "kubeconfig")).pages(CLASSES)
    assert [one["metadata"]["name"] for one in page] == ["a", "b"]
    assert version == "5"
    assert not {"managedFields"} & (page[0]["metadata"].keys() | page[1]["metadata"].keys())
