"""deb and rpm: one description, and scripts that leave everything to the archive's installer."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from installer.requirements import OLDEST
from instorage.version import VERSION
from tools.dist import packages
from tools.dist.toolchain import GLIBC

if TYPE_CHECKING:
    from pathlib import Path

SHELLS = {"dash": ["dash"], "busybox": ["busybox", "sh"]}
WHEN = 1_700_000_000
FILES = (
    "inspur~instorage-flexvolume/instorage-flexvolume",
    "node/bin/python3.11", "node/libexec/instorage-helper",
    "inspur-instorage-provisioner/instorage-provisioner", "systemd/instorage-helper.service",
    "systemd/instorage-provisioner.service", "systemd/sysusers.d/instorage-node.conf",
    "systemd/sysusers.d/instorage-provisioner.conf", "install.sh", "installer/__main__.py", "README.md",
    "LICENSE", "VERSION", "kubectl-instorage", "docs/growth.md", "docs/pictures/volume.svg",
    "share/doc/instorage/index.html", "share/doc/instorage/docs/growth.html",
)  # fmt: skip
NODE, PROVISIONER = packages.PACKAGES


@pytest.fixture
def top(tmp_path: Path) -> Path:
    for name in FILES:
        path = tmp_path / "top" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "top/node/bin/python3.11").chmod(0o755)
    (tmp_path / "top/node/bin/python3").symlink_to("python3.11")
    return tmp_path / "top"


def described(package: packages.Package, top: Path) -> dict[str, Any]:
    scratch = top.parent / "scratch"
    scratch.mkdir()
    for name in ("copyright", "changelog.gz"):
        (scratch / name).write_text("")
    return packages.description(package, top, "aarch64", WHEN, scratch)


def test_each_package_has_its_part_and_nothing_of_the_other(top: Path) -> None:
    entries = {one["dst"]: one for one in described(NODE, top)["contents"]}
    assert entries["/usr/lib/instorage-node/node/bin/python3.11"]["file_info"]["mode"] == 0o755
    assert entries["/usr/lib/instorage-node/install.sh"]["file_info"]["mode"] == 0o644
    assert entries["/usr/lib/instorage-node/node/bin/python3"]["src"] == "python3.11"
    assert "/usr/lib/instorage-node/systemd/instorage-helper.service" in entries
    assert "/usr/lib/instorage-node/installer/__main__.py" in entries
    assert not [path for path in entries if "provisioner" in path]
    ours = ("/usr/lib/instorage-node/", "/usr/share/doc/instorage-node/", "/usr/share/lintian/overrides/")
    assert not [path for path in entries if not f"{path}/".startswith(ours)]
    folders = {path for path, one in entries.items() if one.get("type") == "dir"}
    assert {path.rpartition("/")[0] for path in entries if "instorage-node/" in path} <= folders, (
        "none is left"
    )


@pytest.mark.parametrize("package", packages.PACKAGES, ids=lambda package: package.name)
def test_each_package_has_the_pages_and_their_site(package: packages.Package, top: Path) -> None:
    contents = described(package, top)["contents"]
    entries = {one["dst"]: one for one in contents}
    html = f"/usr/share/doc/{package.name}/html"
    assert {f"{html}/index.html", f"{html}/docs/growth.html"} <= entries.keys()
    assert entries[html]["type"] == entries[f"{html}/docs"]["type"] == "dir"
    listed = [one for one in contents if one["dst"] == f"{html}/index.html"]
    assert [(one["packager"], one.get("type")) for one in listed] == [("rpm", "doc"), ("deb", None)]
    home = f"/usr/lib/{package.name}/docs"
    assert {f"{home}/growth.md", f"{home}/pictures/volume.svg"} <= entries.keys()
    assert entries[f"{home}/pictures"]["type"] == "dir"


def test_the_provisioners_package_has_nothing_of_a_node(top: Path) -> None:
    paths = [one["dst"] for one in described(PROVISIONER, top)["contents"]]
    assert [path for path in paths if path.endswith("/instorage-provisioner.service")]
    assert not [
        path for path in paths if "helper" in path or "flexvolume" in path or "instorage-node" in path
    ]


def test_both_say_who_made_them_when_and_for_what_and_nothing_of_the_builder(top: Path) -> None:
    text = described(NODE, top)
    assert (text["arch"], text["rpm"]["buildhost"], text["mtime"]) == (
        "arm64",
        "instorage",
        "2023-11-14T22:13:20Z",
    )
    assert {one["file_info"]["owner"] for one in text["contents"]} == {"root"}
    assert {one["file_info"]["mtime"] for one in text["contents"]} == {"2023-11-14T22:13:20Z"}
    json.dumps(text)


def test_the_licence_is_in_a_deb_and_a_document_of_an_rpm(top: Path) -> None:
    found = [one for one in described(NODE, top)["contents"] if one["dst"].endswith("/copyright")]
    assert [(one["packager"], one.get("type")) for one in found] == [("rpm", "doc"), ("deb", None)]


def test_a_deb_asks_for_a_c_library_that_its_python_starts_with(top: Path) -> None:
    for package in packages.PACKAGES:
        assert "libc6 (>= 2.17)" in package.depends
        assert f"libc6 (>= {GLIBC})" in package.depends


def test_an_rpm_asks_for_systemd_alone_as_old_as_it_may_be(top: Path) -> None:
    assert described(NODE, top)["overrides"]["rpm"]["depends"] == [f"systemd >= {OLDEST['systemd']}"]


def test_a_version_under_development_is_older_than_its_release(top: Path) -> None:
    text = described(NODE, top)
    assert f"{text['version']}.{text['prerelease']}" == VERSION
    assert text["prerelease"] == "dev0"  # nfpm writes it behind a tilde


def run(script: str, shell: str, tmp_path: Path, *arguments: str, systemd: bool = True) -> str:
    """What a package's script asks of the installer, which stands in for itself here."""
    home, running = tmp_path / "home", tmp_path / "systemd"
    home.mkdir(exist_ok=True)
    running.mkdir(exist_ok=True)
    (home / "install.sh").write_text('#!/bin/sh\necho "$*"\n')
    (home / "install.sh").chmod(0o755)
    text = (packages.PACKAGING / script).read_text().replace("@PART@", "node")
    text = text.replace("/usr/lib/instorage-node", str(home))
    text = text.replace("/run/systemd/system", str(running if systemd else tmp_path / "none"))
    (tmp_path / script).write_text(text)
    argv = [*SHELLS[shell], str(tmp_path / script), *arguments]
    return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True).stdout.strip()


