"""What install.sh says before it does anything: everything that is in the way, with what mends it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from instorage.arrays.expansion import Expansion
from instorage.volume_name import VolumeName
from instorage.wire.values import Bytes, VolumeUid
from nodeagent.expansion import barrier_text
from tests.packaging.archive import DRIVER, archive, run, snapshot
from tools.install import PLUGIN

if TYPE_CHECKING:
    from pathlib import Path

    from tests.packaging.host import Host

pytestmark = pytest.mark.subprocess
UID = "6005076400c8000000000000000000a1"
EXPANDING = barrier_text.line(
    Expansion(
        "storage-01",
        VolumeName("pvc-2"),
        VolumeUid(UID),
        "node1",
        "1",
        members=(),
        access=1,
        target=Bytes(1 << 30),
    )
)  # as the agent writes it before the first step


@pytest.mark.root
def test_everything_that_is_in_the_way_is_said_at_once(host: Host, old: Path) -> None:
    host.sh("cd /run/versions; echo 236 >systemd; echo 2.0-872 >iscsi; echo 0.4.9 >multipath; rm e2fsprogs")
    host.sh("rm /run/units/*")
    before = snapshot(host.root / "etc"), snapshot(host.root / "usr/lib/systemd")
    for arguments in (("--check", "--node"), ("--node",)):
        done = host.install(old, *arguments)
        assert done.returncode == 1
        assert "systemd 236 is installed, version 237 or newer is wanted: choose a host whose" in done.stderr
        assert (
            "open-iscsi 2.0.872 is installed, version 2.0.873 or newer is wanted: apt-get install open-iscsi"
            in (done.stderr)
        )
        assert "multipath-tools 0.4.9 is installed, version 0.6 or newer" in done.stderr
        assert "e2fsprogs is not installed, version 1.42 or newer is wanted" in done.stderr
        assert (
            "none of iscsid.socket and iscsid.service runs: systemctl enable --now iscsid.socket"
            in done.stderr
        )
        assert "none of multipathd.service and multipathd.socket runs" in done.stderr
        assert "nothing was changed: 6 of what this host has" in done.stderr
    assert (snapshot(host.root / "etc"), snapshot(host.root / "usr/lib/systemd")) == before


@pytest.mark.root
@pytest.mark.parametrize("version", ["2.0-873", "2.0-874", "6.2.0.873-35", "6.2.1.4-1", "2.1.8"])
def test_every_spelling_of_an_open_iscsi_that_will_do_is_understood(
    host: Host, old: Path, version: str
) -> None:
    host.sh(f"echo {version} >/run/versions/iscsi")
    done = host.install(old, "--check", "--node")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Nothing is in the way" in done.stdout


KUBELET = (
    "cp /usr/bin/dash /usr/local/bin/kubelet; "
    "/usr/local/bin/kubelet -c 'read x </run/rest; :' {} </dev/null >/dev/null 2>&1 &"
)


@pytest.mark.root
@pytest.mark.parametrize(
    "form",
    [
        "--volume-plugin-dir={}",
        "--volume-plugin-dir {}",
        'volumePluginDir: "{}"',
        "volumePluginDir: {}  # as on OpenShift",
        '{{"kind": "KubeletConfiguration",\n  "volumePluginDir": "{}"}}',
    ],
)
def test_a_kubelet_that_looks_elsewhere_is_named_with_the_option(host: Host, old: Path, form: str) -> None:
    if not form.startswith("--"):
        (host.root / "etc/kubelet.yaml").write_text(form.format("/srv/plugins/"))
        form = "--config=/etc/kubelet.yaml"
    host.sh(KUBELET.format(form.format("/srv/plugins/") + " --root-dir=/srv/kubelet"))
    done = host.install(old, "--check", "--node")
    assert done.returncode == 1
    assert "give --plugin-dir /srv/plugins (or, if you know better" in done.stderr
    assert "in /srv/kubelet, not in /var/lib/kubelet: give --kubelet-root /srv/kubelet." in done.stderr
    asked = ("--plugin-dir", "/srv/plugins", "--kubelet-root", "/srv/kubelet")
    assert host.install(old, "--check", "--node", *asked).returncode == 0
    host.sh(f"mkdir -p /srv/plugins/{DRIVER} /{PLUGIN} && mount --bind /{PLUGIN} /srv/plugins/{DRIVER}")
    assert "--plugin-dir" not in host.install(old, "--check", "--node").stderr, "a bind mount of it is it"


@pytest.mark.root
def test_a_host_without_systemd_is_not_told_of_its_directories(host: Host, old: Path) -> None:
    host.sh("rm -r /run/systemd")
    done = host.install(old, "--check", "--node")
    assert "systemd does not run here" in done.stderr
    assert "can be written" not in done.stderr


@pytest.mark.root
def test_an_archive_for_another_processor_is_refused(host: Host, tmp_path: Path) -> None:
    top = archive(tmp_path, "3.0.0")
    (top / "node/bin/python3").write_bytes(b"\x7fELF of another processor")
    done = host.install(top, "--node")
    assert done.returncode == 1
    assert "node/bin/python3 does not start" in done.stderr
    assert "take the archive for x86_64" in done.stderr


def record(root: Path, kind: str, facts: object) -> Path:
    path = root / "var/lib" / kind / UID
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(facts if isinstance(facts, str) else json.dumps(facts))
    return path


@pytest.mark.parametrize("kind", ["instorage/volumes", "instorage-helper/format", "instorage-helper/aa"])
def test_a_version_that_cannot_read_a_record_is_not_installed(
    node: Path, old: Path, tmp_path: Path, kind: str
) -> None:
    newer = archive(tmp_path, "4.0.0", records=2)
    assert run(newer, "--node", "--root", str(node)).returncode == 0
    path = record(node, kind, {"uid": UID, "schema": 2, "name": "pvc-1"})
    before = snapshot(node)
    done = run(old, "--node", "--root", str(node))
    assert done.returncode == 1
    assert f"{path} was written by a newer version (form 2, this one reads up to 1)" in done.stderr
    assert snapshot(node) == before
    record(node, kind, {"uid": UID, "schema": 1, "name": "pvc-1"})
    assert run(old, "--node", "--root", str(node)).returncode == 0


def test_a_record_of_a_kind_that_a_version_does_not_know_holds_up_a_downgrade(
    node: Path, old: Path, tmp_path: Path
) -> None:
    newer = archive(tmp_path, "4.0.0")
    with (newer / "node/RECORDS").open("a") as file:
        file.write("/var/lib/instorage/moves 1\n")
    assert run(newer, "--node", "--root", str(node)).returncode == 0
    path = record(node, "instorage/moves", {"uid": UID, "schema": 1, "name": "pvc-1"})
    before = snapshot(node)
    done = run(old, "--node", "--root", str(node))
    assert done.returncode == 1
    assert f"{path} was written by a newer version, of a kind that this one does not know" in done.stderr
    assert snapshot(node) == before
    path.unlink()
    assert run(old, "--node", "--root", str(node)).returncode == 0


def test_a_record_that_says_nothing_of_itself_holds_up_a_downgrade_and_no_upgrade(
    node: Path, old: Path, new: Path, tmp_path: Path
) -> None:
    path = record(node, "instorage/volumes", "\0\0\0")
    assert run(new, "--node", "--root", str(node)).returncode == 0
    assert run(old, "--node", "--root", str(node)).returncode == 0, "it writes the same"
    assert run(archive(tmp_path, "4.0.0", records=2), "--node", "--root", str(node)).returncode == 0
    done = run(old, "--node", "--root", str(node))
    assert done.returncode == 1
    assert f"{path} does not say which form it has" in done.stderr


@pytest.mark.parametrize(
    "missing", ["VERSION", "node/RECORDS", f"{DRIVER}/instorage-flexvolume", "node/bin/python3"]
)
def test_half_an_archive_is_refused(root: Path, tmp_path: Path, missing: str) -> None:
    top = archive(tmp_path, "3.0.0")
    (top / missing).unlink()
    done = run(top, "--node", "--root", str(root))
    assert done.returncode == 1
    assert f"{top}/{missing} is missing: unpack the whole archive" in done.stderr
    assert not snapshot(root / "etc")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "say what is wanted here: --node, --provisioner or both"),
        (("--purge", "--check"), "--purge belongs to --uninstall"),
        (("--check", "--uninstall"), "only one of them can be meant"),
        (("--uninstall", "--node", "--check"), "only one of them can be meant"),
        (("--nodes",), "--nodes is not known"),
        (("--node", "--purge"), "--purge belongs to --uninstall"),
        (("--node", "--prefix"), "--prefix needs a directory"),
        (("--node", "--plugin-dir", "plugins"), "does not begin with /"),
        (("--node", "--plugin-dir", "/a b"), "only letters, digits"),
        (("--node", "--plugin-dir", "/a%b"), "only letters, digits"),
        (("--node", "--plugin-dir", "/a/../b"), "only letters, digits"),
        (("--node", "--kubelet-root", "/a,b"), "does not begin with /"),
        (("--node", "--plugin-dir", f"/{'a' * 80}"), "too long for the agent's socket"),
        (("--provisioner", "--prefix", "/home/me"), "hidden from services"),
    ],
)
def test_a_command_line_that_cannot_be_meant_is_explained(
    root: Path, old: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = run(old, *arguments, "--root", str(root))
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert not snapshot(root / "etc")


def test_help_needs_no_root_and_no_host(old: Path) -> None:
    done = run(old, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "--uninstall [--purge]" in done.stdout


@pytest.mark.root
def test_the_agent_is_not_restarted_under_an_expansion(running: Host, new: Path) -> None:
    record = running.root / "var/lib/instorage-helper/aa" / UID
    record.parent.mkdir(parents=True)
    record.write_text(EXPANDING)
    for arguments in (("--check", "--node"), ("--node",)):
        done = running.install(new, *arguments)
        assert done.returncode == 1
        assert f"volume pvc-2 (record /var/lib/instorage-helper/aa/{UID}) is being expanded" in done.stderr
        assert "wait until instoragectl barrier show does not call it running any more" in done.stderr
        assert (running.version, running.calls) == ("3.0.0", [])
    done = running.install(new, "--uninstall", "--node")
    assert done.returncode == 1
    assert f"expansion that is under way: pvc-2 (record /var/lib/instorage-helper/aa/{UID})" in done.stderr
    record.write_text(record.read_text().replace("running", "failed"))
    assert running.install(new, "--node").returncode == 0, "it was broken off, and waits for a person"
    assert running.version == "3.1.0"


@pytest.mark.root
def test_an_expansion_whose_agent_has_died_holds_up_no_version_that_mends_it(
    running: Host, new: Path
) -> None:
    record = running.root / "var/lib/instorage-helper/aa" / UID
    record.parent.mkdir(parents=True)
    record.write_text(EXPANDING)
    running.sh("kill $(cat /run/process/instorage-nodeagent.service)")
    done = running.install(new, "--node")
    assert (done.returncode, done.stderr) == (0, "")
    assert running.version == "3.1.0"
