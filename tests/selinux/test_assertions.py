"""What must hold of our domains in every policy holds in this machine's, and what does not hold is said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tools.lab.policy import built
from tools.selinux.assertions import broken
from tools.selinux.linked import store

if TYPE_CHECKING:
    from tools.selinux.linked import Linked

MODULES = Path("/usr/share/selinux/default")  # the distribution's policy as its package brings it
# As a site, or a careless change, might say it; neverallow rules do not count, as most policies are linked.
CARELESS = """\
(typepermissive instorage_agent_t)
(typeattributeset unconfined_domain_type (instorage_helper_t))
(allow instorage_provisioner_t fixed_disk_device_t (blk_file (read)))
(allow instorage_stub_t shadow_t (file (read)))
(allow instorage_helper_t self (process (execmem)))
(allow instorage_shutdown_t self (tcp_socket (create)))
"""


def test_nothing_of_ours_is_unconfined_permissive_or_may_what_none_may(linked: Linked) -> None:
    assert broken(linked) == []


def test_what_is_permissive_unconfined_or_widened_is_said(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "careless.cil").write_text(CARELESS)
    policy = store(tmp_path / "root", checked=False)
    policy.add(built(tmp_path / "out"), tmp_path / "careless.cil")
    found = broken(policy)
    assert {"instorage_agent_t is permissive.", "instorage_helper_t is unconfined."} <= {*found}
    rules = "\n".join(found)
    for domain, what in (
        ("provisioner", "disks are opened"),
        ("stub", "passwords are read"),
        ("helper", "memory that was written is run"),
        ("shutdown", "root code is on the network"),
    ):
        assert f"{what}: allow instorage_{domain}_t" in rules
    assert not any("agent_t is unconfined" in one or "helper_t is permissive" in one for one in found)


def checked(module: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """As `make selinux POLICY=fedora` checks what it has compiled."""
    argv = [sys.executable, "-m", "tools.selinux.modules", str(module), str(folder)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=580, check=False)


@pytest.mark.timeout(600)
def test_a_policy_that_lies_in_modules_is_linked_and_checked(tmp_path: Path) -> None:
    """With Debian's modules in the place of Fedora's, whose sources are not here."""
    done = checked(built(tmp_path), MODULES)
    assert (done.returncode, done.stderr) == (0, "")


def test_headers_without_modules_are_not_taken_for_a_check(tmp_path: Path) -> None:
    done = checked(tmp_path / "instorage.pp", tmp_path)
    assert done.returncode == 1
    assert "has no base.pp" in done.stderr
