"""The manifests of deploy/: each is taken whole by an API server that knows its kind, and does its work."""

from __future__ import annotations

import copy
import json
import re
import stat
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes.client import models

from instorage.volume_class import VolumeClass
from nodeagent.operation.flexvolume import Options
from provisioner.claims import ACCESS_MODES
from provisioner.persistent_volume import Names
from tests.provisioner.manifests import DEPLOY, documents, files, path

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from provisioner.cluster import Cluster, Object

NOT_IN_1_20 = {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
NOT_IN_1_37 = {"PodSecurityPolicy"}
EVERY = [(file.name, number) for file in files() for number in range(len(documents(file.name)))]


def schema_of(document: Object) -> Any:
    """The client's model of a document's kind, made from the API's own schema (Kubernetes 1.37)."""
    group, _, version = document["apiVersion"].rpartition("/")
    del group
    return getattr(models, f"V{version[1:]}{document['kind']}")


def dropped(given: Any, taken: Any, place: str = "") -> list[str]:
    """Return the places in `given` that `taken` does not have, or has otherwise."""
    if isinstance(given, dict) and isinstance(taken, dict):
        return [
            bad for key, value in given.items() for bad in dropped(value, taken.get(key), f"{place}.{key}")
        ]
    if isinstance(given, list) and isinstance(taken, list) and len(given) == len(taken):
        pairs = enumerate(zip(given, taken, strict=True))
        return [bad for number, (one, other) in pairs for bad in dropped(one, other, f"{place}[{number}]")]
    left_out = given is False and taken is None  # the API's default
    return [] if given == taken or left_out else [place]


def test_every_manifest_is_named_in_the_readme_and_every_document_loads() -> None:
    readme = (DEPLOY / "README.md").read_text()
    for file in files():
        assert f"`{file.name}`" in readme
        for document in documents(file.name):
            assert document["apiVersion"]
            assert document["kind"]
            assert document["metadata"]["name"]


@pytest.mark.parametrize(("name", "number"), EVERY)
def test_a_document_is_whole_by_the_apis_schema(name: str, number: int) -> None:
    document = documents(name)[number]
    if document["kind"] in NOT_IN_1_37:
        assert not hasattr(models, "V1beta1PodSecurityPolicy")
        return
    model = schema_of(document)
    assert dropped(document, model.model_validate(document).to_dict(serialize=True)) == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            lambda policy: policy["spec"].update(validation=policy["spec"].pop("validations")),
            "\nspec.validation\n",
        ),
        (
            lambda policy: policy["spec"]["validations"][0].pop("expression"),
            "\nspec.validations.0.expression\n",
        ),
        (
            lambda policy: policy["spec"]["matchConstraints"].update(resourceRules={}),
            "\nspec.matchConstraints.resourceRules\n",
        ),
    ],
)
def test_the_schema_would_find_a_mistake(change: Any, complaint: str) -> None:
    policy = copy.deepcopy(documents("validatingadmissionpolicy.yaml")[0])
    change(policy)
    with pytest.raises(ValueError, match=complaint):
        schema_of(policy).model_validate(policy)


def test_the_admission_policy_is_bound_and_refuses_our_driver_alone() -> None:
    policy, binding = documents("validatingadmissionpolicy.yaml")
    assert binding["spec"]["policyName"] == policy["metadata"]["name"]
    assert binding["spec"]["validationActions"] == ["Deny"]
    assert policy["spec"]["failurePolicy"] == "Fail"
    (rule,) = policy["spec"]["matchConstraints"]["resourceRules"]
    assert (rule["resources"], rule["operations"]) == (["pods"], ["CREATE", "UPDATE"])
    (validation,) = policy["spec"]["validations"]
    assert f"volume.flexVolume.driver != '{Names().driver}'" in validation["expression"]


@pytest.mark.kube
@pytest.mark.parametrize(("name", "number"), EVERY)
def test_a_document_is_taken_whole_by_the_server_of_1_20(api: Cluster, name: str, number: int) -> None:
    document = documents(name)[number]
    place = path(api, document)
    assert (place is None) == (document["kind"] in NOT_IN_1_20)
    if place is not None:
        document["metadata"]["name"] += ".try"  # the real ones may be there
        assert dropped(document, api.create(f"{place}?dryRun=All", document)) == []


def test_there_is_a_class_for_each_kind_of_volume_and_each_is_understood() -> None:
    classes = documents("storageclasses.yaml")
    kinds = {one["metadata"]["name"]: VolumeClass.parse(one["parameters"]) for one in classes}
    assert all(one["provisioner"] == Names().provisioner for one in classes)
    found = {
        (kind.level.value, kind.provisioning.thin, kind.provisioning.compressed) for kind in kinds.values()
    }
    assert found >= {
        ("basic", False, False), ("basic", True, False), ("basic", True, True), ("mirror", False, False),
        ("aa", False, False),
    }  # fmt: skip
    assert any(kind.provisioning.tiering for kind in kinds.values())


def test_the_node_takes_the_pv_for_many_readers_for_reading_alone() -> None:
    volume, claim, deployment = documents("pv-many-readers.yaml")
    spec = volume["spec"]
    assert set(spec["accessModes"]) <= set(ACCESS_MODES)
    assert spec["persistentVolumeReclaimPolicy"] == "Retain"
    assert claim["spec"]["volumeName"] == volume["metadata"]["name"]
    (used,) = deployment["spec"]["template"]["spec"]["volumes"]
    assert used["persistentVolumeClaim"] == {"claimName": claim["metadata"]["name"], "readOnly": True}
    given = spec["flexVolume"]["options"] | {
        "kubernetes.io/fsType": spec["flexVolume"]["fsType"],
        "kubernetes.io/pvOrVolumeName": volume["metadata"]["name"],
        "kubernetes.io/readwrite": "ro",
    }
    options = Options.parse(json.dumps(given))
    assert options.many_readers
    assert options.storage == "storage-01"


@pytest.mark.subprocess
def test_the_daemonset_brings_the_stub_by_a_rename_and_only_one_that_differs(tmp_path: Path) -> None:
    (daemonset,) = documents("stub-daemonset.yaml")
    (container,) = daemonset["spec"]["template"]["spec"]["initContainers"]
    shell, flags = container["command"]
    stub, plugins = tmp_path / "stub", tmp_path / "plugins"
    stub.mkdir()
    plugins.mkdir()
    (stub / "instorage-flexvolume").write_bytes(b"first")
    (stub / "instorage-flexvolume").chmod(0o644)  # as in a ConfigMap

    def run() -> os.stat_result:
        subprocess.run(
            [shell, flags, *container["args"]],
            env={"PATH": "/usr/bin:/bin", "STUB": str(stub), "PLUGINS": str(plugins)},
            check=True, timeout=20, umask=0o077,
        )  # fmt: skip
        (driver,) = plugins.iterdir()
        assert driver.name == Names().driver.replace("/", "~")
        assert sorted(path.name for path in driver.iterdir()) == ["config", "instorage-flexvolume", "log"]
        return (driver / "instorage-flexvolume").stat()

    first = run()
    assert stat.S_IMODE(first.st_mode) == 0o755
    same = run()
    assert (same.st_ino, same.st_ctime_ns) == (first.st_ino, first.st_ctime_ns), "kubelet is not disturbed"
    (stub / "instorage-flexvolume").write_bytes(b"second")
    assert run().st_ino != first.st_ino
    mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    defaults = dict(re.findall(r"\$\{(STUB|PLUGINS):-([^}]+)\}", container["args"][0]))
    assert defaults == {"STUB": mounted["stub"], "PLUGINS": mounted["plugins"]}
