"""The role that is shipped holds what the provisioner uses, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from tests.provisioner.conftest import asked
from tests.provisioner.program import ROOT, until

if TYPE_CHECKING:
    from tests.provisioner.world import World
    from tools.kube.control_plane import ControlPlane

pytestmark = pytest.mark.kube


def granted() -> set[tuple[str, str]]:
    """(resource, verb) of every rule in the manifest."""
    documents = yaml.safe_load_all((ROOT / "deploy/provisioner-rbac.yaml").read_text())
    rules = [rule for document in documents for rule in document.get("rules", [])]
    return {(kind, verb) for rule in rules for kind in rule["resources"] for verb in rule["verbs"]}


def test_every_right_is_used_and_none_is_missing(served: World, plane: ControlPlane) -> None:
    failing = served.claim(served.storage_class({"volPoolName": "Pool7"}))
    name = served.claim(served.storage_class())
    volume = served.bound(name)["metadata"]["name"]
    served.delete_claim(name)
    until(lambda: served.volume(volume) is None, what="the PV is gone")
    until(lambda: any(event["count"] > 1 for event in served.events(failing)), what="an event is counted")
    served.programs[0].stop()

    used = {(event["objectRef"]["resource"], event["verb"]) for event in asked(plane) if "objectRef" in event}
    assert used == granted()
