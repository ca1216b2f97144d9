"""The commands of docs/install.md, typed on a host whose systemd is played: where that is enough.

What needs a true one is in tests/lab/releases/test_by_the_pages.py, what is the cluster's in
tests/provisioner/test_by_the_pages.py, deb and rpm in test_packages_by_the_pages.py.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.packaging import vendors
from tests.packaging.archive import DRIVER, FOLDER, put
from tests.packaging.host import Host
from tests.packaging.pages import block
from tools.install import PLUGIN

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.root
HOME = "root"  # where the administrator works, below the host's root directory
PLAYED = {
    "vi": 'echo "storage: [mine]" >"$1"',  # the administrator
    "journalctl": 'echo "$*" >/run/journalctl',
    # Another host's root, who is here the same one's in another directory.
    "ssh": 'shift; cd /root/theirs; sh -c "$*"',
    "scp": 'case $2 in *:) to=/root/theirs ;; *) to=${2#*:} ;; esac; cp "$1" "$to"',
    "instoragectl": "case $2 in export) echo of-the-first ;; import) cat >/etc/instorage/shadow.key ;; esac",
}


@pytest.fixture
def host(tmp_path: Path, old: Path, new: Path) -> Iterator[Host]:
    """A host; in its administrator's directory lies what he was given."""
    with Host(tmp_path / "host") as host:
        put(
            host.root / "usr/local/bin",
            {name: f"#!/bin/sh\n{does}\n" for name, does in PLAYED.items()},
            0o755,
        )
        (host.root / HOME / "theirs").mkdir(parents=True)
        sums = ""
        for top in (old, new):
            packed = host.root / HOME / f"{top.name}.tar.gz"
            subprocess.run(["tar", "-czf", packed, "-C", top.parent, top.name], check=True, timeout=30)
            sums += f"{hashlib.sha256(packed.read_bytes()).hexdigest()}  {packed.name}\n"
        (host.root / HOME / "SHA256SUMS").write_text(sums)
        yield host


def typed(host: Host, name: str, directory: str = "", **words: str) -> str:
    """Have a block typed in a directory below the administrator's."""
    return host.sh(f"set -e; cd /{HOME}/{directory}\n{block(name, **words)}")


def unpack(host: Host, top: Path) -> str:
    """Unpack an archive by the page; its folder."""
    _, version, architecture = top.name.split("_")
    said = typed(host, "unpack", VERSION=version, x86_64=architecture)
    assert f"{top.name}.tar.gz: OK" in said
    return top.name


def test_an_archive_that_is_not_whole_is_not_unpacked(host: Host, old: Path) -> None:
    with (host.root / HOME / f"{old.name}.tar.gz").open("ab") as file:
        file.write(b"more")
    with pytest.raises(AssertionError, match="did NOT match"):
        unpack(host, old)
    assert not (host.root / HOME / old.name).exists()


def test_a_node_is_looked_at_and_installed(host: Host, old: Path) -> None:
    said = typed(host, "node", unpack(host, old))
    assert said.startswith("Nothing is in the way of InStorage 3.0.0 on this host.")
    assert host.version == "3.0.0"


def test_a_newer_version_comes_and_the_older_one_again(host: Host, old: Path, new: Path) -> None:
    typed(host, "node", unpack(host, old))
    unpack(host, new)
    typed(host, "upgrade", VERSION="3.1.0", x86_64="noarch")
    assert host.version == "3.1.0"
    typed(host, "downgrade", new.name, OLDER="3.0.0", x86_64="noarch")
    assert host.version == "3.0.0"


def test_many_nodes_get_archive_configuration_and_key(host: Host, old: Path) -> None:
    (host.root / HOME / "instorage.yaml").write_text("storage: [one, for all]\n")
    typed(host, "many-nodes", VERSION="3.0.0", x86_64="noarch")
    assert host.version == "3.0.0"
    configuration = f"/{PLUGIN}/config/instorage.yaml"
    assert host.sh(f"cat {configuration}") == "storage: [one, for all]"
    assert host.sh(f"stat -c '%U:%G %a' {configuration}") == "root:instorage-agent 640"
    assert host.sh("cat /etc/instorage/shadow.key") == "of-the-first"


