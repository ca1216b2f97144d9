"""What doctor, bundle and report look at of strangers: no more than is needed, and nothing of it is kept."""

from __future__ import annotations

import json
import os
import shlex
from typing import TYPE_CHECKING

import pytest

from instorage.wire.fault import Code, Fault
from nodeagent.administration import bundle, kubelet_access
from nodeagent.administration.doctor import examination, policy
from nodeagent.administration.doctor.holders import holders
from nodeagent.administration.doctor.host import Host
from nodeagent.administration.doctor.looks import Looks
from tests.ctl.host_root import HostRoot
from tests.ctl.test_holders import process
from tests.ctl.test_selinux import AVC, BOOLEAN

if TYPE_CHECKING:
    from pathlib import Path

AUDITED = "type=USER_CMD msg=audit(1.2:3): cmd=6D7973716C202D70733363726574 exe=/usr/bin/sudo"


@pytest.mark.subprocess
def test_of_the_audit_log_a_bundle_keeps_our_denials_alone(tmp_path: Path) -> None:
    root = HostRoot(tmp_path)
    for name, text in (("sys/fs/selinux/enforce", "1"), (BOOLEAN, "0 0"), (policy.LOADED[1:], "3 0\n")):
        root.write(name, text)
    root.program("restorecon", "exit 0")
    root.program("journalctl", f"printf %s {shlex.quote(f'{AUDITED}{chr(10)}{AVC}{chr(10)}{AUDITED}')}")
    host = Host(Looks(root.root), root.setup())
    found = examination.examine(host, ("selinux",), 50).findings
    assert any("shadow_t" in one.sentence for one in found)
    kept = json.dumps(host.looks.kept)
    assert "avc:" in kept
    assert "6D7973716C" not in kept


@pytest.mark.parametrize(
    ("text", "hidden", "whole"),
    [
        ("host: [", (), False),
        ("password: p4ssw0rd", ("p4ssw0rd",), True),
        ("password: abc", (), False),  # too short to be looked for
    ],
)
def test_a_bundle_says_that_it_has_no_password_only_where_all_were_looked_for(
    tmp_path: Path, text: str, hidden: tuple[str, ...], *, whole: bool
) -> None:
    path = tmp_path / "instorage.yaml"
    if text.startswith("password"):
        text = f"storage:\n- {{name: a, type: AS18000, host: '127.0.0.1:1', username: u, {text}}}\n"
    path.write_text(text)
    path.chmod(0o600)
    assert bundle.secrets_of(path) == (hidden, whole)
    said = list(bundle._lines(tmp_path / "x.tar.gz", {}, path, whole=whole))
    assert ("It has no password." in said) is whole
    assert any(f"Not every password of {path} could be looked for" in line for line in said) is not whole


def test_no_other_process_is_asked_for_its_words_to_find_kubelets_kubeconfig(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fifo that nobody writes to hangs whoever opens it, as memory of a process in D does."""
    monkeypatch.delenv("INSTORAGE_KUBELET_KUBECONFIG", raising=False)
    proc, place = tmp_path / "proc", tmp_path / "kubelet.conf"
    (proc / "7").mkdir(parents=True)
    os.mkfifo(proc / "7/cmdline")
    (proc / "7/cgroup").write_text("0::/system.slice/postgresql.service\n")
    place.write_text("")
    monkeypatch.setattr(kubelet_access, "PLACES", ())
    assert kubelet_access.file(proc) is None
    (proc / "7/cgroup").write_text("0::/system.slice/kubelet.service\n")
    monkeypatch.setattr(kubelet_access, "PLACES", (str(place),))
    assert kubelet_access.file(proc) == place


def test_what_hangs_is_looked_for_without_the_words_of_any_process() -> None:
    assert "args" not in examination._hangs("volumes", 45.0).command


def test_a_process_name_that_a_terminal_would_obey_is_cleaned(tmp_path: Path) -> None:
    proc, block = tmp_path / "proc", tmp_path / "block"
    block.mkdir()
    process(proc, 1, "systemd")
    (process(proc, 20, "\x1b]0;x\x07\nWho") / "fd/5").symlink_to("/dev/sda")
    (one,) = holders({"sda"}, proc, block)
    assert one["name"] == "?]0;x??Who"


@pytest.mark.subprocess
def test_a_masked_daemon_is_unmasked_and_not_installed(tmp_path: Path) -> None:
    root = HostRoot(tmp_path)
    root.units["multipathd.service"] = {"ActiveState": "", "LoadState": "masked"}
    (found,) = root.findings("services")
    assert found.sentence == "multipathd.service is masked."
    assert found.command == (
        "systemctl unmask multipathd.service && systemctl enable --now multipathd.service"
    )


@pytest.mark.subprocess
def test_what_checks_a_configuration_is_named_by_its_whole_path(tmp_path: Path) -> None:
    root = HostRoot(tmp_path)
    (found,) = root.findings("configuration", fault="It cannot be used.")
    assert found.command == (
        f"{tmp_path}/plugin/instorage-flexvolume ext-check-cfg {tmp_path}/plugin/config/instorage.yaml"
    )


def test_a_look_that_another_check_began_and_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    looks = Looks(tmp_path)
    looks.patience = 0.0
    with looks._locks["x"], pytest.raises(Fault, match="has not ended: «x»") as late:
        looks.answer("x", dict)
    assert late.value.code is Code.TIMEOUT
