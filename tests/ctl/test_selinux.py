"""What the doctor says of SELinux: module, labels, denials, and that an answer could not be had."""

from __future__ import annotations

import shlex
import shutil
from typing import TYPE_CHECKING

import pytest

from nodeagent.administration.doctor import policy, selinux
from nodeagent.administration.doctor.examination import CHECKS
from nodeagent.administration.doctor.host import Host
from nodeagent.administration.doctor.looks import Looks
from nodeagent.diagnosis.finding import Severity
from tests.ctl.host_root import HostRoot
from tools.install import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.subprocess
AVC = (
    "avc:  denied  { open } for pid=1 scontext=system_u:system_r:instorage_agent_t:s0 "
    "tcontext=system_u:object_r:shadow_t:s0 tclass=file permissive=0"
)
LOADED = "3.0.0 0123456789abcdef"
BOOLEAN = "sys/fs/selinux/booleans/instorage_anywhere"


@pytest.fixture
def host(tmp_path: Path) -> HostRoot:
    """A host that enforces a policy with our module."""
    made = HostRoot(tmp_path)
    made.write("sys/fs/selinux/enforce", "1")
    made.write(BOOLEAN, "0 0")
    made.write("etc/instorage/selinux-policy", f"{LOADED}\n")
    answers(made, "restorecon", "")
    answers(made, "journalctl", "")
    return made


def answers(host: HostRoot, program: str, text: str) -> None:
    host.program(program, f"printf %s {shlex.quote(text)}")


def said(host: HostRoot) -> list[str]:
    found = host.findings("selinux")
    assert all(one.severity is Severity.WARNING and one.command for one in found)
    return [one.sentence for one in found]


def notes(host: HostRoot) -> list[str]:
    found = CHECKS["selinux"](Host(Looks(host.root), host.setup()))
    return [one.sentence for one in found if one.severity is Severity.OK]


def test_all_is_well(host: HostRoot) -> None:
    assert said(host) == []


def test_permissive_is_not_wrong(host: HostRoot) -> None:
    host.write("sys/fs/selinux/enforce", "0")
    assert said(host) == []


@pytest.mark.parametrize(("enforce", "mode"), [("0", "permissive"), ("1", "enforcing")])
def test_mode_and_version_of_the_module_are_told(host: HostRoot, enforce: str, mode: str) -> None:
    host.write("sys/fs/selinux/enforce", enforce)
    assert notes(host) == [f"SELinux is {mode}; its policy has the module instorage 3.0.0."]
    (host.root / BOOLEAN).unlink()
    assert notes(host) == [f"SELinux is {mode}."]


def installed(host: HostRoot, place: str) -> str:
    """Lay the policy down as an archive or the package does, and return its mark."""
    shutil.copytree(ROOT / "selinux", host.root / place)
    for program in ("env", "sh"):
        host.program(program, f'exec /usr/bin/{program} "$@"')
    return policy.mark(Looks(host.root), place)


@pytest.mark.parametrize(
    "place", ["usr/lib/instorage/current/selinux", "opt/made/python/selinux", "usr/share/instorage-selinux"]
)
def test_a_module_that_is_not_the_one_that_is_installed_is_told_with_the_command(
    host: HostRoot, place: str
) -> None:
    brought = installed(host, place)
    (found,) = host.findings("selinux", provisioner="/opt/made")
    assert f"{LOADED}, and what is installed brings another: {brought}." in found.sentence
    assert found.command == f"sh /{place}/load.sh load"
    host.write("etc/instorage/selinux-policy", brought)
    assert host.findings("selinux", provisioner="/opt/made") == []


def test_a_policy_that_cannot_be_read_is_not_taken_for_the_one_that_is_loaded(host: HostRoot) -> None:
    installed(host, "usr/share/instorage-selinux")
    (host.root / "usr/share/instorage-selinux/instorage.te").unlink()
    (text,) = said(host)
    assert "the one that is installed cannot be found out" in text