@pytest.mark.subprocess
@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("script", "arguments", "asked"),
    [
        ("after-install", ("configure",), "--node"),
        ("after-install", ("configure", "3.0.0"), "--node"),
        ("after-install", ("1",), "--node"),
        ("after-install", ("2",), "--node"),
        ("after-install", ("abort-upgrade", "3.0.0"), ""),
        ("after-install", ("abort-remove",), "--node"),
        ("after-install", ("abort-deconfigure", "in-favour", "x"), ""),
        ("before-remove", ("remove",), "--uninstall --node"),
        ("before-remove", ("0",), "--uninstall --node"),
        ("before-remove", ("upgrade", "3.0.1"), ""),
        ("before-remove", ("1",), ""),
        ("purge", ("remove",), ""),
        ("purge", ("upgrade", "3.0.1"), ""),
    ],
)
def test_installing_upgrading_and_removing_a_package_is_the_installers(
    script: str, arguments: tuple[str, ...], asked: str, shell: str, tmp_path: Path
) -> None:
    assert run(script, shell, tmp_path, *arguments) == asked


@pytest.mark.subprocess
def test_in_an_image_that_is_made_nothing_is_started(tmp_path: Path) -> None:
    assert run("after-install", "dash", tmp_path, "configure", systemd=False) == "--node --root /"
    assert run("before-remove", "dash", tmp_path, "remove", systemd=False) == "--uninstall --node --root /"
