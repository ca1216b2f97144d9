"""`/etc/instorage/places` is a text that people edit: what it names is removed only if it is ours alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.packaging.archive import DRIVER, FOLDER, ROOT, run, snapshot
from tests.packaging.host import Host
from tools.install import PLUGIN

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.subprocess
PLUGINS = "/var/lib/kubelet/volumeplugins"
SHORTENED = {
    "plugins of all drivers": (f"INSTORAGE_PLUGIN={PLUGINS}/{DRIVER}", f"INSTORAGE_PLUGIN={PLUGINS}"),
    "everything in /srv": (f"INSTORAGE_PROVISIONER=/srv/{FOLDER}", "INSTORAGE_PROVISIONER=/srv"),
}


def shorten(root: Path, name: str) -> None:
    """Write the directory above ours into the file, as --plugin-dir and --prefix have it."""
    places = root / "etc/instorage/places"
    right, wrong = SHORTENED[name]
    assert right in places.read_text()
    places.write_text(places.read_text().replace(right, wrong))


@pytest.mark.parametrize("name", SHORTENED)
def test_a_directory_that_is_not_ours_alone_is_never_purged(root: Path, old: Path, name: str) -> None:
    elsewhere = ("--plugin-dir", PLUGINS, "--prefix", "/srv")
    assert run(old, "--node", "--provisioner", *elsewhere, "--root", str(root)).returncode == 0
    for others in (f"{PLUGINS}/other~driver", "/srv/www"):
        (root / others[1:]).mkdir()
    shorten(root, name)
    before = snapshot(root)
    for arguments in (("--uninstall", "--purge"), ("--uninstall",), ("--node", "--provisioner")):
        done = run(old, *arguments, "--root", str(root))
        assert done.returncode == 2
        assert "which /etc/instorage/places or a drop-in should name: correct it there" in done.stderr
        assert snapshot(root) == before


@pytest.mark.root
@pytest.mark.parametrize("part", ["node", "provisioner"])
def test_nor_by_the_purge_of_a_package(tmp_path: Path, part: str) -> None:
    with Host(tmp_path / "host") as host:
        others = f"{PLUGINS}/other~driver /srv/www /srv/{DRIVER}/x /srv/{FOLDER}/x"
        host.sh(f"mkdir -p {others}")
        (host.root / "tmp/purge").write_text((ROOT / "packaging/purge").read_text().replace("@PART@", part))
        for wrong in (PLUGINS, "/srv", "/srv/www/..", f"/srv/www/../{DRIVER}", f"/srv/www/../{FOLDER}"):
            (host.root / "etc/instorage").mkdir()
            lines = f"INSTORAGE_PLUGIN={wrong}\nINSTORAGE_PROVISIONER={wrong}\n"
            (host.root / "etc/instorage/places").write_text(lines)
            host.sh("sh /tmp/purge purge")
            host.sh(f"ls -d {others}")


def test_a_provisioners_folder_under_another_name_is_still_the_same(root: Path, old: Path, new: Path) -> None:
    (root / "srv").mkdir()
    (root / "opt").symlink_to("srv")
    assert run(old, "--provisioner", "--root", str(root)).returncode == 0
    done = run(new, "--provisioner", "--prefix", "/srv", "--root", str(root))
    assert (done.returncode, done.stderr) == (0, "")
    assert "is used no more" not in done.stdout
    folder = root / "srv" / FOLDER
    assert (folder / "python").readlink() == (folder / "python-3.1.0").relative_to(folder)
    assert (folder / "instorage-provisioner").exists()


@pytest.mark.parametrize("link", ["../../shared.yaml", "/srv/shared.yaml"])
def test_a_configuration_that_is_a_link_is_there_after_a_move(root: Path, old: Path, link: str) -> None:
    assert run(old, "--node", "--root", str(root)).returncode == 0
    config = root / PLUGIN / "config"
    for shared in (config.parents[1] / "shared.yaml", root / "srv/shared.yaml"):
        shared.parent.mkdir(exist_ok=True)
        shared.write_text("mine")
    (config / "instorage.yaml").unlink()
    (config / "instorage.yaml").symlink_to(link if link.startswith("..") else f"{root}{link}")
    assert run(old, "--node", "--plugin-dir", PLUGINS, "--root", str(root)).returncode == 0
    assert (root / PLUGINS[1:] / DRIVER / "config/instorage.yaml").read_text() == "mine"


@pytest.mark.root
def test_a_host_that_runs_is_no_image(tmp_path: Path, old: Path) -> None:
    with Host(tmp_path / "host") as host:
        for arguments in (("--node",), ("--uninstall",)):
            done = host.install(old, *arguments, "--root", "/")
            assert done.returncode == 2
            assert "systemd runs on this host: leave it out" in done.stderr
