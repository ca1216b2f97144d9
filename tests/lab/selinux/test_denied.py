"""What must be denied is denied, by being tried in the domain itself; the same is possible outside of it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.soak import in_turn
from tools.install import LIBEXEC, PLUGIN
from tools.lab import denials

if TYPE_CHECKING:
    from tools.lab import Machine

pytestmark = [pytest.mark.lab, in_turn(0, 2)]
LIMIT = 60  # seconds for commands in an emulated machine
PYTHON = "/usr/bin/python3 -I -c"
DISK = "/dev/vda"
STATE = "/var/lib/instorage-tried/record"
TENANTS = "/var/lib/tenants/file"
# In a directory that everybody may search: it is the file itself that is denied.
RECORD, FACT = "/var/lib/tenants/record", "/var/lib/tenants/fact"
THE_RECORD = "the provisioner reads a record of the node in a directory that it may search"
THE_HELPERS = "the provisioner reads what the helper keeps"
CONNECT = "import socket; socket.socket(socket.AF_UNIX).connect({!r})"
HELPER = CONNECT.format("/run/instorage/helper.sock")
AGENT = CONNECT.format("/run/instorage/agent.sock")
# finit_module with no file: the kernel asks for the capability before it looks at anything else.
MODULE = (
    "import ctypes, errno; libc = ctypes.CDLL(None, use_errno=True); libc.syscall(313, -1, b'', 0); "
    "assert ctypes.get_errno() not in (errno.EPERM, errno.EACCES)"
)


@dataclass(frozen=True)
class Trial:
    """Python that works for root outside of a domain, and in it is denied by the lack of a rule."""

    domain: str
    python: str
    rule: str


TRIALS = {
    "the agent opens a disk": Trial(
        "agent", f"open({DISK!r}, 'rb').read(1)", "instorage_agent_t fixed_disk_device_t:blk_file read"
    ),
    "the agent reads the passwords": Trial(
        "agent", "open('/etc/shadow').read()", "instorage_agent_t shadow_t:file read"
    ),
    "the agent writes its own program": Trial(
        "agent",
        f"open('/{LIBEXEC}/instorage-nodeagent', 'ab').close()",
        "instorage_agent_t instorage_agent_exec_t:file append",
    ),
    "the agent loads a module": Trial("agent", MODULE, "instorage_agent_t self:capability sys_module"),
    "the agent connects to iscsid": Trial(
        "agent",
        CONNECT.format("\0ISCSIADM_ABSTRACT_NAMESPACE"),
        "instorage_agent_t iscsid_t:unix_stream_socket connectto",
    ),
    "the provisioner reads the node's state": Trial(
        "provisioner", f"open({STATE!r}).read()", "instorage_provisioner_t instorage_agent_state_t:dir search"
    ),
    THE_RECORD: Trial(
        "provisioner", f"open({RECORD!r}).read()", "instorage_provisioner_t instorage_agent_state_t:file read"
    ),
    THE_HELPERS: Trial(
        "provisioner", f"open({FACT!r}).read()", "instorage_provisioner_t instorage_helper_state_t:file read"
    ),
    "the provisioner connects to the helper": Trial(
        "provisioner", HELPER, "instorage_provisioner_t instorage_helper_socket_t:sock_file write"
    ),
    "the provisioner opens a disk": Trial(
        "provisioner",
        f"open({DISK!r}, 'rb').read(1)",
        "instorage_provisioner_t fixed_disk_device_t:blk_file read",
    ),
    "the helper writes to /etc": Trial(
        "helper", "open('/etc/environment', 'ab').close()", "instorage_helper_t etc_t:file append"
    ),
    "the helper executes a shell": Trial(
        "helper",
        "import subprocess; subprocess.run(['/bin/sh', '-c', ':'], check=True)",
        "instorage_helper_t shell_exec_t:file execute",
    ),
    "the helper opens a network socket": Trial(
        "helper", "import socket; socket.socket(socket.AF_INET)", "instorage_helper_t self:tcp_socket create"
    ),
    "the helper writes a disk": Trial(
        "helper", f"open({DISK!r}, 'r+b').close()", "instorage_helper_t fixed_disk_device_t:blk_file write"
    ),
    "the helper reads a tenant's file": Trial(
        "helper", f"open({TENANTS!r}).read()", "instorage_helper_t unlabeled_t:file read"
    ),
}
THE_STUBS = "allow instorage_stub_t instorage_helper_socket_t:sock_file write;"
DENIED = [*(f"allow {trial.rule};" for trial in TRIALS.values()), THE_STUBS]
"""What these trials are denied; anything else that is denied fails the module."""
PREPARE = f"""
set -e; setenforce 0; mkdir -p $(dirname {STATE}) $(dirname {TENANTS}); touch /etc/environment
for file in {STATE} {TENANTS} {RECORD} {FACT}; do echo a secret >$file; done
chcon -t instorage_agent_state_t {RECORD}; chcon -t instorage_helper_state_t {FACT}
chcon -R -t instorage_agent_state_t $(dirname {STATE}); chcon -t unlabeled_t {TENANTS}; setenforce 1
"""


@pytest.fixture(scope="module")
def tried(node: Machine) -> Machine:
    """The node with files to reach for."""
    node.run(PREPARE)
    return node


def attempt(node: Machine, python: str, domain: str = "") -> bool:
    label = f"runcon system_u:system_r:{domain}:s0 " if domain else ""
    return node.run(f"{label}{PYTHON} {shlex.quote(python)}", LIMIT, check=False).exit_status == 0


@pytest.mark.parametrize(
    "domain", ["instorage_agent_t", "instorage_provisioner_t", "instorage_helper_t", "httpd_t"]
)
def test_a_python_runs_in_the_domain(tried: Machine, domain: str) -> None:
    """Else what follows shows nothing."""
    asked = f"assert open('/proc/self/attr/current').read().split(':')[2] == {domain!r}"
    assert attempt(tried, asked, domain)


@pytest.mark.parametrize("what", TRIALS)
def test_it_is_denied(tried: Machine, what: str) -> None:
    trial = TRIALS[what]
    assert attempt(tried, trial.python), "outside of the domain it works, else nothing is shown"
    assert not attempt(tried, trial.python, f"instorage_{trial.domain}_t")
    assert f"allow {trial.rule};" in denials.of(tried)


def test_the_stub_reaches_its_own_socket_and_no_other(tried: Machine) -> None:
    stub = f"/{PLUGIN}/instorage-flexvolume are-you-there"
    assert "Not supported" in tried.run(stub, LIMIT, check=False).stdout
    asked = tried.run(f"INSTORAGE_AGENT_SOCKET=/run/instorage/helper.sock {stub}", LIMIT, check=False)
    assert "Not supported" not in asked.stdout
    assert THE_STUBS in denials.of(tried)


@pytest.mark.parametrize("socket", [HELPER, AGENT], ids=["helper", "agent"])
def test_another_domain_does_not_connect(tried: Machine, socket: str) -> None:
    assert attempt(tried, socket)
    assert not attempt(tried, socket, "httpd_t")
