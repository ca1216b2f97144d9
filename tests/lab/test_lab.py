"""The lab itself: its machines answer, have what they need, reboot, come back, and end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.docs.commands import all_commands
from tests.lab.reachability import pings, wait_until
from tests.soak import IN_SOAK, ROOT
from tools.lab import CommandFailed, Lab, LabFault, Machine
from tools.lab.image import ENVIRONMENT
from tools.lab.topology import ARRAY, NODES, PORTALS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.lab
DENIAL = (
    "audit: type=1400 audit(1.1:1): avc:  denied  { read } for  pid=1 "
    "scontext=system_u:system_r:instorage_agent_t:s0 "
    "tcontext=system_u:object_r:shadow_t:s0 tclass=file permissive=1"
)


def test_machines_answer_by_their_names(array: Machine, node: Machine) -> None:
    assert array.run("hostname").stdout == "array\n"
    assert node.run(["hostname"]).stdout == "nodea\n"
    assert node.run("cat", stdin=b"through \xc3\xa9").stdout == "through é"
    assert node.read("/etc/iscsi/initiatorname.iscsi").decode().strip().endswith(node.role.initiator)
    assert abs(float(node.run("date +%s.%N").stdout) - time.time()) < 5


def test_a_failed_command_says_what_it_printed(node: Machine) -> None:
    with pytest.raises(CommandFailed, match="exit status 3\nwhy") as failed:
        node.run("echo why; exit 3")
    assert failed.value.result.exit_status == 3
    assert node.run("exit 3", check=False).exit_status == 3


def test_a_command_that_hangs_is_ended_with_what_it_started(node: Machine) -> None:
    with pytest.raises(CommandFailed, match="took over 1 s") as failed:
        node.run("sleep 9876 & sleep 9876", timeout=1)
    assert failed.value.timed_out
    assert node.run("pgrep -x sleep", check=False).stdout == ""


def test_many_commands_run_at_once(node: Machine) -> None:
    def meet(number: int) -> str:
        return node.run(
            f"touch /run/meet.{number}; until [ $(ls /run/meet.* | wc -l) = 8 ]; do :; done"
        ).stdout

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(meet, range(8))) == [""] * 8


def test_files_and_folders_are_put_in_and_read_back(node: Machine, tmp_path: Path) -> None:
    blob = os.urandom(3_000_000)
    node.put("/run/lab test/blob", blob, 0o750)
    assert node.read("/run/lab test/blob") == blob
    assert node.run("stat -c '%a %U' '/run/lab test/blob'").stdout == "750 root\n"
    (tmp_path / "sub/__pycache__").mkdir(parents=True)
    (tmp_path / "sub/module.py").write_text("x = 1\n")
    (tmp_path / "sub/__pycache__/module.pyc").write_bytes(b"")
    node.put_tree("/run/tree", tmp_path)
    assert node.run("cd /run/tree; find -type f").stdout == "./sub/module.py\n"
    with pytest.raises(LabFault, match="/no/such"):
        node.read("/no/such")


def test_the_products_python_has_its_libraries(node: Machine) -> None:
    libraries = ["cryptography", "paramiko", "pyroute2", "sdnotify", "yaml"]
    found = node.run(f"{ENVIRONMENT}/bin/python3 -c 'import {', '.join(libraries)}, sys; print(sys.prefix)'")
    assert found.stdout == f"{ENVIRONMENT}\n"


def test_multipath_is_debians_own(node: Machine) -> None:
    assert node.run("ls /etc/multipath.conf", check=False).exit_status != 0
    assert 'find_multipaths "strict"' in node.run("multipath -t").stdout
    assert node.run("systemctl is-active multipathd iscsid.socket").stdout == "active\nactive\n"


@IN_SOAK  # every day in tests/lab/crash, and under a kubelet
def test_a_node_reboots_orderly_or_by_reset_and_comes_back_with_its_network(lab: Lab, array: Machine) -> None:
    nodes = [lab.node(name) for name in NODES]
    with ThreadPoolExecutor(2) as pool:  # a boot leaves a processor idle now and then
        list(pool.map(comes_back, nodes, (array, array), (False, True)))


def comes_back(node: Machine, array: Machine, hard: bool) -> None:
    before = node.run("cat /proc/sys/kernel/random/boot_id").stdout
    node.run("echo kept > /root/kept; sync /root/kept; echo gone > /run/gone")
    node.reboot(hard=hard)
    assert node.run("cat /proc/sys/kernel/random/boot_id").stdout != before
    assert node.read("/root/kept") == b"kept\n"
    assert node.run("ls /run/gone", check=False).exit_status != 0
    assert pings(node, PORTALS[0])
    assert pings(node, PORTALS[1])
    assert pings(array, node.role.address(1))


def test_a_killed_node_is_gone_and_a_fresh_one_takes_its_place(array: Machine, node: Machine) -> None:
    node.run("touch /root/mark")
    node.kill()
    assert not node.running
    with pytest.raises(LabFault, match="reload"):
        node.run("true")
    assert not pings(array, node.role.address(0))
    node.reload()
    assert node.run("ls /root/mark", check=False).exit_status != 0
    wait_until(lambda: pings(array, node.role.address(0)))


@pytest.mark.parametrize(
    "how", [pytest.param("orderly", marks=IN_SOAK), pytest.param("hard", marks=IN_SOAK), "killed"]
)
def test_what_was_denied_before_a_reboot_or_a_kill_is_known_after_it(node: Machine, how: str) -> None:
    node.run(f"echo '{DENIAL}' >/dev/kmsg")
    if how == "killed":
        node.kill()
        node.reload()
    else:
        node.reboot(hard=how == "hard")
    known = dict(node.denied)
    node.denied.clear()  # else it would fail this module's end, as it should that of another
    assert list(known) == ["allow instorage_agent_t shadow_t:file read;"]


def test_a_kill_does_not_wait_for_a_machine_that_hangs(node: Machine) -> None:
    node.pause()
    began = time.monotonic()
    node.kill()
    assert time.monotonic() - began < 10
    assert node.denied == {}
    node.reload()


def test_the_array_can_be_replaced_alone(array: Machine, node: Machine) -> None:
    array.reload()
    wait_until(lambda: pings(node, PORTALS[0]) and pings(node, PORTALS[1]))


def test_machines_end_with_the_process_that_made_them() -> None:
    program = (
        "import json, time\nfrom tools.lab import Lab\n"
        "lab = Lab(nodes=())\n"
        "print(json.dumps([str(lab.directory), lab.array.pid]), flush=True)\ntime.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        directory, pid = json.loads(owner.stdout.readline())
        assert os.path.exists(f"/proc/{pid}")
        owner.send_signal(signal.SIGKILL)
    wait_until(lambda: not os.path.exists(f"/proc/{pid}") and not os.path.exists(directory))


def typed(command: str) -> subprocess.CompletedProcess[str]:
    """Run a command of docs/lab.md in the checkout, by this Python."""
    program, *words = command.split()
    assert program == ".venv/bin/python"
    argv = [sys.executable, *words]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=240, check=True)


@IN_SOAK
def test_the_pages_commands_find_the_lab_built_and_run_one_command_on_a_fresh_node(lab: Lab) -> None:
    (build,) = (one for one in all_commands() if one.endswith("tools.lab build"))
    said = typed(build).stderr
    for name in (ARRAY, *NODES):
        assert f"/{name}.qcow2 ready after" in said
    (run,) = (one for one in all_commands() if "tools.lab run a " in one)
    assert typed(run).stdout == "", "nobody has mapped a disk to it"
    assert typed(f"{run.removesuffix('lsscsi')}hostname").stdout == "nodea\n"