def test_an_image_gets_a_node_and_nothing_is_started(host: Host, old: Path) -> None:
    image = host.root / "mnt/image"
    (image / "etc").mkdir(parents=True)
    typed(host, "image", unpack(host, old))
    assert (image / PLUGIN / "instorage-flexvolume").exists()
    assert (image / "etc/systemd/system/multi-user.target.wants/instorage-node.target").is_symlink()
    assert host.version == ""


def test_a_provisioner_has_its_access_and_its_arrays_and_runs(host: Host, old: Path) -> None:
    folder = unpack(host, old)
    (host.root / HOME / folder / "kubeconfig").write_text("the account's token\n")
    typed(host, "provisioner", folder)
    assert host.program("instorage-provisioner") == f"/opt/{FOLDER}/python-3.0.0/bin/python3"
    for name, text in (("kubeconfig", "the account's token"), ("instorage.yaml", "storage: [mine]")):
        path = f"/opt/{FOLDER}/config/{name}"
        assert host.sh(f"cat {path}; stat -c '%U:%G %a' {path}") == f"{text}\nroot:instorage-provisioner 640"
    assert host.sh("cat /run/journalctl") == "-u instorage-provisioner"


def test_other_places_are_said_once(host: Host, old: Path) -> None:
    folder = unpack(host, old)
    typed(host, "plugin-dir", folder)
    typed(host, "kubelet-root", folder)
    typed(host, "prefix", folder)
    assert (host.root / "var/lib/kubelet/volumeplugins" / DRIVER / "instorage-flexvolume").exists()
    assert (host.root / "srv" / FOLDER / "instorage-provisioner").exists()
    assert host.sh("grep -v '^#' /etc/instorage/places").splitlines() == [
        f"INSTORAGE_PLUGIN=/var/lib/kubelet/volumeplugins/{DRIVER}",
        "INSTORAGE_KUBELET_ROOTS=/data/kubelet",
        f"INSTORAGE_PROVISIONER=/srv/{FOLDER}",
    ]


def test_a_node_of_the_vendors_is_taken_over_and_given_back(host: Host, old: Path) -> None:
    vendors.leave_node(host.root)
    folder = unpack(host, old)
    said = typed(host, "take-over", folder)
    assert said.startswith("The vendor's K8sPlugin 2.1.0 is taken over:")
    assert host.version == "3.0.0"
    assert host.sh(f"cat /{PLUGIN}/config/instorage.yaml") == vendors.CONFIGURATION.strip()
    typed(host, "back-to-the-vendors", folder)
    assert host.version == ""
    assert host.sh(f"cat /{vendors.STUB}; stat -c %a /{vendors.STUB}") == f"{vendors.PROGRAM}755"


def test_a_provisioner_of_the_vendors_is_taken_over_with_its_files(host: Host, old: Path) -> None:
    vendors.leave_provisioner(host.root, Path("/usr/bin/sleep").read_bytes())
    host.sh(f"systemctl start {vendors.UNIT_NAME}")
    said = typed(host, "take-over-provisioner", unpack(host, old))
    assert said.startswith("The vendor's provisioner of an unknown version is taken over:")
    assert host.program("instorage-provisioner") == f"/opt/{FOLDER}/python-3.0.0/bin/python3"
    assert host.sh(f"cat /opt/{FOLDER}/{vendors.UNIT_NAME}.vendor") == vendors.UNIT.strip()


def test_a_provisioner_goes_by_its_own_copy(host: Host, old: Path) -> None:
    assert host.install(old, "--provisioner").returncode == 0
    shutil.rmtree(host.root / "archives")
    assert "The provisioner is removed" in typed(host, "provisioner-removal-without-archive")
    assert not (host.root / "opt" / FOLDER / "instorage-provisioner").exists()


def test_it_goes_by_the_archive_or_by_its_copy_and_with_purge_wholly(host: Host, old: Path) -> None:
    folder = unpack(host, old)
    typed(host, "node", folder)
    assert f"Kept, as configuration, keys or records: /{PLUGIN}" in typed(host, "removal", folder)
    assert host.version == ""
    typed(host, "node", folder)
    shutil.rmtree(host.root / HOME / folder)
    assert "The node part is removed" in typed(host, "removal-without-archive")
    assert host.version == ""
    typed(host, "purge", unpack(host, old))
    assert host.sh(f"find / -xdev -name '*instorage*' ! -path '/{HOME}/*' ! -path '/run/*'") == (
        "/usr/local/bin/instoragectl"
    )
