"""The installer on a host that has SELinux: module and labels come, and go with the last part."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nodeagent.administration.doctor.looks import Looks
from nodeagent.administration.doctor.policy import mark
from tests.packaging.archive import DRIVER, ROOT, archive, put

if TYPE_CHECKING:
    from tests.packaging.host import Host

pytestmark = pytest.mark.subprocess

SEMODULE = """\
#!/bin/sh
[ "$1" != -l ] || { cat /run/modules 2>/dev/null; exit 0; }
[ "$1" != -lfull ] || { cat /run/modules-full 2>/dev/null; exit 0; }
[ ! -e /run/semodule-fails ] || { echo 'neverallow check failed' >&2; exit 1; }
echo "semodule $*" | sed 's,/tmp/[^ /]*/,,g' >>/run/selinux.log
for word in "$@"; do
    case $word in
        *.cil) cp "$word" /run/places.cil ;;
        *.pp) [ -s "$word" ] || exit 1 ;;
    esac
done
case " $* " in
    *' -i '*) echo instorage >/run/modules ;;
    *) : >/run/modules ;;
esac
"""
RESTORECON = '#!/bin/sh\nprintf "%s\\n" "$@" >>/run/labelled\n'
ELSEWHERE = "/srv/kubelet-plugins"


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """An archive that brings the policy, as `make dist` packs it."""
    top = archive(tmp_path / "archives", "3.2.0")
    shutil.copytree(ROOT / "selinux", top / "selinux")
    put(top, {"selinux/refpolicy/instorage.pp": "a module"}, 0o644)
    return top


@pytest.fixture
def confined(host: Host) -> Host:
    """A host with a policy."""
    put(host.root / "etc/selinux", {"config": "SELINUX=enforcing\nSELINUXTYPE=default\n"}, 0o644)
    put(host.root / "etc/selinux/default/policy", {"policy.33": ""}, 0o644)
    put(host.root / "usr/local/bin", {"semodule": SEMODULE, "restorecon": RESTORECON}, 0o755)
    return host


def log(host: Host) -> list[str]:
    file = host.root / "run/selinux.log"
    lines = file.read_text().splitlines() if file.exists() else []
    file.unlink(missing_ok=True)
    return lines


def test_the_module_goes_in_once_and_goes_with_the_last_part(confined: Host, policy: Path) -> None:
    done = confined.install(policy, "--node")
    assert (done.returncode, done.stderr) == (0, "")
    assert log(confined) == ["semodule -n -i instorage.pp"]
    labelled = set((confined.root / "run/labelled").read_text().splitlines())
    assert {"/usr/lib/instorage", "/etc/instorage"} <= labelled
    assert any(path.endswith(DRIVER) for path in labelled)
    assert confined.install(policy, "--node").returncode == 0
    assert log(confined) == [], "linking a policy takes a while"
    installed = confined.sh("echo /usr/lib/instorage/current/install.sh")
    assert "removed" in confined.sh(f"sh {installed} --uninstall")
    assert log(confined) == ["semodule -n -r instorage"]
    assert not (confined.root / "etc/instorage/selinux-policy").exists()


@pytest.mark.parametrize("changed", ["instorage.te", "instorage.fc", "compat/refpolicy.if"])
def test_an_upgrade_whose_policy_differs_loads_it(confined: Host, policy: Path, changed: str) -> None:
    assert confined.install(policy, "--node").returncode == 0
    log(confined)
    with (confined.root / "archives" / policy.name / "selinux" / changed).open("a") as file:
        file.write("# changed\n")
    assert confined.install(policy, "--node").returncode == 0
    assert log(confined) == ["semodule -n -i instorage.pp"]


def test_the_doctor_knows_the_mark_of_what_was_loaded(confined: Host, policy: Path) -> None:
    """As selinux/load.sh makes it; of labels for another directory, too."""
    assert confined.install(policy, "--node", "--plugin-dir", ELSEWHERE).returncode == 0
    put(confined.root / "usr/sbin", {"env": '#!/bin/sh\nexec /usr/bin/env "$@"\n'}, 0o755)
    said = (confined.root / "etc/instorage/selinux-policy").read_text().strip()
    assert said == mark(Looks(confined.root), "/usr/lib/instorage/3.2.0/selinux")


def test_another_plugin_directory_gets_the_same_labels(confined: Host, policy: Path) -> None:
    assert confined.install(policy, "--node", "--plugin-dir", ELSEWHERE).returncode == 0
    assert log(confined) == ["semodule -n -i instorage.pp -i instorage_places.cil"]
    rules = (confined.root / "run/places.cil").read_text()
    stub = f'"{ELSEWHERE}/{DRIVER}/instorage-flexvolume" file'
    assert f"{stub} (system_u object_r instorage_stub_exec_t" in rules


def test_the_distributions_module_for_iscsid_is_turned_on_where_it_is_off(
    confined: Host, policy: Path
) -> None:
    listed = "100 inn               pp disabled\n100 iscsi             pp {}\n100 lvm               pp\n"
    (confined.root / "run/modules-full").write_text(listed.format("disabled"))
    assert confined.install(policy, "--node").returncode == 0
    assert log(confined) == ["semodule -n -e iscsi -i instorage.pp"]


def test_a_policy_that_does_not_take_the_module_is_said_and_the_node_works(
    confined: Host, policy: Path
) -> None:
    (confined.root / "run/semodule-fails").write_text("")
    done = confined.install(policy, "--node")
    assert done.returncode == 0
    assert "neverallow check failed" in done.stderr
    assert "did not take the module" in done.stderr
    assert confined.version == "3.2.0"


def test_a_host_whose_policy_needs_a_module_of_its_own_is_told_how_to_get_it(
    confined: Host, policy: Path
) -> None:
    put(confined.root / "etc/selinux", {"config": "SELINUX=enforcing\nSELINUXTYPE=targeted\n"}, 0o644)
    put(confined.root / "etc/selinux/targeted/policy", {"policy.33": ""}, 0o644)
    done = confined.install(policy, "--node")
    assert done.returncode == 0
    assert "install selinux-policy-devel" in done.stderr
    assert confined.version == "3.2.0"


def test_a_host_without_selinux_hears_nothing_of_it(host: Host, policy: Path) -> None:
    done = host.install(policy, "--node")
    assert (done.returncode, done.stderr) == (0, "")
    assert not (Path(host.root) / "etc/instorage/selinux-policy").exists()
