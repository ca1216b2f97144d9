"""Directories that are there already: root's programs do not go where others could change them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.packaging.archive import DRIVER, FOLDER, run, snapshot
from tests.packaging.host import Host

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.subprocess, pytest.mark.root]
PLUGIN = f"/srv/plugins/{DRIVER}"
PLACES = ("--node", "--provisioner", "--plugin-dir", "/srv/plugins", "--prefix", "/data")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    with Host(tmp_path / "host") as host:
        host.sh(f"mkdir -p {PLUGIN}/config /data/{FOLDER}")
        yield host


@pytest.mark.parametrize(
    ("done", "said"),
    [
        (f"chown 1000 {PLUGIN}", f"{PLUGIN} belongs to user 1000, who could change what root starts"),
        (f"chown 1000 {PLUGIN}/config", "/config belongs to user 1000, who could change what root starts"),
        (f"chmod 777 {PLUGIN}", f"{PLUGIN} can be changed by everybody, and so what root starts: chmod o-w"),
        (f"chmod 777 /data/{FOLDER}", f"/data/{FOLDER} can be changed by everybody"),
        (f"chgrp 1000 {PLUGIN}; chmod 775 {PLUGIN}", f"{PLUGIN} can be changed by group 1000, and so what"),
        (
            f"mv {PLUGIN} /srv/x; ln -s ../x {PLUGIN}; chown -h 1000 {PLUGIN}",
            f"{PLUGIN} belongs to user 1000",
        ),
        ("chmod 750 /srv", "/srv is closed to the service's user instorage-agent: chmod o+x /srv."),
        ("chmod 700 /data", "/data is closed to the service's user instorage-provisioner: chmod o+x /data."),
        ("mkdir -m 700 /etc/instorage", "/etc/instorage is closed to the service's user instorage-agent"),
        ("mount -t tmpfs -o noexec,mode=755 none /srv", "of /srv nothing may be started (noexec)"),
        ("mount -t tmpfs -o noexec,mode=755 none /data", "of /data nothing may be started (noexec)"),
        ("rm -r /srv; mkdir -p /home/srv; ln -s home/srv /srv", "is /home/srv/plugins/"),
    ],
)
def test_it_is_refused_with_what_mends_it_before_anything_is_changed(
    host: Host, old: Path, done: str, said: str
) -> None:
    host.sh(done)
    before = snapshot(host.root / "etc"), snapshot(host.root / "usr/lib/systemd")
    for more in (("--check",), ()):
        ended = host.install(old, *more, *PLACES)
        assert ended.returncode == 1
        assert said in ended.stderr
    assert (snapshot(host.root / "etc"), snapshot(host.root / "usr/lib/systemd")) == before


def test_a_way_by_links_and_through_a_sticky_directory_will_do(host: Host, old: Path) -> None:
    host.sh(f"mkdir -m 1777 /large; mv /srv /large/srv; ln -s large/srv /srv; chmod 1775 /data/{FOLDER}")
    done = host.install(old, *PLACES)
    assert (done.returncode, done.stderr) == (0, "")
    assert host.version == "3.0.0"


def test_an_owner_of_the_directories_above_is_named_and_left_as_he_is(host: Host, old: Path) -> None:
    """kubespray gives kubelet's plugin directory to a user of its own, and would do so again."""
    host.sh("chown 997 /srv/plugins")
    done = host.install(old, *PLACES)
    assert done.returncode == 0
    said = "/srv/plugins belongs to user 997, who could change what root starts: chown root /srv/plugins.\n"
    assert done.stderr == f"install.sh: {said}"


def test_who_could_make_a_link_on_the_way_lead_elsewhere_is_named(host: Host, old: Path) -> None:
    host.sh("mkdir /users; chown 1000 /users; mv /srv/plugins /srv/theirs; ln -s /srv/theirs /users/plugins")
    host.sh("ln -s ../users/plugins /srv/plugins")
    done = host.install(old, "--check", *PLACES)
    assert done.returncode == 0
    assert "/users belongs to user 1000, who could change what root starts" in done.stderr


def test_a_directory_that_the_services_group_may_enter_will_do(host: Host, old: Path) -> None:
    assert host.install(old, *PLACES).returncode == 0
    config = f"{PLUGIN}/config"
    for group in ("instorage-agent", "instorage"):
        host.sh(f"chgrp {group} {config}; chmod 750 {config}")
        done = host.install(old, "--check", *PLACES)
        assert (done.returncode, done.stderr) == (0, "")
    host.sh(f"chgrp root {config}")
    assert f"{config} is closed" in host.install(old, "--check", *PLACES).stderr


def test_in_an_image_owners_are_the_builders(root: Path, old: Path) -> None:
    plugin = root / PLUGIN[1:]
    plugin.mkdir(parents=True, mode=0o700)
    done = run(old, "--node", "--plugin-dir", "/srv/plugins", "--root", str(root))
    assert done.returncode == 1
    assert f"{plugin} is closed to the service's user instorage-agent" in done.stderr
    plugin.chmod(0o755)
    assert run(old, "--node", "--plugin-dir", "/srv/plugins", "--root", str(root)).returncode == 0
