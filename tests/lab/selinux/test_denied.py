"""What must be denied is denied, by being tried in the domain itself; the same is possible outside of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.soak import WHOLE

if TYPE_CHECKING:
    from tools.lab import Machine

pytestmark = [pytest.mark.lab, pytest.mark.skipif(not WHOLE, reason="not yet seen in the lab")]
LIMIT = 60  # seconds for a command in an emulated machine
ROOT_DISK = "/dev/vda"
PROGRAM = "/usr/libexec/instorage/instorage-nodeagent"
STATE = "/var/lib/instorage/tried"
CONNECT = "import socket; socket.socket(socket.AF_UNIX).connect({name!r})"
ISCSID = CONNECT.format(name="\0ISCSIADM_ABSTRACT_NAMESPACE")
HELPER = CONNECT.format(name="/run/instorage/helper.sock")
AGENT = CONNECT.format(name="/run/instorage/agent.sock")
NETWORK = "import socket; socket.socket(socket.AF_INET)"
MODULE = (
    "import ctypes, errno, sys; libc = ctypes.CDLL(None, use_errno=True); "
    "libc.syscall(313, 0, b'', 0); sys.exit(ctypes.get_errno() in (errno.EPERM, errno.EACCES))"
)
SHELL = "import subprocess; subprocess.run(['/bin/sh', '-c', ':'], check=True)"
# Each: domain, what is tried, in Python; every one works for root outside of the domain.
TRIALS = {
    "the agent opens a disk": ("agent", f"open({ROOT_DISK!r}, 'rb').read(1)"),
    "the agent reads the passwords": ("agent", "open('/etc/shadow').read()"),
    "the agent writes its own program": ("agent", f"open({PROGRAM!r}, 'ab').close()"),
    "the agent connects to iscsid": ("agent", ISCSID),
    "the provisioner reads the node's state": ("provisioner", f"open({STATE!r}).read()"),
    "the provisioner connects to the helper": ("provisioner", HELPER),
    "the provisioner opens a disk": ("provisioner", f"open({ROOT_DISK!r}, 'rb').read(1)"),
    "the helper writes to /etc": ("helper", "open('/etc/hosts', 'ab').close()"),
    "the helper executes a shell": ("helper", SHELL),
    "the helper opens a network socket": ("helper", NETWORK),
    "the helper writes a disk": ("helper", f"open({ROOT_DISK!r}, 'r+b').close()"),
    "the helper reads a tenant's file": ("helper", "open('/srv/tenants/file').read()"),
}
DENIED = [
    "allow instorage_agent_t fixed_disk_device_t:blk_file read;",
    "allow instorage_agent_t shadow_t:file read;",
    "allow instorage_agent_t instorage_agent_exec_t:file append;",
    "allow instorage_agent_t iscsid_t:unix_stream_socket connectto;",
    "allow instorage_provisioner_t instorage_agent_state_t:file read;",
    "allow instorage_provisioner_t instorage_helper_socket_t:sock_file write;",
    "allow instorage_provisioner_t fixed_disk_device_t:blk_file read;",
    "allow instorage_helper_t etc_t:file append;",
    "allow instorage_helper_t net_conf_t:file append;",
    "allow instorage_helper_t shell_exec_t:file execute;",
    "allow instorage_helper_t self:tcp_socket create;",
    "allow instorage_helper_t fixed_disk_device_t:blk_file write;",
    "allow instorage_helper_t unlabeled_t:file read;",
]
"""What these trials are denied; anything else that is denied fails the module."""


@pytest.fixture(scope="module")
def entered(node_enforced: Machine) -> Machine:
    """A node on which a Python may be the entry of each domain: a module of the test's own, for runcon."""
    rules = "".join(
        f"(allow instorage_{one}_t bin_t (file (entrypoint execute read open map getattr)))\n"
        f"(roletype system_r instorage_{one}_t)\n"
        for one in ("agent", "provisioner", "helper")
    )
    entry = "(allow initrc_t instorage_domain (process (transition noatsecure rlimitinh siginh)))\n"
    node_enforced.put("/root/instorage_trials.cil", rules + entry)
    node_enforced.run("semodule -i /root/instorage_trials.cil", 600)
    node_enforced.run("mkdir -p /srv/tenants && echo a secret >/srv/tenants/file")
    node_enforced.run("chcon -t unlabeled_t /srv/tenants/file", check=False)
    node_enforced.run(f"echo a record >{STATE} && restorecon {STATE}")
    return node_enforced


def attempt(node: Machine, trial: str, domain: str = "") -> int:
    label = f"runcon system_u:system_r:instorage_{domain}_t:s0 " if domain else ""
    node.put("/root/trial.py", trial)
    return node.run(f'{label}/usr/bin/python3 -I -c "$(cat /root/trial.py)"', LIMIT, check=False).exit_status


@pytest.mark.parametrize("what", TRIALS)
def test_it_is_denied(entered: Machine, what: str) -> None:
    domain, trial = TRIALS[what]
    assert attempt(entered, trial) == 0, "outside of the domain it works, else nothing is shown"
    assert attempt(entered, "pass", domain) == 0, "the domain can be entered, and runs a Python"
    assert attempt(entered, trial, domain) != 0


def test_the_agent_loads_no_module(entered: Machine) -> None:
    assert attempt(entered, MODULE, "agent") == 1


@pytest.mark.parametrize("socket", [HELPER, AGENT])
def test_another_domain_does_not_connect(entered: Machine, socket: str) -> None:
    entered.put("/root/trial.py", socket)
    run = 'runcon system_u:system_r:syslogd_t:s0 /usr/bin/python3 -I -c "$(cat /root/trial.py)"'
    assert entered.run(run, LIMIT, check=False).exit_status != 0
