"""Who holds a device: processes and mount namespaces, with their pods, as /proc shows them."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from nodeagent.administration.doctor.holders import holders

if TYPE_CHECKING:
    from pathlib import Path

POD = "431a7251-1df7-43a7-b81a-9e1d775a898e"


def process(proc: Path, pid: int, name: str, namespace: str = "mnt:[1]") -> Path:
    at = proc / str(pid)
    (at / "fd").mkdir(parents=True)
    (at / "ns").mkdir()
    (at / "ns/mnt").symlink_to(namespace)
    (at / "comm").write_text(f"{name}\n")
    (at / "mountinfo").write_text("21 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n")
    (at / "cgroup").write_text("0::/system.slice\n")
    return at


def test_an_open_descriptor_and_another_namespaces_mount_are_found_with_the_pod(tmp_path: Path) -> None:
    proc, block = tmp_path / "proc", tmp_path / "block"
    (block / "dm-3").mkdir(parents=True)
    (block / "dm-3/dev").write_text("253:3\n")
    process(proc, 1, "systemd")
    (process(proc, 20, "pvscan") / "fd/5").symlink_to("/dev/dm-3")
    (process(proc, 21, "sleep") / "fd/5").symlink_to("/dev/null")
    for pid in (30, 31):  # of one namespace: said once
        at = process(proc, pid, "postgres", "mnt:[4026532]")
        (at / "mountinfo").write_text("99 1 253:3 / /data rw - ext4 /dev/dm-3 rw\n")
        (at / "cgroup").write_text(
            f"0::/kubepods.slice/kubepods-pod{POD.replace('-', '_')}.slice/cri-x.scope\n"
        )
    first, second = holders({"dm-3", "sda"}, proc, block)
    assert (first["pid"], first["name"], first["how"], first["pod"]) == (20, "pvscan", "has it open", "")
    assert (second["pid"], second["how"], second["namespace"], second["pod"]) == (
        30,
        "has it mounted",
        "4026532",
        POD,
    )


@pytest.mark.subprocess
def test_a_true_process_that_has_a_node_open_is_found() -> None:
    """By the true /proc: `null` plays the device."""
    code = "import sys; held = open('/dev/null'); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout
        assert child.stdin
        assert child.stdout.readline() == "open\n"
        found = {one["pid"]: one for one in holders({"null"})}
        child.stdin.close()
    assert found[child.pid]["how"] == "has it open"
    assert found[child.pid]["namespace"] == os.readlink("/proc/self/ns/mnt")[5:-1]
