"""install.sh --provisioner where the vendor's works: its unit gives way, its files stay, and come back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from installer import vendor
from tests.docs.commands import commands
from tests.packaging import vendors
from tests.packaging.archive import FOLDER, archive, differences, put, run, snapshot
from tests.packaging.host import Host
from tests.packaging.vendors import STORAGE, UNIT, UNIT_NAME
from tools.install import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.subprocess
OURS = "instorage-provisioner.service"
THERE = f"/opt/{FOLDER}"
PLACE = f"/usr/lib/systemd/system/{UNIT_NAME}"
WANTED = f"/etc/systemd/system/multi-user.target.wants/{UNIT_NAME}"
DROP_INS = f"/etc/systemd/system/{UNIT_NAME}.d"
OWN = ("opt", "etc", "usr/lib/systemd")
ACCOUNTS = ("etc/.pwd.lock", "etc/passwd", "etc/group", "etc/shadow", "etc/gshadow")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """A host on which the vendor's provisioner is enabled and works, as the manual's 4.5 has it."""
    with Host(tmp_path / "host") as host:
        vendors.leave_provisioner(host.root, Path("/usr/bin/sleep").read_bytes())
        host.sh(
            f"mkdir -p {WANTED.rpartition('/')[0]} && ln -s {PLACE} {WANTED}; systemctl start {UNIT_NAME}"
        )
        assert host.calls
        yield host


def files(host: Host) -> dict[str, tuple[object, ...]]:
    found = {f"{name}/{path}": facts for name in OWN for path, facts in snapshot(host.root / name).items()}
    return {name: facts for name, facts in found.items() if not name.startswith(ACCOUNTS)}


@pytest.mark.root
def test_it_gives_way_and_ours_works_with_its_files(host: Host, old: Path, new: Path) -> None:
    done = host.install(old, "--provisioner")
    assert (done.returncode, done.stderr) == (0, "")
    assert "The vendor's provisioner of an unknown version is taken over:" in done.stdout
    assert f"{THERE}/config/kubeconfig: stays as it is" in done.stdout
    assert f"{PLACE}: gives way to {OURS}" in done.stdout
    assert host.calls == [
        f"stop {UNIT_NAME}", "daemon-reload", f"--quiet enable {OURS}", f"--no-block restart {OURS}"
    ]  # fmt: skip
    assert "Then: systemctl enable" not in done.stdout
    for version, top in (("3.0.0", old), ("3.1.0", new)):
        assert host.install(top, "--provisioner").returncode == 0
        assert host.program("instorage-provisioner") == f"{THERE}/python-{version}/bin/python3"
        assert host.sh(f"cat {THERE}/config/instorage.yaml") == STORAGE.strip()
        for name in ("instorage.yaml", "kubeconfig"):
            assert host.sh(f"stat -c '%U:%G %a' {THERE}/config/{name}") == "root:instorage-provisioner 640"
        assert host.sh(f"cat {THERE}/{UNIT_NAME}.vendor") == UNIT.strip()
        assert host.sh(f"stat -c '%a %s' {THERE}/instorage-provisioner.vendor").startswith("644 ")
        assert not (host.root / PLACE[1:]).exists()
        assert not (host.root / WANTED[1:]).is_symlink()


@pytest.mark.root
def test_a_unit_file_that_comes_back_goes_by_the_commands_of_the_page(host: Host, old: Path) -> None:
    """deploy/README.md, The provisioner; both names at once."""
    assert host.install(old, "--provisioner").returncode == 0
    again = Path("/etc/systemd/system") / UNIT_NAME
    host.sh(f"cat >{again} <<'END'\n{UNIT}END\nsystemctl start {UNIT_NAME}")
    found = list(commands("deploy/README.md"))
    begin = found.index("systemctl disable --now inspur-instorage-provisioner")
    typed = found[begin : begin + 3]
    assert [line.split()[0] for line in typed] == ["systemctl", "rm", "systemctl"]
    host.sh("set -e\n" + "\n".join(typed))
    assert not (host.root / str(again)[1:]).exists()
    assert host.sh(f"systemctl is-active {OURS}") == "active"
    assert host.program("instorage-provisioner") == f"{THERE}/python-3.0.0/bin/python3"


@pytest.mark.root
def test_access_by_a_link_is_copied_and_what_it_leads_to_stays_closed(host: Host, old: Path) -> None:
    host.sh(
        f"mv {THERE}/config/kubeconfig /etc/admin.conf; chmod 600 /etc/admin.conf; ln -s admin.conf /etc/k"
    )
    host.sh(f"sed -i s,{THERE}/config/kubeconfig,/etc/k, {PLACE}")
    done = host.install(old, "--provisioner")
    assert (done.returncode, done.stderr) == (0, "")
    name = f"{THERE}/config/kubeconfig"
    assert host.sh(f"stat -c '%U:%G %a %F' {name}") == "root:instorage-provisioner 640 regular file"
    assert host.sh("stat -c '%U:%G %a' /etc/admin.conf") == "root:root 600"


@pytest.mark.root
def test_it_is_said_beforehand_and_nothing_is_changed(host: Host, old: Path) -> None:
    before = files(host)
    done = host.install(old, "--check", "--provisioner")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{PLACE}: gives way to {OURS}" in done.stdout
    assert differences(before, files(host)) == []
    assert host.calls == []


@pytest.mark.root
def test_a_version_that_does_not_run_gives_the_host_back_to_the_vendors(host: Host, old: Path) -> None:
    before = files(host)
    host.sh(": >/run/broken-3.0.0")
    done = host.install(old, "--provisioner")
    assert done.returncode == 3
    assert "the vendor's plugin is in force again" in done.stderr
    assert host.calls[-1] == f"start {UNIT_NAME}"
    assert host.sh(f"systemctl is-active {UNIT_NAME}") == "active"
    changed = set(differences(before, files(host)))
    assert not {name for name in changed if (host.root / name).is_file()}, "directories may stay"


@pytest.mark.root
@pytest.mark.parametrize("step", ["stop", "daemon-reload", "enable", "restart"])
def test_a_take_over_that_was_killed_is_finished_by_the_next_run(host: Host, old: Path, step: str) -> None:
    host.sh(f": >/run/kill.{step}")
    assert host.install(old, "--provisioner").returncode == -9
    done = host.install(old, "--provisioner")
    assert (done.returncode, done.stderr) == (0, "")
    assert host.program("instorage-provisioner") == f"{THERE}/python-3.0.0/bin/python3"
    assert host.sh(f"cat {THERE}/{UNIT_NAME}.vendor") == UNIT.strip()


@pytest.mark.root
def test_what_it_is_started_with_is_taken_from_where_it_lies(host: Host, old: Path) -> None:
    host.sh(f"mv {THERE} /opt/inspur~instorage-provisioner; mkdir /etc/cluster")
    host.sh("mv /opt/inspur~instorage-provisioner/config/kubeconfig /etc/cluster/access")
    text = UNIT.replace(THERE, "/opt/inspur~instorage-provisioner")
    text = text.replace(
        "-kubeconfig=/opt/inspur~instorage-provisioner/config/kubeconfig", "-kubefconfig /etc/cluster/access"
    )
    put(host.root, {PLACE[1:]: text}, 0o644)
    done = host.install(old, "--provisioner")
    assert (done.returncode, done.stderr) == (0, "")
    assert host.program("instorage-provisioner") == f"{THERE}/python-3.0.0/bin/python3"
    assert host.sh(f"cat {THERE}/config/kubeconfig") == "of an administrator"
    assert host.sh(f"cat {THERE}/config/instorage.yaml") == STORAGE.strip()
    assert host.sh(f"stat -c '%U:%G %a' {THERE}/config/kubeconfig") == "root:instorage-provisioner 640"


@pytest.mark.root
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (f"sed -i 's,-logtostderr=true,-provisioner-name acme/disks,' {PLACE}", "-name=acme/disks"),
        (f"rm {THERE}/config/kubeconfig", "names no kubeconfig that is there"),
        (f"mkdir {DROP_INS}; : >{DROP_INS}/x.conf", f"{DROP_INS}/x.conf would count for our unit too"),
        (f"sed -i 's,{THERE}/config/kube,/opt/kube,' {PLACE}; echo x >/opt/kubeconfig", "differ"),
        (f"{THERE}/instorage-provisioner 60 >/dev/null 2>&1 &", "runs as process"),
    ],
    ids=["another name", "no access", "a drop-in", "two files", "by hand"],
)  # fmt: skip
def test_what_ours_would_not_do_as_the_vendors_is_refused_before(
    host: Host, old: Path, change: str, said: str
) -> None:
    host.sh(change)
    before = files(host)
    done = host.install(old, "--provisioner")
    assert done.returncode == 1
    assert said in done.stderr
    assert differences(before, files(host)) == []
    assert host.calls == []


@pytest.mark.root
def test_a_configuration_that_this_version_could_not_use_is_refused_before(
    host: Host, tmp_path: Path
) -> None:
    top = archive(tmp_path, "3.0.0")
    said = "warning: storage[0].shadow cannot be used: it was made with another key."
    put(top, {f"{FOLDER}/instorage-provisioner": f"#!/bin/sh\necho '{said}'\n"}, 0o755)
    done = host.install(top, "--provisioner")
    assert done.returncode == 1
    assert "shadow cannot be used: it was made with another key. Mend it before" in done.stderr


@pytest.mark.root
def test_one_that_nobody_had_enabled_is_kept_and_ours_waits_for_the_administrator(
    host: Host, old: Path
) -> None:
    host.sh(f"rm {WANTED}; systemctl stop {UNIT_NAME}")
    done = host.install(old, "--provisioner")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Then: systemctl enable --now instorage-provisioner" in done.stdout
    assert host.program("instorage-provisioner") == ""


@pytest.mark.root
def test_a_removal_leaves_its_files(host: Host, old: Path) -> None:
    log = f"{THERE}/log/instorage-provisioner.host1.root.log.INFO.20210101-000000.1"
    host.sh(f"mkdir {THERE}/log; echo hello >{log}")
    assert host.install(old, "--provisioner").returncode == 0
    done = host.install(old, "--uninstall", "--provisioner")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"The vendor's program is kept in {THERE}" in done.stdout
    assert host.sh(f"cat {log}") == "hello", "they are nobody's to throw away"
    host.sh(f"cd {THERE}; install -m 755 instorage-provisioner.vendor instorage-provisioner")
    host.sh(f"cd {THERE}; install -m 644 {UNIT_NAME}.vendor {PLACE}")
    assert host.install(old, "--uninstall", "--purge", "--provisioner").returncode == 0
    assert host.sh(f"cmp {THERE}/instorage-provisioner /usr/bin/sleep; cat {PLACE}") == UNIT.strip()
    assert host.install(old, "--provisioner").returncode == 0, "and it is taken over once more"


def test_in_an_image_its_files_are_kept_and_its_unit_gives_way(root: Path, old: Path) -> None:
    vendors.leave_provisioner(root, Path("/usr/bin/sleep").read_bytes())
    done = run(old, "--provisioner", "--root", str(root))
    assert done.returncode == 0, done.stderr
    assert not (root / PLACE[1:]).exists()
    assert (root / "opt" / FOLDER / f"{UNIT_NAME}.vendor").read_text() == UNIT


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [("password: password", "shadow: 00", 0), ("AS18000", "AS13000", 1), ("", "", 0)],
    ids=["a shadow of another key", "AS13000", "good"],
)
def test_what_the_new_version_says_of_a_configuration_is_understood(
    tmp_path: Path, old: str, new: str, status: int
) -> None:
    text = STORAGE.replace('  shadow: ""\n', "")
    put(tmp_path, {"instorage.yaml": text.replace(old, new) if old else text}, 0o644)
    program = "import sys; from provisioner.__main__ import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", program, "ext-check-cfg", str(tmp_path / "instorage.yaml")],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (status, ""), done.stderr
    assert bool(status or vendor.UNFIT.search(done.stdout)) is bool(old), done.stdout
