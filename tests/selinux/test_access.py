"""What each domain may do is what is written down; what must never be is refused when it is linked."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tools.lab.fault import LabFault
from tools.lab.policy import SOURCES, built
from tools.lab.releases import BULLSEYE, TRIXIE
from tools.selinux import access
from tools.selinux.headers import headers
from tools.selinux.linked import store

if TYPE_CHECKING:
    from pathlib import Path

    from tools.lab.releases import Release
    from tools.selinux.linked import Linked

WITHIN = "# Calls come in through sockets that systemd made for this domain.\n"
# What a change of the module may say by mistake, and the neverallow rule that refuses it.
WIDENINGS = {
    "the agent opens a disk": "allow instorage_agent_t fixed_disk_device_t:blk_file { open read };",
    "the provisioner reads the node's records": (
        "allow instorage_provisioner_t instorage_agent_state_t:file { open read };"
    ),
    "the stub traces a process": "allow instorage_stub_t domain:process ptrace;",
    "the agent reads the host's passwords": "allow instorage_agent_t shadow_t:file { open read };",
    "the agent changes its own program": "allow instorage_agent_t instorage_agent_exec_t:file write;",
    "memory is written and executed": "allow instorage_python self:process execmem;",
    "the helper is on the network": "allow instorage_helper_t self:tcp_socket create;",
    "the helper starts a shell": "allow instorage_helper_t shell_exec_t:file { execute execute_no_trans };",
    "the helper writes a disk": "allow instorage_helper_t fixed_disk_device_t:blk_file write;",
    "the helper writes settings of the host": "allow instorage_helper_t etc_t:file { open write };",
    "the helper reads a tenant's file": "allow instorage_helper_t unlabeled_t:file { open read };",
}


@pytest.mark.parametrize("domain", access.DOMAINS)
def test_a_domain_may_do_what_is_written_down_and_nothing_else(linked: Linked, domain: str) -> None:
    kept = access.file(domain).read_text().splitlines()
    assert access.rules(linked, domain) == kept, "if this is meant: python -m tools.selinux"


def test_the_report_runs_as_a_service_without_a_policy(linked: Linked) -> None:
    """As docs/selinux.md says: its program has bin_t (test_labels), its unit NoNewPrivileges=."""
    argv = ["sesearch", "-T", "-s", "init_t", "-t", "bin_t", "-c", "process", str(linked.policy)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["type_transition", "init_t", "bin_t:process", "initrc_t;"]
    found = access.asked(linked, "-s", "init_t", "-t", "initrc_t", "-c", "process2", "-p", "nnp_transition")
    assert found, "it would stay in systemd's domain"


@pytest.mark.parametrize("domain", access.DOMAINS)
def test_nothing_of_ours_may_run_what_it_has_written(linked: Linked, domain: str) -> None:
    source = f"instorage_{domain}_t"
    written = {line.split()[2] for line in access.asked(linked, "-s", source, "-c", "file", "-p", "write")}
    run = access.asked(linked, "-s", source, "-c", "file", "-p", "execute,execute_no_trans,entrypoint")
    assert written.isdisjoint(line.split()[2] for line in run)


def test_the_agent_reaches_the_helpers_socket_and_neither_iscsid_nor_multipathd(linked: Linked) -> None:
    met = access.asked(linked, "-s", "instorage_agent_t", "-c", "unix_stream_socket", "-p", "connectto")
    targets = {line.split()[2].partition(":")[0] for line in met}
    assert "instorage_helper_t" in targets
    assert targets.isdisjoint({"iscsid_t", "lvm_t", "domain", "daemon", "init_t"})


@pytest.mark.parametrize("domain", ["lvm_t", "httpd_t", "user_t", "syslogd_t", "instorage_provisioner_t"])
def test_no_other_domain_connects_to_the_sockets(linked: Linked, domain: str) -> None:
    for server in ("instorage_agent_t", "instorage_helper_t"):
        question = ("-s", domain, "-t", server, "-c", "unix_stream_socket", "-p", "connectto")
        assert access.asked(linked, *question) == []


@pytest.mark.parametrize("domain", ["iscsid_t", "lvm_t", "fsadm_t"])
def test_a_program_that_root_code_starts_keeps_the_lock_of_its_volume(linked: Linked, domain: str) -> None:
    """A descriptor that it may not use the kernel takes away, and with it the lock of a stuck program."""
    helper = ("-s", domain, "-t", "instorage_helper_t", "-c", "fd", "-p", "use")
    assert access.asked(linked, *helper)
    for right in ("read", "write"):
        lock = ("-s", domain, "-t", "instorage_lock_t", "-c", "file", "-p", right)
        assert access.asked(linked, *lock), right


def changed(folder: Path, rule: str) -> Path:
    """The module with a rule more."""
    sources = folder / "selinux"
    shutil.copytree(SOURCES, sources)
    text = (sources / "instorage.te").read_text()
    assert WITHIN in text
    (sources / "instorage.te").write_text(text.replace(WITHIN, WITHIN + rule + "\n"))
    return built(folder / "out", sources)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Linked:
    """The distribution's policy without ours, in which what is refused leaves nothing."""
    return store(tmp_path_factory.mktemp("base"))


@pytest.mark.parametrize("what", WIDENINGS)
def test_a_module_that_says_so_is_refused(base: Linked, tmp_path: Path, what: str) -> None:
    (tmp_path / "out").mkdir()
    module = changed(tmp_path, WIDENINGS[what])
    with pytest.raises(LabFault, match="neverallow check failed"):
        base.add(module)


@pytest.mark.parametrize("release", [BULLSEYE, TRIXIE], ids=lambda release: str(release.name))
def test_the_module_compiles_with_the_policies_before_and_after(release: Release, tmp_path: Path) -> None:
    assert built(tmp_path, headers=headers(release, print)).stat().st_size


def test_selint_finds_nothing() -> None:
    """S-001 and E-005 ask for the distribution's types by interface alone; some have none (instorage.te)."""
    files = [str(path) for path in sorted(SOURCES.rglob("instorage.*"))]
    argv = ["selint", "-s", "-F", "-d", "S-001", "-d", "E-005", *files]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    found = re.findall(r"^.*: +\d+: \([A-Z]\):.*$", done.stdout, re.MULTILINE)
    assert (done.returncode, found) == (0, [])
