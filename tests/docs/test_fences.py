"""Code in the pages: named by its language, shell that parses, YAML that the product itself takes."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from instorage.configuration.settings import load
from instorage.volume_class import VolumeClass
from nodeagent.operation.flexvolume import Options
from tests.docs.markdown import PAGES, Fence, fences, of_language

if TYPE_CHECKING:
    from pathlib import Path

LANGUAGES = {"sh", "yaml", "python", "text"}
YAML = of_language("yaml")
DRIVER, PROVISIONER = "inspur/instorage-flexvolume", "inspur/instorage"


def where(fence: Fence) -> str:
    return f"{fence.page}:{fence.line}"


def documents() -> list[tuple[Fence, dict[str, Any]]]:
    return [(fence, found) for fence in YAML for found in yaml.safe_load_all(fence.text)]


@pytest.mark.parametrize("page", PAGES)
def test_every_fence_names_its_language(page: str) -> None:
    unnamed = [
        f"{where(fence)} «{fence.language}»" for fence in fences(page) if fence.language not in LANGUAGES
    ]
    assert unnamed == []


@pytest.mark.subprocess
@pytest.mark.parametrize("fence", of_language("sh"), ids=where)
def test_a_shell_reads_every_block(fence: Fence) -> None:
    done = subprocess.run(
        ["sh", "-n"], input=fence.text, text=True, capture_output=True, check=False, timeout=30
    )
    assert done.stderr == ""


@pytest.mark.parametrize("fence", of_language("python"), ids=where)
def test_python_compiles(fence: Fence) -> None:
    compile(fence.text, where(fence), "exec")


def test_a_class_of_the_pages_is_taken() -> None:
    classes = [(where(fence), one) for fence, one in documents() if one.get("kind") == "StorageClass"]
    assert len(classes) >= 3
    for place, one in classes:
        assert one["provisioner"] == PROVISIONER, place
        VolumeClass.parse(one["parameters"])


def test_a_pv_and_a_pods_volume_of_the_pages_name_our_driver_and_options_that_it_knows() -> None:
    specs = [one["spec"] for _, one in documents() if one.get("kind") == "PersistentVolume"]
    specs += [
        volume for _, one in documents() if one.get("kind") == "Pod" for volume in one["spec"]["volumes"]
    ]
    assert len(specs) >= 3
    for spec in specs:
        flex = spec["flexVolume"]
        given = {"kubernetes.io/pvOrVolumeName": "a", "kubernetes.io/fsType": flex["fsType"]}
        many = {"kubernetes.io/readwrite": "ro"} if flex.get("options", {}).get("readers") else {}
        Options.parse(json.dumps(given | many | flex.get("options", {})))


def test_a_configuration_of_the_pages_is_taken(tmp_path: Path) -> None:
    configurations = [(where(fence), fence.text) for fence, one in documents() if "storage" in one]
    assert configurations
    for place, text in configurations:
        file = tmp_path / "instorage.yaml"
        file.write_text(text)
        file.chmod(0o600)
        assert load(file).storage, place
