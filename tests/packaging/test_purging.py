"""A purge of one thing leaves what another one still needs: keys and configuration are gone for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.packaging.archive import DRIVER, FOLDER, ROOT, run
from tests.packaging.host import Host
from tools.install import PLUGIN

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.subprocess
ROOT_WANTED = pytest.mark.root
ELSEWHERE = ("--plugin-dir", "/srv/plugins", "--prefix", "/srv")
FOLDERS = {"default": (), "elsewhere": ELSEWHERE}
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
SHARED = ("shadow.key", "helper.conf", "places")  # of both parts, below /etc/instorage
CONFIGURED = {
    "node": f"srv/plugins/{DRIVER}/config/instorage.yaml",
    "provisioner": f"srv/{FOLDER}/config/instorage.yaml",
}
OTHER = {"node": "provisioner", "provisioner": "node"}


def purge(host: Host, part: str) -> str:
    """Run dpkg's purge of a package that was removed before."""
    (host.root / "tmp/purge").write_text((ROOT / "packaging/purge").read_text().replace("@PART@", part))
    return host.sh("sh /tmp/purge purge 2>&1")


def leave(host: Host, *places: str) -> None:
    """Have something lie there."""
    for place in places:
        host.sh(f"mkdir -p {place.rpartition('/')[0]} && echo mine >{place}")


@ROOT_WANTED
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


@ROOT_WANTED
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


@ROOT_WANTED
def test_an_administrators_unit_alone_is_no_installation(tmp_path: Path, old: Path) -> None:
    with Host(tmp_path / "host") as host:
        assert host.install(old, "--node").returncode == 0
        assert host.install(old, "--uninstall", "--node").returncode == 0
        own = "/etc/systemd/system/instorage-node"
        leave(host, f"{own}.target", f"{own}-backup.service.d/mine.conf", f"{own}agent.service.d/mine.conf")
        leave(host, f"/{PLUGIN}/config/instorage.yaml")
        purge(host, "node")
        assert host.sh("find /etc/systemd/system -type f") == f"{own}-backup.service.d/mine.conf"
        assert host.sh(f"ls -d /{PLUGIN} /etc/instorage 2>&1 || :").count("No such file") == 2


@pytest.mark.parametrize("part", KEPT)
def test_the_key_of_the_shadows_stays_for_the_part_that_is_kept(root: Path, old: Path, part: str) -> None:
    image = ("--root", str(root))
    assert run(old, "--node", "--provisioner", *ELSEWHERE, *image).returncode == 0
    for name in SHARED[:2]:
        (root / "etc/instorage" / name).write_text("mine")
    assert run(old, "--uninstall", f"--{part}", *image).returncode == 0
    done = run(old, "--uninstall", "--purge", f"--{OTHER[part]}", *image)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Kept, as configuration, keys or records: /etc/instorage (--purge without a part" in done.stdout
    assert not (root / CONFIGURED[OTHER[part]]).exists()
    assert (root / CONFIGURED[part]).exists()
    assert sorted(path.name for path in (root / "etc/instorage").iterdir()) == sorted(SHARED)
    assert run(old, "--uninstall", "--purge", f"--{part}", *image).returncode == 0
    assert not (root / "etc/instorage").exists()


@pytest.mark.parametrize("state", ["instorage", "instorage-helper"])
def test_and_for_what_is_pinned_where_the_configuration_is_gone(root: Path, old: Path, state: str) -> None:
    assert run(old, "--node", "--provisioner", "--root", str(root)).returncode == 0
    (root / "var/lib" / state).mkdir(parents=True)
    (root / "var/lib" / state / "known_hosts").touch()
    assert run(old, "--uninstall", "--node", "--root", str(root)).returncode == 0
    (root / PLUGIN / "config/instorage.yaml").unlink()
    (root / "etc/instorage/helper.conf").write_text("mine")
    assert run(old, "--uninstall", "--purge", "--provisioner", "--root", str(root)).returncode == 0
    assert (root / "etc/instorage/helper.conf").exists()


@ROOT_WANTED
@pytest.mark.parametrize("part", KEPT)
def test_it_stays_at_a_purge_of_the_other_package_too(tmp_path: Path, old: Path, part: str) -> None:
    with Host(tmp_path / "host") as host:
        both = ("--node", "--provisioner")
        for arguments in ((*both, *ELSEWHERE), ("--uninstall",)):
            assert host.install(old, *arguments).returncode == 0
        leave(host, "/etc/instorage/shadow.key")
        said = purge(host, OTHER[part])
        assert f"Kept: /etc/instorage, for /{CONFIGURED[part]} needs it still." in said
        host.sh(f"cat /etc/instorage/shadow.key /etc/instorage/places /{CONFIGURED[part]}")
        assert host.sh("grep -c ^instorage: /etc/group") == "1", "the key's group is nobody else's"
        purge(host, part)
        assert host.sh("ls -d /srv/*/* /etc/instorage 2>&1 || :").count("No such file") == 2
