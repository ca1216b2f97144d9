"""Code in the pages: named by its language, shell that parses, YAML that the product itself takes."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from installer import multipath
from instorage import places
from instorage.configuration.settings import load
from instorage.volume_class import VolumeClass
from nodeagent.operation.flexvolume import Options
from tests.docs.markdown import EVERY, Fence, fences, of_language, parsed

if TYPE_CHECKING:
    from pathlib import Path

LANGUAGES = {"sh", "yaml", "python", "text", "ini", "usage"}  # usage: how one calls a program, with brackets
YAML = of_language("yaml")
OWN_LINE = f"ed25519:{'A' * 43}="  # for the reader's own, which a page has as «ed25519:…»
DRIVER, PROVISIONER = "inspur/instorage-flexvolume", "inspur/instorage"


def where(fence: Fence) -> str:
    return f"{fence.page}:{fence.line}"


def documents() -> list[tuple[Fence, dict[str, Any]]]:
    return [(fence, found) for fence in YAML for found in yaml.safe_load_all(fence.text)]


@pytest.mark.parametrize("page", EVERY)
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


def test_a_group_of_the_configuration_is_taken_among_the_rest(tmp_path: Path) -> None:
    groups = [one["host"] for _, one in documents() if "host" in one and "storage" not in one]
    assert any("volumeKey" in one for one in groups)
    entry = {"name": "a", "host": "10.0.0.1:22", "type": "AS18000", "username": "u", "password": "p"}
    for group in groups:
        whole = {"host": {"link": "iscsi"} | group, "storage": [entry]}
        file = tmp_path / "instorage.yaml"
        file.write_text(yaml.safe_dump(whole, allow_unicode=True).replace("ed25519:…", OWN_LINE))
        found = load(file)
        assert found.host is not None
        assert [*found.host.direct_names] == group.get("directNames", ["*"])


def test_kubeadms_block_gives_the_manager_the_directory_where_plugins_lie() -> None:
    (one,) = {json.dumps(one["controllerManager"]) for _, one in documents() if "controllerManager" in one}
    manager = json.loads(one)
    (volume,) = manager["extraVolumes"]
    exec_directory = str(places.PLUGIN.parent)
    assert (volume["hostPath"], volume["mountPath"]) == (exec_directory, exec_directory)
    assert manager["extraArgs"] == {"flex-volume-plugin-dir": f"{exec_directory}/"}


def test_the_section_for_multipath_is_the_one_that_is_installed() -> None:
    sections = [fence.text for fence in of_language("text") if fence.text.startswith("devices {")]
    assert len(sections) == 4, "two pages in two languages"
    (section,) = set(sections)
    assert section == "devices {" + multipath.TEXT.partition("devices {")[2]


@pytest.mark.parametrize("page", EVERY)
def test_no_yaml_and_no_section_stands_where_no_test_looks(page: str) -> None:
    """An indented block has no language: commands alone may stand there."""
    blocks = [token.content for token in parsed(page) if token.type == "code_block"]
    assert [text for text in blocks if re.search(r"^ *[\w-]+(:| \{)$", text, re.MULTILINE)] == []
