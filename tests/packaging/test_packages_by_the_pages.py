"""deb and rpm by the commands of docs/install.md, on a host whose systemd is played, by true dpkg and rpm."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.packaging.archive import DRIVER
from tests.packaging.host import VERSIONS, Host
from tests.packaging.pages import block
from tests.packaging.test_refusals import KUBELET
from tools.dist import plugin
from tools.dist.archive import BESIDE, put_beside
from tools.dist.packages import PACKAGES, make
from tools.install import PLUGIN, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.root
WHEN = 1_700_000_000  # s since 1970
HAS = {"systemd": "systemd", "open-iscsi": "iscsi", "multipath-tools": "multipath", "e2fsprogs": "e2fsprogs"}
PRESENT = {name: VERSIONS[key] for name, key in HAS.items()} | {"libc6": "2.36"}
INSTALLED = """\
Package: {package}
Status: install ok installed
Maintainer: nobody
Architecture: amd64
Version: {version}
Description: played

"""
# The only thing that ours asks of rpm's database.
SYSTEMD = {"name": "systemd", "arch": "amd64", "version": VERSIONS["systemd"], "description": "played"}


@pytest.fixture(scope="module")
def packages(old: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the node's deb and rpm."""
    folder = tmp_path_factory.mktemp("packages")
    top = folder / "top"
    shutil.copytree(old, top, symlinks=True)
    for source, target in BESIDE.items():
        if not (top / target).exists():
            put_beside(ROOT / source, top / target)
    plugin.write(top / plugin.NAME)
    make(PACKAGES[0], top, "x86_64", WHEN, folder)
    described = folder / "systemd.json"
    described.write_text(json.dumps(SYSTEMD | {"maintainer": "nobody"}))
    nfpm = Path(sys.executable).with_name("nfpm")
    argv: list[str | Path] = [
        nfpm,
        "package",
        "--config",
        described,
        "--packager",
        "rpm",
        "--target",
        folder / "systemd.rpm",
    ]
    subprocess.run(argv, check=True, timeout=60, capture_output=True)
    shutil.rmtree(top)
    return folder


@pytest.fixture
def host(tmp_path: Path, packages: Path) -> Iterator[Host]:
    """A host with the databases of both kinds; the packages lie in its root's home."""
    with Host(tmp_path / "host") as host:
        shutil.copytree(packages, host.root / "root")
        database = host.root / "var/lib/dpkg"
        (database / "info").mkdir(parents=True)
        (database / "updates").mkdir()
        lines = (INSTALLED.format(package=name, version=version) for name, version in PRESENT.items())
        (database / "status").write_text("".join(lines))
        shutil.copytree("/usr/lib/rpm", host.root / "usr/lib/rpm", symlinks=True)
        host.sh("ln -s /usr/local/bin/* /usr/sbin/")  # rpm's scripts have a PATH without the former
        host.sh("rpm -i --justdb --ignorearch /root/systemd.rpm")
        yield host


def typed(host: Host, name: str, **words: str) -> str:
    return host.sh(f"set -e; cd /root\n{block(name, **words)}")


def test_a_deb_installs_and_goes_and_leaves_the_configuration(host: Host) -> None:
    typed(host, "deb", VERSION="3.0.0~dev0")
    assert host.version == "3.0.0"
    typed(host, "deb-removal")
    assert host.version == ""
    assert (host.root / PLUGIN / "config/instorage.yaml").exists()
    assert not (host.root / "usr/lib/instorage").exists()
    host.sh("dpkg -P instorage-node")
    assert not (host.root / PLUGIN).exists()


def test_rpm_verifies_the_copy_and_names_a_file_of_it_that_was_changed(host: Host) -> None:
    typed(host, "rpm", VERSION="3.0.0~dev0")
    verify = "rpm --verify instorage-node"
    assert host.sh(verify) == ""
    host.sh("echo changed >>/usr/lib/instorage-node/install.sh")
    said = host.sh(f"{verify} && echo verified || :")
    assert re.fullmatch(r"S\S*5\S* +/usr/lib/instorage-node/install\.sh", said), said
    assert host.version == "3.0.0", "what runs is not the copy"


def test_an_rpm_installs_and_goes_and_leaves_the_configuration(host: Host) -> None:
    typed(host, "rpm", VERSION="3.0.0~dev0")
    assert host.version == "3.0.0"
    typed(host, "rpm-removal")
    assert host.version == ""
    assert (host.root / PLUGIN / "config/instorage.yaml").exists()
    assert not (host.root / "usr/lib/instorage").exists()


@pytest.mark.parametrize("kind", ["deb", "rpm"])
def test_a_package_is_told_the_place_that_it_was_refused_for(host: Host, kind: str) -> None:
    host.sh(KUBELET.format("--volume-plugin-dir=/var/lib/kubelet/volumeplugins"))
    refused = host.sh(f"{{ cd /root; {block(kind, VERSION='3.0.0~dev0').strip()}; }} 2>&1 || :")
    assert "give --plugin-dir /var/lib/kubelet/volumeplugins" in refused
    assert host.version == ""
    typed(host, "package-elsewhere")
    assert host.version == "3.0.0"
    assert (host.root / "var/lib/kubelet/volumeplugins" / DRIVER / "instorage-flexvolume").exists()
    if kind == "deb":
        host.sh("dpkg --configure -a")
        assert "Status: install ok installed" in host.sh("dpkg -s instorage-node")
    else:
        assert host.sh("rpm -q instorage-node")


@pytest.mark.parametrize("kind", ["deb", "rpm"])
def test_a_package_stays_while_a_volume_is_mounted(host: Host, kind: str) -> None:
    host.sh(f"cd /root; {block(kind, VERSION='3.0.0~dev0')}")
    pod = f"/var/lib/kubelet/pods/0/volumes/{DRIVER}/pvc-1"
    host.sh(f"mkdir -p {pod} && mount --bind /run {pod}")
    removal = block("deb-removal") if kind == "deb" else block("rpm-removal")
    refused = host.sh(f"{{ {removal.strip()}; }} 2>&1 && echo gone || :")
    assert f"mounted: {pod}" in refused
    assert not refused.endswith("gone")
    assert host.version == "3.0.0"
    host.sh(f"umount {pod} && {removal}")
    assert host.version == ""


def test_a_deb_whose_removal_fails_half_way_works_on(host: Host) -> None:
    """dpkg has it installed then, and calls the package's own script to make that true."""
    host.sh(f"cd /root; {block('deb', VERSION='3.0.0~dev0')}")
    host.sh("mkdir /var/log/instorage && mount -t tmpfs none /var/log/instorage")
    removal = block("deb-removal").strip()
    refused = host.sh(f"{{ {removal}; }} 2>&1 && echo gone || :")
    assert "the removal broke off half-way ([Errno 16] Device or resource busy" in refused
    assert "Status: deinstall ok installed" in host.sh("dpkg -s instorage-node")
    assert (host.root / PLUGIN / "instorage-flexvolume").exists()
    (command,) = re.findall(r"is stopped, and stays so: (.*)\.\n", refused)
    host.sh(command)
    assert host.version == "3.0.0"
    host.sh(f"umount /var/log/instorage && {removal}")
    assert host.version == ""
