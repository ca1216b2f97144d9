"""A purge of one thing leaves what another one still needs: keys and configuration are gone for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.packaging.archive import FOLDER, ROOT
from tests.packaging.host import Host
from tools.install import PLUGIN

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.root
FOLDERS = {"default": (), "elsewhere": ("--plugin-dir", "/srv/plugins", "--prefix", "/srv")}
KEPT = {
    "node": (
        "/var/lib/instorage/known_hosts", "/etc/instorage/helper.conf", "/etc/instorage/shadow.key",
        "/etc/systemd/system/instorage-nodeagent.service.d/mine.conf",
    ),
    "provisioner": (
        "/var/lib/instorage-provisioner/volume.key", "/etc/instorage/shadow.key",
        "/etc/systemd/system/instorage-provisioner.service.d/mine.conf",
    ),
}  # fmt: skip
SIGNS = {
    "node": "/usr/lib/instorage/current /usr/lib/sysusers.d/instorage-node.conf",
    "provisioner": f"/opt/{FOLDER}/python /usr/lib/sysusers.d/instorage-provisioner.conf",
}


def purge(host: Host, part: str) -> str:
    """Run dpkg's purge of a package that was removed before."""
    (host.root / "tmp/purge").write_text((ROOT / "packaging/purge").read_text().replace("@PART@", part))
    return host.sh("sh /tmp/purge purge 2>&1")


def leave(host: Host, *places: str) -> None:
    """Have something lie there."""
    for place in places:
        host.sh(f"mkdir -p {place.rpartition('/')[0]} && echo mine >{place}")


@pytest.mark.parametrize("where", FOLDERS)
@pytest.mark.parametrize("part", KEPT)
def test_of_a_package_that_an_archive_has_followed_every_key_stays(
    tmp_path: Path, old: Path, part: str, where: str
) -> None:
    """The package is removed, its postrm is kept; months later somebody purges what dpkg remembers."""
    with Host(tmp_path / "host") as host:
        for arguments in ((), ("--uninstall",), FOLDERS[where]):
            assert host.install(old, f"--{part}", *arguments).returncode == 0
        leave(host, *KEPT[part])
        before = host.sh("find / -xdev -name '*instorage*' -o -xdev -path '*instorage*' | sort")
        said = purge(host, part)
        assert "was installed here without this package since, nothing was removed" in said
        place = said.rpartition(": ")[2].split()[0]
        assert host.sh(f"ls {place}") == place, "which purges it, if that is meant"
        assert host.sh("find / -xdev -name '*instorage*' -o -xdev -path '*instorage*' | sort") == before
        assert host.sh("grep -c instorage- /etc/passwd") == "1"


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("part", KEPT)
def test_one_sign_of_it_is_enough(tmp_path: Path, old: Path, part: str, number: int) -> None:
    """The folder is not where `places` says, an administrator has tidied up: it runs all the same."""
    with Host(tmp_path / "host") as host:
        assert host.install(old, f"--{part}").returncode == 0
        unit = {"node": "instorage-node.target"}.get(part, "instorage-provisioner.service")
        signs = [*SIGNS[part].split(), f"/usr/lib/systemd/system/{unit}"]
        leave(host, *KEPT[part])
        host.sh(f"rm {' '.join(one for one in signs if one != signs[number])}")
        assert f"{signs[number]}: InStorage was installed here" in purge(host, part)
        host.sh(f"cat {' '.join(KEPT[part])}")


def test_an_administrators_unit_alone_is_no_installation(tmp_path: Path, old: Path) -> None:
    with Host(tmp_path / "host") as host:
        assert host.install(old, "--node").returncode == 0
        assert host.install(old, "--uninstall", "--node").returncode == 0
        leave(host, "/etc/systemd/system/instorage-node.target", f"/{PLUGIN}/config/instorage.yaml")
        purge(host, "node")
        assert host.sh(f"ls -d /{PLUGIN} /etc/instorage 2>&1 || :").count("No such file") == 2