def test_labels_of_a_provisioner_are_looked_at_where_one_is_installed(host: HostRoot) -> None:
    for place in ("opt/made/config", "opt/made/python-3/lib", "var/lib/instorage-provisioner"):
        (host.root / place).mkdir(parents=True)
    host.program("restorecon", f'echo "$@" >{host.root}/asked')
    assert host.findings("selinux", provisioner="/opt/made") == []
    asked = (host.root / "asked").read_text().split()
    assert {"/opt/made/config", "/var/lib/instorage-provisioner"} <= {*asked}
    assert not any(one.startswith("/opt/made/python") for one in asked)


def test_a_host_without_selinux_has_nothing_to_say(host: HostRoot) -> None:
    (host.root / "sys/fs/selinux/enforce").unlink()
    (host.root / BOOLEAN).unlink()
    assert said(host) == []


def test_a_host_without_our_module_is_told(host: HostRoot) -> None:
    (host.root / BOOLEAN).unlink()
    (text,) = said(host)
    assert "no module of ours" in text


def test_a_mode_that_cannot_be_read_is_not_taken_for_a_good_one(host: HostRoot) -> None:
    (host.root / "sys/fs/selinux/enforce").unlink()
    (host.root / "sys/fs/selinux/enforce").mkdir()
    assert said(host) == ["The mode of SELinux cannot be read (Is a directory)."]


def test_a_denial_is_told_as_the_rule_that_would_allow_it(host: HostRoot) -> None:
    answers(host, "journalctl", f"a line\n{AVC}\n{AVC}\n")
    (text,) = said(host)
    assert "allow instorage_agent_t shadow_t:file open;" in text


def test_wrong_labels_are_named_and_many_are_counted(host: HostRoot) -> None:
    line = "Would relabel /etc/instorage/{} from system_u:object_r:bin_t:s0 to system_u:object_r:lib_t:s0\n"
    answers(host, "restorecon", "".join(line.format(n) for n in range(selinux.SHOWN + 2)))
    found = said(host)
    assert found[0] == "/etc/instorage/0 has a label that is not its own."
    assert found[-1] == "2 files more have labels that are not their own."
    assert len(found) == selinux.SHOWN + 1


def test_an_answer_that_cannot_be_had_is_not_taken_for_a_good_one(host: HostRoot) -> None:
    for program in ("restorecon", "journalctl"):
        host.program(program, "echo no such policy >&2; exit 3")
    found = host.findings("selinux")
    assert ["cannot be found out" in one.sentence for one in found] == [True, True]
    assert [one.proof for one in found] == [
        f"{program}: status 3 no such policy" for program in ("restorecon", "journalctl")
    ]


def test_of_a_journal_without_end_the_newest_lines_are_read(host: HostRoot) -> None:
    line = "echo 'kernel: nothing of ours'"
    host.program(
        "journalctl", f'case "$*" in *"-n {selinux.NEWEST} "*) {line};; *) while :; do {line}; done;; esac'
    )
    assert said(host) == []


def test_many_denials_are_told_the_newest_first(host: HostRoot) -> None:
    lines = "".join(f"{AVC.replace('{ open }', f'{{ r{n} }}')}\n" for n in range(selinux.SHOWN + 5))
    host.program(
        "journalctl", f'case " $* " in *" -r "*) printf %s {shlex.quote(lines)} ;; *) exit 4 ;; esac'
    )
    found = said(host)
    assert len(found) == selinux.SHOWN
    assert ":file r0;" in found[0]


def test_libraries_which_are_thousands_are_not_looked_at_one_by_one(host: HostRoot) -> None:
    for folder in ("lib/python3.11", "libexec"):
        (host.root / "usr/lib/instorage/current" / folder).mkdir(parents=True)
    host.program("restorecon", f'echo "$@" >{host.root}/asked')
    assert said(host) == []
    asked = (host.root / "asked").read_text().split()
    assert [one for one in asked if "/usr/lib/instorage" in one] == ["/usr/lib/instorage/current/libexec"]


@pytest.mark.parametrize("text", [None, ""])
def test_a_module_of_which_nothing_says_the_version_is_to_be_loaded_again(
    host: HostRoot, text: str | None
) -> None:
    file = host.write("etc/instorage/selinux-policy", "")
    if text is None:
        file.unlink()
    assert said(host) == ["The module instorage is loaded, and nothing says which version: load it again."]
